"""The code that goes into the pipeline image: Sluice, and the models with their data pointers.

Of a working tree of git, the files that git tracks; nothing else can get in, so no row of data and
no secret that lies beside them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.git import git, repository

_CODE = ("bento", "deploy", "flows", "gx", "sluice", "sluice_command")
_FILES = ("pyproject.toml", "uv.lock")
_OWN = ("models", "overrides")
_POINTERS = (".toml", ".dvc")


@dataclass(frozen=True)
class Source:
    """The files of an image by their path there, and the commit that they have; empty for none."""

    files: Mapping[str, Path]
    commit: str


def source(code: Path, project: Path) -> Source:
    """The code of Sluice from the folder `code`, models and pointers from `project`, which may be
    the same. Raises UsageError where there is a repository that git does not read.
    """
    files = {name: code / name for name in _FILES if (code / name).is_file()}
    for room in _CODE:
        files |= {name: code / name for name in _known(code, room)}
    for room in _OWN:
        files |= {name: project / name for name in _known(project, room)}
    # Rows of data stay where they are; what names them goes along.
    pointers = (name for name in _known(project, "data") if name.endswith(_POINTERS))
    files |= {name: project / name for name in pointers}
    return Source(dict(sorted(files.items())), git.head(project, (*_CODE, *_OWN, "data")))


def _known(folder: Path, room: str) -> Iterator[str]:
    """The files of a room, as paths relative to the folder above it."""
    if not (folder / room).is_dir():
        return
    if repository.above(folder) is None:
        found = [path.relative_to(folder) for path in (folder / room).rglob("*") if path.is_file()]
        names = [path.as_posix() for path in found if not _is_made(path)]
    else:
        names = git.git("ls-files", "-z", "--", room, cwd=folder).split("\0")
    yield from sorted(name for name in names if name and (folder / name).is_file())


def _is_made(path: Path) -> bool:
    """Whether a file was made by Python or an editor."""
    return "__pycache__" in path.parts or any(part.startswith(".") for part in path.parts)
