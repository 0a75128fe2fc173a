"""From the CSV to verdict and evidence, against a bare script that does the same fits: `python -m
benchmarks.release`.

A run is the real `sluice release --no-cache` in a home that has seen a release. It ends with the
line of the evidence, where the process is stopped; nothing of Sluice is switched off for it.
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import cpu, peak
from flows.project.root import ROOT
from flows.steps.evidence import EVIDENCE

FACTOR, SECONDS = 1.25, 6.0  # the bound: this many times the bare script, plus this
# A line about a step on standard error: its mark, its title, the seconds that it took.
_STEP = re.compile(r"^[●○✕] (?P<title>.+?) {2,}(?P<seconds>[\d.]+)s")
SLUICE = [sys.executable, "-c", "from flows.cli.main import main; main()"]


@dataclass(frozen=True)
class Case:
    """What is measured: the rows, the state folder, and the words that hand the rows to `sluice
    release`.
    """

    csv: Path
    home: Path
    words: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a release."""
        return {**os.environ, "SLUICE_HOME": str(self.home), "NO_COLOR": "1"}

    @property
    def tuning(self) -> Path:
        """What the newest search of this home tried."""
        return max(
            (self.home / "store" / "tune").glob("*/tuning.json"),
            key=lambda path: path.stat().st_mtime,
        )


