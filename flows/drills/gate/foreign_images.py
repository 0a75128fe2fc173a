"""Images that somebody else laid under the tag of a candidate; none of them may be adopted.

Each has the annotations, the labels and the model that it should have, so whoever asks it the
golden records sees nothing. The image tools are those of the crash drills: an image is one layer
with the Bento.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from flows.adapters.registry import layout, oci, registry
from flows.adapters.registry.layout import Layout
from flows.drills.crash import fake_images
from flows.engine.phases import Candidate
from flows.engine.store import Result
from flows.project.root import ROOT
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE, Packaged
from sluice.gitops.image_names import annotation

IMAGE_RULE = "image"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIGURATION = "application/vnd.oci.image.config.v1+json"
_MODEL = "srv/bento/src/model/"
_SERVICE = "srv/bento/src/bento/service.py"
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Image:
    """The layers as archives, the lowest first, and how the image is started."""

    layers: tuple[bytes, ...]
    started: Mapping[str, object]


@dataclass(frozen=True)
class Prepared:
    """A candidate whose image is yet to be made, in a state folder of its own; the image that its
    inputs give, and the folder of its Bento.
    """

    candidate: Candidate
    packaged: Result[Packaged]
    image: Image
    bento: Path


@dataclass(frozen=True)
class ForeignImage:
    """What somebody does before a release makes its image."""

    name: str
    lay: Callable[[Prepared], None]


def foreign_images() -> Iterator[ForeignImage]:
    """All images that are not those of their inputs."""
    pushed = "an image pushed under the tag before"
    yield ForeignImage(f"{pushed}: the model and no service", _pushing(_model_alone))
    yield ForeignImage(f"{pushed}: one line more in the service", _pushing(_other_service))
    yield ForeignImage(f"{pushed}: another base", _pushing(_other_base))
    yield ForeignImage(f"{pushed}: started in another way", _pushing(_other_start))
    yield ForeignImage("the Bento edited before its image is built", _edit_bento)


def prepared(candidate: Candidate, home: Path) -> Prepared:
    """The candidate in the empty state folder `home`, with its Bento and an empty registry."""
    request = candidate.request
    settings = request.settings.model_copy(update={"home": home, "registry": ""})
    images = fake_images.images(request.tools.images.requirements(ROOT))
    tools = replace(request.tools, images=images)
    candidate = replace(candidate, request=replace(request, settings=settings, tools=tools))
    step = home / "step"
    step.mkdir()
    facts = PACKAGE.work(step, candidate)
    packaged = Result(PACKAGE.name, "", step, {}, {}, facts, 0.0)
    honest = IMAGE.work(step, candidate, packaged)
    image = _read(candidate.request.place, honest.digest, home)
    shutil.rmtree(home / "registry")
    return Prepared(candidate, packaged, image, home / facts.bento)


def _read(place: registry.Place, digest: str, home: Path) -> Image:
    manifest = oci.parse_manifest(registry.manifest(place, digest))
    layers = [registry.pull_blob(place, layer.digest, home) for layer in manifest.layers]
    configuration = json.loads(registry.blob(place, manifest.config.digest))
    return Image(tuple(layer.read_bytes() for layer in layers), configuration["config"])


def _unpacked(layer: bytes) -> Files:
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in files.items() if file}


def _packed(files: Files) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            tar.addfile(entry, io.BytesIO(files[name]))
    return content.getvalue()


def _pushing(change: Callable[[Image], Image]) -> Callable[[Prepared], None]:
    def push(there: Prepared) -> None:
        _push(there.candidate, change(there.image))

    return push


def _push(candidate: Candidate, image: Image) -> None:
    """Lay an image into the registry under the tag of the candidate, with its annotations."""
    place = candidate.request.place
    if not isinstance(place, Layout):
        raise TypeError(f"{place} is not a folder")
    notes = {annotation(name): value for name, value in candidate.ingredients.items()}
    configuration = oci.encode({"config": {**image.started, "Labels": notes}})
    for content in (configuration, *image.layers):
        place.put_blob(content)
    described = [oci.descriptor(_LAYER, layer) for layer in image.layers]
    config = oci.descriptor(_CONFIGURATION, configuration)
    layout.put_manifest(place.folder, candidate.tag, oci.image_manifest(config, described, notes))


def _model_alone(image: Image) -> Image:
    *below, last = image.layers
    files = _unpacked(last)
    model = {name: content for name, content in files.items() if name.startswith(_MODEL)}
    return replace(image, layers=(*below, _packed(model)))


def _other_service(image: Image) -> Image:
    *below, last = image.layers
    files = _unpacked(last)
    edited = {**files, _SERVICE: files[_SERVICE] + b"# and what somebody likes\n"}
    return replace(image, layers=(*below, _packed(edited)))


def _other_base(image: Image) -> Image:
    return replace(image, layers=(_packed({"usr/bin/python3.13": b"another"}), *image.layers))


def _other_start(image: Image) -> Image:
    return replace(image, started={**image.started, "Env": ["PYTHONPATH=/tmp"]})


def _edit_bento(there: Prepared) -> None:
    service = there.bento / "src" / "bento" / "service.py"
    service.write_bytes(service.read_bytes() + b"# and what somebody likes\n")
