"""What an image consists of, read from its configuration and its layers."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from sluice.identity import sha256, value_hash


@dataclass(frozen=True)
class Held:
    """A file in a layer: the SHA-256 of its bytes, and how many they are."""

    sha256: str
    size: int


def started(configuration: bytes) -> str:
    """The hash of how an image is started: everything in its configuration but labels, history and
    layers.

    Raises ValueError, KeyError for what is no configuration.
    """
    document = json.loads(configuration)
    run = {name: value for name, value in document["config"].items() if name != "Labels"}
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
