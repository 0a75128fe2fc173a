"""The base of the image: Debian's Python and its libraries.

mmdebstrap builds it on this machine from an entry of bento/base.lock, which lists package versions;
debian_root.py takes out of it what does not stay.
The result is kept in the cache of this machine under the hash of the entry. Where a registry can be
reached, an entry may name an image by digest instead.
"""

import hashlib
import json
import os
import platform
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from msgspec import Struct

from flows.adapters import machine_cache
from flows.adapters.image import carried, debian_root, tarball
from flows.adapters.image.debian_root import PYTHON
from flows.adapters.plain_text import say
from flows.adapters.process import run
from sluice.errors import SluiceError, UsageError, cause
from sluice.identity import file_sha256
from sluice.model.json_file import decode_json
from sluice.toml_text import read_toml

REFRESH = "python -m flows.adapters.image.base_image refresh"
_LOCK = Path("bento", "base.lock")
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
SUITE = "trixie"  # Debian 13, in full security support
_INCLUDE = (
    "ca-certificates",
    f"libpython{PYTHON}-stdlib",
    "libstdc++6",
    f"python{PYTHON}-minimal",
)
# Bytecode that checks no times stays valid when all times are zero; -B, or Python would write its
# own for the modules of the compiler first.
_CUSTOMIZE = f"""#!/bin/sh
set -eu
find "$1/usr/lib" -name __pycache__ -prune -exec rm -rf {{}} +
compile="python{PYTHON} -B -m compileall -q -f --invalidation-mode unchecked-hash"
chroot "$1" /usr/bin/env PYTHONHASHSEED=0 $compile /usr/lib/python{PYTHON}
"""
_HEAD = f"""\
# What the base of the image is made of, by architecture. Written by `{REFRESH}`; commit it.
# An entry may instead name an image that the builder can pull: image = "name@sha256:...".
"""
# Where a machine with Debian has its packages from: the address, and which part of a suite it is.
_RELEASE = re.compile(r"(?m)^([^|\n]+)\|[a-z]+(|-updates|-security)\|main\|Debian$")
_REDUCED_BY = Path(debian_root.__file__)
_FLAGS = ("--variant=essential", "--skip=output/dev,cleanup", "--format=tar", "--quiet")


class _Behind(Struct, frozen=True):
    """The note of the packages that replaced those of an entry."""

    packages: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """What a base is made of, for one architecture by Debian's name: packages of a suite as
    `name=version`, or an image as `name@sha256:...`.

    `sha256` is that of the root file system which the packages make; empty where it is not known.
    """

    suite: str
    arch: str
    packages: tuple[str, ...] = ()
    image: str = ""
    sha256: str = field(default="", compare=False)

    @property
    def hash(self) -> str:
        """The identity of the base, 32 hexadecimal digits: the entry and the recipe."""
        recipe = (_INCLUDE, _CUSTOMIZE, _FLAGS, file_sha256(_REDUCED_BY)) if self.packages else ()
        parts = (self.suite, self.arch, self.packages, self.image, recipe)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Base:
    """A base that is on this machine: its entry, and its root file system as a tar, which is empty
    where the entry names an image.
    """

    entry: Entry
    tar: Path


def arch() -> str:
    """Debian's name of this machine's architecture."""
    return _ARCHES.get(platform.machine(), platform.machine())


def locked(project: Path) -> Entry:
    """The first entry of bento/base.lock for this architecture.

    Raises UsageError where it cannot be read, has no such entry, or has a wrong one.
    """
    try:
        entries = entries_of(project / _LOCK)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{_LOCK} cannot be read: {cause(error)}", f"Write it anew: {REFRESH}"
        ) from None
    for entry in entries:
        if entry.arch == arch():
            return _checked(entry)
    raise UsageError(
        f"{_LOCK} has no entry for {arch()}", f"Add one on a machine of that kind: {REFRESH}"
    )


def entries_of(path: Path) -> list[Entry]:
    """The entries of a lock file, in its order. Raises what reading and parsing it raise."""
    tables = read_toml(path.read_text(encoding="utf-8"), f"{path.parent.name}/{path.name}")["base"]
    return [
        Entry(
            table["suite"],
            table["arch"],
            tuple(table.get("packages", ())),
            table.get("image", ""),
            table.get("sha256", ""),
        )
        for table in tables
    ]


