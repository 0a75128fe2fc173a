"""The pointers `data/<model>.toml`: written for a file, an address or a file of DVC, and what is
where of each.
"""

import re
from pathlib import Path
from typing import Literal

import tomli_w
from msgspec import Struct

from flows.adapters import dvc
from flows.adapters.files import read_stable, write_atomic
from flows.adapters.process import without_login
from flows.project import data_source
from flows.project.data_source import Pointer
from flows.project.models import model_folder, models
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError, cause
from sluice.identity import file_sha256, sha256

_HEADER = "# The data of this model, by `sluice data add FILE`; a release checks the hash.\n"
State = Literal["here", "there", "generated", "elsewhere", "missing", "changed", "wrong"]


class Added(Struct, frozen=True):
    """A pointer as it was written: `before` is what it named until now; `changed` is whether the
    file differs.
    """

    model: str
    file: str
    reference: str
    sha256: str
    size: int
    before: str
    changed: bool


class Standing(Struct, frozen=True):
    """What is where of the data of a model.

    here: kept on this machine under their hash. there: the file is, and has that hash. generated:
    a program makes them. elsewhere: a release brings them here. missing, changed: the file is not,
    or has another hash. wrong: the pointer cannot be read, and `said` says why.
    """

    model: str
    state: State
    reference: str = ""
    sha256: str = ""
    said: str = ""


def add(settings: Settings, model: str, what: str, expected: str | None = None) -> Added:
    """Let the pointer of a model name a file of the project, what lies at an address, the table
    that a `.dvc` file of the project names, or the rows that a `sample.toml` of it describes.

    The bytes are read, and kept under their hash. `expected` is that hash where somebody told it
    together with the address, whom nobody reviewed: other bytes are refused, and addresses unless
    SLUICE_DATA_FROM lists their place. Raises UsageError then, for a file outside the project, and
    as `data_source.brought` and `data_source.tracked`.
    """
    model_folder(model, settings.project)
    if expected is not None:
        _require_told(settings, what, expected)
    if "://" in what:
        reference, content = what, data_source.brought(settings, what)
    elif what.endswith(".dvc"):
        path = _inside(settings.project, Path(what))
        reference, content = f"dvc:{path}", data_source.tracked(settings, path)[1]
    elif data_source.describes_sample(Path(what)):
        path = _inside(settings.project, Path(what))
        reference = f"sample:{path}"
        content = data_source.from_shares(settings.project / path, path)
    else:
        path = _inside(settings.project, Path(what))
        reference, content = f"file:{path}", read_stable(settings.project / path)
    digest = sha256(content)
    if expected is not None and digest != expected:
        raise UsageError(
            f"the SHA-256 of {without_login(what)} is {digest[:12]}; {expected[:12]} is required",
            "Ask whoever told the hash which bytes are meant. Nothing was written.",
        )
    data_source.keep(settings, digest, content)
    file = settings.project / "data" / f"{model}.toml"
    before = _reference(file)
    text = _HEADER + tomli_w.dumps({"reference": reference, "sha256": digest})
    changed = _pointer(file) != Pointer(reference, digest)
    if changed:
        file.parent.mkdir(exist_ok=True)
        write_atomic(file, text.encode())
    return Added(model, f"data/{model}.toml", reference, digest, len(content), before, changed)


def _require_told(settings: Settings, what: str, expected: str) -> None:
    """Raise UsageError for what is no hash, and for an address at a place that nobody reviewed."""
    if not re.fullmatch(r"[0-9a-f]{64}", expected):
        raise UsageError(
            f"the hash that is expected has {len(expected)} characters; a SHA-256 is required, in"
            " 64 hexadecimal digits",
            "Write what `sha256sum FILE` prints.",
        )
    if "://" in what and not settings.data_from:
        raise UsageError(
            "SLUICE_DATA_FROM is not set, and nobody reviewed this address",
            "Let SLUICE_DATA_FROM list the places from which data may come.",
        )


def _inside(project: Path, path: Path) -> str:
    """The place of a file in the project. Raises UsageError where it is outside."""
    place = path.resolve()
    if not place.is_relative_to(project.resolve()):
        raise UsageError(
            f"{path} is outside the project {project}: another machine would not find it",
            "Copy it into the project, or name an address (https, s3, gs, az). For one run, use"
            " `sluice release --data FILE`.",
        )
    return place.relative_to(project.resolve()).as_posix()


def _pointer(file: Path) -> Pointer | None:
    try:
        return data_source.read_pointer(file.read_text(encoding="utf-8"), file.name)
    except (OSError, ValueError, SluiceError):
        return None


def _reference(file: Path) -> str:
    found = _pointer(file)
    return found.reference if found else ""


def standing(settings: Settings) -> list[Standing]:
    """What is where, for each model of the project; nothing is brought here."""
    return [_standing(settings, model) for model in models(settings.project)]


def _standing(settings: Settings, model: str) -> Standing:
    try:
        pointer = data_source.pointer_of(settings, model)
        state, said = _looked_up(settings, pointer)
    except SluiceError as error:
        return Standing(model, "wrong", said=f"{error.what}. {error.fix}")
    return Standing(model, state, pointer.reference, pointer.sha256, said)


def _looked_up(settings: Settings, pointer: Pointer) -> tuple[State, str]:
    kept = settings.home / "data" / pointer.sha256
    if pointer.sha256 and kept.is_file() and file_sha256(kept) == pointer.sha256:
        return "here", ""
    if pointer.generated:
        return "generated", ""
    if pointer.remote:
        return "elsewhere", ""
    if pointer.kind == "dvc":
        return _kept_by_dvc(settings, pointer)
    if pointer.kind != "file":
        return "wrong", f"reference is {pointer.reference!r}. Write it with `sluice data add FILE`."
    file = settings.project / pointer.target
    try:
        digest = file_sha256(file)
    except OSError as error:
        return "missing", (
            f"{pointer.target}: {cause(error)}. Fetch it, or name another one with"
            " `sluice data add FILE`."
        )
    if digest != pointer.sha256:
        return "changed", (
            f"{pointer.target} hashes to {digest}; {pointer.sha256 or 'a hash'} is required."
            f" Run `sluice data add {pointer.target}` where the change is meant."
        )
    return "there", ""


def _kept_by_dvc(settings: Settings, pointer: Pointer) -> tuple[State, str]:
    """What is where of a table that DVC keeps; its file may name other bytes by now."""
    found = dvc.read(settings.project, pointer.target)
    file = settings.project / found.path
    if not file.is_file():
        return "elsewhere", ""
    if file_sha256(file) == pointer.sha256:
        return "there", ""
    return "changed", (
        f"{found.path} hashes to {file_sha256(file)}; {pointer.sha256 or 'a hash'} is required."
        f" Run `sluice data add {pointer.target}` where the change is meant."
    )
