"""What canary and stable did in each block of time, from the counters that Prometheus scraped.

Counters are raw, one series for each process, and only the difference of two scrapes counts, at the
time of the later one. Blocks lie on a grid that the start of the rollout fixes, so that whoever
counts again later counts the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

BINS = 20  # of probabilities, each 0.05 wide; a last place counts what is no probability
PROBABILITIES = tuple(at / BINS for at in range(1, BINS))  # the limits between them
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SETTLED = 10.0  # seconds after which a scrape can be read


# What is answered: a flag, one of several classes, or a number.
Kind = Literal["flag", "class", "number"]


@dataclass(frozen=True)
class Layout:
    """The columns of the counters of a pod: tiers, lowest first, are named by the contract.

    `limits` lie between the bins of what is answered, ascending, in its unit; a limit is the
    highest of the bin below it.
    """

    tiers: tuple[str, ...]
    limits: tuple[float, ...] = PROBABILITIES
    kind: Kind = "flag"

    @property
    def bins(self) -> int:
        """How many bins there are, besides the last place for what is no number."""
        return len(self.limits) + 1

    @property
    def width(self) -> int:
        """How many counters a pod has."""
        return self.bins + 1 + len(self.tiers) + 1 + 3 + len(SECONDS) + 1


@dataclass(frozen=True)
class Pod:
    """The scrapes of one pod: `times` and `started` (when the process began) in seconds, shape
    (scrapes,); `counters`, shape (scrapes, `Layout.width`): rows by bin, rows by tier, rows
    flagged, requests, those that failed, those that were refused, requests to the latency judged by
    seconds (each bucket alone, the last for all slower ones).
    """

    canary: bool
    times: np.ndarray
    started: np.ndarray
    counters: np.ndarray


@dataclass(frozen=True)
class Side:
    """What one version did, block by block; every array begins with the axis of the blocks."""

    bins: np.ndarray
    tiers: np.ndarray
    flagged: np.ndarray
    requests: np.ndarray
    failed: np.ndarray
    refused: np.ndarray
    seconds: np.ndarray
    restarts: int

    @property
    def rows(self) -> np.ndarray:
        """Rows that a version is judged by, in each block."""
        return np.asarray(self.bins.sum(axis=-1))


@dataclass(frozen=True)
class Blocks:
    """Both versions; `dropped` says for each block whether a gap in the scrapes made it unusable,
    which makes it zero for both.
    """

    canary: Side
    stable: Side
    dropped: np.ndarray


@dataclass(frozen=True)
class Grid:
    """Blocks of so many `seconds` from `start` on (seconds of the epoch, like `now`), as far as
    they are complete; scrapes that are further apart than `gap` seconds have a gap between them.
    """

    start: float
    now: float
    seconds: float
    gap: float

    @property
    def blocks(self) -> int:
        """How many blocks are complete."""
        return max(0, int((self.now - _SETTLED - self.start) // self.seconds))

    def place(self, moment: float) -> int:
        """The block of a moment; a block ends with its last moment."""
        return int(np.ceil((moment - self.start) / self.seconds)) - 1


def count(pods: Sequence[Pod], layout: Layout, grid: Grid) -> Blocks:
    """What both versions did in each complete block.

    The first scrape of a pod counts nothing: what came before it was not seen. A counter that
    falls, or a process that began anew, counts from zero. Between scrapes that lie further apart
    than the gap nothing is counted, and every block that has a part of it is dropped, for both
    versions; so is the block in which a pod stopped being scraped.
    """
    sums = np.zeros((2, grid.blocks, layout.width))
    dropped = np.zeros(grid.blocks, dtype=bool)
    restarts = [0, 0]
    for pod in pods:
        restarts[pod.canary] += _add(pod, sums[int(pod.canary)], dropped, grid)
    sums[:, dropped] = 0.0
    stable, canary = (
        _side(part, layout, again) for part, again in zip(sums, restarts, strict=True)
    )
    return Blocks(canary, stable, dropped)


def _add(pod: Pod, sums: np.ndarray, dropped: np.ndarray, grid: Grid) -> int:
    """Add what a pod counted to `sums`, mark the blocks of its gaps; return its restarts."""
    restarts = 0
    for index in range(1, len(pod.times)):
        before, now = float(pod.times[index - 1]), float(pod.times[index])
        old, new = pod.counters[index - 1], pod.counters[index]
        first, place = grid.place(before), grid.place(now)
        again = pod.started[index] > pod.started[index - 1] + 1.0 or bool((new < old).any())
        restarts += again and place >= 0
        if now - before > grid.gap:
            _drop(dropped, first, place)
        elif 0 <= place < len(sums):
            sums[place] += new if again else new - old
    if len(pod.times) and pod.times[-1] + grid.gap < grid.now - _SETTLED:
        missed = grid.place(float(pod.times[-1]) + grid.gap)
        _drop(dropped, missed, missed)
    return restarts


def _drop(dropped: np.ndarray, first: int, last: int) -> None:
    dropped[max(first, 0) : max(last + 1, 0)] = True


def _side(sums: np.ndarray, layout: Layout, restarts: int) -> Side:
    ends = np.cumsum([layout.bins + 1, len(layout.tiers), 1, 1, 1, 1])
    bins, tiers, flagged, requests, failed, refused, seconds = np.split(sums, ends, axis=-1)
    return Side(
        bins, tiers, flagged[:, 0], requests[:, 0], failed[:, 0], refused[:, 0], seconds, restarts
    )