def _checked(entry: Entry) -> Entry:
    """The entry, if it has either packages or an image by digest. Raises UsageError."""
    has_packages = bool(entry.packages)
    has_image = re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", entry.image) is not None
    if has_packages == has_image:
        raise UsageError(
            f"{_LOCK}: an entry has either packages, or an image by digest",
            f"Write it anew: {REFRESH}",
        )
    return entry


def expected(project: Path, cache: Path) -> Entry:
    """The entry that `ensure` would use, without building anything: the locked one, or the one that
    replaced it on this machine. Raises as `locked`.
    """
    wanted = locked(project)
    carried.into(cache, "base")
    return _stand_in(cache, wanted) or wanted


def ensure(project: Path, cache: Path, say: Callable[[str], None]) -> Base:
    """The base of the locked entry, from the cache or built now (about 20 seconds).

    Where Debian's archive has newer versions only, the base is built from those, so that a first run
    never fails because of a security update: `say` is called with a sentence, and the entry of the
    result has the versions. Raises as `locked`, and CommandFailed where mmdebstrap fails.
    """
    wanted = locked(project)
    with machine_cache.locked(cache / "base" / f".{wanted.hash}.lock"):
        if wanted.image:
            return Base(wanted, _empty(cache))
        carried.into(cache, "base")
        entry = _kept_or_built(cache, wanted)
    if entry != wanted:
        moved = sorted(set(entry.packages) - set(wanted.packages))
        say(
            f"{_LOCK} is behind Debian's archive ({', '.join(moved)}); used the current versions."
            f" Refresh: {REFRESH}"
        )
    return Base(entry, _tar(cache, entry))


def _kept_or_built(cache: Path, wanted: Entry) -> Entry:
    """The entry whose base is in the cache: the wanted one, or the newer one that replaced it."""
    entry = _stand_in(cache, wanted) or wanted
    if machine_cache.intact(_tar(cache, entry)):
        return entry
    entry = _build(cache, wanted)
    if entry != wanted:
        note = json.dumps({"packages": entry.packages})
        machine_cache.write(behind(cache, wanted), note.encode())
    return entry


def refresh(project: Path, cache: Path) -> Entry:
    """Build from the versions that the archive has now, and write them to the lock as the entry of
    this architecture; return it.
    """
    path = project / _LOCK
    with machine_cache.locked(cache / "base" / ".refresh.lock"):
        entry = _build(cache, Entry(SUITE, arch()))
        known = entries_of(path) if path.is_file() else []
        others = [other for other in known if other.arch != entry.arch]
        ordered = sorted([entry, *others], key=lambda one: one.arch)
        machine_cache.write(path, _document(ordered).encode())
    return entry


def _tar(cache: Path, entry: Entry) -> Path:
    return cache / "base" / f"{entry.hash}.tar"


def behind(cache: Path, wanted: Entry) -> Path:
    """The file with the packages that replaced those of an entry on this machine."""
    return cache / "base" / f"{wanted.hash}.behind.json"


def _stand_in(cache: Path, wanted: Entry) -> Entry | None:
    """The entry that replaced the wanted one on this machine, None where none did."""
    note = behind(cache, wanted)
    if _tar(cache, wanted).is_file() or not note.is_file():
        return None
    packages = decode_json(note.read_bytes(), _Behind, str(note)).packages
    return replace(wanted, packages=packages, sha256="")


def _empty(cache: Path) -> Path:
    return machine_cache.kept(cache / "base" / "empty.tar", tarball.empty)


def _build(cache: Path, wanted: Entry) -> Entry:
    """Run mmdebstrap and keep the result; return the entry with the versions that it got.

    Raises SluiceError where the wanted versions make something else than was locked.
    """
    with tempfile.TemporaryDirectory(prefix=".build-", dir=cache / "base") as folder:
        whole, part = Path(folder) / "whole.tar", Path(folder) / "root.tar"
        _bootstrap(wanted, whole)
        debian_root.reduce(whole, part)
        entry = replace(wanted, packages=_installed(part), sha256=file_sha256(part))
        if entry == wanted and wanted.sha256 not in ("", entry.sha256):
            raise SluiceError(
                f"the packages of {_LOCK} make a base with the SHA-256 {entry.sha256};"
                f" {wanted.sha256} is required",
                f"The archive of Debian, or mmdebstrap here, gave other bytes: see why, then {REFRESH}",
            )
        machine_cache.put(_tar(cache, entry), part)
    return entry


