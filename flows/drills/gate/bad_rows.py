"""Faults of the rows: leaked, repeated, too few, or with the answer among the features."""

from collections.abc import Iterator

import numpy as np

from flows.drills.gate.baseline import Columns, Ground
from flows.drills.gate.candidates import REJECT
from flows.drills.gate.case import Case, Made, Stage
from flows.drills.gate.fault import Fault, NotHere
from sluice.model.operating_point import choose_threshold
from sluice.model.statistics import roc_auc
from sluice.served.encoding import encode


def rows() -> Iterator[Fault]:
    """All of them."""
    yield Fault(
        "train rows leaked into the holdout",
        "no_training_rows",
        REJECT,
        lambda ground: _with(_leaked(ground, 0.5)),
        _leaks,
    )
    yield Fault(
        "a few train rows leaked into the holdout",
        "no_training_rows",
        REJECT,
        lambda ground: _with(_leaked(ground, _few(ground))),
        _leaks,
    )
    yield Fault(
        "rows twice under another id",
        "no_duplicates",
        REJECT,
        lambda ground: _with(_doubled(ground)),
        _doubles,
    )
    yield Fault(
        "target copied into a feature", "no_leak", REJECT, lambda ground: _told(ground, 0.0), _tells
    )
    yield Fault(
        "target in a feature, one in eight wrong",
        "no_leak",
        REJECT,
        lambda ground: _told(ground, 0.125),
        _tells,
    )
    yield Fault(
        "too few rows", "labelled", ("INSUFFICIENT",), lambda ground: _with(_rare(ground)), _is_rare
    )


def taken(columns: Columns, which: np.ndarray) -> Columns:
    """These rows."""
    return {name: values[which] for name, values in columns.items()}


def _with(holdout: Columns) -> Case:
    return Case(rows={"holdout": holdout})


def _appended(columns: Columns, more: Columns) -> Columns:
    return {name: np.concatenate([values, more[name]]) for name, values in columns.items()}


def _few(ground: Ground) -> float:
    """So few that they do not show as repeated rows."""
    return ground.run.policy.gate.duplicate_ceiling / 4


def _leaked(ground: Ground, share: float) -> Columns:
    count = max(1, int(share * len(ground.labels["holdout"])))
    return _appended(ground.rows["holdout"], taken(ground.rows["train"], np.arange(count)))


def _doubled(ground: Ground) -> Columns:
    """More of them than the policy allows, each with an id of its own."""
    share = min(0.9, 3 * ground.run.policy.gate.duplicate_ceiling)
    more = taken(
        ground.rows["train"], np.arange(int(share / (1 - share) * len(ground.labels["holdout"])))
    )
    return _appended(ground.rows["holdout"], {**more, "row_hash": ~more["row_hash"]})


def _told(ground: Ground, wrong: float) -> Case:
    """A column of the contract that says who left, in all rows; the model is trained on it."""
    contract = ground.run.contract
    column = next((column for column in contract.features if not column.numeric), None)
    if column is None:
        raise NotHere
    random = np.random.default_rng(1)
    parts = {}
    for part, columns in ground.rows.items():
        labels = ground.labels[part]
        said = np.where(random.random(len(labels)) < wrong, 1 - labels, labels)
        parts[part] = {
            **columns,
            column.key: np.array([column.values[0], column.values[-1]], dtype=object)[said],
        }
    model = ground.fitted(encode(contract, parts["train"]), ground.labels["train"])
    scores = ground.score(model, matrix=encode(contract, parts["validation"]))
    gate = ground.run.policy.gate
    threshold = choose_threshold(ground.labels["validation"], scores, gate.precision_floor + 0.01)
    return Case(Made(model, threshold), rows=parts)


def _rare(ground: Ground) -> Columns:
    """All who stayed, and one who left."""
    labels = ground.labels["holdout"]
    return taken(
        ground.rows["holdout"],
        np.sort(np.append(np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[0])),
    )


def _leaks(ground: Ground, stage: Stage) -> bool:
    return bool(np.isin(stage.table["row_hash"], ground.rows["train"]["row_hash"]).any())


def _doubles(ground: Ground, stage: Stage) -> bool:
    facts = stage.read("score", "case")["facts"]
    share = facts["duplicates"] / len(stage.table["label"])
    return share > ground.run.policy.gate.duplicate_ceiling and facts["trained_on"] == 0


def _tells(ground: Ground, stage: Stage) -> bool:
    table = stage.table
    return roc_auc(table["label"], table["alone"]) > ground.run.policy.gate.one_column_ceiling


def _is_rare(_: Ground, stage: Stage) -> bool:
    return int(stage.table["label"].sum()) < 2
