"""Named places where this process meets a disk, a server or another program: there a drill lets it
die, or fail.

Nothing happens at any of them, and no setting or variable can change that: a drill hands over a
function, in a process that it forked for the purpose. What each name stands for is in
`flows/drills/crash/boundaries.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Seen = Callable[[str], None]

_armed: list[Seen] = []
_inside: list[str] = []


def arm(seen: Seen) -> None:
    """Call `seen` with the place at every boundary from now on: `outer/inner.before` and
    `outer/inner.after`.
    """
    _armed[:] = [seen]


def disarm() -> None:
    """No effect anywhere, as at the start."""
    _armed.clear()
    _inside.clear()


@contextmanager
def boundary(name: str) -> Iterator[None]:
    """What happens inside reaches out of this process; as a decorator, the whole function does.
    Names are literals.
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
