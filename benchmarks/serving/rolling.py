"""Two instances of the service behind haproxy, stopped and started in turn while requests come: is
one lost?

    python -m benchmarks.serving.rolling [--seconds 600] [--every 60]

The load is 80 % of what the same arrangement reaches just before, with a prediction log. Memory is
the sum of the proportional set sizes of an instance, parent and worker, sampled every second. A
table to standard error, JSON to standard output; exit code 1 where a request failed or memory grew.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import pss
from benchmarks.serving import model, proxy, wrk
from flows.adapters import server
from flows.adapters.image import bento
from flows.adapters.image.image_tools import REAL
from flows.project.root import ROOT

SHARE, GROWTH = 0.8, 1.1  # of the measured maximum; times the memory of the first third
FLAT_OUT, PACED = 64, 256  # connections; many, so that some are always free to be on time
# seconds after which an instance has what it needs, and the proxy knows that it is there
_SETTLED = 10
MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """The memory of an instance at a time: seconds since the beginning, since its own start, and
    bytes.
    """

    at: float
    age: float
    memory: int


class Instance:
    """One `bentoml serve`, which can be stopped and started again at its port."""

    def __init__(self, built: Path, home: Path) -> None:
        self.port, self.began, self.samples = server.free_port(), 0.0, list[Sample]()
        self._home, self._log = home, home / f"{self.port}.log"
        self._words = [sys.executable, "-m", "bentoml", "serve", str(built), "--host", "127.0.0.1"]

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        env = {
            **os.environ,
            "BENTOML_HOME": str(self._home),
            "BENTOML_DO_NOT_TRACK": "true",
            "SLUICE_PREDICTION_LOG": str(self._home / "predictions"),
        }
        with self._log.open("ab") as log:
            words = [*self._words, "--port", str(self.port)]
            self._process = subprocess.Popen(
                words, env=env, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 60
        while not server.ready(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the service did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)
        self.began = time.monotonic()

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.began = 0.0
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def sample(self, zero: float) -> None:
        """Note how much memory it takes now, if it is up."""
        began, now = self.began, time.monotonic()
        memory = pss(self._process.pid) if began else 0
        if memory and self.began == began:
            self.samples.append(Sample(now - zero, now - began, memory))


def measure(seconds: int, every: int, folder: Path) -> dict[str, Any]:
    """Run it: what was sent and failed, how often an instance was restarted, and how much memory
    they took.
    """
    model.write(folder / "model")
    record = json.loads((folder / "model" / "golden.json").read_text())["records"][0]
    built = bento.build(
        ROOT, folder / "model", "0123456789abcdef", folder / "bentoml", name="attrition", tools=REAL
    )
    with _up(built, folder / "bentoml") as instances, _proxied(instances, folder) as url:
        flat_out = wrk.write(folder / "most.lua", record)
        wrk.load(url, flat_out, FLAT_OUT, 5)
        most = wrk.load(url, flat_out, FLAT_OUT, 15).rate
        script = wrk.write(folder / "paced.lua", record, SHARE * most)
        with ThreadPoolExecutor(1) as pool:
            zero = time.monotonic()
            sent = pool.submit(wrk.load, url, script, PACED, seconds)
            with _watched(instances, zero):
                restarts = _in_turn(instances, every, zero + seconds)
            seen = sent.result()
        print(proxy.told((folder / "haproxy.log").read_text()), file=sys.stderr)
    memory = [
        sample for instance in instances for sample in instance.samples if sample.age > _SETTLED
    ]
    return {
        "maximum": most,
        "seconds": seconds,
        "restarts": restarts,
        **asdict(seen),
        **_memory(memory, seconds),
    }


@contextlib.contextmanager
def _up(built: Path, home: Path) -> Iterator[list[Instance]]:
    instances = [Instance(built, home) for _ in range(2)]
    try:
        for instance in instances:
            instance.start()
        yield instances
    finally:
        for instance in instances:
            with contextlib.suppress(AttributeError):  # it was never started
                instance.stop()


@contextlib.contextmanager
def _proxied(instances: list[Instance], folder: Path) -> Iterator[str]:
    port, file = server.free_port(), folder / "haproxy.cfg"
    file.write_text(proxy.behind([instance.port for instance in instances], port))
    with server.running(
        [proxy.program(), "-db", "-f", str(file)], port, folder / "haproxy.log"
    ) as url:
        yield f"{url}/predict?reasons=0"


@contextlib.contextmanager
def _watched(instances: list[Instance], zero: float) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            for instance in instances:
                instance.sample(zero)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()


def _in_turn(instances: list[Instance], every: int, until: float) -> int:
    """Stop and start one after the other, as long as there is time; how often."""
    count, due = 0, time.monotonic() + every
    while due + 2 * _SETTLED < until:
        time.sleep(max(0, due - time.monotonic()))
        instance = instances[count % len(instances)]
        instance.stop()
        instance.start()
        count, due = count + 1, max(due + every, time.monotonic() + _SETTLED)
        print(f"restart {count}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    time.sleep(max(0, until - time.monotonic()))
    return count


def _memory(samples: list[Sample], seconds: int) -> dict[str, float]:
    first = [sample.memory for sample in samples if sample.at < seconds / 3]
    last = [sample.memory for sample in samples if sample.at > seconds * 2 / 3]
    grown = [sample for sample in samples if sample.age > _SETTLED * 2]
    middle = statistics.median(sample.age for sample in grown)
    young, old = (
        [sample.memory for sample in grown if (sample.age > middle) is late]
        for late in (False, True)
    )
    return {
        "memory_first": statistics.median(first) / MIB,
        "memory_last": statistics.median(last) / MIB,
        "memory_young": statistics.median(young) / MIB,
        "memory_old": statistics.median(old or young) / MIB,
        "age": middle,
        "memory_most": max(sample.memory for sample in samples) / MIB,
    }


def good(found: dict[str, Any]) -> bool:
    """Whether no request failed, and memory stayed: over the whole, and from the first half of a
    life to the second.
    """
    pairs = (("memory_first", "memory_last"), ("memory_young", "memory_old"))
    return bool(
        found["errors"] == 0
        and all(found[after] < GROWTH * found[before] for before, after in pairs)
    )


def table(found: dict[str, Any]) -> str:
    """The figures, as Markdown."""
    rows = {
        "most that this arrangement answers": f"{found['maximum']:,.0f} requests a second",
        "sent": (
            f"{found['requests']:,} in {found['seconds']} s, {found['rate']:,.0f} a second, "
            f"{found['rate'] / found['maximum']:.0%} of that"
        ),
        "failed": f"{found['errors']:,}",
        "restarts, in turn": f"{found['restarts']}",
        "half of them, 99 %, all within": (
            f"{found['p50']:.1f}, {found['p99']:.1f}, {found['longest']:.0f} ms"
        ),
        "memory of an instance, first and last third": (
            f"{found['memory_first']:.0f}, {found['memory_last']:.0f} MiB"
        ),
        f"younger and older than {found['age']:.0f} s": (
            f"{found['memory_young']:.0f}, {found['memory_old']:.0f} MiB"
        ),
        "most memory of an instance": f"{found['memory_most']:.0f} MiB",
    }
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    )


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a request failed or memory grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.rolling")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--every", type=int, default=60, help="seconds between two restarts")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="rolling-") as folder:
        found = measure(given.seconds, given.every, Path(folder))
    print(table(found), file=sys.stderr)
    print(json.dumps(found, indent=1))
    return int(not good(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
