"""The base of the image: Debian's Python and its libraries, built on this machine by mmdebstrap
from bento/base.lock.

An entry of the lock lists package versions; what it gives is kept on the shelf under the entry's
hash. Where a registry can be reached, an entry may name an image by digest instead.
"""

import hashlib
import json
import os
import platform
import re
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.image import tarball
from flows.adapters.process import run
from sluice.errors import SluiceError, UsageError

REFRESH = "python -m flows.adapters.image.base_image refresh"
_LOCK = Path("bento", "base.lock")
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
_INCLUDE = ("ca-certificates", "libpython3.11-stdlib", "libstdc++6", "python3.11-minimal")
# Essential to a Debian that is installed and administered, of no use to one process on a read-only
# root.
_PURGED = (
    "perl libperl5.36 perl-modules-5.36 perl-base usrmerge libfile-find-rule-perl libtext-glob-perl"
    " libnumber-compare-perl openssl util-linux util-linux-extra bsdutils login passwd hostname"
    " debconf libdebconfclient0 tar gzip diffutils mawk init-system-helpers sysvinit-utils"
    " libpam-modules libpam-modules-bin libpam-runtime libpam0g libaudit1 libaudit-common"
    " libcap-ng0 libdb5.3 libgdbm6 libgdbm-compat4 ncurses-bin libsystemd0 libgcrypt20"
    " libgpg-error0 libudev1 libmount1 libblkid1 libsmartcols1 "
)
# Names, lists, logs and caches are this machine's; bytecode that looks at no times stays valid when
# they are zeroed.
_CUSTOMIZE = f"""#!/bin/sh
set -eu
gone=$(chroot "$1" dpkg-query -W -f '${{Package}}\\n' {_PURGED} 2>/dev/null || true)
for name in $gone; do rm -f "$1/var/lib/dpkg/info/$name".p*rm "$1/var/lib/dpkg/info/$name":*.p*rm; done
chroot "$1" dpkg --purge --force-all $gone 2>/dev/null
find "$1/usr/lib" -name __pycache__ -prune -exec rm -rf {{}} +
compile="python3.11 -m compileall -q --invalidation-mode unchecked-hash"
chroot "$1" /usr/bin/env PYTHONHASHSEED=0 $compile /usr/lib/python3.11
rm -rf "$1"/etc/apt "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/machine-id "$1"/var/lib/apt/* \\
  "$1"/var/lib/systemd "$1"/var/cache/* "$1"/var/log/* "$1"/var/lib/dpkg/*-old "$1"/etc/*- "$1"/run/* "$1"/tmp/* \\
  "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/usr/share/info "$1"/usr/share/lintian \\
  "$1"/usr/share/bash-completion
"""
_FLAGS = ("--variant=essential", "--skip=output/dev,cleanup", "--format=tar", "--quiet")


@dataclass(frozen=True)
class Entry:
    """What a base is made of: `package=version` of a suite for an architecture, or an image
    `name@sha256:...`.
    """

    suite: str
    arch: str
    packages: tuple[str, ...] = ()
    image: str = ""

    @property
    def hash(self) -> str:
        """The identity of the base: the entry and the recipe, 32 hex characters."""
        recipe = (_INCLUDE, _CUSTOMIZE, _FLAGS) if self.packages else ()
        parts = (self.suite, self.arch, self.packages, self.image, recipe)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Base:
    """An entry that was made: its root file system as a tar (empty where the entry names an
    image).
    """

    entry: Entry
    tar: Path


def arch() -> str:
    """Debian's name of this machine's architecture."""
    return _ARCHES.get(platform.machine(), platform.machine())


