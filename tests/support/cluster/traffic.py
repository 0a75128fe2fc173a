"""People who ask, all the time: so many requests a second through the gateway, each counted."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

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
    """What was seen so far."""

    seen: list[Seen] = field(default_factory=list)

    def since(self, moment: float) -> list[Seen]:
        """The requests that were sent from a moment (of time.monotonic) on."""
        return [one for one in list(self.seen) if one.sent >= moment]

    def failed(self, moment: float = 0.0) -> Counter[str]:
        """What was answered otherwise than 200, and how often."""
        return Counter(f"{one.status} {one.why}" for one in self.since(moment) if one.status != 200)

    def share(self, digest: str, moment: float, until: float) -> tuple[int, int]:
        """How many requests of a time an image answered, and of how many."""
        sent = [one for one in self.since(moment) if one.sent < until]
        return sum(one.image == digest for one in sent), len(sent)


@contextmanager
def asking(
    gateway: str, host: str, key: str, records: Sequence[Mapping[str, Any]], rate: float
) -> Iterator[Traffic]:
    """Ask `rate` times a second while the block runs, whatever comes back."""
    traffic, over = Traffic(), threading.Event()
    headers = {"host": host, "authorization": f"Bearer {key}"}
    limits = httpx2.Limits(max_connections=_CLIENTS)
    with (
        httpx2.Client(
            base_url=gateway, headers=headers, timeout=_PATIENCE, limits=limits, trust_env=False
        ) as client,
        ThreadPoolExecutor(_CLIENTS) as pool,
    ):

        def ask(record: Mapping[str, Any]) -> None:
            traffic.seen.append(_asked(client, record))

        def keep_asking() -> None:
            due = time.monotonic()
            for record in itertools.cycle(records):
                if over.wait(max(0.0, due - time.monotonic())):
                    return
                due += 1 / rate
                pool.submit(ask, record)

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
