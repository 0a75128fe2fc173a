"""An image put together from archives, without a container tool: each is one layer.

Its bytes depend on the archives and the configuration alone.
"""

import gzip
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from flows.adapters.registry import layout, oci
from sluice.identity import file_sha256

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_PIECE = 1 << 20  # bytes that are read at once


@dataclass(frozen=True)
class Layer:
    """A compressed archive: its file, the digest of that, the digest of the archive in it, and what
    put it there, in a word.
    """

    file: Path
    digest: str
    content: str
    by: str


def compress(archive: Path, target: Path) -> None:
    """Write the archive compressed, without a name or a time in its header."""
    with (
        archive.open("rb") as source,
        target.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as squeezed,
    ):
        shutil.copyfileobj(source, cast("IO[bytes]", squeezed), _PIECE)


def layer(archive: Path, compressed: Path, by: str) -> Layer:
    """The layer of an archive that was compressed."""
    digest, content = file_sha256(compressed), file_sha256(archive)
    return Layer(compressed, f"sha256:{digest}", f"sha256:{content}", by)


def assemble(
    folder: Path,
    layers: Sequence[Layer],
    run: Mapping[str, object],
    arch: str,
    annotations: Mapping[str, str] | None = None,
) -> str:
    """Put the image of these layers, the lowest first, into the OCI layout `folder`; return the
    digest of its manifest.

    `run` is how it is started, by the names of the OCI, and `arch` its architecture, by Debian's.
    """
    described = []
    for one in layers:
        layout.put_blob_file(folder, one.digest, one.file)
        described.append(oci.Descriptor(one.digest, one.file.stat().st_size, _LAYER))
    config = oci.encode(
        {
            "architecture": arch,
            "os": "linux",
            "config": dict(run),
            "created": "1970-01-01T00:00:00Z",
            "history": [
                {"created": "1970-01-01T00:00:00Z", "created_by": one.by} for one in layers
            ],
            "rootfs": {"type": "layers", "diff_ids": [one.content for one in layers]},
        }
    )
    layout.put_blob(folder, config)
    manifest = oci.image_manifest(oci.descriptor(_CONFIG, config), described, annotations)
    layout.put_blob(folder, manifest)
    return oci.digest_of(manifest)
