"""Bentos: built from the served modules and a model artifact, and served on this machine."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters import machine_cache, python
from flows.adapters.failpoints import boundary
from flows.adapters.image.bentoml_build import QUIET
from flows.adapters.server import free_port, running
from sluice.errors import UsageError
from sluice.identity import folder_hash

if TYPE_CHECKING:
    from flows.adapters.image.image_tools import ImageTools

_ARTIFACT = "model/"
# Kinds of files of a room that ship; recipes and locks stay behind.
_SHIPPED = {".py", ".html", ".css", ".js", ".svg"}


def build(
    project: Path,
    model_dir: Path,
    version: str,
    home: Path,
    *,
    name: str,
    tools: "ImageTools",
) -> Path:
    """Build the Bento `name:version` from `bento/`, the served modules and the artifact in
    `model_dir`; return its folder in BentoML's store `home`.

    It is built anew each time, and what lies there stays if it is the same byte for byte. The bytes
    depend on the inputs alone. Needs no network. Raises UsageError below a hidden TMPDIR.
    """
    built = home / "bentos" / name / version
    requirements = tools.requirements(project)
    with (
        machine_cache.locked(home / ".build.lock"),
        _visible_folder() as source,
        tempfile.TemporaryDirectory(prefix=".build-", dir=home) as scratch,
    ):
        _stage(project, model_dir, requirements, source)
        with boundary("bento.build"):
            fresh = tools.build_bento(source, name, version, Path(scratch))
        if not built.is_dir() or folder_hash(built) != folder_hash(fresh):
            _replace(built, fresh)
        machine_cache.write(built.parent / "latest", version.encode())
    return built


@boundary("bento.rename")
def _replace(built: Path, fresh: Path) -> None:
    shutil.rmtree(built, ignore_errors=True)
    built.parent.mkdir(parents=True, exist_ok=True)
    fresh.replace(built)


def served_files(project: Path) -> tuple[str, ...]:
    """The files that a Bento holds besides the artifact: relative POSIX paths, sorted.

    `include` of bento/bentofile.yaml names rooms (with a slash at the end) and single files. Of a
    room ships what the service needs to run: modules, and the parts of its page. Raise UsageError
    where the list is without model/, or names something that is not there.
    """
    text = (project / "bento" / "bentofile.yaml").read_text(encoding="utf-8")
    listed = re.findall(r"^  - (\S+)$", text.partition("\ninclude:\n")[2], re.MULTILINE)
    if _ARTIFACT not in listed:
        raise UsageError(
            f"bento/bentofile.yaml: `include` does not name {_ARTIFACT}", "Restore the list."
        )
    files: set[str] = set()
    for entry in listed:
        if entry != _ARTIFACT:
            files |= _files_of(project, entry)
    return tuple(sorted(files))


def _files_of(project: Path, entry: str) -> set[str]:
    """The files that one entry of `include` stands for."""
    path = project / entry
    if not entry.endswith("/"):
        files = {path} if path.is_file() else set()
    else:
        files = {file for file in path.rglob("*") if _ships(file)}
    if not files:
        raise UsageError(
            f"bento/bentofile.yaml: `include` names {entry}, which holds no file that ships",
            "Correct the list.",
        )
    return {file.relative_to(project).as_posix() for file in files}


def _ships(path: Path) -> bool:
    # A hidden file is an editor's, and the folder of bytecode holds none of these kinds.
    return path.suffix in _SHIPPED and not path.name.startswith(".") and path.is_file()


@contextlib.contextmanager
def serve(
    bento: Path,
    home: Path,
    *,
    port: int = 0,
    deadline: float = 60.0,
    env: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Serve a built Bento on 127.0.0.1 while the block runs; yields the URL once it is ready.

    `port` 0 takes a free one; `env` is added to the environment. Raises SluiceError with the end of
    its log if it is not ready after `deadline` seconds.
    """
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    words = [*python.module("bentoml"), "serve", str(bento)]
    words += ["--host", "127.0.0.1", "--port", str(port)]
    settings = {**QUIET, "SLUICE_DRAIN_SECONDS": "0", "BENTOML_HOME": str(home)}
    settings |= {**python.importing(), **(env or {})}
    with tempfile.TemporaryDirectory(prefix=".serve-", dir=home) as scratch:
        log = Path(scratch) / "log"
        with running(words, port, log, env=settings, deadline=deadline) as url:
            yield url


@contextlib.contextmanager
def _visible_folder() -> Iterator[Path]:
    """A temporary folder that BentoML reads: it refuses every path with a hidden folder in it."""
    parent = Path(tempfile.gettempdir()).resolve()
    if any(part.startswith(".") for part in parent.parts):
        raise UsageError(
            f"TMPDIR is {parent}; a folder that is not below a hidden one is required by BentoML",
            "Set another TMPDIR.",
        )
    with tempfile.TemporaryDirectory(prefix="sluice-build-", dir=parent) as folder:
        yield Path(folder)


@boundary("bento.stage")
def _stage(project: Path, model_dir: Path, requirements: str, source: Path) -> None:
    """Lay out what ships, and the requirements, in a folder of its own: nothing else can get into
    the Bento.
    """
    for path in served_files(project):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / path, source / path)
    shutil.copytree(model_dir, source / "model", copy_function=shutil.copyfile)
    shutil.copyfile(project / "bento" / "bentofile.yaml", source / "bentofile.yaml")
    (source / "requirements.txt").write_text(requirements)


def newest(home: Path, model: str) -> Path:
    """The folder of the newest Bento of a model below `home`, BentoML's own folder.

    Raises UsageError where there is none.
    """
    latest = home / "bentos" / model / "latest"
    if not latest.is_file():
        raise UsageError(
            f"there is no Bento of {model!r} on this machine yet", f"Run: sluice release {model}"
        )
    return latest.parent / latest.read_text(encoding="utf-8").strip()
