"""Score the holdout with the candidate, and with the champion on the same rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.artefact import check_golden, segment_groups
from sluice.metrics import by_segment, confusion, cross_validation, intervals, measure
from sluice.scoring import load_model
from sluice.table import from_parquet, to_parquet

if TYPE_CHECKING:
    from flows.engine import Done
    from flows.run import Run

NAME, TITLE = "score", "Score holdout"


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The holdout rows, the candidate, and the champion that it is compared with."""
    return {
        "holdout": done["split"].hash("holdout.parquet"),
        "train": done["split"].hash("train.parquet"),
        "candidate": str(done["train"].facts["model"]),
        "champion": str(run.against.get("model", "none")),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write scores.parquet (it never leaves this machine), metrics.json and champion.json."""
    holdout, train = (from_parquet((done["split"].folder / f"{part}.parquet").read_bytes())
                      for part in ("holdout", "train"))  # fmt: skip
    labels = holdout[run.contract.target.column]
    candidate = done["train"].folder / "model"
    check_golden(candidate)
    model = load_model(candidate)
    scores = model.score(holdout)
    table = {"row_hash": holdout["row_hash"], "label": labels, "candidate": scores}
    against: dict[str, Any] = {}
    if run.against:
        check_golden(run.champion_folder)
        champion = load_model(run.champion_folder)
        table["champion"] = champion.score(holdout)
        against = {"tag": run.against["tag"], "threshold": champion.threshold}
    groups = segment_groups(run.contract, holdout)
    overlap = int(np.isin(holdout["row_hash"], train["row_hash"]).sum())
    (folder / "scores.parquet").write_bytes(to_parquet({**table, **{f"segment {n}": v for n, v in groups.items()}}))
    (folder / "champion.json").write_text(json.dumps(against), encoding="utf-8")
    metrics = _metrics(run, done, labels, scores, model.threshold, groups)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, sort_keys=True), encoding="utf-8")
    return {
        "rows": len(labels),
        "overlap": overlap,
        **{name: metrics["holdout"][name] for name in ("recall", "precision")},
    }


def _metrics(
    run: "Run", done: "Done", labels: np.ndarray, scores: np.ndarray, threshold: float, groups: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """metrics.json, schema 1."""
    trained = json.loads((done["train"].folder / "model" / "metrics.json").read_text(encoding="utf-8"))
    tuning = json.loads((done["tune"].folder / "tuning.json").read_text(encoding="utf-8"))
    return {
        "schema": 1,
        "model": run.model,
        "threshold": threshold,
        "rows": {
            "train": trained["rows"]["train"],
            "validation": trained["rows"]["validation"],
            "holdout": len(labels),
            "holdout_positives": int(labels.sum()),
        },
        "holdout": measure(labels, scores, threshold),
        "intervals": intervals(labels, scores, threshold),
        "confusion": confusion(labels, scores >= threshold),
        "validation": trained["validation"],
        "cross_validation": cross_validation(tuning),
        "segments": by_segment(labels, scores, threshold, groups),
    }
