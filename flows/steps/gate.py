"""Decide: PROMOTE, HOLD or REJECT."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.gate import Champion, Rows, Verdict, decide
from sluice.identity import value_hash
from sluice.policy import GatePolicy
from sluice.table import from_parquet

if TYPE_CHECKING:
    from flows.engine import Done
    from flows.run import Run

NAME, TITLE = "gate", "Decide"


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The scores, the metrics, the champion's threshold, and the policy of the gate."""
    return {
        "scores": done["score"].hash("scores.parquet"),
        "metrics": done["score"].hash("metrics.json"),
        "champion": done["score"].hash("champion.json"),
        "policy": value_hash(vars(run.policy.gate)),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write verdict.json."""
    verdict = decide_folder(done["score"].folder, run.policy.gate, int(done["score"].facts["overlap"]))
    (folder / "verdict.json").write_text(json.dumps(verdict.document(), indent=1), encoding="utf-8")
    return {"verdict": verdict.verdict, "sentence": verdict.sentence}


def decide_folder(folder: Path, policy: GatePolicy, overlap: int = 0) -> Verdict:
    """The verdict on what a folder holds: metrics.json, scores.parquet and champion.json."""
    table = from_parquet((folder / "scores.parquet").read_bytes())
    against = json.loads((folder / "champion.json").read_text(encoding="utf-8"))
    champion = Champion(against["tag"], against["threshold"], table["champion"]) if against else None
    rows = Rows(table["label"], table["row_hash"], table["candidate"], champion, overlap)
    return decide(json.loads((folder / "metrics.json").read_text(encoding="utf-8")), rows, policy)
