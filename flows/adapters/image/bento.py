"""BentoML: a Bento built from the served modules and a model artifact, and a Bento served on this
machine.

Both run in a process of their own: importing BentoML costs more than most of a release.
"""

import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.failpoints import boundary
from flows.adapters.image import wheels
from flows.adapters.process import run
from flows.adapters.server import free_port, running
from sluice.errors import UsageError

_ARTIFACT = "model/"
# Kinds of files of a room that ship; recipes and locks stay behind.
_SHIPPED = {".py", ".html", ".css", ".js", ".svg"}
_QUIET = {"BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1"}
# what bento.yaml would keep of this shell
_PLAIN = {"SLUICE_SERVICE_WORKERS": "", "SLUICE_MAX_CONCURRENCY": ""}


def build(project: Path, model_dir: Path, version: str, home: Path, *, name: str) -> Path:
    """Build the Bento `name:version` from `bento/`, the served modules and the artifact; return its
    folder.

    A complete one of that version is adopted, anything else under its name replaced. The bytes
    depend on the inputs alone. Needs no network.
    """
    built = home / "bentos" / name / version
    with (
        machine_cache.locked(home / ".build.lock"),
        _staging() as source,
        _staging(home) as scratch,
    ):
        _stage(project, model_dir, source)
        if not _holds(built, source):
            made = _build(source, name, version, scratch)
            with boundary("bento.rename"):
                shutil.rmtree(built, ignore_errors=True)
                built.parent.mkdir(parents=True, exist_ok=True)
                made.replace(built)
        machine_cache.write(built.parent / "latest", version.encode())
    return built


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

    Raises SluiceError with the end of its log if it is not ready after `deadline` seconds.
    """
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    words = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        str(bento),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with tempfile.TemporaryDirectory(prefix=".serve-", dir=home) as scratch:
        given = {**_QUIET, "SLUICE_DRAIN_SECONDS": "0", "BENTOML_HOME": str(home), **(env or {})}
        with running(words, port, Path(scratch) / "log", env=given, deadline=deadline) as url:
            yield url


@contextlib.contextmanager
def _staging(parent: Path | None = None) -> Iterator[Path]:
    """A temporary folder; without a parent one that BentoML reads: it refuses every path with a
    hidden folder in it.
    """
    place = Path(tempfile.gettempdir()).resolve()
    if not parent and any(part.startswith(".") for part in place.parts):
        raise UsageError(
            f"TMPDIR is {place}: BentoML builds nothing below a hidden folder",
            "Set another TMPDIR.",
        )
    with tempfile.TemporaryDirectory(
        prefix=".build-" if parent else "sluice-build-", dir=parent or place
    ) as folder:
        yield Path(folder)


@boundary("bento.stage")
def _stage(project: Path, model_dir: Path, source: Path) -> None:
    """Lay out what ships, and the requirements, in a folder of its own: nothing else can get into
    the Bento.
    """
    for path in served_files(project):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / path, source / path)
    shutil.copytree(model_dir, source / "model", copy_function=shutil.copyfile)
    shutil.copyfile(project / "bento" / "bentofile.yaml", source / "bentofile.yaml")
    (source / "requirements.txt").write_text(wheels.requirements(project))


def _holds(built: Path, source: Path) -> bool:
    """Whether the Bento is complete, with these very files."""
    if not (built / "bento.yaml").is_file():
        return False
    wanted = {path.relative_to(source): path for path in source.rglob("*") if path.is_file()}
    skipped = {Path("bentofile.yaml"), Path("requirements.txt")}
    pairs = [(path, built / "src" / name) for name, path in wanted.items() if name not in skipped]
    return all(copy.is_file() and copy.read_bytes() == path.read_bytes() for path, copy in pairs)


@boundary("bento.build")
def _build(source: Path, name: str, version: str, home: Path) -> Path:
    env = {**_QUIET, **_PLAIN, "BENTOML_HOME": str(home), "PYTHONPATH": ""}
    words = ["build", str(source), "--name", name, "--version", version, "--output", "tag"]
    run([sys.executable, "-m", "bentoml", *words], cwd=source, env=env, timeout=300)
    built = home / "bentos" / name / version
    _without_times(built / "bento.yaml")
    shutil.copyfile(source / "requirements.txt", built / "env" / "python" / "requirements.txt")
    for cache in sorted(built.rglob("__pycache__")):
        shutil.rmtree(cache)
    return built


def _without_times(manifest: Path) -> None:
    """Two builds of the same inputs have the same bytes; and every requirement has its hash."""
    text = manifest.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(\s*creation_time:).*$", r"\1 1970-01-01 00:00:00+00:00", text)
    # BentoML appends itself once more, without a hash, which no installer accepts beside hashes.
    manifest.write_text(re.sub(r'\\nbentoml==[0-9.]+\\n"', '"', text), encoding="utf-8")


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
