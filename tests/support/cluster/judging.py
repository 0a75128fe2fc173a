"""`sluice judge` beside the controllers, and candidates that it takes back."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.cluster.beside import Beside, beside
from support.cluster.description import Cluster
from support.cluster.loop import Loop, taken_back
from support.cluster.stage import JUDGE_PORT
from support.cluster.watch import Watched

ANALYSIS = "components/judge/analysis.yaml"


@contextmanager
def judging(cluster: Cluster, folder: Path) -> Iterator[Beside]:
    """`sluice judge`, at the address that the component names, while the block runs."""
    where = ("--host", cluster.host, "--port", str(JUDGE_PORT))
    words = ("judge", *where, "--prometheus", cluster.prometheus)
    with beside(Beside(words, folder / "log", "Judging on", JUDGE_PORT)) as one:
        yield one


@dataclass(frozen=True)
class Judged:
    """When a wrong candidate was released (of time.monotonic), the seconds from its abort to the
    commit that restores the one before, and how many of its requests the judge had seen.
    """

    began: float
    seconds: float
    requests: int


def wrong_and_taken_back(
    loop: Loop, watched: Watched, judge: Beside, digest: str, tag: str
) -> Judged:
    """Release a candidate that answers 200 and flags too many, and see it judged at 5 %, restored
    and barred, with nobody touching anything.
    """
    before, began = loop.champion(), time.monotonic()
    assert loop.release(digest, tag).outcome == "committed"
    back = taken_back(loop, watched, digest, 600)
    assert back.live.digest == before.digest
    assert {weight for weight, _ in watched.weights()} == {0, 5}
    [judged] = loop.story.runs(back.version)
    assert judged["status"]["phase"] == "Failed"
    assert "fail: " in judge.log.read_text()
    why = loop.barred("quarantine")[digest]
    assert "5 % of the traffic" in why
    # The share flagged, or that of a tier or of a piece of the histogram, which it moved too.
    assert "The canary flags" in why or "The share of rows of" in why
    assert back.seconds <= 60
    [metric] = judged["status"]["metricResults"]
    said = json.loads(metric["measurements"][-1]["value"])
    return Judged(began, back.seconds, said["canary_rows"])
