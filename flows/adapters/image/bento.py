"""Bentos: built from the served modules and a model artifact, and served on this machine."""

import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.failpoints import boundary
from flows.adapters.image.bentoml_build import QUIET
from flows.adapters.image.image_tools import REAL, ImageTools
from flows.adapters.server import free_port, running
from sluice.errors import UsageError

# What BentoML reads from the source folder and does not copy into the Bento's own.
_NOT_COPIED = {"bentofile.yaml", "requirements.txt"}


def build(
    project: Path,
    model_dir: Path,
    version: str,
    home: Path,
    *,
    name: str,
    tools: ImageTools = REAL,
) -> Path:
    """Build the Bento `name:version` from `bento/`, the served modules and the artifact in
    `model_dir`; return its folder in BentoML's store `home`.

    A complete one of that version is adopted, anything else under its name replaced. The bytes
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
        if not _holds(built, source):
            with boundary("bento.build"):
                fresh = tools.build_bento(source, name, version, Path(scratch))
            _replace(built, fresh)
        machine_cache.write(built.parent / "latest", version.encode())
    return built


@boundary("bento.rename")
def _replace(built: Path, fresh: Path) -> None:
    shutil.rmtree(built, ignore_errors=True)
    built.parent.mkdir(parents=True, exist_ok=True)
    fresh.replace(built)


def served_files(project: Path) -> tuple[str, ...]:
    """What the Bento holds besides the artifact, as bento/bentofile.yaml lists it."""
    text = (project / "bento" / "bentofile.yaml").read_text(encoding="utf-8")
    listed = re.findall(r"^  - (\S+)$", text.partition("\ninclude:\n")[2], re.MULTILINE)
    files = tuple(path for path in listed if not path.startswith("model/"))
    if not files or len(files) == len(listed):
        raise UsageError(
            "bento/bentofile.yaml: `include` names no files, or not model/", "Restore the list."
        )
    return files


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
    words = [sys.executable, "-m", "bentoml", "serve", str(bento)]
    words += ["--host", "127.0.0.1", "--port", str(port)]
    settings = {**QUIET, "SLUICE_DRAIN_SECONDS": "0", "BENTOML_HOME": str(home), **(env or {})}
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


def _holds(built: Path, source: Path) -> bool:
    """Whether the Bento is complete, with these very files."""
    if not (built / "bento.yaml").is_file():
        return False
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    return all(
        _same(path, built / "src" / path.relative_to(source))
        for path in files
        if path.relative_to(source).as_posix() not in _NOT_COPIED
    )


def _same(path: Path, copy: Path) -> bool:
    return copy.is_file() and copy.read_bytes() == path.read_bytes()
