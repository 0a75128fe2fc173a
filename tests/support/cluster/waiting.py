"""Waiting for what a cluster comes to, and saying what it came to instead."""

import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")


class Late(AssertionError):
    """Something did not come to be in its time."""


def until(
    there: Callable[[], _Found],
    seconds: float,
    told: Callable[[], object] = str,
    every: float = 0.25,
) -> _Found:
    """Wait until something is there, and return it; it is looked for `every` so many seconds.
    Raises Late, with what is `told` then.
    """
    end = time.monotonic() + seconds
    while True:
        if found := there():
            return found
        if time.monotonic() > end:
            raise Late(f"not so after {seconds:g} seconds: {told()}")
        time.sleep(every)
