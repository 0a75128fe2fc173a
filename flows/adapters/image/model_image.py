"""The model image: built from a Bento by the engine that is here, pushed, and started from where it
was pushed to.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import machine_cache, server
from flows.adapters.failpoints import boundary
from flows.adapters.image import base_image, left_containers, tarball
from flows.adapters.image.base_image import Base
from flows.adapters.image.container_engine import BENTO, Container, ContainerEngine, Recipe
from flows.adapters.image.image_tools import REAL, ImageTools
from flows.adapters.registry import layout, oci, registry
from sluice.errors import SluiceError
from sluice.model.json_file import parse_json

_CONTAINERFILE = Path(__file__).resolve().parents[3] / "bento" / "Containerfile"
# What `bentoml containerize` would build an image of its own with: scripts for a shell.
_OTHER_IMAGE = "env/docker"
_MEMORY = "1g"
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Parts:
    """What an image is laid out from, the lowest layer first: base, archive of the installed
    packages, folder of the Bento.
    """

    base: Base
    site: Path
    bento: Path


def parts(
    bento: Path, project: Path, cache: Path, say: Callable[[str], None], tools: ImageTools = REAL
) -> Parts:
    """The parts of the image of a Bento, those that are missing in the machine's `cache` made now.

    `say` is told a sentence where the base is not the locked one.
    """
    base = ensure_base(project, cache, say, tools)
    with boundary("wheels.ensure"):
        site = tools.site_packages(project, cache, base_image.arch())
    return Parts(base, site, bento)


def ensure_base(
    project: Path, cache: Path, say: Callable[[str], None], tools: ImageTools = REAL
) -> Base:
    """The base of the image, made now if the machine's `cache` has none (about 20 seconds)."""
    with boundary("base.ensure"):
        return tools.ensure_base(project, cache, say)


def build(
    engine: ContainerEngine,
    parts: Parts,
    place: registry.Place,
    tag: str,
    labels: Mapping[str, str],
) -> str:
    """Build an image and push it to `place` under `tag`; return the digest that is read back from
    there.

    `labels` become labels and annotations and may depend on nothing but the inputs. One build at a
    time uses an engine's state. Raises TagTaken where the tag names something else.
    """
    context, exported = engine.state / "context", engine.state / "layout"
    recipe = Recipe(f"localhost/sluice:{tag}", parts.base.entry.image or "scratch", labels)
    with machine_cache.locked(engine.state / ".lock"):
        shutil.rmtree(context, ignore_errors=True)  # a killed build leaves one
        context.mkdir()
        _lay_out(parts, context)
        with boundary("image.build"):
            engine.build(context, recipe)
        with boundary("image.export"):
            reference = engine.export(recipe.name, exported, tag)
        shutil.rmtree(context)
        sealed = _sealed(exported, reference, labels)
        return registry.push_image(place, tag, exported, sealed)


@contextlib.contextmanager
def smoke(
    engine: ContainerEngine,
    place: registry.Place,
    digest: str,
    *,
    deadline: float = 60.0,
    memory: str = _MEMORY,
) -> Iterator[str]:
    """Start exactly the image `digest` of `place` as it will run (read-only, no capabilities, user
    1034), on loopback.

    Yields the URL once /readyz answers. Raises SluiceError with the container's log if it does not
    within `deadline` seconds. The container is gone when the block ends.
    """
    engine.state.mkdir(parents=True, exist_ok=True)
    with left_containers.folder(engine.state) as folder:
        pulled = registry.pull_image(place, digest, folder / "layout")
        image = _load(engine, pulled)
        name = f"sluice-smoke-{secrets.token_hex(4)}"
        container = Container(name, server.free_port(), memory)
        left_containers.note(folder, engine.tool, name)
        with boundary("smoke.prepare"):
            command = engine.prepare(image, container)
        try:
            with engine.running(command, container, folder / "log", deadline) as url:
                yield url
        finally:
            with boundary("smoke.remove"):
                engine.remove(name)


@boundary("image.context")
def _lay_out(parts: Parts, context: Path) -> None:
    """Put the three archives and the Containerfile side by side."""
    _link(parts.base.tar, context / "base.tar")
    _link(parts.site, context / "site.tar")
    tarball.pack(parts.bento, BENTO, context / "bento.tar", _OTHER_IMAGE)
    shutil.copyfile(_CONTAINERFILE, context / "Containerfile")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


@boundary("smoke.load")
def _load(engine: ContainerEngine, pulled: registry.Pulled) -> str:
    """Bring the image into the engine's storage. Raises Broken unless it is the one that was
    pulled.
    """
    with machine_cache.locked(engine.state / ".lock"), boundary("image.load"):
        return engine.load(pulled)


@boundary("image.seal")
def _sealed(folder: Path, reference: str, labels: Mapping[str, str]) -> str:
    """Reduce an exported image to what follows from its inputs, and return its digest: builders add
    times, versions and ids of their own.
    """
    exported = layout.manifest(folder, reference)
    if not exported:
        raise SluiceError(
            f"the builder wrote no image {reference} to {folder}",
            "Delete that folder and run again.",
        )
    manifest = oci.parse_manifest(exported)
    config = parse_json(layout.blob(folder, manifest.config.digest), "a configuration")
    config["config"]["Labels"] = dict(labels)
    for entry in (config, *config["history"]):
        entry.pop("comment", None)
        entry["created"] = _EPOCH
    content = oci.encode(config)
    layout.put_blob(folder, content)
    described = oci.descriptor(manifest.config.media_type, content)
    sealed = oci.image_manifest(described, manifest.layers, labels)
    layout.put_blob(folder, sealed)
    return oci.digest_of(sealed)
