"""Docker, where it is what there is: images built by its engine, carried over to and from OCI
layouts.
"""

import contextlib
import gzip
import json
import shutil
import tarfile
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from flows.adapters.image import container_engine
from flows.adapters.image.container_engine import Command, Container, Recipe
from flows.adapters.process import CommandFailed, run
from flows.adapters.registry import layout, oci
from flows.adapters.registry.registry import Pulled
from sluice.identity import file_sha256
from sluice.model.json_file import parse_json

_DEADLINE = 1800.0  # seconds that a build, an export or a load may take
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class Docker:
    """Docker's engine, with files of ours below the folder `state`: a ContainerEngine."""

    state: Path

    @property
    def tool(self) -> str:
        """The program that is called."""
        return "docker"

    def build(self, context: Path, recipe: Recipe) -> None:
        """Build the context's Containerfile; the engine adds times, which are taken out later."""
        words = ["docker", "build", "--quiet", "--build-arg", f"BASE={recipe.base}"]
        words += ["--tag", recipe.name]
        for key in sorted(recipe.labels):
            words += ["--label", f"{key}={recipe.labels[key]}"]
        run([*words, "--file", context / "Containerfile", context], timeout=_DEADLINE)

    def export(self, name: str, folder: Path, tag: str) -> str:
        """Write an image of the engine to an OCI layout; return the digest of its manifest."""
        del tag  # the layout names it by digest
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            saved = Path(scratch) / "saved.tar"
            run(["docker", "save", "--output", saved, name], timeout=_DEADLINE)
            with tarfile.open(saved) as archive:
                return _to_layout(archive, folder, Path(scratch))

    def load(self, pulled: Pulled) -> str:
        """Read an image of an OCI layout into the engine; return the name under which it runs."""
        name = f"sluice-smoke:{oci.hex_of(pulled.digest)[:16]}"
        with tempfile.TemporaryDirectory(dir=pulled.folder) as scratch:
            packed = _to_archive(pulled, name, Path(scratch))
            run(["docker", "load", "--quiet", "--input", packed], timeout=_DEADLINE)
        return name

    def prepare(self, image: str, container: Container) -> Command:
        """The command that runs the image in the foreground."""
        words = container_engine.run_words("docker", container)
        words += container_engine.limits(container)
        return Command([*words, image, *container.address])

    def running(
        self, command: Command, container: Container, log: Path, deadline: float
    ) -> AbstractContextManager[str]:
        """Run it in the foreground while the block runs, which gets its URL."""
        return container_engine.run_in_foreground(command, container, log, deadline)

    def remove(self, container: str) -> None:
        """Remove a container; one that is gone is no error."""
        with contextlib.suppress(CommandFailed):
            run(["docker", "rm", "--force", container])


def find(state: Path) -> Docker | None:
    """Docker, None where there is no client or no engine answers it."""
    if not shutil.which("docker"):
        return None
    asked = run(["docker", "version", "--format", "{{.Server.Version}}"], check=False, timeout=20)
    if asked.code != 0:
        return None
    return Docker(state)


def _to_layout(archive: tarfile.TarFile, folder: Path, scratch: Path) -> str:
    """Put what `docker save` wrote into an OCI layout; return the digest of its manifest."""
    entry = parse_json(_member(archive, "manifest.json").read(), "manifest.json")[0]
    config = _member(archive, entry["Config"]).read()
    layers = [
        _add_layer(folder, _member(archive, layer), scratch / "layer") for layer in entry["Layers"]
    ]
    layout.put_blob(folder, config)
    manifest = oci.image_manifest(oci.descriptor(_CONFIG, config), layers)
    layout.put_blob(folder, manifest)
    return oci.digest_of(manifest)


def _to_archive(pulled: Pulled, name: str, scratch: Path) -> Path:
    """The image as `docker load` reads it, under this name."""
    image = oci.parse_manifest(layout.manifest(pulled.folder, pulled.digest) or b"")
    layers = [oci.hex_of(layer.digest) for layer in image.layers]
    config = oci.hex_of(image.config.digest)
    index = {
        "Config": f"{config}.json",
        "RepoTags": [name],
        "Layers": [f"{layer}/layer.tar" for layer in layers],
    }
    manifest, packed = scratch / "manifest.json", scratch / "image.tar"
    manifest.write_bytes(json.dumps([index]).encode())
    blobs = pulled.folder / "blobs" / "sha256"
    with tarfile.open(packed, "w") as archive:
        archive.add(manifest, "manifest.json")
        archive.add(blobs / config, f"{config}.json")
        for layer in layers:
            archive.add(blobs / layer, f"{layer}/layer.tar")
    return packed


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.extractfile(name)
    if not member:
        raise oci.Broken(f"`docker save` wrote no {name}")
    return member


def _add_layer(folder: Path, source: IO[bytes], part: Path) -> oci.Descriptor:
    """Put a layer into the layout and return its descriptor. It is compressed unless it is
    already, without a time in its header.
    """
    packed = source.read(2) == b"\x1f\x8b"
    source.seek(0)
    with part.open("wb") as file:
        if packed:
            shutil.copyfileobj(source, file)
        else:
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as squeezed:
                shutil.copyfileobj(source, cast("IO[bytes]", squeezed))
    digest = f"sha256:{file_sha256(part)}"
    size = part.stat().st_size
    layout.put_blob_file(folder, digest, part)
    part.unlink()
    return oci.Descriptor(digest, size, _LAYER)
