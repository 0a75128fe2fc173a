"""The programs of the pipeline image: git, ssh, and the shell that git asks for a login with, from
packages of Debian, over the base of every model image.

Everything that stays is named. The packages stand with their versions in deploy/pipeline.lock.
"""

import hashlib
import io
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.image.base_image import SUITE, Entry, arch, debootstrap, entries_of
from flows.adapters.image.pipeline import shelf
from flows.adapters.plain_text import say
from flows.adapters.process import CommandFailed, run_bytes
from sluice.errors import SluiceError, UsageError, cause

REFRESH = "python -m flows.adapters.image.pipeline.programs refresh"
LOCK = Path("deploy", "pipeline.lock")
# The programs, and what their libraries are in, but for what the base has.
PACKAGES = (
    "coreutils",
    "dash",
    "git",
    "libbrotli1",
    "libcom-err2",
    "libcurl3t64-gnutls",
    "libgmp10",
    "libgnutls30t64",
    "libgssapi-krb5-2",
    "libhogweed6t64",
    "libidn2-0",
    "libk5crypto3",
    "libkeyutils1",
    "libkrb5-3",
    "libkrb5support0",
    "libldap2",
    "libnettle8t64",
    "libnghttp2-14",
    "libnghttp3-9",
    "libngtcp2-16",
    "libngtcp2-crypto-gnutls8",
    "libp11-kit0",
    "libpcre2-8-0",
    "libpsl5t64",
    "librtmp1",
    "libsasl2-2",
    "libselinux1",
    "libssh2-1t64",
    "libtasn1-6",
    "libunistring5",
    "openssh-client",
)
_PROGRAMS = {
    "usr/bin/cat",  # joblib counts processors with it
    "usr/bin/dash",
    "usr/bin/git",
    "usr/bin/git-receive-pack",
    "usr/bin/git-upload-pack",
    "usr/bin/sh",
    "usr/bin/ssh",
    "usr/bin/ssh-keygen",
    "usr/lib/git-core/git-remote-http",
    "usr/lib/git-core/git-remote-https",
}
_LIBRARY = re.compile(r"usr/lib/[^/]+-linux-gnu[^/]*/lib[^/]+\.so[^/]*")
_FLAGS = ("--variant=extract", "--skip=output/dev,cleanup", "--format=tar", "--quiet")
_DEBS = "./var/cache/apt/archives/"
_DEB = re.compile(r"(?P<name>[^_]+)_(?P<version>[^_]+)_[^_]+\.deb")
_HEAD = f"""\
# The programs of the pipeline image beside Python, by architecture. Written by
# `{REFRESH}`; commit it.
"""


def locked(project: Path) -> Entry:
    """The entry of deploy/pipeline.lock for this architecture.

    Raises UsageError where it cannot be read, or has no such entry.
    """
    try:
        entries = entries_of(project / LOCK)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{LOCK} cannot be read: {cause(error)}", f"Write it anew: {REFRESH}"
        ) from None
    for entry in entries:
        if entry.arch == arch() and entry.packages:
            return entry
    raise UsageError(
        f"{LOCK} has no packages for {arch()}", f"Add them on a machine of that kind: {REFRESH}"
    )


def key(entry: Entry) -> str:
    """The identity of the archive, 32 hexadecimal digits: packages and what stays of them."""
    parts = (entry.suite, entry.arch, entry.packages, PACKAGES, sorted(_PROGRAMS), _FLAGS)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def archive(project: Path, cache: Path, say: Callable[[str], None]) -> Path:
    """The archive of the locked programs, from the machine's `cache`, else made now (10 seconds).

    Where Debian's archive has newer versions only, these are taken, and `say` is told. Raises as
    `locked`, and CommandFailed where mmdebstrap fails.
    """
    entry = locked(project)
    kept = shelf.place(cache) / f"{key(entry)}.tar"

    def make(part: Path) -> None:
        moved = sorted(set(_made(entry, part)) - set(entry.packages))
        if moved:
            say(
                f"{LOCK} is behind Debian's archive ({', '.join(moved)}); used the current"
                f" versions. Refresh: {REFRESH}"
            )

    return machine_cache.kept(kept, make)


def refresh(project: Path) -> Entry:
    """Write the versions that the archive has now to the lock, for this architecture."""
    path = project / LOCK
    with tempfile.TemporaryDirectory(prefix="sluice-tools-") as scratch:
        wanted = Entry(SUITE, arch())
        entry = replace(wanted, packages=_made(wanted, Path(scratch) / "tools.tar"))
    others = [one for one in entries_of(path) if one.arch != entry.arch] if path.is_file() else []
    ordered = sorted([entry, *others], key=lambda one: one.arch)
    machine_cache.write(path, _document(ordered).encode())
    return entry


