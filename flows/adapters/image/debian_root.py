"""What of a Debian stays in the base of the image: Python, its libraries, and nothing else that
runs. No shell, no package manager, and nothing of the machine that built it.

Everything that stays is named: the files of some packages, and a few files that their installation
writes. So nothing has to be thought of to be left out.
"""

import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from sluice.errors import SluiceError

PYTHON = "3.13"  # of this Debian
# Python and what its package needs, C++ for numpy and ONNX Runtime, certificates, and what makes a
# root file system of it.
PACKAGES = (
    "base-files",
    "base-passwd",
    "ca-certificates",
    "gcc-14-base",
    "libbz2-1.0",
    "libc-bin",
    "libc6",
    "libdb5.3t64",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libncursesw6",
    "libpython3.13-minimal",
    "libpython3.13-stdlib",
    "libreadline8t64",
    "libsqlite3-0",
    "libssl3t64",
    "libstdc++6",
    "libtinfo6",
    "libuuid1",
    "libzstd1",
    "media-types",
    "netbase",
    "python3.13-minimal",
    "readline-common",
    "tzdata",
    "zlib1g",
)
# Of their programs, the one that the service runs on.
_PROGRAMS = {f"usr/bin/python{PYTHON}"}
_FOLDERS_OF_PROGRAMS = ("bin/", "sbin/", "usr/bin/", "usr/sbin/", "usr/libexec/")
# Written by the installation of the packages. The cache of the loader is not one: it would name the
# libraries of packages that are gone, and these lie where the loader looks by itself.
_WRITTEN = {"bin", "lib", "lib64", "sbin", "etc/group", "etc/nsswitch.conf", "etc/passwd"}
_WRITTEN_BELOW = ("etc/ssl/certs/", "usr/lib/ssl/cert")
# For people who administer a Debian or write programs on it, and what Python is tested with.
_LEFT_OUT = (
    "etc/cron",
    "etc/default/",
    "etc/dpkg/",
    "etc/issue",
    "etc/ld.so.",
    "etc/profile",
    "etc/skel/",
    "etc/update-motd.d/",
    "usr/lib/binfmt.d/",
    f"usr/lib/python{PYTHON}/pydoc_data/",
    f"usr/lib/python{PYTHON}/test/",
    "usr/share/base-",
    "usr/share/bash-completion/",
    "usr/share/binfmts/",
    "usr/share/bug/",
    "usr/share/common-licenses/",
    "usr/share/doc",
    "usr/share/gcc/",
    "usr/share/gdb/",
    "usr/share/info/",
    "usr/share/libc-bin/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/menu/",
    "usr/share/pixmaps/",
    "var/lib/dpkg/",
)
_CONVERTERS = "/gconv/"  # of characters, for programs in C: Python has its own
# Empty ones, in which a container gets something, or may write.
_FOLDERS = ("dev", "proc", "run", "sys", "tmp", "var/tmp")
_BYTECODE = re.compile(r"(?P<folder>usr/lib/.*)/__pycache__/(?P<module>[^/]+)\.cpython-\d+\.pyc")
STATUS = "var/lib/dpkg/status"  # the list of installed packages, which scanners read
_INFO = "var/lib/dpkg/info/"


def reduce(root: Path, target: Path) -> None:
    """Write what stays of the root file system in the tar `root` to the tar `target`, sorted.

    Raises SluiceError where it lacks one of the packages, or a file that it names.
    """
    with tarfile.open(root) as whole:
        members = {_name(member): member for member in whole}
        status = _status(_read(whole, members, STATUS))
        listed = _listed(whole, members)
        staying = {name for name in members if _stays(name, members[name], listed)}
        staying |= set(_folders_of(staying, members))
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted({*staying, STATUS}):
                if name == STATUS:
                    _add(tar, members[STATUS], status)
                else:
                    _copy(whole, members, name, tar)


def installed(status: str) -> tuple[str, ...]:
    """The installed packages of a list of dpkg as `name=version`, sorted."""
    packages = []
    for paragraph in status.split("\n\n"):
        fields = _fields(paragraph)
        if fields.get("Status", "").endswith(" installed"):
            packages.append(f"{fields['Package']}={fields['Version']}")
    return tuple(sorted(packages))


def _fields(paragraph: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^(Package|Status|Version): (.+)$", paragraph))


def _status(whole: bytes) -> bytes:
    """The paragraphs of the packages that stay. Raises SluiceError where one is not installed."""
    paragraphs = {
        _fields(paragraph).get("Package", ""): paragraph.strip("\n")
        for paragraph in whole.decode().split("\n\n")
        if "Status: install ok installed" in paragraph
    }
    missing = [name for name in PACKAGES if name not in paragraphs]
    if missing:
        raise SluiceError(
            f"the Debian that was made has no {', '.join(missing)}",
            "Its names of packages have changed: correct flows/adapters/image/debian_root.py.",
        )
    return "".join(f"{paragraphs[name]}\n\n" for name in PACKAGES).encode()


def _listed(whole: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> set[str]:
    """The paths of the files that the packages which stay have brought."""
    paths: set[str] = set()
    for package in PACKAGES:
        lists = [name for name in members if _is_list_of(package, name)]
        for name in lists:
            text = _read(whole, members, name).decode()
            paths |= {line.removeprefix("/") for line in text.splitlines()}
    return paths


def _is_list_of(package: str, name: str) -> bool:
    stem = name.removeprefix(_INFO).removesuffix(".list")
    return name == f"{_INFO}{stem}.list" and stem.partition(":")[0] == package


def _stays(name: str, member: tarfile.TarInfo, listed: set[str]) -> bool:
    """Whether a file or a link stays; folders follow from these."""
    if member.isdir() or name.startswith(_LEFT_OUT) or _CONVERTERS in name:
        return False
    if name.startswith(_FOLDERS_OF_PROGRAMS):
        return name in _PROGRAMS
    if name in _WRITTEN or name.startswith(_WRITTEN_BELOW):
        return True
    compiled = _BYTECODE.fullmatch(name)
    if compiled:
        return f"{compiled['folder']}/{compiled['module']}.py" in listed
    return name in listed


def _folders_of(staying: Iterable[str], members: Mapping[str, tarfile.TarInfo]) -> Iterator[str]:
    """The folders that what stays lies in, and those that every container has."""
    for name in (*staying, STATUS, *(f"{folder}/any" for folder in _FOLDERS)):
        for parent in PurePosixPath(name).parents:
            if str(parent) in members:
                yield str(parent)


def _copy(
    whole: tarfile.TarFile,
    members: Mapping[str, tarfile.TarInfo],
    name: str,
    tar: tarfile.TarFile,
) -> None:
    """Add a member as it is; a second name of a file as a file of its own."""
    member = members[name]
    if member.isreg() or member.islnk():
        _add(tar, member, _content(whole, member))
    else:
        tar.addfile(member)


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, content: bytes) -> None:
    made = tarfile.TarInfo(member.name)
    made.mode, made.size = member.mode, len(content)
    tar.addfile(made, io.BytesIO(content))


def _read(whole: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str) -> bytes:
    if name not in members:
        raise SluiceError(f"mmdebstrap made a Debian without {name}", "Run it again.")
    return _content(whole, members[name])


def _content(whole: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = whole.extractfile(member)
    return file.read() if file else b""


def _name(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")
