"""A sign of life while set-up waits for a program; standard library alone, as all of set-up."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_SIGNS = "|/-\\"
_TICK = 1.0  # seconds between two signs on a terminal
_EVERY = 30  # seconds between two lines where nothing can be written over, as in CI
_WIDTH = 79


@contextmanager
def working(
    what: str, out: TextIO | None = None, waited: Callable[[float], bool] | None = None
) -> Iterator[None]:
    """Show on standard error, or on `out`, that the block still runs, and for how many seconds.

    On a terminal it is one line that is gone afterwards, elsewhere a line every half a minute.
    `waited` waits for so many seconds and tells whether the block is over.
    """
    stream = out or sys.stderr
    over = threading.Event()
    show = threading.Thread(target=_show, args=(what, stream, waited or over.wait), daemon=True)
    show.start()
    try:
        yield
    finally:
        over.set()
        show.join()
        if stream.isatty():
            _write(stream, "\r" + " " * _WIDTH + "\r")


def _show(what: str, stream: TextIO, waited: Callable[[float], bool]) -> None:
    if stream.isatty():
        seconds = 0
        while not waited(_TICK):
            seconds += 1
            line = f"{_SIGNS[seconds % len(_SIGNS)]} {what}  {seconds} s"
            _write(stream, f"\r{line[:_WIDTH]:<{_WIDTH}}")
        return
    seconds = 0
    while not waited(_EVERY):
        seconds += _EVERY
        _write(stream, f"setup: {what}: {seconds} s so far\n")


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()
