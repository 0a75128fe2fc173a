"""Docker, where it is what there is: images built by its engine, carried over to and from OCI
layouts.
"""

import gzip
import json
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

from flows.adapters import machine_cache
from flows.adapters.process import run
from flows.adapters.registry import layout, oci

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"


def works() -> bool:
    """Whether a client is there and its engine answers."""
    if not shutil.which("docker"):
        return False
    return (
        run(["docker", "version", "--format", "{{.Server.Version}}"], check=False, timeout=20).code
        == 0
    )


def build(context: Path, name: str, base: str, labels: Mapping[str, str]) -> None:
    """Build the context's Containerfile as `name`."""
    words = ["docker", "build", "--quiet", "--build-arg", f"BASE={base}", "--tag", name]
    for key in sorted(labels):
        words += ["--label", f"{key}={labels[key]}"]
    run([*words, "--file", context / "Containerfile", context], timeout=1800)


def export(name: str, folder: Path) -> str:
    """Write an image of the engine to an OCI layout; return the digest of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        saved = Path(scratch) / "saved.tar"
        run(["docker", "save", "--output", saved, name], timeout=1800)
        with tarfile.open(saved) as archive:
            entry = json.loads(_member(archive, "manifest.json").read())[0]
            config = _member(archive, entry["Config"]).read()
            layers = [
                _add_layer(folder, _member(archive, layer), Path(scratch) / "layer")
                for layer in entry["Layers"]
            ]
    layout.put_blob(folder, config)
    parts = {"config": oci.descriptor(_CONFIG, config), "layers": layers}
    manifest = oci.encode({"schemaVersion": 2, "mediaType": oci.MANIFEST} | parts)
    layout.put_blob(folder, manifest)
    return oci.digest_of(manifest)


def load(folder: Path, digest: str) -> str:
    """Read an image of an OCI layout into the engine; return the name under which it runs."""
    document = oci.parse_manifest(layout.manifest(folder, digest) or b"")
    name = f"sluice-smoke:{oci.hex_of(digest)[:16]}"
    parts = [oci.hex_of(layer["digest"]) for layer in document["layers"]]
    config = oci.hex_of(document["config"]["digest"])
    listed = [
        {
            "Config": f"{config}.json",
            "RepoTags": [name],
            "Layers": [f"{part}/layer.tar" for part in parts],
        }
    ]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        packed, manifest = Path(scratch) / "image.tar", Path(scratch) / "manifest.json"
        manifest.write_bytes(json.dumps(listed).encode())
        with tarfile.open(packed, "w") as archive:
            archive.add(manifest, "manifest.json")
            archive.add(folder / "blobs" / "sha256" / config, f"{config}.json")
            for part in parts:
                archive.add(folder / "blobs" / "sha256" / part, f"{part}/layer.tar")
        run(["docker", "load", "--quiet", "--input", packed], timeout=1800)
    return name


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if not found:
        raise oci.Broken(f"`docker save` wrote no {name}")
    return found


def _add_layer(folder: Path, source: IO[bytes], part: Path) -> dict[str, Any]:
    """Compress a layer (unless it is) into the layout, without a time in its head, and describe
    it.
    """
    packed = source.read(2) == b"\x1f\x8b"
    source.seek(0)
    with part.open("wb") as file:
        if packed:
            shutil.copyfileobj(source, file)
        else:
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as squeezed:
                shutil.copyfileobj(source, cast("IO[bytes]", squeezed))
    digest = f"sha256:{machine_cache.sha256(part)}"
    size = part.stat().st_size
    layout.put_blob_file(folder, digest, part)
    part.unlink()
    return {"mediaType": _LAYER, "digest": digest, "size": size}
