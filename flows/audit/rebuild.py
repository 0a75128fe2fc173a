"""What a training is repeated in: the sources, the data and the environment that a release was made
with.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import process
from flows.adapters.git.checkout import checkout
from flows.engine.code_identity import lock, lock_of
from flows.project.data_source import Pointer, read_pointer
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.gitops.evidence import Provenance
from sluice.gitops.trailers import Trailers
from sluice.identity import code_hash, file_sha256, interpreter

_DIRTY = "-dirty"
_SYNC = ("sync", "--frozen", "--quiet", "--no-default-groups", "--group", "pipeline", "--python")


@dataclass(frozen=True)
class Sources:
    """Where the code and the project (models/, data/) lie, and in words how they came there."""

    code: Path
    project: Path
    words: str


def sources(
    settings: Settings,
    named: Trailers,
    provenance: Provenance,
    folder: Path,
    model: str,
) -> Sources:
    """Code and project as the release had them, checked out below `folder`. Raises UsageError.

    Where no commit is on record, or it had changes that were not committed, what is here is used if
    it is the same by its hash, and else the commit.
    """
    source = named.source_commit or "none"
    code = named.code_commit or source
    same_code = _same_code(provenance)
    same_model = _same_model(settings.project, model, provenance)
    if settings.project == ROOT:
        path, words = _checked_out(ROOT, code, same_code and same_model, folder / "code")
        return Sources(path, path, words)
    path, words = _checked_out(ROOT, code, same_code, folder / "code")
    project, also = _checked_out(settings.project, source, same_model, folder / "project")
    if words != also:
        words = f"code: {words}; project: {also}"
    return Sources(path, project, words)


def _checked_out(repository: Path, commit: str, same: bool, folder: Path) -> tuple[Path, str]:
    """The repository at a commit, and in words which; `same` says that what is here equals what was
    used.
    """
    if commit in ("", "none"):
        equal = "the same" if same else "not the same"
        return repository, f"no commit is on record: what is here, which is {equal}"
    if not commit.endswith(_DIRTY):
        return checkout(repository, commit, folder), f"commit {commit[:12]}, checked out"
    clean = commit.removesuffix(_DIRTY)
    if same:
        words = "had changes that were not committed: what is here, which is the same"
        return repository, f"{clean[:12]} {words}"
    words = f"commit {clean[:12]}, checked out, without changes it had"
    return checkout(repository, clean, folder), words


def _same_code(provenance: Provenance) -> bool:
    recorded = provenance.input("train", "code")
    return bool(recorded) and code_hash(ROOT, ["flows.steps.train"]) == recorded


def _same_model(project: Path, model: str, provenance: Provenance) -> bool:
    for name in ("contract", "policy"):
        file = project / "models" / model / f"{name}.toml"
        if not file.is_file() or file_sha256(file) != provenance.input("train", name):
            return False
    return True


def data(
    settings: Settings, model: str, wanted: str, project: Path, given: Path | None
) -> tuple[Path | None, str]:
    """The file whose SHA-256 is `wanted`, and in words where it was found; None where the pointer
    of the project makes it anew.

    `given` is a file that a person named. Raises UsageError where it is another one, or where the
    data are nowhere.
    """
    if given:
        return _named(given, wanted)
    kept = settings.home / "data" / wanted
    if kept.is_file() and file_sha256(kept) == wanted:
        return kept, "kept on this machine"
    pointer = _pointer(project, model)
    if pointer.kind == "sample" and pointer.sha256 == wanted:
        return None, f"generated anew by {pointer.target}"
    if pointer.kind == "file":
        for folder in (project, settings.project):
            file = folder / pointer.target
            if file.is_file() and file_sha256(file) == wanted:
                return file.resolve(), f"{pointer.target}, as the pointer names it"
    looked = f"{settings.home / 'data'} and data/{model}.toml of its commit"
    raise UsageError(
        f"the data {wanted[:12]} are not here: looked at {looked}", "Name the file with --data."
    )


def _named(given: Path, wanted: str) -> tuple[Path, str]:
    if not given.is_file():
        raise UsageError(
            f"there is no file {given}", "Name the file that the release was trained on."
        )
    sha256 = file_sha256(given)
    if sha256 != wanted:
        raise UsageError(
            f"{given} hashes to {sha256}; {wanted} is required",
            "Name the file that the release was trained on.",
        )
    return given.resolve(), f"{given}, by its hash"


def _pointer(project: Path, model: str) -> Pointer:
    """The pointer of a model; an empty one where there is none that can be read."""
    name = f"data/{model}.toml"
    try:
        return read_pointer((project / name).read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError, UsageError):
        return Pointer()


def python(code: Path, recorded: str, folder: Path) -> tuple[Path, str]:
    """A Python with what the lock of `code` names, and in words which; this one where its lock and
    its interpreter are the `recorded` ones.

    Where it cannot be made, this one is used and the words say so: the predictions are compared
    all the same.
    """
    same_lock = lock_of(code) == lock()
    if same_lock and recorded in ("", interpreter()):
        return Path(sys.executable), "this one: lock and interpreter are the recorded ones"
    why = f"{recorded} was used then" if same_lock else "the lock is another"
    version = (recorded or interpreter()).rpartition("-")[2]
    beside = str(Path(sys.executable).parent)
    uv = shutil.which("uv", path=beside) or shutil.which("uv") or "uv"
    env = {"UV_PROJECT_ENVIRONMENT": str(folder / "venv")}
    ended = process.run([uv, *_SYNC, version], cwd=code, env=env, check=False)
    if ended.code == 0:
        words = f"made from its lock with Python {version}, because {why}"
        return folder / "venv" / "bin" / "python", words
    lines = ended.stderr.strip().splitlines()
    error = lines[-1].strip()[:120] if lines else "uv is not here"
    words = f"this one, although {why}: the other could not be made ({error})"
    return Path(sys.executable), words
