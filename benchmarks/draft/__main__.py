"""What `sluice init` costs on a large table, beside pandas that only reads it.

    python -m benchmarks.draft [--rows 1000000] [--columns 50]

The table is made up. Seconds are those of the processors, so that what else runs on a machine
hardly counts; memory is the largest resident set. A table to standard error, JSON to standard
output; exit code 1 above 60 seconds or 2 GiB, which are promised of the default size.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from msgspec import Struct

from flows.project.root import ROOT

SECONDS, MEMORY = 60.0, 2**31
_READ = "import sys, pandas; print(len(pandas.read_csv(sys.argv[1])))"
_INIT = "from flows.cli.main import main; main()"
_AT_ONCE = 20_000  # rows that are written


class Cost(Struct, frozen=True):
    """What a command took: seconds of processors and of the clock, bytes of memory."""

    processors: float
    clock: float
    memory: int


def write(path: Path, rows: int, columns: int) -> None:
    """A table of an id, numbers with fractions, whole numbers, categories and a target that some of
    them tell of.
    """
    rng = np.random.default_rng(1)
    plain = columns - 2
    names = ["customer", *(f"column_{place}" for place in range(plain)), "churned"]
    with path.open("w") as file:
        file.write(",".join(names) + "\n")
        for start in range(0, rows, _AT_ONCE):
            count = min(_AT_ONCE, rows - start)
            numbers = rng.normal(50, 20, (plain, count))
            telling = (numbers[:8] - 50).sum(axis=0) / 40
            churned = rng.random(count) < 1 / (1 + np.exp(2 - telling))
            cells = [[f"C{start + place:08d}" for place in range(count)]]
            cells += [_written(place, column) for place, column in enumerate(numbers)]
            cells.append(np.where(churned, "yes", "no").tolist())
            file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))


def _written(place: int, numbers: np.ndarray) -> list[str]:
    """A column as it stands in the file: every third has fractions, every third few values."""
    if place % 3 == 0:
        return [f"{number:.9f}" for number in numbers]
    if place % 3 == 1:
        return [str(int(number)) for number in numbers]
    return [f"kind {int(number) % 12}" for number in numbers]


def cost(command: list[str], folder: Path) -> Cost:
    """Run a command to its end. Raises CalledProcessError where it fails."""
    began = time.perf_counter()
    environment = {**os.environ, "SLUICE_PROJECT": str(folder), "SLUICE_HOME": str(folder / "home")}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    spent = time.perf_counter() - began
    return Cost(used.ru_utime + used.ru_stime, spent, 1024 * used.ru_maxrss)


def measure(folder: Path, rows: int, columns: int) -> dict[str, Cost]:
    """Write the table, read it with pandas, and draft a model from it."""
    table = folder / "large.csv"
    write(table, rows, columns)
    return {
        "pandas.read_csv": cost([sys.executable, "-c", _READ, str(table)], folder),
        "sluice init": cost([sys.executable, "-c", _INIT, "init", str(table), "--yes"], folder),
    }


def table(found: dict[str, Cost]) -> str:
    """What was measured, in Markdown."""
    lines = ["| | processors | clock | memory |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {one.processors:.1f} s | {one.clock:.1f} s | {one.memory / 2**20:,.0f} MiB |"
        for name, one in found.items()
    ]
    return "\n".join(lines)


def good(found: dict[str, Cost]) -> bool:
    """Whether the draft is within its bounds."""
    drafted = found["sluice init"]
    return drafted.processors < SECONDS and drafted.memory < MEMORY


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.draft")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="draft-") as folder:
        found = measure(Path(folder), given.rows, given.columns)
    print(table(found), file=sys.stderr)
    figures = {name: [one.processors, one.clock, one.memory] for name, one in found.items()}
    print(json.dumps({"python": platform.python_version(), "measured": figures}, indent=1))
    return 0 if good(found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
