"""How much memory the service takes, parent and one worker together, after many requests.

    python -m benchmarks.serving.memory [--requests 200000]

The sum of the proportional set sizes counts a page that both share once, that of the resident set
sizes twice. A table to standard error, JSON to standard output; exit code 1 above 300 MiB, by the
larger sum, or where a request failed.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.processes import pss, rss, tree
from benchmarks.serving import model, wrk
from flows.adapters.image import bento
from flows.adapters.image.image_tools import REAL
from flows.project.root import ROOT

MOST = 300  # MiB
CONNECTIONS, SLICE = 16, 10  # seconds between two looks
MIB = 2**20


def measure(requests: int, folder: Path) -> dict[str, Any]:
    """Ask one worker so often, single records with and without reasons in turn, and look at its
    memory meanwhile.
    """
    model.write(folder / "model")
    record = json.loads((folder / "model" / "golden.json").read_text())["records"][0]
    script = wrk.write(folder / "one.lua", record)
    built = bento.build(
        ROOT, folder / "model", "0123456789abcdef", folder / "bentoml", name="attrition", tools=REAL
    )
    before = set(tree(os.getpid()))
    sent = errors = turn = 0
    with bento.serve(
        built, folder / "bentoml", env={"SLUICE_PREDICTION_LOG": str(folder / "log")}
    ) as url:
        family = [pid for pid in tree(os.getpid()) if pid not in before]
        looks = [_look(family[0], 0)]
        while sent < requests:
            seen = wrk.load(f"{url}/predict?reasons={turn % 2}", script, CONNECTIONS, SLICE)
            sent, errors, turn = sent + seen.requests, errors + seen.errors, turn + 1
            looks.append(_look(family[0], sent))
    return {"requests": sent, "errors": errors, "processes": len(family), "looks": looks}


def _look(parent: int, sent: int) -> dict[str, float]:
    return {"after": sent, "pss": pss(parent) / MIB, "rss": rss(parent) / MIB}


def good(found: dict[str, Any]) -> bool:
    """Whether nothing failed and the larger of the two sums is below the bound."""
    return bool(not found["errors"] and found["looks"][-1]["rss"] < MOST)


def table(found: dict[str, Any]) -> str:
    """The figures, as Markdown."""
    looks = found["looks"]
    shown = [looks[0], looks[len(looks) // 2], looks[-1]]
    lines = ["| requests | proportional | resident |", "|---|---|---|"]
    return "\n".join(
        [
            *lines,
            *(
                f"| {look['after']:,} | {look['pss']:.0f} MiB | {look['rss']:.0f} MiB |"
                for look in shown
            ),
        ]
    )


def main(arguments: list[str]) -> int:
    """Measure and print; 1 above the bound or where a request failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.memory")
    parser.add_argument("--requests", type=int, default=200_000)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        found = measure(given.requests, Path(folder))
    print(table(found), file=sys.stderr)
    print(json.dumps(found, indent=1))
    return int(not good(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