def _made(wanted: Entry, target: Path) -> tuple[str, ...]:
    """Write the programs to the tar `target`; return their packages as `name=version`, sorted."""
    with tempfile.TemporaryDirectory(prefix="sluice-tools-") as folder:
        whole = Path(folder) / "whole.tar"
        words = [*_FLAGS, f"--include={','.join(PACKAGES)}"]
        debootstrap(wanted, words, whole, Path(folder))
        found = _packages(whole, Path(folder) / "debs")
    files: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    for name, (version, content) in sorted(found.items()):
        files |= _staying(content)
        files |= _listed(name, version, wanted.arch)
    missing = sorted(_PROGRAMS - set(files))
    if missing:
        raise SluiceError(
            f"the packages of the pipeline image lack {', '.join(missing)}",
            "Their contents have changed: correct flows/adapters/image/pipeline/programs.py.",
        )
    _write(files, target)
    return tuple(f"{name}={version}" for name, (version, _) in sorted(found.items()))


def _packages(whole: Path, scratch: Path) -> dict[str, tuple[str, bytes]]:
    """Of each package its version, and the tar of its files. Raises SluiceError for one that is
    not there.
    """
    scratch.mkdir()
    found = {}
    with tarfile.open(whole) as tar:
        for member in tar:
            named = _DEB.fullmatch(member.name.removeprefix(_DEBS))
            if named is None or named["name"] not in PACKAGES:
                continue
            content = tar.extractfile(member)
            package = scratch / f"{named['name']}.deb"
            package.write_bytes(content.read() if content else b"")
            version = named["version"].replace("%3a", ":")
            found[named["name"]] = (version, _files_of(package))
    missing = [name for name in PACKAGES if name not in found]
    if missing:
        raise SluiceError(
            f"Debian's archive gave no {', '.join(missing)}",
            "Its packages are called otherwise now: correct PACKAGES in pipeline/programs.py.",
        )
    return found


def _files_of(package: Path) -> bytes:
    """The tar of the files of a package. Raises CommandFailed."""
    words = ["dpkg-deb", "--fsys-tarfile", str(package)]
    result = run_bytes(words)
    if result.code:
        raise CommandFailed(words, result.text("utf-8"))
    return result.stdout


def _staying(content: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """The programs and libraries of a package by path, each with its bytes."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            name = _path(member.name)
            if member.isdir() or not (name in _PROGRAMS or _LIBRARY.fullmatch(name)):
                continue
            made = tarfile.TarInfo(name)
            made.mode = member.mode & 0o755
            if member.issym():
                made.type, made.linkname = tarfile.SYMTYPE, member.linkname
                found[name] = made, b""
                continue
            file = tar.extractfile(member)
            found[name] = made, file.read() if file else b""
    return found


def _path(name: str) -> str:
    """The path of a file where /bin, /sbin and /lib are folders of /usr."""
    path = name.removeprefix("./")
    return f"usr/{path}" if path.startswith(("bin/", "sbin/", "lib/")) else path


def _listed(name: str, version: str, arch: str) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """What scanners of images read of a package."""
    path = f"var/lib/dpkg/status.d/{name}"
    made = tarfile.TarInfo(path)
    made.mode = 0o644
    lines = (f"Package: {name}", "Status: install ok installed", f"Architecture: {arch}")
    text = "\n".join((*lines, f"Version: {version}")) + "\n"
    return {path: (made, text.encode())}


def _write(files: Mapping[str, tuple[tarfile.TarInfo, bytes]], target: Path) -> None:
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted({*folders, *files}):
            if name in files:
                member, content = files[name]
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member = tarfile.TarInfo(name)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)


def _document(entries: Iterable[Entry]) -> str:
    """The text of pipeline.lock."""
    text = _HEAD
    for entry in entries:
        lines = "".join(f'    "{package}",\n' for package in entry.packages)
        text += f'\n[[base]]\nsuite = "{entry.suite}"\narch = "{entry.arch}"\n'
        text += f"packages = [\n{lines}]\n"
    return text


def main(arguments: Sequence[str]) -> int:
    """`refresh` rewrites deploy/pipeline.lock."""
    project = Path(__file__).resolve().parents[4]
    if list(arguments) == ["refresh"]:
        say(f"{LOCK}: {key(refresh(project))}", sys.stdout)
        return 0
    say(f"usage: {REFRESH}")
    return 2


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(sys.argv[1:]))
