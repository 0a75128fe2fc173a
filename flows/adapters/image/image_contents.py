"""What an image consists of, read from its configuration and its layers."""

import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from flows.adapters.image.debian_root import STATUS
from sluice.gitops.bill_of_materials import Package, Software
from sluice.identity import sha256, value_hash
from sluice.model.json_file import decode_json

_RELEASE = "etc/debian_version"
_METADATA = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)")
_PYTHON_FIELD = re.compile(r"(?m)^(Name|Version): *(.+)$")
_DEBIAN_FIELD = re.compile(r"(?m)^(Package|Status|Version|Architecture): (.+)$")
_LONGEST = 4 << 20  # characters of a text that are read
# How a layer takes away what lies below it: a file or folder by name, or all of a folder.
_GONE, _OPAQUE = ".wh.", ".wh..wh..opq"


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


# By the digests of the layers, the lowest first. To read an image of 300 MB takes two seconds, and
# a promotion reads it to sign what is in it, and again to check all that it wrote.
_read: dict[tuple[str, ...], Software] = {}


def software_of(digests: tuple[str, ...], layers: Iterable[Path]) -> Software:
    """As `software_in`, of layers that were found to have these digests; this process reads each
    image once.
    """
    if digests not in _read:
        _read[digests] = software_in(layers)
    return _read[digests]


def software_in(layers: Iterable[Path]) -> Software:
    """What is installed in an image with these layers, the lowest first: what dpkg's list says, and
    what each installed Python package says of itself, wherever it lies.

    Raises tarfile.TarError, OSError for what is no layer.
    """
    texts: dict[str, str] = {}
    for layer in layers:
        with tarfile.open(layer) as tar:
            for member in tar:
                _note(texts, member.name.removeprefix("./"), tar, member)
    python = [_python(text) for name, text in texts.items() if _METADATA.fullmatch(name)]
    debian = [_debian(text) for text in texts.get(STATUS, "").split("\n\n")]
    return Software(
        system=texts.get(_RELEASE, "").strip(),
        debian=tuple(sorted({one for one in debian if one})),
        python=tuple(sorted({one for one in python if one})),
    )


def _note(texts: dict[str, str], name: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """Keep the text of a member that tells of installed software; take away what a layer does."""
    folder, _, last = name.rpartition("/")
    if last.startswith(_GONE):
        gone = f"{folder}/{last.removeprefix(_GONE)}".lstrip("/")
        whole = last == _OPAQUE
        for known in list(texts):
            if known == gone or known.startswith(f"{folder if whole else gone}/"):
                del texts[known]
    file = tar.extractfile(member) if not member.isdir() and _tells(name) else None
    if file:
        texts[name] = file.read(_LONGEST).decode(errors="replace")


def _tells(name: str) -> bool:
    return name in (STATUS, _RELEASE) or _METADATA.fullmatch(name) is not None


def _python(text: str) -> Package | None:
    """A Python package from its metadata; None where it has neither name nor version."""
    fields = dict(_PYTHON_FIELD.findall(text.partition("\n\n")[0]))
    if not fields.get("Name") or not fields.get("Version"):
        return None
    return Package(fields["Name"].strip(), fields["Version"].strip())


def _debian(paragraph: str) -> Package | None:
    """A Debian package from its paragraph; None for one that is not installed."""
    fields = dict(_DEBIAN_FIELD.findall(paragraph))
    if not fields.get("Status", "").endswith(" installed"):
        return None
    return Package(fields["Package"], fields.get("Version", ""), fields.get("Architecture", ""))


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