def locked(project: Path) -> Entry:
    """The first entry of bento/base.lock for this architecture. Raises UsageError."""
    path = project / _LOCK
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["base"]
        found = next((raw for raw in entries if raw["arch"] == arch()), None)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{_LOCK} cannot be read: {error!r}", f"Write it anew: {REFRESH}"
        ) from None
    if not found:
        raise UsageError(
            f"{_LOCK} has no entry for {arch()}", f"Add one on a machine of that kind: {REFRESH}"
        )
    entry = Entry(
        found["suite"], found["arch"], tuple(found.get("packages", ())), found.get("image", "")
    )
    if bool(entry.packages) == bool(re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", entry.image)):
        raise UsageError(
            f"{_LOCK}: an entry has either packages, or an image by digest",
            f"Write it anew: {REFRESH}",
        )
    return entry


def expected(project: Path, cache: Path) -> Entry:
    """The entry that `ensure` would use, without building: the locked one, or what once had to
    stand in for it here.
    """
    wanted = locked(project)
    return _stand_in(cache, wanted) or wanted


def ensure(project: Path, cache: Path, say: Callable[[str], None]) -> Base:
    """The base of the locked entry, from the shelf or built now (about 20 seconds).

    Where Debian's archive has newer versions only, the base is built from those, `say` is told, and
    the entry of the result says which: a first run never fails for a security update.
    """
    wanted = locked(project)
    with machine_cache.locked(cache / "base" / f".{wanted.hash}.lock"):
        if wanted.image:
            return Base(wanted, _empty(cache))
        entry = _stand_in(cache, wanted) or wanted
        if not machine_cache.intact(_tar(cache, entry)):
            entry = _build(cache, wanted)
            if entry != wanted:
                note = {"packages": entry.packages}
                machine_cache.write(
                    cache / "base" / f"{wanted.hash}.behind.json", json.dumps(note).encode()
                )
    if entry != wanted:
        moved = sorted(set(entry.packages) - set(wanted.packages))
        say(
            f"{_LOCK} is behind Debian's archive ({', '.join(moved)}); used the current versions."
            f" Refresh: {REFRESH}"
        )
    return Base(entry, _tar(cache, entry))


def refresh(project: Path, cache: Path) -> Entry:
    """Build from the versions that the archive has now and make them the entry of this architecture
    in the lock.
    """
    with machine_cache.locked(cache / "base" / ".refresh.lock"):
        entry = _build(cache, Entry("bookworm", arch()))
        path = project / _LOCK
        raw = tomllib.loads(path.read_text(encoding="utf-8"))["base"] if path.is_file() else []
        others = [
            Entry(r["suite"], r["arch"], tuple(r.get("packages", ())), r.get("image", ""))
            for r in raw
            if r["arch"] != entry.arch
        ]
        machine_cache.write(
            path, _document(sorted([entry, *others], key=lambda e: e.arch)).encode()
        )
    return entry


def _tar(cache: Path, entry: Entry) -> Path:
    return cache / "base" / f"{entry.hash}.tar"


def _stand_in(cache: Path, wanted: Entry) -> Entry | None:
    note = cache / "base" / f"{wanted.hash}.behind.json"
    if _tar(cache, wanted).is_file() or not note.is_file():
        return None
    return replace(wanted, packages=tuple(json.loads(note.read_text())["packages"]))


def _empty(cache: Path) -> Path:
    return machine_cache.kept(cache / "base" / "empty.tar", tarball.empty)


def _build(cache: Path, wanted: Entry) -> Entry:
    """Run mmdebstrap, put the result on the shelf, and say which versions it got."""
    with tempfile.TemporaryDirectory(prefix=".build-", dir=cache / "base") as folder:
        part = Path(folder) / "root.tar"
        _bootstrap(wanted, part)
        entry = replace(wanted, packages=_installed(part))
        machine_cache.put(_tar(cache, entry), part)
    return entry


def _bootstrap(wanted: Entry, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-base-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)  # without root, mmdebstrap reads it as another user
        pins, options, customize = scratch / "pins", scratch / "apt.conf", scratch / "customize"
        pins.write_text("".join(_pin(package) for package in wanted.packages))
        options.write_text(_host_options())
        customize.write_text(_CUSTOMIZE)
        customize.chmod(0o755)
        words = [
            "mmdebstrap",
            *_FLAGS,
            f"--include={','.join(_INCLUDE)}",
            f"--architectures={wanted.arch}",
        ]
        words += [f"--aptopt={options}", f"--customize-hook={customize}"]
        words += [
            f'--setup-hook=mkdir -p "$1/etc/apt/preferences.d" && cp {pins}'
            ' "$1/etc/apt/preferences.d/pins"'
        ]
        words += [
            f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")
        ]
        sources = _host_sources(wanted.suite)
        run([*words, wanted.suite, target, *sources], env={"SOURCE_DATE_EPOCH": "0"}, timeout=1800)


def _pin(package: str) -> str:
    name, _, version = package.partition("=")
    return f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n"


def _host_options() -> str:
    """How this machine's apt reaches its archive: proxies, authorities, tolerance of old lists."""
    shown = run(["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"], check=False).stdout
    wanted = re.compile(r"Acquire::(http|https|Check-|Retries|ForceIPv)[^ ]* \"[^\"]+\";")
    return "".join(f"{line}\n" for line in shown.splitlines() if wanted.fullmatch(line))


def _host_sources(suite: str) -> list[str]:
    """This machine's own lines for Debian's archive; none where it is another system, and
    mmdebstrap knows one.
    """
    shape = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
    shown = run(
        ["apt-get", "indextargets", "--format", shape, "Created-By: Packages"], check=False
    ).stdout
    rows = [line.split("|") for line in shown.splitlines() if line.count("|") == 3]
    suites = (suite, f"{suite}-updates", f"{suite}-security")
    return sorted(
        {
            f"deb {uri} {r} main"
            for uri, r, part, by in rows
            if r in suites and part == "main" and by in ("Debian", "")
        }
    )


def _installed(tar: Path) -> tuple[str, ...]:
    """The packages of a root file system, `name=version`, as its own dpkg lists them."""
    with tarfile.open(tar) as archive:
        member = archive.extractfile("./var/lib/dpkg/status")
        if not member:
            raise SluiceError("mmdebstrap left no list of packages", "Run it again.")
        paragraphs = member.read().decode().split("\n\n")
    fields = [
        dict(re.findall(r"(?m)^(Package|Status|Version): (.+)$", paragraph))
        for paragraph in paragraphs
    ]
    return tuple(
        sorted(
            f"{f['Package']}={f['Version']}"
            for f in fields
            if f.get("Status", "").endswith(" installed")
        )
    )


def _document(entries: Iterable[Entry]) -> str:
    """The text of base.lock."""
    text = (
        f"# What the base of the image is made of, by architecture. Written by `{REFRESH}`; commit"
        " it.\n"
    )
    text += (
        "# An entry may instead name an image that the builder can pull: image ="
        ' "name@sha256:...".\n'
    )
    for entry in entries:
        text += f'\n[[base]]\nsuite = "{entry.suite}"\narch = "{entry.arch}"\n'
        listed = "".join(f'    "{package}",\n' for package in entry.packages)
        text += f"packages = [\n{listed}]\n" if entry.packages else f'image = "{entry.image}"\n'
    return text


def main(arguments: list[str]) -> int:
    """`refresh` rewrites bento/base.lock, `show` prints the hash of the entry in force."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
    project = Path(__file__).resolve().parents[3]
    if arguments == ["refresh"]:
        print(f"{_LOCK}: {refresh(project, cache).hash}")
        return 0
    if arguments == ["show"]:
        print(expected(project, cache).hash)
        return 0
    print(f"usage: {REFRESH} | show", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
