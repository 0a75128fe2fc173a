"""The prediction log of a service, from outside: removing the lines about a person."""

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
    """Remove the lines about a person (a salted hash) from the log; return how many there were.

    `place` is a folder, or a URL that fsspec reads. Feedback on an answer about that person goes
    too. Each file is replaced whole or not at all, and a service that writes to the folder waits
    until then. Raises UsageError where there is no such folder.
    """
    if "://" in place:
        import fsspec

        system, root = fsspec.core.url_to_fs(place)
        paths = system.glob(f"{root}/{_FILES}")
        return _forget(paths, person, _read(system.cat_file), _put(system))
    folder = required_folder(place)
    with _alone(folder):
        paths = [str(path) for path in sorted(folder.glob(_FILES))]
        return _forget(paths, person, _read(lambda path: Path(path).read_bytes()), _replace)


def required_folder(place: str) -> Path:
    """The folder of a log. Raises UsageError where there is none, as before the first answer."""
    folder = Path(place)
    if folder.is_dir():
        return folder
    what = f"there is no prediction log in {place}"
    if folder.exists():
        what = f"{place} is not a folder"
    raise UsageError(
        what,
        "A service makes it with its first answer. If yours keeps it elsewhere, set"
        " SLUICE_PREDICTION_LOG to that folder.",
    )


def _forget(
    paths: list[str], person: str, read: Callable[[str], str], write: Callable[[str, str], None]
) -> int:
    """Filter each file with `without`, in two passes: feedback may lie in another file than its
    answer.
    """
    answers: set[str] = set()
    for path in paths:
        answers |= answers_of(_lines(read(path)), person)
    removed = 0
    for path in paths:
        lines = _lines(read(path))
        kept = without(lines, person, answers)
        if len(kept) < len(lines):
            removed += len(lines) - len(kept)
            write(path, "".join(kept))
    return removed


def _read(content_of: Callable[[str], bytes]) -> Callable[[str], str]:
    """Reads the text of a file; empty where the service removed it meanwhile for its age."""

    def read(path: str) -> str:
        try:
            return _text(content_of(path))
        except FileNotFoundError:
            return ""

    return read


def _text(content: bytes) -> str:
    """The text of a file: what is no UTF-8, as a letter that was cut off, is kept by `_bytes`."""
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    """The bytes that `_text` made a text of."""
    return text.encode("utf-8", "surrogateescape")


def _lines(text: str) -> list[str]:
    """The lines, cut at line feeds alone: text that a person wrote can hold other ends of lines."""
    return list(io.StringIO(text))


def _replace(path: str, text: str) -> None:
    target, part = Path(path), Path(f"{path}.part")
    with open(part, "wb", opener=_opened) as file:
        file.write(_bytes(text))
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def _opened(path: str, flags: int) -> int:
    """Open a file that, where it is made, is its owner's alone, as those of the service are."""
    return os.open(path, flags, 0o600)


def _put(system: object) -> Callable[[str, str], None]:
    def write(path: str, text: str) -> None:
        if text:
            system.pipe_file(path, _bytes(text))  # type: ignore[attr-defined]
        else:
            system.rm_file(path)  # type: ignore[attr-defined]

    return write


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock that the service takes for every write (bento/ops/prediction_log.py)."""
    with open(folder / ".lock", "ab", opener=_opened) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
