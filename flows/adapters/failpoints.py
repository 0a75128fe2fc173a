"""Named boundaries, where this process meets a disk, a server or another program.

A boundary does nothing. No setting can arm it; only a drill does, by passing a function in a
process that it forked for the purpose, to let it die or fail there.
`flows/drills/crash/boundaries.py` describes each name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Seen = Callable[[str], None]

_armed: list[Seen] = []
_inside: list[str] = []


def arm(seen: Seen) -> None:
    """Call `seen` at every boundary from now on, with `outer/inner.before` and
    `outer/inner.after`.
    """
    _armed[:] = [seen]


def disarm() -> None:
    """Call nothing at any boundary, as at the start."""
    _armed.clear()
    _inside.clear()


@contextmanager
def boundary(name: str) -> Iterator[None]:
    """Mark a block that reaches out of this process, or as a decorator a whole function.

    The name is a literal: a test reads all of them from the sources.
    """
    if not _armed:
        yield
        return
    _inside.append(name)
    try:
        _armed[0](f"{'/'.join(_inside)}.before")
        yield
        _armed[0](f"{'/'.join(_inside)}.after")
    finally:
        _inside.pop()
