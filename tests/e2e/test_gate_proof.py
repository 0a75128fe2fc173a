"""The proof of the gate, with a small draw: it runs, and says what it says the same way twice
over.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_small_draw_of_the_proof() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gate", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    shares = {line["name"]: line["share"] for line in told["lines"]}
    assert shares["HOLD of the champion with its threshold lowered by 0.01"] == 1.0
    assert shares["PROMOTE of a retrain of the same world (level 0.025, ledger off)"] <= 0.05
    promotions = {entry["rule"]: entry["median promotions"] for entry in told["nights"]}
    assert promotions["the gate as shipped"] < promotions["recall at least the floor"]
