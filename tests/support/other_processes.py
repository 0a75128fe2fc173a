"""Other processes at work in a folder: files come and go while it is looked at."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def coming_and_going(paths: Sequence[Path]) -> Iterator[None]:
    """These files are made and removed, again and again, while the block runs."""
    ended = threading.Event()

    def others() -> None:
        while not ended.is_set():
            for path in paths:
                path.touch()
            for path in paths:
                path.unlink()

    thread = threading.Thread(target=others)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
