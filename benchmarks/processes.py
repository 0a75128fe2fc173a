"""A process and all its children: the memory they hold together, sampled while they run, and the
time they computed.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """A process and its descendants, as far as they are still there."""
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        for task in (_PROC / str(found[-1]) / "task").glob("*/children"):
            try:
                waiting += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def pss(pid: int) -> int:
    """The proportional set sizes of a process tree in bytes: shared pages count once, shared out
    among their users.
    """
    return _sum(pid, "smaps_rollup", "Pss:")


def rss(pid: int) -> int:
    """The resident set sizes of a process tree in bytes: shared pages count once for each of their
    users.
    """
    return _sum(pid, "status", "VmRSS:")


def _sum(pid: int, file: str, name: str) -> int:
    total = 0
    for member in tree(pid):
        try:
            lines = (_PROC / str(member) / file).read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
    return total


def cpu(pid: int) -> float:
    """The seconds of computing of a process tree so far, those of children that have ended
    included.
    """
    ticks = 0
    for member in tree(pid):
        try:
            fields = (_PROC / str(member) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


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
