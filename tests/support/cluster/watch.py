"""What the controllers say while a scene is played, several times a second: nothing that comes and
goes is missed.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.cluster.kube import Kube, Refused, Unreachable
from support.cluster.story import Story, image_of

_LOOK = 0.2  # seconds


@dataclass(frozen=True)
class Moment:
    """What they said at one time (of time.monotonic): the weight of the canary; Synced and Healthy,
    or what the Application is instead; the image that the Rollout names, its version and the one
    that is stable; since when it is aborted, empty where it is not.
    """

    at: float
    weight: int
    sync: str
    health: str
    image: str
    version: str
    stable: str
    aborted: str


@dataclass
class Watched:
    """All of them so far, the first one first."""

    moments: list[Moment] = field(default_factory=list)

    def weights(self) -> list[tuple[int, float]]:
        """Each weight that the canary had, and from when on."""
        found: list[tuple[int, float]] = []
        for one in list(self.moments):
            if not found or found[-1][0] != one.weight:
                found.append((one.weight, one.at))
        return found

    def out_of_sync(self) -> float:
        """The longest time in which Argo CD was not Synced, in seconds."""
        longest, began = 0.0, None
        for one in list(self.moments):
            if one.sync == "Synced":
                began = None
                continue
            began = one.at if began is None else began
            longest = max(longest, one.at - began)
        return longest

    def gap(self) -> float:
        """The longest time between two looks, in seconds."""
        times = [one.at for one in list(self.moments)]
        return max((end - start for start, end in itertools.pairwise(times)), default=0.0)

    def aborted(self, digest: str) -> str:
        """Since when the canary of an image is aborted; empty where it never was."""
        found = (one.aborted for one in list(self.moments) if one.image == digest and one.aborted)
        return next(found, "")

    def version(self, digest: str) -> str:
        """The hash of the version that ran an image; empty where none did yet."""
        found = [one.version for one in list(self.moments) if one.image == digest]
        return found[-1] if found else ""

    def said(self) -> set[tuple[str, str]]:
        """Everything that the Application was."""
        return {(one.sync, one.health) for one in list(self.moments)}


@contextmanager
def watching(story: Story) -> Iterator[Watched]:
    """Look all the time while the block runs; a server that is away shows nothing."""
    own = Story(Kube(story.kube.kubeconfig), story.work)
    watched, over = Watched(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK):
            try:
                watched.moments.append(_now(own))
            except (Refused, Unreachable):
                continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watched
    finally:
        over.set()
        thread.join()
        own.kube.close()


def _now(story: Story) -> Moment:
    at = time.monotonic()
    rollout = story.rollout()
    status = rollout.get("status", {})
    return Moment(
        at,
        story.weight(),
        *story.application(),
        image=image_of(rollout),
        version=status.get("currentPodHash", ""),
        stable=status.get("stableRS", ""),
        aborted=status.get("abortedAt", "") if status.get("abort") else "",
    )
