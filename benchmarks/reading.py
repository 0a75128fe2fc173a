"""What the commands that only read cost, beside git, over two thousand commits: `python -m
benchmarks.reading`.

The manifest repo is made up (chronicles.py): releases, verdicts, rollbacks and edits of almost
seven years. Beside `sluice history` stands what somebody types who has git alone, `git clone` and
`git log --patch`. Where `make demo` ran, the lineage of what is live and the drill are measured
too, on what it left.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import chronicles
from flows.project.root import ROOT

SLUICE = (sys.executable, "-c", "from flows.cli.main import main; main()")
GIT = """
cd "$(mktemp --directory --tmpdir={folder})"
git clone --quiet --bare {remote} . && git log --patch --unified=0 --all
"""
HAPPENED: tuple[str | tuple[str, float], ...] = (
    ("release", 0.74),
    ("HOLD", 0.75),
    "edit",
    ("release", 0.75),
    "rollback",
)
# Seconds of processors, git included: what else runs on a machine moves those less than the clock.
BOUNDS = {
    "sluice --help": 0.3,
    "sluice history": 2.0,
    "sluice history --page": 2.0,
    "sluice lineage latest": 5.0,
    "sluice drill": 180.0,
}


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="reading-") as folder:
        found = measure(Path(folder), given.runs)
    print(table(found), file=sys.stderr)
    print(json.dumps(found, indent=1))
    return int(any(one["cpu"] > one["bound"] for one in found["commands"] if one["bound"]))


def measure(folder: Path, runs: int) -> dict[str, Any]:
    """Every command so often, in turn; the slow drill once."""
    remote = folder / "manifests.git"
    chronicles.write(remote, [("release", 0.73), *(HAPPENED * 500)])
    commits = int(_said(["git", "-C", str(remote), "rev-list", "--all", "--count"]))
    there = {
        "SLUICE_MANIFESTS": str(remote),
        "SLUICE_HOME": str(folder / "state"),
        "SLUICE_MODEL": "attrition",
    }
    words: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {
        "sluice --help": ([*SLUICE, "--help"], there),
        "git clone, git log --patch": (
            ["sh", "-c", GIT.format(remote=remote, folder=folder)],
            there,
        ),
        "sluice history": ([*SLUICE, "history"], there),
        "sluice history --page": (
            [*SLUICE, "history", "--page", str(folder / "history.html")],
            there,
        ),
    }
    if (ROOT / ".sluice" / "demo" / "manifests.git").exists():
        words["sluice lineage latest"] = ([*SLUICE, "lineage", "latest", "--json"], {})
        words["sluice drill"] = ([*SLUICE, "drill", "--json"], {})
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in words}
    for turn in range(runs + 1):
        for name, (command, environment) in words.items():
            if name != "sluice drill" or turn == runs:
                took[name].append(_took(command, environment))
    rows = [
        {
            "name": name,
            "wall": _middle([wall for wall, _ in found[-runs:]]),
            "cpu": _middle([cpu for _, cpu in found[-runs:]]),
            "bound": BOUNDS.get(name),
        }
        for name, found in took.items()
    ]
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }
    return {"schema": 1, "commits": commits, "machine": machine, "commands": rows}


def _took(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds on the clock, and of processors, children included."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        time.monotonic() - started,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _middle(seconds: list[float]) -> float:
    return round(statistics.median(seconds), 2)


def table(found: Mapping[str, Any]) -> str:
    """The figures, as Markdown."""
    lines = [
        (
            f"{found['commits']:,} commits, {found['machine']['cores']} cores, load"
            f" {found['machine']['load']}"
        ),
        "",
        "| command | on the clock | of processors | bound |",
        "|---|---|---|---|",
    ]
    for one in found["commands"]:
        bound = (
            f"{one['bound']:g} s, {'met' if one['cpu'] <= one['bound'] else 'missed'}"
            if one["bound"]
            else ""
        )
        lines.append(f"| `{one['name']}` | {one['wall']:.2f} s | {one['cpu']:.2f} s | {bound} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
