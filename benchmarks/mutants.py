"""How many faults planted in gate, statistics, ledger, seals and signatures the tests find: at
least nine in ten, or exit code 1.

    python -m benchmarks.mutants                   faults drawn by lot: half an hour on one core
    python -m benchmarks.mutants --draw 50         fewer
    python -m benchmarks.mutants --seed 2          others
    python -m benchmarks.mutants --of groups.py    those of one module alone
    python -m benchmarks.mutants --lines FILE      keep there which test runs which line

A fault is a change of one expression in a function, as mutmut makes them. Each is tried in a copy
of the files: by the tests that run the changed line, the quickest first, until one fails. A fault
that makes them run four times as long is found too; one in a line that no test runs is not.

What is changed, and which tests look for it, stands in pyproject.toml under [tool.mutmut].
"""

import argparse
import ast
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from pathlib import Path

import msgspec

ROOT = Path(__file__).parent.parent
LEAST = 0.9
DRAW, SEED = 300, 1
SURVIVED, KILLED, TIMED_OUT, UNSEEN = "survived", "killed", "timed out", "no test runs it"
UNTRIED = "not tried, pytest ended with"
_FOUND = (KILLED, TIMED_OUT)
_NOT_THERE = 4  # of pytest: a test is not there, as where its file cannot be loaded any more
_FAILED = (1, 2, 3, _NOT_THERE)
_BROKEN = 70  # the try itself failed, which is no fault found
_NEAR = 6  # lines that one expression or signature may have
_PATIENCE, _START = 4.0, 30.0  # times as long as the tests take, and seconds beside that
_FLAGS = ("-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
_ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # plugins take longer to load than most tests run
_TOOK = re.compile(r"^([\d.]+)s (?:call|setup|teardown)\s+(\S.*)$", re.MULTILINE)
# What tests import and nobody changes: each try begins where these are loaded.
_LOADED = (
    "numpy",
    "scipy.stats",
    "scipy.optimize",
    "pandas",
    "sklearn.metrics",
    "hypothesis",
    "pytest",
)
_OURS = ("sluice", "flows", "bento", "gx", "models", "benchmarks", "scripts", "sluice_command")


@dataclass(frozen=True)
class Chosen:
    """What pyproject.toml says: the modules that are changed, the tests, and those left out."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Mutant:
    """A module with one fault: its text, the line (from 1) that was changed first, and the lines of
    the function that has it.
    """

    module: str
    text: str
    line: int
    difference: str
    function: range = range(0)


@dataclass(frozen=True)
class Seen:
    """Which tests run each line of a module, and how many seconds each test takes."""

    tests: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that run the changed line, or else the nearest one of its function that any
        runs: it may be one of several of an expression, or of a signature. The quickest first.
        """
        by_line = self.tests[mutant.module]
        near = range(mutant.line - _NEAR, mutant.line + _NEAR + 1)
        lines = [line for line in by_line if line in near or line in mutant.function]
        for line in sorted(lines, key=lambda line: _far(line, mutant)):
            if by_line[line]:
                return sorted(by_line[line], key=lambda test: (self.seconds.get(test, 0.0), test))
        return []


def _far(line: int, mutant: Mutant) -> tuple[bool, int]:
    """How far a line is from the changed one; a line of another function is further than any."""
    return line not in mutant.function, abs(line - mutant.line)


def chosen() -> Chosen:
    """The table of pyproject.toml."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    arguments = table["pytest_add_cli_args"]
    return Chosen(
        modules=tuple(table["only_mutate"]),
        tests=tuple(table["pytest_add_cli_args_test_selection"]),
        left_out=tuple(one for one in arguments if one.startswith("--deselect")),
    )


def drawn(modules: Iterable[str], count: int, seed: int) -> list[Mutant]:
    """So many faults of these modules by lot, in the order of the lot; the same for a seed."""
    import libcst as cst
    from mutmut.mutation.file_mutation import create_mutations

    every = []
    for name in modules:
        text = (ROOT / name).read_text(encoding="utf-8")
        module, mutations, _, _ = create_mutations(name, text)
        # What a module or class does when it is loaded is run by no test of its own.
        inside = (
            one
            for one in mutations
            if isinstance(one.contained_by_top_level_function, cst.FunctionDef)
        )
        every += [(name, text, module, one) for one in inside]
    places = random.Random(seed).sample(range(len(every)), min(count, len(every)))
    mutants = []
    for name, text, module, one in (every[place] for place in places):
        replaced = module.deep_replace(one.original_node, one.mutated_node)
        changed = cst.ensure_type(replaced, cst.Module).code
        line, difference = _difference(text, changed)
        mutants.append(Mutant(name, changed, line, difference, _function(text, line)))
    print(f"{len(mutants)} of {len(every):,} faults, drawn with seed {seed}", file=sys.stderr)
    return mutants


def _difference(before: str, after: str) -> tuple[int, str]:
    """The first line (from 1) that differs, and the lines that differ."""
    old, new = before.splitlines(), after.splitlines()
    pairs = enumerate(zip(old, new, strict=False), 1)
    line = next((place for place, (one, other) in pairs if one != other), len(old))
    marked = islice(unified_diff(old, new, n=0, lineterm=""), 3, None)
    return line, "\n".join(f"    {text}" for text in marked)


def _function(text: str, line: int) -> range:
    """The lines of the innermost function that has a line; none where it is in no function."""
    found = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
    ]
    return min((lines for lines in found if line in lines), key=len, default=range(0))


def copied(folder: Path) -> None:
    """The files of this checkout, also those that are not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def watched(folder: Path, choice: Chosen) -> Seen:
    """Run the tests once without a fault: which lines each runs, and how long it takes.

    Raises SystemExit where one fails.
    """
    from coverage import CoverageData

    settings = folder / "lines.coveragerc"
    settings.write_text(f"[run]\ndata_file = {folder / 'lines.coverage'}\n", encoding="utf-8")
    rooms = sorted({str(Path(name).parent) for name in choice.modules})
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *_FLAGS, *choice.tests, *choice.left_out),
            *("-vv", "--durations=0", "-p", "pytest_cov", "--cov-context=test", "--cov-report="),
            *(f"--cov-config={settings}", *(f"--cov={room}" for room in rooms)),
        ],
        cwd=folder,
        env={**os.environ, **_ALONE, "PYTHONPATH": str(folder)},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(done.stdout[-4_000:], file=sys.stderr)
        raise SystemExit("A test fails without any fault. Mend that first.")
    seconds: defaultdict[str, float] = defaultdict(float)
    for took, test in _TOOK.findall(done.stdout):
        seconds[test] += float(took)
    data = CoverageData(str(folder / "lines.coverage"))
    data.read()
    tests = {}
    for name in choice.modules:
        by_line = data.contexts_by_lineno(str(folder / name)).items()
        tests[name] = {line: _tests(contexts) for line, contexts in by_line}
    return Seen(tests, dict(seconds))


