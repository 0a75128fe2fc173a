"""People who ask, all the time: so many requests a second through the gateway, each counted."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from support.cluster.candidates import Workshop
from support.cluster.description import Cluster
from support.cluster.story import HOST, KEY

from sluice.model.artifact.model_artifact import golden
from sluice.served.scoring import load_model

# Requests a second: the canary's twentieth is twenty in a little more than ten seconds.
RATE = 30.0
_PATIENCE = 20.0  # seconds that a client waits
_CLIENTS = 16


@dataclass(frozen=True)
class Seen:
    """One request: when it was sent, its status (0 where none came), and which image answered."""

    sent: float
    status: int
    image: str
    why: str = ""


@dataclass
class Traffic:
    """What was seen so far, and when requests were due, of which the last ones may not be back."""

    seen: list[Seen] = field(default_factory=list)
    due: list[float] = field(default_factory=list)

    def since(self, moment: float) -> list[Seen]:
        """The requests that were sent from a moment (of time.monotonic) on."""
        return [one for one in list(self.seen) if one.sent >= moment]

    def failed(self, moment: float = 0.0) -> Counter[str]:
        """What was answered otherwise than 200, and how often."""
        return Counter(f"{one.status} {one.why}" for one in self.since(moment) if one.status != 200)

    def silence(self, moment: float) -> float:
        """The longest time from a moment on in which nobody asked, in seconds."""
        sent = sorted(one.sent for one in self.since(moment))
        ends = [moment, *sent, max(self.due)]
        return max(end - start for start, end in itertools.pairwise(ends))

    def share(self, digest: str, moment: float, until: float) -> tuple[int, int]:
        """How many requests of a time an image answered, and of how many."""
        sent = [one for one in self.since(moment) if one.sent < until]
        return sum(one.image == digest for one in sent), len(sent)


@contextmanager
def people(cluster: Cluster, workshop: Workshop) -> Iterator[Traffic]:
    """People who ask the gateway while the block runs."""
    with asking(cluster.gateway, records_of(workshop), RATE) as traffic:
        yield traffic


def records_of(workshop: Workshop) -> tuple[Mapping[str, Any], ...]:
    """What they ask for: records of no real person."""
    model = load_model(workshop.folder / "first000" / "model")
    return tuple(golden(model, count=200).records)


@contextmanager
def asking(
    gateway: str, records: Sequence[Mapping[str, Any]], rate: float, host: str = HOST
) -> Iterator[Traffic]:
    """Ask `rate` times a second while the block runs, whatever comes back.

    Records are drawn: in their order, the gateway would give the same ones to the canary each time.
    """
    traffic, over, chance = Traffic(), threading.Event(), random.Random(0)
    headers = {"host": host, "authorization": f"Bearer {KEY}"}
    limits = httpx2.Limits(max_connections=_CLIENTS)
    with (
        httpx2.Client(
            base_url=gateway, headers=headers, timeout=_PATIENCE, limits=limits, trust_env=False
        ) as client,
        ThreadPoolExecutor(_CLIENTS) as pool,
    ):

        def ask(record: Mapping[str, Any]) -> None:
            try:
                traffic.seen.append(_asked(client, record))
            except Exception as error:  # the pool would keep it to itself
                traffic.seen.append(Seen(time.monotonic(), 0, "", repr(error)))

        def keep_asking() -> None:
            due = time.monotonic()
            while True:
                if over.wait(max(0.0, due - time.monotonic())):
                    return
                traffic.due.append(due)
                due += 1 / rate
                pool.submit(ask, chance.choice(records))

        thread = threading.Thread(target=keep_asking)
        thread.start()
        try:
            yield traffic
        finally:
            over.set()
            thread.join()


def _asked(client: httpx2.Client, record: Mapping[str, Any]) -> Seen:
    sent = time.monotonic()
    try:
        reply = client.post("/predict", json=record)
    except httpx2.HTTPError as error:
        return Seen(sent, 0, "", repr(error))
    if reply.status_code != 200:
        return Seen(sent, reply.status_code, "", reply.text[:80])
    return Seen(sent, 200, str(reply.json()["image"]))
