"""The prediction log of a service, from outside: a person's lines taken out of every file of it."""

import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.errors import UsageError
from sluice.served.predictions import answers_of, without

_FILES = "predictions-*.jsonl"


def forget(place: str, person: str) -> int:
    """Take the lines about a person (a salted hash) out of the log at a folder or URL; return how
    many there were.

    What somebody thought of an answer about that person goes too. Each file is replaced whole or
    not at all, and a service that writes there meanwhile waits. Raises UsageError where there is no
    log.
    """
    if "://" in place:
        import fsspec

        system, root = fsspec.core.url_to_fs(place)
        paths = system.glob(f"{root}/{_FILES}")
        return _forget(paths, person, lambda path: system.cat_file(path).decode(), _put(system))
    folder = Path(place)
    if not folder.is_dir():
        raise UsageError(
            f"{place} is no folder", "Set SLUICE_PREDICTION_LOG to where the service keeps its log."
        )
    with _alone(folder):
        paths = [str(path) for path in sorted(folder.glob(_FILES))]
        return _forget(paths, person, lambda path: Path(path).read_text(encoding="utf-8"), _replace)


def _forget(
    paths: list[str], person: str, read: Callable[[str], str], write: Callable[[str, str], None]
) -> int:
    answers: set[str] = set()
    for path in paths:
        answers |= answers_of(_lines(read(path)), person)
    count = 0
    for path in paths:
        lines = _lines(read(path))
        kept = without(lines, person, answers)
        if len(kept) < len(lines):
            count += len(lines) - len(kept)
            write(path, "".join(kept))
    return count


def _lines(text: str) -> list[str]:
    """Lines as JSON has them: what a person wrote may hold ends of lines of other kinds."""
    return [*io.StringIO(text)]


def _replace(path: str, text: str) -> None:
    target, part = Path(path), Path(f"{path}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def _put(system: object) -> Callable[[str, str], None]:
    def write(path: str, text: str) -> None:
        system.pipe_file(path, text.encode()) if text else system.rm_file(path)  # type: ignore[attr-defined]

    return write


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The lock that the service takes for every write (bento/ops/prediction_log.py)."""
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
