"""Build the image from the Bento, or adopt the one that its tag names already."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.adapters.image import model_image
from flows.adapters.image.image_tools import REAL
from flows.adapters.registry import registry
from flows.adapters.registry.oci import TagTaken
from flows.project.settings import ROOT
from flows.steps.package import ingredients, tag
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "image", "Build image"
IMAGES = REAL


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The ingredients, and where the image is kept."""
    return {**ingredients(run, done), "name": run.image}


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Keep the image, the artifact beside it, and read the digest back."""
    name, place = tag(run, done), run.place
    digest = registry.digest(place, name)
    adopted = digest is not None
    if digest is None:
        try:
            digest = _build(run, done, name)
        except TagTaken as taken:  # somebody else was faster: theirs is made of the same
            digest, adopted = taken.there, True
    model = done["train"].folder / "model"
    files = {path.name: path.read_bytes() for path in sorted(model.iterdir())}
    registry.push_files(
        place, f"{name}.model", files, "application/vnd.sluice.model.v1", _annotations(run, done)
    )
    return {
        "tag": name,
        "digest": digest,
        "reference": f"{run.image}:{name}@{digest}",
        "adopted": adopted,
    }


def prepare(run: "Run", done: "Done") -> None:
    """Have the base ready where the image is yet to be built: which base it is decides the tag."""
    from flows.views.progress import say

    if registry.digest(run.place, tag(run, done)) is None:
        model_image.ensure_base(ROOT, run.settings.shared, say, IMAGES)


def _build(run: "Run", done: "Done", name: str) -> str:
    from flows.views.progress import say

    engine = IMAGES.builder(run.settings.home / "containers")
    if engine is None:
        raise UsageError(
            "no tool to build an image works here", "Install podman or buildah, or start Docker."
        )
    bento = run.settings.home / str(done["package"].facts["bento"])
    parts = model_image.parts(bento, ROOT, run.settings.shared, say, IMAGES)
    return model_image.build(engine, parts, run.place, name, _annotations(run, done))


def _annotations(run: "Run", done: "Done") -> dict[str, str]:
    return {f"dev.sluice.{name}": value for name, value in ingredients(run, done).items()}
