"""Score the holdout with the candidate, and with champion and anchor on the same rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.model import one_column
from sluice.model.metrics import by_segment, confusion, cross_validation, intervals, measure
from sluice.model.model_artifact import check_golden, segment_groups
from sluice.model.split import row_hashes, unseen
from sluice.model.table import from_parquet, to_parquet
from sluice.policy import load_policy
from sluice.served.encoding import accepted, encode
from sluice.served.scoring import Model, load_model

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "score", "Score holdout"
_OTHERS = ("champion", "anchor")
Columns = dict[str, np.ndarray]


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The holdout rows, the candidate, and the models that it is compared with."""
    return {
        "holdout": done["split"].hash("holdout.parquet"),
        "train": done["split"].hash("train.parquet"),
        "candidate": str(done["train"].facts["model"]),
        **{other: str(run.other(other).get("model", "none")) for other in _OTHERS},
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write scores.parquet (it never leaves this machine), metrics.json and case.json."""
    holdout, train = (
        from_parquet((done["split"].folder / f"{part}.parquet").read_bytes())
        for part in ("holdout", "train")
    )
    others = {other: _load(run, other) for other in _OTHERS if run.other(other)}
    holdout, facts, blind = _fair(run, done, holdout, others)
    facts |= _overlap(run, train, holdout)
    candidate = done["train"].folder / "model"
    check_golden(candidate)
    model = load_model(candidate)
    target = run.contract.target.column
    column, alone = one_column.best(run.contract, train, train[target], holdout)
    table = {
        "row_hash": holdout["row_hash"],
        "label": holdout[target],
        "candidate": model.score(holdout),
        "alone": alone,
    }
    case: dict[str, Any] = {
        "candidate": {"threshold": model.threshold},
        "one_column": column,
        "facts": facts,
    }
    for other, old in others.items():
        table[other] = np.full(len(alone), np.nan) if other in blind else old.score(holdout)
        case[other] = {"tag": run.other(other)["tag"], "threshold": old.threshold}
    groups = segment_groups(run.contract, holdout)
    table |= {f"segment {name}": values for name, values in groups.items()}
    metrics = _metrics(run, done, table, model.threshold, groups)
    (folder / "scores.parquet").write_bytes(to_parquet(table))
    (folder / "case.json").write_text(json.dumps(case, indent=1, sort_keys=True), encoding="utf-8")
    (folder / "metrics.json").write_text(
        json.dumps(metrics, indent=1, sort_keys=True), encoding="utf-8"
    )
    return {
        "rows": len(alone),
        **{name: metrics["holdout"][name] for name in ("recall", "precision")},
    }


def _load(run: "Run", other: str) -> Model:
    check_golden(run.folder_of(other))
    return load_model(run.folder_of(other))


def _fair(
    run: "Run", done: "Done", holdout: Columns, others: Mapping[str, Model]
) -> tuple[Columns, dict[str, float], set[str]]:
    """The rows that no compared model has seen and that their contracts take, what that leaves out,
    who takes too few.

    A model whose contract takes too few of the rows narrows nothing down: it cannot be compared.
    """
    rows, left_out, shares = np.ones(len(holdout["row_hash"]), dtype=bool), 0, {"": 1.0}
    for other, model in others.items():
        policy = load_policy(
            (run.folder_of(other) / "policy.toml").read_text(encoding="utf-8"),
            f"the {other}'s policy",
        )
        if policy.split != run.policy.split:
            fresh = unseen(policy.split, _ids(run, done, holdout["row_hash"]))
            left_out = max(left_out, int((~fresh).sum()))
            rows &= fresh
        taken = accepted(model.contract, holdout)
        shares[other] = float(taken.mean())
        rows &= taken if shares[other] >= run.policy.gate.comparable_share else True
    blind = {other for other, share in shares.items() if share < run.policy.gate.comparable_share}
    facts = {"left_out": left_out, "accepted": min(shares.values())}
    return {name: values[rows] for name, values in holdout.items()}, facts, blind


def _ids(run: "Run", done: "Done", hashes: np.ndarray) -> np.ndarray:
    """The ids behind these row hashes."""
    ids = from_parquet((done["validate"].folder / "table.parquet").read_bytes())[
        run.contract.id.key
    ]
    known = row_hashes(run.policy.split.salt, ids)
    order = np.argsort(known)
    return np.asarray(ids[order][np.searchsorted(known[order], hashes)])


def _overlap(run: "Run", train: Columns, holdout: Columns) -> dict[str, int]:
    """Rows of the holdout that were trained on, and rows that equal a training row in every
    feature.
    """
    seen, asked = (np.ascontiguousarray(encode(run.contract, rows)) for rows in (train, holdout))
    kind = np.dtype((np.void, seen.dtype.itemsize * seen.shape[1]))
    return {
        "trained_on": int(np.isin(holdout["row_hash"], train["row_hash"]).sum()),
        "duplicates": int(np.isin(asked.view(kind).ravel(), seen.view(kind).ravel()).sum()),
    }


def _metrics(
    run: "Run", done: "Done", table: Columns, threshold: float, groups: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """metrics.json, schema 1."""
    trained = json.loads(
        (done["train"].folder / "model" / "metrics.json").read_text(encoding="utf-8")
    )
    tuning = json.loads((done["tune"].folder / "tuning.json").read_text(encoding="utf-8"))
    labels, scores = table["label"], table["candidate"]
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
