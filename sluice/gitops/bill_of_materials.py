"""The bill of materials of an image: every Debian package and every Python package in it, as a
CycloneDX document.

It follows from what is in the image and from nothing else, so whoever has the image can work it
out. The format: https://cyclonedx.org/docs/1.6/json/.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sluice.gitops.statement import Json

# The type that in-toto's statements have for it.
BILL = "https://cyclonedx.org/bom"
_VERSION = "1.6"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~:")
_SEPARATORS = re.compile(r"[-_.]+")  # which names of Python packages do not tell apart


@dataclass(frozen=True, order=True)
class Package:
    """An installed package by name and version; `arch` by Debian's name, empty for Python's."""

    name: str
    version: str
    arch: str = ""


@dataclass(frozen=True)
class Software:
    """What is installed in an image: Debian and its version (`13.2`; empty where there is none),
    its packages, and those of Python.
    """

    system: str = ""
    debian: tuple[Package, ...] = ()
    python: tuple[Package, ...] = ()


def bill(image: str, software: Software) -> Json:
    """The bill of an image, named with its tag; equal software gives an equal document.

    It has no time and no number of its own, which the format leaves free.
    """
    name, _, tag = image.rpartition(":")
    found = [*_of_system(software), *_of_debian(software), *_of_python(software.python)]
    components = {str(one["bom-ref"]): one for one in found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": _VERSION,
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": "image", "name": name, "version": tag}
        },
        "components": [components[ref] for ref in sorted(components)],
    }


def _of_system(software: Software) -> Iterator[Json]:
    if software.system:
        yield {
            "type": "operating-system",
            "bom-ref": "system",
            "name": "debian",
            "version": software.system,
        }


def _of_debian(software: Software) -> Iterator[Json]:
    distro = f"debian-{software.system.partition('.')[0]}"
    for package in software.debian:
        more = {"arch": package.arch, "distro": distro}
        yield _component(package, "deb/debian", package.name, more)


def _of_python(packages: Iterable[Package]) -> Iterator[Json]:
    for package in packages:
        yield _component(package, "pypi", _SEPARATORS.sub("-", package.name).lower(), {})


def _component(package: Package, kind: str, name: str, more: Mapping[str, str]) -> Json:
    """A package with the URL by which scanners know it: https://github.com/package-url."""
    said = [f"{key}={_quoted(value)}" for key, value in sorted(more.items()) if value]
    url = "?".join([f"pkg:{kind}/{_quoted(name)}@{_quoted(package.version)}", "&".join(said)])
    url = url.rstrip("?")
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": package.version,
        "purl": url,
    }


def _quoted(text: str) -> str:
    """The text as a part of a package URL: every byte but the plain ones as %XX."""
    plain = (chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode())
    return "".join(plain)
