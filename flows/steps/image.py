"""Build the image from the Bento, or adopt the one that its tag names already."""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from flows.adapters.image import model_image
from flows.adapters.registry import registry
from flows.adapters.registry.oci import TagTaken
from flows.engine.step import Step
from flows.facts.step_files import MODEL
from flows.project.root import ROOT
from sluice.errors import UsageError
from sluice.gitops.image_names import annotation

if TYPE_CHECKING:
    from flows.engine.phases import Candidate
    from flows.engine.store import Result
    from flows.steps.package import Packaged


class Imaged(Struct, frozen=True):
    """The image as it was read back; `adopted` where it was in the registry before."""

    tag: str
    digest: str
    reference: str
    adopted: bool


def _inputs(candidate: "Candidate", packaged: "Result[Packaged]") -> dict[str, str]:
    del packaged  # it follows from the ingredients
    return {**candidate.ingredients, "name": candidate.request.image}


def _work(folder: Path, candidate: "Candidate", packaged: "Result[Packaged]") -> Imaged:
    """Keep the image, the artifact beside it, and read the digest back."""
    del folder
    request = candidate.request
    name = candidate.tag
    digest = registry.digest(request.place, name)
    adopted = digest is not None
    if digest is None:
        try:
            digest = _build(candidate, packaged, name)
        except TagTaken as taken:  # somebody else was faster: theirs is made of the same
            digest, adopted = taken.there, True
    model = candidate.trained.folder / MODEL
    files = {path.name: path.read_bytes() for path in sorted(model.iterdir())}
    registry.push_files(
        request.place,
        f"{name}.model",
        files,
        "application/vnd.sluice.model.v1",
        _annotations(candidate),
    )
    return Imaged(name, digest, f"{request.image}:{name}@{digest}", adopted)


def prepare(candidate: "Candidate") -> None:
    """Have the base ready where the image is yet to be built: which base it is decides the tag."""
    request = candidate.request
    if registry.digest(request.place, candidate.tag) is None:
        tools = request.tools
        model_image.ensure_base(ROOT, request.settings.shared, tools.progress.say, tools.images)


def _build(candidate: "Candidate", packaged: "Result[Packaged]", name: str) -> str:
    """Build and push the image; return its digest. Raises UsageError, TagTaken."""
    settings, tools = candidate.request.settings, candidate.request.tools
    engine = tools.images.builder(settings.home / "containers")
    if engine is None:
        raise UsageError(
            "no tool to build an image works here", "Install podman or buildah, or start Docker."
        )
    bento = settings.home / packaged.facts.bento
    parts = model_image.parts(bento, ROOT, settings.shared, tools.progress.say, tools.images)
    place = candidate.request.place
    return model_image.build(engine, parts, place, name, _annotations(candidate))


def _annotations(candidate: "Candidate") -> dict[str, str]:
    return {annotation(name): value for name, value in candidate.ingredients.items()}


IMAGE = Step("image", "Build image", Imaged, (), _inputs, _work)
