"""What of a Debian stays in the base: what is named, and nothing that somebody else put there."""

import io
import tarfile
from pathlib import Path

import pytest

from flows.adapters.image import debian_root
from sluice.errors import SluiceError

INFO = "./var/lib/dpkg/info"
FILES = {
    "base-files": ["/etc/debian_version", "/usr/share/doc/base-files/copyright", "/bin", "/tmp"],
    "base-passwd": ["/usr/sbin/update-passwd"],
    "libc6": ["/usr/lib/libc.so.6", "/usr/lib/x/gconv/A.so"],
    "libc-bin": ["/usr/bin/ldd", "/usr/bin/getent"],
    "python3.13-minimal": ["/usr/bin/python3.13", "/usr/lib/python3.13/abc.py"],
    "bash": ["/usr/bin/bash", "/usr/share/bash"],
}
STAY = {
    "etc/debian_version",
    "etc/passwd",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/bin/python3.13",
    "usr/lib/libc.so.6",
    "usr/lib/python3.13/abc.py",
    "usr/lib/python3.13/__pycache__/abc.cpython-313.pyc",
    "var/lib/dpkg/status",
}
# What an installation leaves behind, and what was never a package's.
STRANGE = (
    "etc/hostname",
    "etc/machine-id",
    "etc/resolv.conf",
    "etc/shadow",
    "etc/apt/sources.list",
    "root/.bashrc",
    "usr/bin/sh",
    "usr/local/bin/tool",
    "usr/lib/python3.13/__pycache__/other.cpython-313.pyc",
    "var/cache/apt/pkgcache.bin",
    "var/log/dpkg.log",
    "tmp/left",
)


def whole(path: Path, *, without: str = "", version: str = "1") -> Path:
    """A Debian as mmdebstrap leaves it, without one of its packages."""
    installed = [name for name in (*debian_root.PACKAGES, "bash") if name != without]
    status = "\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name in installed
    )
    files = {name: b"x" for listed in FILES.values() for name in listed if name != "/tmp"}
    files |= {f"/{name}": b"strange" for name in (*STRANGE, *STAY)}
    texts = {f".{name}": content for name, content in files.items()}
    texts["./var/lib/dpkg/status"] = status.encode()
    for name in installed:
        listed = FILES.get(name, [])
        suffix = ":amd64" if name.startswith("lib") else ""
        texts[f"{INFO}/{name}{suffix}.list"] = "".join(f"{line}\n" for line in listed).encode()
    folders = {str(parent) for name in texts for parent in Path(name).parents} | {"./dev", "./proc"}
    with tarfile.open(path, "w") as tar:
        for folder in sorted(folders - {"."}):
            member = tarfile.TarInfo(f"./{folder}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for name, content in texts.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return path


def held(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {member.name.removeprefix("./"): member for member in tar}


def reduced(tmp_path: Path) -> dict[str, tarfile.TarInfo]:
    debian_root.reduce(whole(tmp_path / "whole"), tmp_path / "part")
    return held(tmp_path / "part")


def test_what_is_named_stays_and_everything_else_is_gone(tmp_path: Path) -> None:
    found = reduced(tmp_path)
    assert {name for name, member in found.items() if not member.isdir()} == STAY | {"bin"}
    assert "tmp" in found
    assert not any(name.startswith(("root", "usr/local", "var/log")) for name in found)


def test_its_list_of_packages_names_those_that_stayed(tmp_path: Path) -> None:
    reduced(tmp_path)
    with tarfile.open(tmp_path / "part") as tar:
        file = tar.extractfile("./var/lib/dpkg/status")
        assert file
        found = debian_root.installed(file.read().decode())
    assert found == tuple(sorted(f"{name}=1" for name in debian_root.PACKAGES))


def test_a_package_that_has_another_name_now_is_named(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=r"has no libdb5\.3t64"):
        debian_root.reduce(whole(tmp_path / "whole", without="libdb5.3t64"), tmp_path / "part")


def test_its_bytes_follow_from_what_stays(tmp_path: Path) -> None:
    reduced(tmp_path)
    before = (tmp_path / "part").read_bytes()
    with tarfile.open(tmp_path / "whole") as tar:
        members = [(one, tar.extractfile(one)) for one in tar if one.name != "./var/log/dpkg.log"]
        with tarfile.open(tmp_path / "turned", "w") as turned:
            for member, file in reversed(members):
                member.uid, member.mtime = (7, 9) if member.isreg() else (0, 0)
                turned.addfile(member, file)
    debian_root.reduce(tmp_path / "turned", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == before
