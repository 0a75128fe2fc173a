"""Reading, validation, split, search and fit of large tables: seconds and memory of each step.

`python -m benchmarks.scale 500000 5000000` makes up tables of 25 columns with so many rows and does
the steps of a release up to the model, each size in a process of its own. The model is the one that
`sluice init` drafts from 10,000 of such rows, its ranges widened; `--trials` is how many the search
has. Memory is the largest resident set since that process began. A table to standard error, JSON to
standard output; exit code 1 where the largest size takes more than 6 GiB, or more than ten times
the processor time of a tenth of its rows, where that is among the sizes.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from flows.engine.perform import Plainly
from flows.engine.request import begin
from flows.orchestration.real_tools import real_tools
from flows.project.root import ROOT
from flows.project.settings import load
from flows.steps.split import SPLIT
from flows.steps.train import TRAIN
from flows.steps.tune import TUNE
from flows.steps.validate import VALIDATE

COLUMNS = 25
MEMORY, TIMES = 6 * 2**30, 10.0
_MODEL = "large"
_DRAFTED = 10_000  # rows that the model is drafted from
_AT_ONCE = 200_000  # rows that are written
_INIT = "from flows.cli.main import main; main()"


class Took(Struct, frozen=True):
    """A step: seconds of the clock and of the processors, and bytes of the largest resident set."""

    step: str
    clock: float
    processors: float
    memory: int


def steps(folder: Path) -> list[Took]:
    """What each step up to the model takes in this process, for the model drafted in a folder."""
    took: list[Took] = []
    given = load()
    runner = Plainly(given.home, _MODEL, cache=False)
    request = begin(given, real_tools(), _MODEL, folder / f"{_MODEL}.csv", cache=False)
    with _timed("validate", took):
        validated = runner.do(VALIDATE, request)
    with _timed("split", took):
        rows = runner.do(SPLIT, request, validated)
    with _timed("tune", took):
        tuned = runner.do(TUNE, request, rows)
    with _timed("train", took):
        runner.do(TRAIN, request, rows, tuned)
    return took


@contextmanager
def _timed(step: str, took: list[Took]) -> Iterator[None]:
    """Add what the block takes."""
    clock, processors = time.perf_counter(), time.process_time()
    yield
    spent = time.perf_counter() - clock, time.process_time() - processors
    took.append(Took(step, *spent, _resident()))
    print(f"  {took[-1]}", file=sys.stderr, flush=True)


def _resident() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def write(path: Path, rows: int) -> None:
    """A table of an id, numbers with fractions, whole numbers, categories and a target that some of
    them tell of.
    """
    import pyarrow as pa
    from pyarrow import csv

    chance = np.random.default_rng(1)
    kinds = np.array([f"kind {number}" for number in range(12)])
    writer = None
    with path.open("wb") as file:
        for start in range(0, rows, _AT_ONCE):
            count = min(_AT_ONCE, rows - start)
            numbers = chance.normal(50, 20, (COLUMNS - 2, count))
            telling = (numbers[:8] - 50).sum(axis=0) / 40
            churned = chance.random(count) < 1 / (1 + np.exp(2 - telling))
            table: dict[str, np.ndarray] = {
                "customer": np.char.mod("C%08d", np.arange(start, start + count))
            }
            for place, column in enumerate(numbers):
                table[f"column_{place}"] = _written(place, column, kinds)
            table["churned"] = np.where(churned, "yes", "no")
            batch = pa.table(table)
            writer = writer or csv.CSVWriter(file, batch.schema, write_options=_unquoted())
            writer.write_table(batch)
        if writer is not None:
            writer.close()


def _unquoted() -> object:
    from pyarrow import csv

    return csv.WriteOptions(quoting_style="none", quoting_header="none")


def _written(place: int, numbers: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """A column: every third has fractions, every third whole numbers, every third few values."""
    if place % 3 == 0:
        return np.round(numbers, 4)
    if place % 3 == 1:
        return numbers.astype(np.int64)
    return kinds[np.abs(numbers).astype(np.int64) % 12]


def widened(contract: str) -> str:
    """The contract with ranges that a larger table of the same kind keeps to, too."""
    wide = re.sub(r"(?m)^minimum = -?[\d.]+$", "minimum = -1000", contract)
    return re.sub(r"(?m)^maximum = -?[\d.]+$", "maximum = 1000", wide)


def drafted(folder: Path, trials: int) -> None:
    """Draft the model in a folder."""
    table = folder / f"{_MODEL}.csv"
    write(table, _DRAFTED)
    subprocess.run(
        [sys.executable, "-c", _INIT, "init", str(table), "--yes"],
        cwd=ROOT,
        env=_environment(folder),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    model = folder / "models" / _MODEL
    contract = (model / "contract.toml").read_text()
    (model / "contract.toml").write_text(widened(contract))
    policy = (model / "policy.toml").read_text().replace(', "random_forest"', "")  # for small ones
    (model / "policy.toml").write_text(re.sub(r"(?m)^trials = \d+", f"trials = {trials}", policy))


def _environment(folder: Path) -> dict[str, str]:
    given = {"SLUICE_PROJECT": str(folder), "SLUICE_HOME": str(folder / "home")}
    return {**os.environ, **given}


def measure(folder: Path, rows: int) -> list[Took]:
    """Write a table of so many rows, and do the steps in a new process."""
    write(folder / f"{_MODEL}.csv", rows)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--steps", str(folder)],
        cwd=ROOT,
        env=_environment(folder),
        check=True,
        stdout=subprocess.PIPE,
    )
    shutil.rmtree(folder / "home")
    return msgspec.json.decode(done.stdout, type=list[Took])


def table(found: dict[int, list[Took]]) -> str:
    """What was measured, in Markdown."""
    lines = ["| rows | step | clock | processors | largest so far |", "|---|---|---|---|---|"]
    for rows, steps_of in found.items():
        lines += [
            f"| {rows:,} | {one.step} | {one.clock:.1f} s | {one.processors:.1f} s |"
            f" {one.memory / 2**20:,.0f} MiB |"
            for one in steps_of
        ]
    return "\n".join(lines)


def good(found: dict[int, list[Took]]) -> bool:
    """Whether the largest size is within its bounds."""
    largest = max(found)
    spent = {rows: sum(one.processors for one in took) for rows, took in found.items()}
    memory = max(one.memory for one in found[largest])
    tenth = spent.get(largest // 10)
    return memory <= MEMORY and (tenth is None or spent[largest] <= TIMES * tenth)


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("rows", type=int, nargs="*", default=[500_000, 5_000_000])
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--steps", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.steps:
        print(msgspec.json.encode(steps(given.steps)).decode())
        return 0
    found: dict[int, list[Took]] = {}
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        drafted(Path(name), given.trials)
        for rows in given.rows:
            found[rows] = measure(Path(name), rows)
            print(table({rows: found[rows]}), file=sys.stderr, flush=True)
    print(table(found), file=sys.stderr)
    print(json.dumps(msgspec.to_builtins({str(rows): took for rows, took in found.items()})))
    return 0 if good(found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
