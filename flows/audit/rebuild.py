"""What a training is repeated in: the sources, the data and the environment that a release was made
with.
"""

import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.adapters import process
from flows.adapters.git.checkout import checkout
from flows.project.settings import ROOT, Settings
from sluice.errors import UsageError
from sluice.identity import code_hash, file_sha256, interpreter

_DIRTY = "-dirty"
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """Where the code and the project (models/, data/) lie, and in words how they came there."""

    code: Path
    project: Path
    said: str


def sources(
    settings: Settings, trailers: Mapping[str, str], provenance: Json, folder: Path, model: str
) -> Sources:
    """Code and project as the release had them, checked out below `folder`. Raises UsageError.

    Where no commit is on record, or it had changes that were not committed, what is here is used if
    it is the same by its hash, and else the commit.
    """
    source = trailers.get("Source-Commit", "none")
    code = trailers.get("Code-Commit", source)
    inputs = (provenance.get("inputs") or {}).get("train", {})
    if settings.project == ROOT:
        place, said = _place(
            ROOT, code, _same_code(inputs) and _same_model(ROOT, model, inputs), folder / "code"
        )
        return Sources(place, place, said)
    place, said = _place(ROOT, code, _same_code(inputs), folder / "code")
    project, also = _place(
        settings.project, source, _same_model(settings.project, model, inputs), folder / "project"
    )
    return Sources(place, project, said if said == also else f"code: {said}; project: {also}")


def _place(repository: Path, commit: str, same: bool, folder: Path) -> tuple[Path, str]:
    if commit in ("", "none"):
        return (
            repository,
            (
                "no commit is on record: what is here, which is"
                f" {'the same' if same else 'not the same'}"
            ),
        )
    if commit.endswith(_DIRTY) and same:
        return (
            repository,
            f"{commit[:12]} had changes that were not committed: what is here, which is the same",
        )
    clean = commit.removesuffix(_DIRTY)
    found = checkout(repository, clean, folder)
    return found, f"commit {clean[:12]}, checked out" + (
        ", without changes it had" if commit != clean else ""
    )


def _same_code(inputs: Json) -> bool:
    return bool(inputs) and code_hash(ROOT, ["flows.steps.train"]) == inputs.get("code")


def _same_model(project: Path, model: str, inputs: Json) -> bool:
    folder = project / "models" / model
    names = ("contract", "policy")
    return all(
        (folder / f"{name}.toml").is_file()
        and file_sha256(folder / f"{name}.toml") == inputs.get(name)
        for name in names
    )


def data(
    settings: Settings, model: str, wanted: str, project: Path, given: Path | None
) -> tuple[Path | None, str]:
    """The file with this hash, and in words where it was found; None: the pointer of the project
    makes it anew.

    Raises UsageError where it is nowhere, or where the file that was given is another.
    """
    if given:
        if not given.is_file():
            raise UsageError(
                f"there is no file {given}", "Name the file that the release was trained on."
            )
        if (found := file_sha256(given)) != wanted:
            raise UsageError(
                f"{given} hashes to {found}, the release was trained on {wanted}",
                "Find the file it was.",
            )
        return given.resolve(), f"{given}, by its hash"
    kept = settings.home / "data" / wanted
    if kept.is_file() and file_sha256(kept) == wanted:
        return kept, "kept on this machine"
    pointer = _pointer(project, model)
    kind, _, place = str(pointer.get("reference", "")).partition(":")
    if pointer.get("sha256") == wanted and kind == "sample":
        return None, f"generated anew by {place}"
    for folder in (project, settings.project):
        named = folder / place
        if kind == "file" and named.is_file() and file_sha256(named) == wanted:
            return named.resolve(), f"{place}, as the pointer names it"
    looked = f"{settings.home / 'data'} and data/{model}.toml of its commit"
    raise UsageError(
        f"the data {wanted[:12]} are not here: looked at {looked}", "Name the file with --data."
    )


def _pointer(project: Path, model: str) -> dict[str, Any]:
    try:
        return tomllib.loads((project / "data" / f"{model}.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def python(code: Path, recorded: str, folder: Path) -> tuple[Path, str]:
    """A Python with what the lock of `code` names, and in words which; this one where it is the
    recorded one.

    Where it cannot be made, this one is used and that is said: what comes of it is compared all the
    same.
    """
    same_lock = file_sha256(code / "uv.lock") == file_sha256(ROOT / "uv.lock")
    if same_lock and recorded in ("", interpreter()):
        return Path(sys.executable), "this one: lock and interpreter are the recorded ones"
    why = "the lock is another" if not same_lock else f"{recorded} was used then"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    words = [
        str(uv),
        "sync",
        "--frozen",
        "--quiet",
        "--no-default-groups",
        "--group",
        "pipeline",
        "--python",
    ]
    version = recorded.rpartition("-")[2] or interpreter().rpartition("-")[2]
    made = process.run(
        [*words, version],
        cwd=code,
        env={"UV_PROJECT_ENVIRONMENT": str(folder / "venv")},
        check=False,
    )
    if made.code == 0:
        return (
            folder / "venv" / "bin" / "python",
            f"made from its lock with Python {version}, because {why}",
        )
    said = made.stderr.strip().splitlines()[-1:] or ["uv is not here"]
    return (
        Path(sys.executable),
        f"this one, although {why}: the other could not be made ({said[0].strip()[:120]})",
    )
