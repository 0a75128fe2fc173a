"""Which models a push touches, and why: those whose code, policy, contract or data pointer differ.

A change to what all models share touches all of them; documentation touches none.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from msgspec import Struct

from flows.adapters.git import repository
from flows.project import data_source
from flows.project.models import model_folder, models
from flows.project.protected_branch import NONE_BEFORE, answer, ask, commit, require_readable
from sluice.errors import UsageError

# What every release runs or rests on. What tests and explains it, and what starts it, changes none.
SHARED = ("sluice/", "sluice_command/", "gx/", "bento/", "flows/")
SHARED_FILES = ("pyproject.toml", "uv.lock", "models/__init__.py", "overrides/allowed_signers")
_DOCUMENTATION = (".md",)
_WITHOUT_FILES = {
    "named": "named by hand",
    "all": "every model is looked at",
    "base unknown": "no commit before it is known",
}
Kind = Literal[
    "contract", "policy", "code", "data", "override", "shared code", "base unknown", "named", "all"
]


class Cause(Struct, frozen=True):
    """Why a model is touched: what kind of file changed, and which, relative to the project."""

    kind: Kind
    files: tuple[str, ...] = ()


class Touched(Struct, frozen=True):
    """A model that a push touches, and why."""

    model: str
    causes: tuple[Cause, ...]


class Changes(Struct, frozen=True):
    """What changed from a commit (`base`; empty where none is known, and `unknown` says why) to
    HEAD.
    """

    base: str
    unknown: str
    models: tuple[Touched, ...]


def changes(project: Path, base: str) -> Changes:
    """The models that differ between the commit in which `base` and HEAD parted, and HEAD.

    Zeros, as the first push of a branch names them, touch every model. Raises UsageError where git
    does not know `base`, as in a clone that lacks what is older.
    """
    if repository.above(project) is None:
        raise UsageError(f"{project} is not in git", "Run it in a clone of the project.")
    require_readable(project)
    if NONE_BEFORE.fullmatch(base):
        unknown = (Cause("base unknown"),)
        every = tuple(Touched(model, unknown) for model in models(project))
        return Changes("", "there was no commit before this one", every)
    parted = _parted(project, base)
    words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--relative")
    files = [name for name in ask(project, *words, parted, "HEAD").split("\0") if name]
    return Changes(parted, "", touched(files, _pointed(project)))


def named(project: Path, model: str) -> Changes:
    """The one model that a person named. Raises UsageError where there is none of that name."""
    model_folder(model, project)
    return Changes("", "", (Touched(model, (Cause("named"),)),))


def all_of(project: Path) -> Changes:
    """Every model of the project: what a schedule looks at."""
    return Changes("", "", tuple(Touched(model, (Cause("all"),)) for model in models(project)))


def touched(files: Sequence[str], pointed: "dict[str, str]") -> tuple[Touched, ...]:
    """The models that changes to these files touch; `pointed` has each model of the project, and
    the file in it that its pointer names (empty for none).
    """
    found = []
    for model, data in sorted(pointed.items()):
        kinds: dict[Kind, list[str]] = {}
        for file in sorted(files):
            kind = _kind(file, model, data)
            if kind:
                kinds.setdefault(kind, []).append(file)
        if kinds:
            causes = tuple(Cause(kind, tuple(names)) for kind, names in kinds.items())
            found.append(Touched(model, causes))
    return tuple(found)


def _kind(file: str, model: str, data: str) -> Kind | None:
    """What a file is to a model; None where it is nothing to it."""
    if file in (f"data/{model}.toml", data):
        return "data"
    if PurePosixPath(file).suffix in _DOCUMENTATION:
        return None
    if file == f"models/{model}/contract.toml":
        return "contract"
    if file == f"models/{model}/policy.toml":
        return "policy"
    if file.startswith(f"models/{model}/"):
        return "code"
    if file.startswith(f"overrides/{model}/"):
        return "override"
    return "shared code" if file.startswith(SHARED) or file in SHARED_FILES else None


def _parted(project: Path, base: str) -> str:
    """The commit in which `base` and HEAD parted."""
    name = f"--base is {base!r}"
    fetch = "Fetch the whole history (git fetch --unshallow), or name another commit."
    tip = "" if not base or base.startswith("-") else commit(project, base)
    if not tip:
        raise UsageError(f"{name}, which git cannot find", fetch)
    parted = answer(project, "merge-base", "HEAD", tip)
    if not parted:
        raise UsageError(f"{name}, which has no commit in common with HEAD", fetch)
    return parted


def _pointed(project: Path) -> dict[str, str]:
    """Every model, with the file in the project that its pointer names; empty for none.

    What is wrong with a pointer is told by the release: the model that it is of is touched by it.
    """
    return {model: _file(project, model) for model in models(project)}


def _file(project: Path, model: str) -> str:
    try:
        text = (project / "data" / f"{model}.toml").read_text(encoding="utf-8")
        pointer = data_source.read_pointer(text, f"data/{model}.toml")
    except (OSError, ValueError, UsageError):
        return ""
    if pointer.kind not in ("file", "dvc"):
        return ""
    place = (project / pointer.target).resolve()
    return place.relative_to(project).as_posix() if place.is_relative_to(project) else ""


def sentences(causes: Iterable[Cause]) -> str:
    """Why a model is touched, in a line: what kinds of file, and the first of each."""
    return "; ".join(_sentence(cause) for cause in causes)


def _sentence(cause: Cause) -> str:
    if not cause.files:
        return _WITHOUT_FILES[cause.kind]
    more = f" and {len(cause.files) - 1} more" if len(cause.files) > 1 else ""
    return f"{cause.kind} ({cause.files[0]}{more})"
