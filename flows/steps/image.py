"""Build the image from the Bento, or adopt the one that its tag names already.

A tag can be taken before a release comes to it: an earlier try pushed the image, another machine
was faster, or somebody pushed something else. Adopted is only what these inputs give, byte for
byte: builds are reproducible, so the image is built here all the same and the digests compared.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters.image import image_contents, model_image
from flows.adapters.registry import oci, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.oci import TagTaken
from flows.engine.step import Step
from flows.facts.imaged import Imaged, LayersFile
from flows.facts.step_files import LAYERS, MODEL
from flows.project.root import ROOT
from flows.steps.package import folder_of, with_service
from sluice.errors import Refused, UsageError
from sluice.gitops.image_names import annotation
from sluice.model.json_file import write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.engine.phases import Candidate
    from flows.engine.store import Result
    from flows.steps.package import Packaged

# The layers of bento/Containerfile, the lowest first.
_LAYERS = ("base", "layer of packages", "layer of their bytecode", "layer of service and model")


def _inputs(candidate: "Candidate", packaged: "Result[Packaged]") -> dict[str, str]:
    del packaged  # it follows from the ingredients
    return {**with_service(candidate.ingredients), "name": candidate.request.image}


def _work(folder: Path, candidate: "Candidate", packaged: "Result[Packaged]") -> Imaged:
    """Keep the image, the artifact beside it, and read the digest back.

    Writes layers.json. Raises Refused where the tag names another image than these inputs give.
    """
    request = candidate.request
    name = candidate.tag
    digest = registry.digest(request.place, name)
    adopted = digest is not None
    if digest is None:
        try:
            digest = _build(candidate, packaged, request.place)
        except TagTaken as taken:  # somebody else was faster
            digest, adopted = taken.there, True
    if adopted:
        _adopt(candidate, packaged, digest)
    model = candidate.trained.folder / MODEL
    files = {path.name: path.read_bytes() for path in sorted(model.iterdir())}
    registry.push_files(
        request.place,
        f"{name}.model",
        files,
        "application/vnd.sluice.model.v1",
        _annotations(candidate),
    )
    (folder / LAYERS).write_text(write_json(_layers(candidate, digest)), encoding="utf-8")
    return Imaged(name, digest, f"{request.image}:{name}@{digest}", adopted)


def prepare(candidate: "Candidate", say: "Callable[[str], None]") -> None:
    """Have the base ready before the image is built or held against what is under its tag.

    Which base this machine can have decides the tag; `say` is told where it is not the locked one.
    """
    request = candidate.request
    model_image.ensure_base(ROOT, request.settings.shared, say, request.tools.images)


def _build(candidate: "Candidate", packaged: "Result[Packaged]", place: registry.Place) -> str:
    """Build the image and push it to `place`; return its digest. Raises UsageError, TagTaken."""
    settings, tools = candidate.request.settings, candidate.request.tools
    engine = tools.images.builder(settings.home / "containers")
    if engine is None:
        raise UsageError(
            "no tool to build an image works here", "Install podman or buildah, or start Docker."
        )
    bento = folder_of(candidate, packaged)
    parts = model_image.parts(bento, ROOT, settings.shared, tools.progress.say, tools.images)
    return model_image.build(engine, parts, place, candidate.tag, _annotations(candidate))


def _adopt(candidate: "Candidate", packaged: "Result[Packaged]", there: str) -> None:
    """Take the image that is there, and put back what the registry has lost of it.

    Raises Refused unless `there` is the digest that these inputs give, naming what differs.
    """
    request = candidate.request
    containers = request.settings.home / "containers"
    containers.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="smoke-", dir=containers) as scratch:
        ours = Layout(Path(scratch))
        built = _build(candidate, packaged, ours)
        if built == there:
            if registry.missing(request.place, there):
                registry.push_image(request.place, candidate.tag, ours.folder, built)
            return
        wanted = registry.manifest(ours, built)
    differing = _differing(wanted, registry.manifest(request.place, there))
    name = f"{request.image}:{candidate.tag}"
    raise Refused(
        f"the image that {name} names is not the one that these inputs give: {differing}",
        "Somebody pushed it, or another builder made it, and a tag is not moved. Find out who;"
        f" delete {name} in the registry, and run the release again: it builds the image anew.",
    )


def _differing(ours: bytes, theirs: bytes) -> str:
    """What two manifests of images do not share, in words."""
    wanted, found = oci.parse_manifest(ours), oci.parse_manifest(theirs)
    if len(wanted.layers) != len(found.layers):
        return f"it has {len(found.layers)} layers; {len(wanted.layers)} are required"
    above = _LAYERS[-len(wanted.layers) :]
    names = [*["base"] * (len(wanted.layers) - len(above)), *above]
    pairs = zip(names, wanted.layers, found.layers, strict=True)
    differing = [name for name, one, other in pairs if one.digest != other.digest]
    # A configuration names its layers: it is another one wherever a layer is.
    if not differing and wanted.config.digest != found.config.digest:
        differing.append("configuration")
    if wanted.annotations != found.annotations:
        differing.append("set of annotations")
    if not differing:
        return "the bytes of its manifest are others"
    return f"another {', another '.join(dict.fromkeys(differing))}"


def _layers(candidate: "Candidate", digest: str) -> LayersFile:
    """What the image consists of, as it was read back."""
    place = candidate.request.place
    manifest = oci.parse_manifest(registry.manifest(place, digest))
    return LayersFile(
        made_of=dict(candidate.ingredients),
        below=tuple(layer.digest for layer in manifest.layers[:-1]),
        started=image_contents.started(registry.blob(place, manifest.config.digest)),
    )


def _annotations(candidate: "Candidate") -> dict[str, str]:
    return {annotation(name): value for name, value in candidate.ingredients.items()}


IMAGE = Step("image", "Build image", Imaged, (LAYERS,), _inputs, _work)