def _bootstrap(wanted: Entry, target: Path) -> None:
    """Write the root file system of an entry to the tar `target`. Raises CommandFailed.

    An entry without packages gets the versions that the archive has now.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-base-") as folder:
        customize = Path(folder) / "customize"
        customize.write_text(_CUSTOMIZE)
        customize.chmod(0o755)
        words = [*_FLAGS, f"--include={','.join(_INCLUDE)}", f"--customize-hook={customize}"]
        for_people = ("doc", "man", "locale")
        words += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in for_people]
        debootstrap(wanted, words, target, Path(folder))


def debootstrap(wanted: Entry, words: Sequence[str], target: Path, scratch: Path) -> None:
    """Run mmdebstrap with these options, the packages of an entry in their versions as far as the
    archive has them, and write what it makes to the tar `target`; `scratch` is an empty folder or
    one with files for it. Raises CommandFailed.
    """
    scratch.chmod(0o755)  # without root, mmdebstrap reads it as another user
    pins, options = scratch / "pins", scratch / "apt.conf"
    pins.write_text("".join(_pin(package) for package in wanted.packages))
    options.write_text(_host_options())
    preferences = "$1/etc/apt/preferences.d"
    given = ["mmdebstrap", *words, f"--architectures={wanted.arch}", f"--aptopt={options}"]
    given.append(f'--setup-hook=mkdir -p "{preferences}" && cp {pins} "{preferences}/pins"')
    sources = _host_sources(wanted.suite)
    run([*given, wanted.suite, target, *sources], env={"SOURCE_DATE_EPOCH": "0"}, timeout=1800)


def _pin(package: str) -> str:
    name, _, version = package.partition("=")
    return f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n"


def _host_options() -> str:
    """The options of this machine's apt for its archive: proxies, authorities, tolerance of old
    lists.
    """
    shown = run(["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"], check=False).stdout
    wanted = re.compile(r"Acquire::(http|https|Check-|Retries|ForceIPv)[^ ]* \"[^\"]+\";")
    return "".join(f"{line}\n" for line in shown.splitlines() if wanted.fullmatch(line))


def _host_sources(suite: str) -> list[str]:
    """The lines for this suite of Debian from where this machine has its own, sorted; none on
    another system, where mmdebstrap has its own.
    """
    shape = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
    words = ["apt-get", "indextargets", "--format", shape, "Created-By: Packages"]
    own = _RELEASE.findall(run(words, check=False).stdout)
    return sorted({f"deb {uri} {suite}{pocket} main" for uri, pocket in own})


def _installed(tar: Path) -> tuple[str, ...]:
    """The packages of a reduced root file system as `name=version`, sorted."""
    with tarfile.open(tar) as archive:
        member = archive.extractfile(f"./{debian_root.STATUS}")
        return debian_root.installed(member.read().decode() if member else "")


def _document(entries: Iterable[Entry]) -> str:
    """The text of base.lock."""
    text = _HEAD
    for entry in entries:
        text += f'\n[[base]]\nsuite = "{entry.suite}"\narch = "{entry.arch}"\n'
        if entry.packages:
            lines = "".join(f'    "{package}",\n' for package in entry.packages)
            text += f"packages = [\n{lines}]\n"
            text += f'sha256 = "{entry.sha256}"\n'
        else:
            text += f'image = "{entry.image}"\n'
    return text


def main(arguments: list[str]) -> int:
    """`refresh` rewrites bento/base.lock, `show` prints the hash of the entry in force."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
    project = Path(__file__).resolve().parents[3]
    if arguments == ["refresh"]:
        say(f"{_LOCK}: {refresh(project, cache).hash}", sys.stdout)
        return 0
    if arguments == ["show"]:
        say(expected(project, cache).hash, sys.stdout)
        return 0
    say(f"usage: {REFRESH} | show")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
