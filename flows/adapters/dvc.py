"""Data that DVC keeps: the file `NAME.dvc`, which git has, says which; `dvc pull` brings them.

What such a file says is compared with the bytes, and a path out of the project is refused.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from flows.adapters.process import CommandFailed, run, without_login
from sluice.errors import Refused, SluiceError, UsageError, cause

_CHARACTERS = 2**16  # of a file that DVC writes for one table
_MD5 = re.compile(r"[0-9a-f]{32}")
_MISSING = 127
_QUIET = {"DVC_NO_ANALYTICS": "true"}
_OF_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # ours; dvc has an environment of its own
_PATIENCE = 3600.0  # seconds that bringing the data may take


class _Out(Struct, frozen=True):
    """What DVC keeps, as its file names it."""

    path: str
    md5: str = ""
    hash: str = ""
    size: int = 0


class _Document(Struct, frozen=True):
    """The part of such a file that is read."""

    outs: tuple[_Out, ...] = ()
    wdir: str = "."


@dataclass(frozen=True)
class Tracked:
    """A table that DVC keeps: the file that names it and where it lies, both relative to the
    project; the MD5 and the size of its bytes.
    """

    name: str
    path: str
    md5: str
    size: int


def read(project: Path, name: str) -> Tracked:
    """What a `.dvc` file of the project names. Raises UsageError for a file that is none, for a
    folder, several tables, a path out of the project, and a hash of DVC 2.
    """
    document = _document(project, name)
    if len(document.outs) != 1:
        raise UsageError(
            f"{name} names {len(document.outs)} files; 1 is required",
            "Let DVC keep the table by itself: `dvc add FILE`.",
        )
    [out] = document.outs
    if out.md5.endswith(".dir"):
        raise UsageError(
            f"{name} names a folder; a file is required",
            "Let DVC keep the table by itself: `dvc add FILE`.",
        )
    if not _MD5.fullmatch(out.md5):
        raise UsageError(
            f"{name}: md5 is {out.md5[:80]!r}; 32 hexadecimal digits are required",
            "`dvc add FILE` writes it.",
        )
    if out.hash != "md5":
        raise UsageError(
            f"{name}: hash is {out.hash!r}; 'md5' is required",
            "Write it with DVC 3: `dvc cache migrate --dvc-files`, or `dvc add FILE` again.",
        )
    place = ((project / name).parent / document.wdir / out.path).resolve()
    if not place.is_relative_to(project.resolve()):
        raise UsageError(
            f"{name} names {out.path[:200]!r}, which is outside the project",
            "Let DVC keep a file inside it.",
        )
    return Tracked(name, place.relative_to(project.resolve()).as_posix(), out.md5, out.size)


def _document(project: Path, name: str) -> _Document:
    import yaml

    try:
        with (project / name).open(encoding="utf-8") as file:
            text = file.read(_CHARACTERS + 1)
        if len(text) > _CHARACTERS:
            raise UsageError(
                f"{name} is longer than {_CHARACTERS:,} characters", "`dvc add FILE` writes it."
            )
        return msgspec.convert(yaml.safe_load(text), _Document)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        said = " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) else cause(error)
        raise UsageError(f"{name} is no file of DVC: {said}", "`dvc add FILE` writes it.") from None


def content(project: Path, tracked: Tracked, limit: int) -> bytes:
    """The bytes of a table that DVC keeps; `dvc pull` brings them where they are not here.

    Raises Refused for more than `limit` bytes, UsageError where the file holds other bytes (nothing
    is written over), SluiceError where dvc is missing or fails.
    """
    if tracked.size > limit:
        raise Refused(
            f"the size of {tracked.path} is {tracked.size:,} bytes; at most {limit:,} is required",
            "Set a higher SLUICE_DATA_LIMIT where it is meant.",
        )
    file = project / tracked.path
    if not file.is_file():
        _pull(project, tracked)
    try:
        found = file.read_bytes()
    except OSError as error:
        raise SluiceError(
            f"{tracked.path} cannot be read after `dvc pull {tracked.name}`: {cause(error)}",
            "Look at `dvc status`.",
        ) from None
    if md5(found) != tracked.md5:
        raise UsageError(
            f"the MD5 of {tracked.path} is {md5(found)}; {tracked.md5} is required by"
            f" {tracked.name}",
            f"Run `dvc add {tracked.path}` where the change is meant, else `dvc checkout"
            f" {tracked.name}`.",
        )
    return found


def md5(found: bytes) -> str:
    """The MD5 by which DVC names bytes. It guards nothing: a release checks the SHA-256."""
    return hashlib.md5(found, usedforsecurity=False).hexdigest()


def remotes(project: Path) -> list[str]:
    """Where `dvc pull` may bring bytes from: the addresses and folders of the project's remotes."""
    said = _dvc(project, "its remotes", "remote", "list")
    return [line.split(maxsplit=1)[1].split("\t")[0] for line in said.splitlines() if line.strip()]


def _pull(project: Path, tracked: Tracked) -> None:
    _dvc(project, tracked.name, "pull", "--quiet", tracked.name)


def _dvc(project: Path, what: str, *words: str) -> str:
    """What dvc prints. Raises SluiceError in a sentence where it is missing or fails."""
    try:
        done = run(
            ["dvc", *words],
            cwd=project,
            env=_QUIET,
            without=_OF_PYTHON,
            timeout=_PATIENCE,
            check=False,
        )
    except CommandFailed as error:
        raise SluiceError(f"dvc could not bring {what}: {error.what}", "Run it again.") from None
    if done.code == _MISSING:
        raise SluiceError(
            f"{what} needs dvc, which is not on PATH",
            "Install it in an environment of its own, as with `pipx install 'dvc[s3]'`.",
        )
    if done.code:
        lines = [line for line in without_login(done.stderr).splitlines() if line.strip()]
        said = lines[0].removeprefix("ERROR: ") if lines else f"exit code {done.code}"
        raise SluiceError(
            f"dvc could not bring {what}: {said}", f"Try `dvc pull {what}` by itself."
        )
    return done.stdout