@dataclass(frozen=True)
class Took:
    """Seconds on the clock and of computing that a run took, of it and all that it started."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Phase:
    """A part of a release, and the seconds that it took on the clock.

    `cpu` is the computing from the start to its end, of the release and all that it started; None
    where the release prints nothing at that moment.
    """

    name: str
    wall: float
    cpu: float | None


@dataclass(frozen=True)
class Run:
    """A release from its start until the evidence is written, where it was stopped.

    `memory` is its peak in bytes, 0 where nobody looked.
    """

    took: Took
    phases: tuple[Phase, ...]
    memory: int


def to_evidence(case: Case, *, watch: bool = False) -> Run:
    """Release without the cache until verdict and evidence are there."""
    words = [*SLUICE, "release", "attrition", "--no-cache", *case.words]
    started = time.monotonic()
    process = subprocess.Popen(
        words, env=case.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    printed: list[tuple[Took, str]] = []
    with peak(process.pid) if watch else nullcontext([0]) as seen:
        for line in process.stderr or ():
            printed.append((Took(time.monotonic() - started, cpu(process.pid)), line))
            if EVIDENCE.title in line:
                break
        else:
            text = "".join(line for _, line in printed)
            sys.exit(f"the release came to no evidence:\n{text}")
    process.send_signal(signal.SIGTERM)
    process.communicate()
    return Run(printed[-1][0], tuple(phases(printed)), seen[0])


def phases(printed: Sequence[tuple[Took, str]]) -> list[Phase]:
    """The phases of a release from the lines that it printed, each with its moment."""
    first, _ = printed[0]
    found = [Phase("first line", first.wall, first.cpu)]
    before = first.wall  # seconds from the start to the end of the newest phase
    for moment, line in printed:
        step = _STEP.match(line)
        if step is None:
            continue
        if len(found) == 1:
            begun = max(before, moment.wall - float(step["seconds"]))
            found.append(Phase("imports and engine start", begun - before, None))
            before = begun
        found.append(Phase(step["title"], moment.wall - before, moment.cpu))
        before = moment.wall
    return found


def bare(case: Case) -> Took:
    """The bare script over the trials of the newest search."""
    words = [sys.executable, "-m", "benchmarks.bare", str(case.csv), str(case.tuning)]
    started, before = time.monotonic(), _children()
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return Took(time.monotonic() - started, _children() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def again(case: Case) -> float | None:
    """Seconds of a release that has nothing to do; None where the one before it could not
    deliver.
    """
    words = [*SLUICE, "release", "attrition", "--json", *case.words]
    first = subprocess.run(words, env=case.environment, capture_output=True, text=True, check=False)
    started = time.monotonic()
    ended = subprocess.run(words, env=case.environment, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - started
    settled = first.returncode == 0 and json.loads(ended.stdout)["outcome"] == "nothing to do"
    return seconds if settled else None


def help_cpu() -> float:
    """CPU seconds of `sluice --help`."""
    before = _children()
    subprocess.run([*SLUICE, "--help"], check=True, stdout=subprocess.DEVNULL)
    return _children() - before


def measure(case: Case, runs: int) -> dict[str, Any]:
    """Everything, release and bare script taking turns; the first release of the home is not
    counted.
    """
    load = round(os.getloadavg()[0], 2)
    to_evidence(case)
    pairs = [(to_evidence(case).took, bare(case)) for _ in range(runs)]
    watched = to_evidence(case, watch=True)
    release, script = (
        {
            "wall": _middle([pair[place].wall for pair in pairs]),
            "cpu": _middle([pair[place].cpu for pair in pairs]),
        }
        for place in (0, 1)
    )
    seconds, fits = release["wall"]["median"], script["wall"]["median"]
    bound = FACTOR * fits + SECONDS
    return {
        "schema": 1,
        "rows": sum(1 for _ in case.csv.open("rb")) - 1,
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "load_before": load,
        "release": release,
        "bare": script,
        "ratio": round(seconds / fits, 3),
        "bound": round(bound, 2),
        "within_bound": seconds <= bound,
        "peak_mib": round(watched.memory / 2**20),
        "phases": [asdict(phase) for phase in to_evidence(case).phases],
        "help_cpu": _middle([help_cpu() for _ in range(max(runs, 5))]),
        "again": _repeat(lambda: again(case), runs),
    }


def _middle(seconds: list[float]) -> dict[str, Any]:
    return {
        "median": round(statistics.median(seconds), 3),
        "all": [round(value, 3) for value in seconds],
    }


def _repeat(once: Callable[[], float | None], runs: int) -> dict[str, Any] | None:
    found = [seconds for seconds in (once() for _ in range(runs)) if seconds is not None]
    return _middle(found) if found else None


def table(result: Mapping[str, Any]) -> str:
    """The result for people."""
    second, met = result["again"], "met" if result["within_bound"] else "missed"
    lines = {
        "from the CSV to the evidence": _both(result["release"]),
        "the same fits in a bare script": _both(result["bare"]),
        "ratio": f"{result['ratio']:.2f}",
        f"bound, {FACTOR} x bare + {SECONDS:.0f} s": f"{result['bound']:.1f} s, {met}",
        "peak memory to the evidence": f"{result['peak_mib']} MiB",
        "second run, nothing to do": (
            f"{second['median']:.2f} s" if second else "not measured: no builder of images"
        ),
        "CPU of sluice --help": f"{result['help_cpu']['median']:.2f} s",
    }
    head = (
        f"{result['rows']:,} rows, {result['machine']['cores']} cores, load {result['load_before']}"
        " before"
    )
    shown = [f"  {name:<32} {text}" for name, text in lines.items()]
    return "\n".join([head, *shown, "phases of one release", *_phases(result["phases"])])


def _phases(found: list[Mapping[str, Any]]) -> list[str]:
    """A line for each phase: its seconds, and the computing from the start to its end."""
    lines = []
    for phase in found:
        computed = f", {phase['cpu']:.1f} s of computing so far" if phase["cpu"] else ""
        lines.append(f"  {phase['name']:<32} {phase['wall']:.1f} s{computed}")
    return lines


def _both(took: Mapping[str, Any]) -> str:
    return f"{took['wall']['median']:.1f} s, {took['cpu']['median']:.1f} s of computing"


def case(rows: str, home: Path) -> Case:
    """The rows by name: the real file of SLUICE_REAL_DATA, or the sample that the pointer names."""
    if rows == "sample":
        from flows.project import settings
        from flows.project.data_source import from_pointer

        return Case(
            from_pointer(settings.load().model_copy(update={"home": home}), "attrition").path,
            home,
            (),
        )
    folder = os.environ.get("SLUICE_REAL_DATA")
    if not folder:
        sys.exit(
            "Error: SLUICE_REAL_DATA is not set\n  It names the folder of employee_attrition.csv;"
            " or use --rows sample."
        )
    csv = Path(folder).resolve() / "employee_attrition.csv"
    return Case(csv, home, ("--data", str(csv)))


def main() -> None:
    """Measure, print the table to standard error and JSON to standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.release", description=__doc__)
    parser.add_argument(
        "--rows",
        choices=("real", "sample"),
        default="real" if "SLUICE_REAL_DATA" in os.environ else "sample",
    )
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    try:
        result = {"case": given.rows, **measure(case(given.rows, home), given.runs)}
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(table(result), file=sys.stderr)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