def _tests(contexts: list[str]) -> list[str]:
    """Of `tests/test_it.py::test_it|run` the part before the stroke; the rest is no test."""
    return sorted({one.rpartition("|")[0] for one in contexts if "|" in one})


def tried(folder: Path, mutant: Mutant, seen: Seen) -> str:
    """What becomes of a fault. Raises SystemExit where its tests are not there without it."""
    tests = seen.of(mutant)
    if not tests:
        return UNSEEN
    place = folder / mutant.module
    whole = place.read_bytes()
    for compiled in place.parent.glob(f"__pycache__/{place.stem}.*"):
        compiled.unlink()
    limit = _PATIENCE * sum(seen.seconds.get(test, 0.0) for test in tests) + _START
    place.write_text(mutant.text, encoding="utf-8")
    try:
        code = _code(folder, ["-x", *tests], limit)
    finally:
        place.write_bytes(whole)
    if code == _NOT_THERE and _code(folder, ["--collect-only", *tests], limit):
        raise SystemExit("The file of --lines is of other tests. Delete it.")
    if code is None:
        return TIMED_OUT
    # A process that a signal ended has found the fault as well.
    return KILLED if code < 0 or code in _FAILED else SURVIVED if not code else f"{UNTRIED} {code}"


def _code(folder: Path, arguments: list[str], limit: float) -> int | None:
    """Run pytest in a copy of this process, in which nothing of ours is loaded yet: the code that
    it ends with, None where it takes longer than `limit` seconds.
    """
    child = os.fork()
    if not child:
        try:
            _test(folder, arguments)
        except BaseException:  # noqa: BLE001 - whatever it is, it ends here and is told
            traceback.print_exc()
        os._exit(_BROKEN)  # nothing of the parent is to be tidied up here
    end = time.monotonic() + limit
    try:
        while time.monotonic() < end:
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
    except BaseException:
        _end(child)
        raise
    _end(child)
    return None


