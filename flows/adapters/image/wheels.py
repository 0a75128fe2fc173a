"""The `serving` group of uv.lock, installed for the Python of the image: an archive of its
site-packages.
"""

import functools
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin

from flows.adapters import machine_cache, package_index
from flows.adapters.image import carried, tarball
from flows.adapters.image.debian_root import PYTHON
from flows.adapters.process import CommandFailed, run
from sluice.errors import SluiceError
from sluice.identity import file_sha256

FOLDER = "srv/site-packages"
# The newest that uv knows, and no newer than the C library of trixie (2.41).
PLATFORMS = {"amd64": "x86_64-manylinux_2_40", "arm64": "aarch64-manylinux_2_40"}
# Never imported by a server: start scripts, what builds extensions, containers and models, and the
# frameworks that test others.
_UNUSED = (
    "bin",
    ".lock",
    "bentoml/_internal/container/frontend/dockerfile/entrypoint.sh",
    "bentoml/testing",
    "numpy/distutils",
    "numpy/f2py",
    "onnxruntime/transformers",
    "onnxruntime/tools",
)
# Tests of packages, wherever they lie, with the keys that they use.
_TESTS = ("_tests", "conftest.py", "test", "testdata", "tests")
# Type stubs and sources of extensions; scripts for a shell; keys of any kind.
_UNUSED_SUFFIXES = (
    *(".pyi", ".pyx", ".pxd", ".c", ".cpp", ".h", ".hpp", ".a"),
    *(".bash", ".sh"),
    *(".der", ".jks", ".key", ".p12", ".pfx"),
)
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40}")


def requirements(project: Path, group: str = "serving") -> str:
    """The pinned and hashed requirements of a group of dependencies, as uv.lock has them. Needs no
    network.
    """
    return _exported(project, group, file_sha256(project / "uv.lock"))


@functools.cache
def _exported(project: Path, group: str, _lock: str) -> str:
    """The same, asked of uv once for a lock: the tag of an image needs it at every step."""
    words = ["export", "--frozen", "--only-group", group, "--quiet"]
    words += ["--no-emit-project", "--no-annotate", "--no-header"]
    return run([find_uv_bin(), *words], cwd=project).stdout


def key(requirements: str, arch: str) -> str:
    """The identity of the archive, 32 hexadecimal digits: the text of the requirements, the
    platform (`arch` by Debian's name) and what is left out.
    """
    left_out = (_UNUSED, _TESTS, _UNUSED_SUFFIXES, _PRIVATE_KEY.pattern)
    parts = (requirements, PYTHON, PLATFORMS[arch], FOLDER, left_out)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def site_packages(project: Path, cache: Path, arch: str) -> Path:
    """The archive with the project's requirements under FOLDER, from the machine's `cache`, else
    installed now and kept there. Raises SluiceError where a wheel cannot be had.
    """
    locked = requirements(project)
    carried.into(cache, "site")
    archive = cache / "site" / f"{key(locked, arch)}.tar"
    return machine_cache.kept(archive, lambda part: install(locked, PLATFORMS[arch], part))


def install(locked: str, platform: str, target: Path) -> None:
    """Install for another Python and platform than this one, from wheels alone, and archive it."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        site = Path(scratch) / "site"
        put_into(site, locked, platform)
        _trim(site)
        tarball.pack(site, FOLDER, target)


def put_into(site: Path, locked: str, platform: str) -> None:
    """Install requirements into the folder `site`, for another Python and platform than this one,
    from wheels alone. Raises SluiceError where one cannot be had.
    """
    with tempfile.TemporaryDirectory(dir=site.parent) as scratch:
        listed = Path(scratch) / "requirements.txt"
        listed.write_text(locked)
        words = [find_uv_bin(), "pip", "install", "--quiet", "--no-progress"]
        words += ["--require-hashes", "--no-deps", "--no-build", "--link-mode", "copy"]
        words += ["--python", sys.executable]
        words += ["--python-version", PYTHON, "--python-platform", platform]
        _run_uv([*words, "--target", site, "-r", listed])


def _run_uv(words: Sequence[str | Path]) -> None:
    """Install from the index of the user. Raises SluiceError, which names it."""
    try:
        run(words, env=package_index.variables(os.environ))
    except CommandFailed as error:
        index = package_index.chosen(os.environ)
        where = f"{index.shown} ({index.setting})" if index else "https://pypi.org/simple"
        raise SluiceError(
            f"the packages of the image were not had from {where}: {error.what}",
            package_index.ADVICE,
        ) from error


def _trim(site: Path) -> None:
    """Remove what a server never imports, and from the records what is not there any more."""
    for name in _UNUSED:
        _remove(site / name)
    for name in (*_TESTS, "__pycache__"):
        for path in sorted(site.rglob(name)):
            _remove(path)
    trim_files(site)


def trim_files(site: Path, kept: Sequence[str] = ()) -> None:
    """Remove type stubs, sources of extensions, scripts for a shell and keys of any kind, but for
    suffixes that are `kept`, and from the records what is not there any more.
    """
    unused = set(_UNUSED_SUFFIXES) - set(kept)
    for path in sorted(site.rglob("*")):
        if path.is_file() and (path.suffix in unused or _holds_key(path)):
            path.unlink()
    for record in site.glob("*.dist-info/RECORD"):
        _true_record(site, record)


def _remove(path: Path) -> None:
    """Remove a file or a folder; what is gone with another one is no error."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _holds_key(path: Path) -> bool:
    """Whether a text holds a private key, whatever it is called. Code that mentions one stays."""
    if path.suffix in (".py", ".so"):
        return False
    return _PRIVATE_KEY.search(path.read_bytes()) is not None


def _true_record(site: Path, record: Path) -> None:
    """Keep the lines of files that are there: a start script's line holds the hash of a path of
    this machine.
    """
    lines = record.read_text().splitlines()
    kept = [line for line in lines if (site / line.split(",")[0].strip('"')).exists()]
    record.write_text("".join(f"{line}\n" for line in kept))
