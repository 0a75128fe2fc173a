"""How fast the service answers, side by side with other ways to serve the same model, on this
machine.

    python -m benchmarks.serving [--seconds 5] [--rounds 5] [--requests 200000]

wrk on loopback, one worker each, all servers warm, one loaded at a time, in turn; medians over the
rounds. Beside the requests a second stands the processor time a request takes of the server, which
a busy machine moves less. Then the memory after many requests. About ten minutes. The table, as
Markdown, and the verdict go to standard error, JSON to standard output; exit code 1 where the run
does not count or a bound is missed.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving import memory, targets, verdicts, wrk
from benchmarks.serving.targets import Target
from benchmarks.serving.verdicts import Measured


@dataclass(frozen=True)
class Case:
    """What is sent: a body, and how many connections send it."""

    name: str
    body: str
    connections: int


CASES = (Case("one", "one", 16), Case("one, reasons", "one", 16), Case("1,000 rows", "many", 4))
WITH_REASONS = ("sluice", "fastapi + onnx")


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where the run does not count or a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--requests", type=int, default=200_000, help="before the memory is looked at"
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
        folder = Path(scratch)
        busy = [_busy(3)]
        with contextlib.ExitStack() as stack:
            servers = list(targets.start(folder, stack))
            _bodies(folder)
            found = _compare(servers, folder, given.seconds, given.rounds, busy)
        (folder / "alone").mkdir()
        print("memory", file=sys.stderr, flush=True)
        used = memory.measure(given.requests, folder / "alone")
    checked = verdicts.checks(found, servers[0].ready, used["looks"][-1]["rss"])
    why = verdicts.doubts(found, statistics.median(busy))
    last = verdicts.last_line(checked, why)
    print(f"\n{verdicts.table(found, checked)}\n\n{last}", file=sys.stderr)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "busy": busy}
    sides = {" / ".join(key): asdict(measured) for key, measured in found.items()}
    document = {
        "verdict": last,
        "valid": not why,
        "machine": machine,
        "sides": sides,
        "checks": [asdict(check) for check in checked],
        "memory": used,
    }
    print(json.dumps(document, indent=1))
    return int(not last.startswith("VALID, every"))


def _bodies(folder: Path) -> None:
    records = json.loads((folder / "model" / "golden.json").read_text())["records"]
    bodies: dict[str, Any] = {"one": records[0], "many": (records * 20)[:1000]}
    for name, body in bodies.items():
        wrk.write(folder / f"{name}.lua", body)
        frame = {"dataframe_records": body if isinstance(body, list) else [body]}
        wrk.write(folder / f"{name}.mlflow.lua", frame)


def _compare(
    servers: list[Target], folder: Path, seconds: int, rounds: int, busy: list[float]
) -> dict[tuple[str, str], Measured]:
    found: dict[tuple[str, str], list[Measured]] = {}
    for turn in range(rounds + 1):  # the first warms up
        for case in CASES:
            for target in servers:
                if case.name == "one, reasons" and target.name not in WITH_REASONS:
                    continue
                measured = _load(target, case, folder, seconds if turn else 2)
                if turn:
                    found.setdefault((case.name, target.name), []).append(measured)
        busy.append(_busy(1))
        print(
            f"round {turn} of {rounds}, others take {busy[-1]:.0%} of the processors",
            file=sys.stderr,
            flush=True,
        )
    return {key: _median(runs) for key, runs in found.items()}


def _load(target: Target, case: Case, folder: Path, seconds: int) -> Measured:
    script = folder / f"{case.body}{'.mlflow' if target.name == 'mlflow' else ''}.lua"
    before = targets.processor(target.port)
    seen = wrk.load(f"{target.url}{target.paths[case.name]}", script, case.connections, seconds)
    used = targets.processor(target.port) - before
    return Measured(seen.rate, seen.p50, seen.p99, used * 1e6 / max(seen.requests, 1), seen.errors)


def _median(runs: list[Measured]) -> Measured:
    middle = {
        name: statistics.median(getattr(run, name) for run in runs)
        for name in ("rate", "p50", "p99", "processor")
    }
    return Measured(
        **middle, errors=sum(run.errors for run in runs), rates=tuple(run.rate for run in runs)
    )


def _busy(seconds: float) -> float:
    """The share of all processors that was in use while nothing was asked of the servers."""
    before = _ticks()
    time.sleep(seconds)
    used, total = (after - then for after, then in zip(_ticks(), before, strict=True))
    return used / max(total, 1)


def _ticks() -> tuple[float, float]:
    times = psutil.cpu_times()
    idle = times.idle + times.iowait  # waiting for a disk is not computing
    total = sum(times[:8])  # the time of guests, which follows, is in that of users
    return total - idle, total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
