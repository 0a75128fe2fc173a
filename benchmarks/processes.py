"""A process and all its children: the memory they hold together, sampled while they run, and the
time they computed.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil


def tree(pid: int) -> list[int]:
    """A process and its descendants, as far as they are still there; a parent stands before its
    children.
    """
    return [process.pid for process in _processes(pid)]


def _processes(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def pss(pid: int) -> int:
    """The proportional set sizes of a process tree in bytes: shared pages count once, shared out
    among their users.
    """
    return int(_sum(pid, lambda process: process.memory_full_info().pss))


def rss(pid: int) -> int:
    """The resident set sizes of a process tree in bytes: shared pages count once for each of their
    users.
    """
    return int(_sum(pid, lambda process: process.memory_info().rss))


def cpu(pid: int) -> float:
    """The seconds of computing of a process tree so far, those of children that have ended
    included.
    """
    return _sum(pid, _computed)


def _computed(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def _sum(pid: int, measure: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in _processes(pid):
        with suppress(psutil.Error):  # ended meanwhile
            total += measure(process)
    return total


@contextmanager
def peak(pid: int, every: float = 0.1) -> Iterator[list[int]]:
    """A list of one number, the largest sum seen so far while the block runs."""
    seen, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(every):
            seen[0] = max(seen[0], pss(pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
