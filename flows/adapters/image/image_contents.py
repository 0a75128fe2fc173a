"""What an image consists of, read from its configuration and its layers."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from sluice.identity import sha256, value_hash
from sluice.model.json_file import decode_json


class _Configuration(Struct, frozen=True):
    """The configuration of an image: how it is started, by the names of the OCI."""

    config: dict[str, object]


@dataclass(frozen=True)
class Held:
    """A file in a layer: the SHA-256 of its bytes, and how many they are."""

    sha256: str
    size: int


def started(configuration: bytes) -> str:
    """The hash of how an image is started: everything in its configuration but labels, history and
    layers.

    Raises Unreadable for what is no configuration.
    """
    document = decode_json(configuration, _Configuration, "the configuration of an image")
    run = {name: value for name, value in document.config.items() if name != "Labels"}
    return value_hash(run)


def files_in(layer: Path) -> dict[str, Held]:
    """What a layer holds by path, but folders; a link is held as its target.

    Raises tarfile.TarError, OSError for what is no layer.
    """
    held = {}
    with tarfile.open(layer) as tar:
        for member in tar:
            if member.isdir():
                continue
            file = tar.extractfile(member) if member.isfile() else None
            content = file.read() if file else f"{member.type!r} {member.linkname}".encode()
            held[member.name.removeprefix("./")] = Held(sha256(content), len(content))
    return held