def _end(child: int) -> None:
    """End a run of tests with all that it started."""
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _test(folder: Path, arguments: list[str]) -> None:
    """Run pytest and end this process with the code of pytest."""
    os.setsid()
    os.chdir(folder)
    os.environ |= {**_ALONE, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:] = [str(folder), *(one for one in sys.path if one not in ("", str(ROOT)))]
    for name in [one for one in sys.modules if one.partition(".")[0] in _OURS]:
        del sys.modules[name]
    said = os.open(folder / "said.log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for stream in range(3):
        os.dup2(said, stream)
    import pytest

    os._exit(int(pytest.main([*_FLAGS, *arguments])))


def results(mutants: list[Mutant], choice: Chosen, lines: Path) -> Iterator[tuple[Mutant, str]]:
    """Each fault with what becomes of it; `lines` is a file for which test runs which line."""
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        copied(folder)
        if not lines.exists():
            lines.write_bytes(msgspec.json.encode(watched(folder, choice)))
        seen = msgspec.json.decode(lines.read_bytes(), type=Seen)
        for name in _LOADED:
            importlib.import_module(name)
        for mutant in mutants:
            yield mutant, tried(folder, mutant, seen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(told: list[tuple[Mutant, str]]) -> str:
    """By module and in all, with 95 % limits of the share that is found of all faults."""
    from sluice.model.quality.statistics import wilson_high, wilson_low

    whole = Counter(mutant.module for mutant, _ in told)
    found = Counter(mutant.module for mutant, what in told if what in _FOUND)
    rows = [f"{name:<34} {found[name]:>4} of {count:>4}" for name, count in sorted(whole.items())]
    ways = Counter(what for _, what in told)
    count, of = sum(found.values()), len(told)
    low, high = wilson_low(count, of, 0.025), wilson_high(count, of, 0.025)
    rows.append(", ".join(f"{what} {number}" for what, number in sorted(ways.items())))
    rows.append(
        f"{count} of {of} faults found: {count / of:.1%} [{low:.1%}, {high:.1%}], at least"
        f" {LEAST:.0%} required"
    )
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    """Draw, try, and print what was not found as it comes, then the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutants", description=" ".join(__doc__.split("\n\n")[0].split())
    )
    parser.add_argument("--draw", type=int, default=DRAW, help="how many faults")
    parser.add_argument("--seed", type=int, default=SEED, help="of the lot")
    parser.add_argument("--of", default="", help="only modules whose path ends so")
    parser.add_argument("--lines", type=Path, help="a file for which test runs which line")
    wanted = parser.parse_args(arguments)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    choice = chosen()
    modules = [name for name in choice.modules if name.endswith(wanted.of)]
    if not modules or wanted.draw < 1:
        parser.error("a fault or more is required, of a module that pyproject.toml names")
    told = []
    lines = wanted.lines or Path(tempfile.mkdtemp()) / "lines.json"
    for mutant, what in results(drawn(modules, wanted.draw, wanted.seed), choice, lines):
        told.append((mutant, what))
        print(f"{len(told)}: {what}", file=sys.stderr, flush=True)
        if what not in _FOUND:
            print(f"{mutant.module}:{mutant.line}: {what}\n{mutant.difference}", flush=True)
    print(table(told))
    return 0 if sum(what in _FOUND for _, what in told) >= LEAST * len(told) else 1


if __name__ == "__main__":
    sys.exit(main())
