"""Score the holdout with the candidate, and with champion and anchor on the same rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.engine.step import Step
from flows.facts.scored import Scored
from sluice.model import one_column
from sluice.model.metrics import by_segment, confusion, cross_validation, intervals, measure
from sluice.model.model_artifact import check_golden, segment_groups
from sluice.model.split import row_hashes, unseen
from sluice.model.table import from_parquet, to_parquet
from sluice.policy import load_policy
from sluice.served.contract import Contract
from sluice.served.encoding import accepted, encode
from sluice.served.scoring import Model, load_model

if TYPE_CHECKING:
    from flows.engine.phases import Case

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Comparable:
    """The rows on which all models can be compared, and what was left out for that.

    `left_out` counts rows that a compared model has seen, `accepted` is the smallest share of the
    rows that a contract takes, `blind` names the models that take too few to be compared.
    """

    rows: Columns
    left_out: int
    accepted: float
    blind: frozenset[str]


def _inputs(case: "Case") -> dict[str, str]:
    split = case.candidate.split
    others = {
        "champion": case.champion.model if case.champion else "none",
        "anchor": case.anchor.model if case.anchor else "none",
    }
    return {
        "holdout": split.hash("holdout.parquet"),
        "train": split.hash("train.parquet"),
        "candidate": case.candidate.trained.facts.model,
        **others,
    }


def _work(folder: Path, case: "Case") -> Scored:
    """Write scores.parquet (it never leaves this machine), metrics.json and case.json."""
    contract, split = case.request.contract, case.candidate.split
    train = from_parquet(split.read("train.parquet"))
    others = {name: _load(_folder(case, name)) for name in case.opponents}
    compared = _comparable(case, from_parquet(split.read("holdout.parquet")), others)
    holdout = compared.rows
    model = _load(case.candidate.trained.folder / "model")
    target = contract.target.column
    column, alone = one_column.best(contract, train, train[target], holdout)
    groups = segment_groups(contract, holdout)
    table = {
        "row_hash": holdout["row_hash"],
        "label": holdout[target],
        "candidate": model.score(holdout),
        "alone": alone,
    }
    document: dict[str, Any] = {
        "candidate": {"threshold": model.threshold},
        "one_column": column,
        "facts": {
            "left_out": compared.left_out,
            "accepted": compared.accepted,
            **_overlap(contract, train, holdout),
        },
    }
    for name, other in others.items():
        blind = name in compared.blind
        table[name] = np.full(len(alone), np.nan) if blind else other.score(holdout)
        document[name] = {"tag": case.opponents[name].tag, "threshold": other.threshold}
    for name, values in groups.items():
        table[f"segment {name}"] = values
    metrics = _metrics(case, table, model.threshold, groups)
    (folder / "scores.parquet").write_bytes(to_parquet(table))
    _write(folder / "case.json", document)
    _write(folder / "metrics.json", metrics)
    measured = metrics["holdout"]
    return Scored(len(alone), measured["recall"], measured["precision"])


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")


def _folder(case: "Case", name: str) -> Path:
    return case.request.model_of(case.opponents[name].model)


def _load(folder: Path) -> Model:
    """A model whose golden records still have their scores. Raises SluiceError."""
    check_golden(folder)
    return load_model(folder)


def _comparable(case: "Case", holdout: Columns, others: Mapping[str, Model]) -> _Comparable:
    """The rows that no compared model has seen and that every contract takes.

    A model whose contract takes too few of the rows narrows nothing down: it cannot be compared.
    """
    required = case.request.policy.gate.comparable_share
    rows = np.ones(len(holdout["row_hash"]), dtype=bool)
    left_out = 0
    shares = {"": 1.0}
    for name, model in others.items():
        text = (_folder(case, name) / "policy.toml").read_text(encoding="utf-8")
        policy = load_policy(text, f"the {name}'s policy")
        if policy.split != case.request.policy.split:
            fresh = unseen(policy.split, _ids(case, holdout["row_hash"]))
            left_out = max(left_out, int((~fresh).sum()))
            rows &= fresh
        taken = accepted(model.contract, holdout)
        shares[name] = float(taken.mean())
        if shares[name] >= required:
            rows &= taken
    return _Comparable(
        {name: values[rows] for name, values in holdout.items()},
        left_out,
        min(shares.values()),
        frozenset(name for name, share in shares.items() if share < required),
    )


def _ids(case: "Case", hashes: np.ndarray) -> np.ndarray:
    """The ids behind these row hashes, in their order."""
    request = case.request
    table = from_parquet(case.candidate.validated.read("table.parquet"))
    ids = table[request.contract.id.key]
    known = row_hashes(request.policy.split.salt, ids)
    order = np.argsort(known)
    return np.asarray(ids[order][np.searchsorted(known[order], hashes)])


def _overlap(contract: Contract, train: Columns, holdout: Columns) -> dict[str, int]:
    """Count holdout rows that were trained on, and those that equal a training row throughout."""
    seen = np.ascontiguousarray(encode(contract, train))
    asked = np.ascontiguousarray(encode(contract, holdout))
    kind = np.dtype((np.void, seen.dtype.itemsize * seen.shape[1]))
    return {
        "trained_on": int(np.isin(holdout["row_hash"], train["row_hash"]).sum()),
        "duplicates": int(np.isin(asked.view(kind).ravel(), seen.view(kind).ravel()).sum()),
    }


def _metrics(
    case: "Case", table: Columns, threshold: float, groups: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """metrics.json, schema 1."""
    trained = case.candidate.trained.document("model/metrics.json")
    tuning = case.candidate.tuned.document("tuning.json")
    labels, scores = table["label"], table["candidate"]
    return {
        "schema": 1,
        "model": case.request.model,
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


SCORE = Step(
    "score",
    "Score holdout",
    Scored,
    ("scores.parquet", "metrics.json", "case.json"),
    _inputs,
    _work,
)
