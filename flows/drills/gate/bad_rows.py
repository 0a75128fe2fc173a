"""Faults of the rows: leaked, repeated, too few, or with the answer among the features."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase, MadeModel, case_facts, scores_of
from flows.drills.gate.fault import REJECT, Fault, NotHere
from flows.drills.gate.parts import Columns
from flows.engine.phases import Decision
from sluice.model.quality.operating_point import choose_threshold, required_precision
from sluice.model.quality.statistics import roc_auc
from sluice.served.encoding import encode

_MOST = 0.1  # of the holdout that repeats, so that three times as much is not all of it


def rows() -> Iterator[Fault]:
    """All faults of the rows."""
    yield from repeated()
    yield Fault("labels that are neither 0 nor 1", "binary", REJECT, _of_three, _has_three)
    yield Fault("target copied into a feature", "no_leak", REJECT, _target_copied, _tells)
    yield Fault(
        "target in a feature, one in eight wrong", "no_leak", REJECT, _target_nearly_copied, _tells
    )
    yield Fault("too few rows", "labelled", ("INSUFFICIENT",), _rare, _is_rare)


def repeated() -> Iterator[Fault]:
    """Rows of the holdout that the model has learnt from: so for every kind of target."""
    yield Fault(
        "train rows leaked into the holdout", "no_duplicates", REJECT, _half_leaked, _is_leaked
    )
    yield Fault("rows twice under another id", "no_duplicates", REJECT, _doubled, _is_doubled)
    yield Fault(
        "rows twice under another id, one value changed",
        "no_near_duplicates",
        REJECT,
        _nearly_doubled,
        _is_nearly_doubled,
    )


def taken(columns: Columns, which: np.ndarray) -> Columns:
    """These rows: by place, or by a mask of shape (rows,)."""
    return {name: values[which] for name, values in columns.items()}


def _appended(columns: Columns, more: Columns) -> Columns:
    return {name: np.concatenate([values, more[name]]) for name, values in columns.items()}


def with_holdout(ground: Ground, holdout: Columns) -> MadeCase:
    return MadeCase(rows=replace(ground.rows, holdout=holdout))


def _half_leaked(ground: Ground) -> MadeCase:
    """As many training rows as are half of the holdout."""
    count = min(max(1, len(ground.labels.holdout) // 2), len(ground.labels.train))
    more = taken(ground.rows.train, np.arange(count))
    return _with_equals(ground, more)


def _with_more(ground: Ground, more: Columns) -> MadeCase:
    """The holdout with these rows too, under ceilings that as many of them exceed."""
    made = with_holdout(ground, _appended(ground.rows.holdout, more))
    return replace(made, limits=_ceilings(ground))


def _with_equals(ground: Ground, more: Columns) -> MadeCase:
    """The same; in a table of few columns, rows that repeat are nearly equal to others too."""
    made = _with_more(ground, more)
    return replace(made, limits={**made.limits, "near_duplicate_ceiling": 0.999})


def _ceilings(ground: Ground) -> dict[str, float]:
    gate = ground.request.policy.gate
    return {
        "duplicate_ceiling": min(gate.duplicate_ceiling, _MOST),
        "near_duplicate_ceiling": min(gate.near_duplicate_ceiling, _MOST),
    }


def _repeats(ground: Ground, ceiling: str) -> Columns:
    """Training rows under other ids, three times as many as this ceiling allows."""
    share = 3 * _ceilings(ground)[ceiling]
    count = int(share / (1 - share) * len(ground.labels.holdout)) + 1
    more = taken(ground.rows.train, np.arange(min(count, len(ground.labels.train))))
    more["row_hash"] = ~more["row_hash"]
    return more


def _doubled(ground: Ground) -> MadeCase:
    """More repeated rows than may be, each with an id of its own."""
    return _with_equals(ground, _repeats(ground, "duplicate_ceiling"))


def _nearly_doubled(ground: Ground) -> MadeCase:
    """The same, and one whole number of each is one more or less than it was."""
    contract = ground.request.contract
    whole = [c for c in contract.features if c.kind == "integer" and c.missing == "refuse"]
    if not whole:
        raise NotHere("no column of whole numbers is required")
    more = _repeats(ground, "near_duplicate_ceiling")
    values = more[whole[-1].key]
    middle = (values.min() + values.max()) / 2
    more[whole[-1].key] = np.where(values < middle, values + 1, values - 1).astype(values.dtype)
    return _with_more(ground, more)


def _of_three(ground: Ground) -> MadeCase:
    """One row in a hundred has a label of 2."""
    target = ground.request.contract.target.column
    labels = ground.rows.holdout[target].copy()
    labels[np.flatnonzero(labels == 1)[::50]] = 2
    return with_holdout(ground, {**ground.rows.holdout, target: labels})


def _target_copied(ground: Ground) -> MadeCase:
    return _leaking_target(ground, wrong=0.0)


def _target_nearly_copied(ground: Ground) -> MadeCase:
    return _leaking_target(ground, wrong=0.125)


def _leaking_target(ground: Ground, wrong: float) -> MadeCase:
    """A column of the contract that tells the label, in all rows; the model is trained on it.

    `wrong` is the share of the rows in which it tells the other label.
    """
    contract = ground.request.contract
    column = next((column for column in contract.features if not column.numeric), None)
    if column is None:
        raise NotHere("every column is a number")
    values = np.array([column.values[0], column.values[-1]], dtype=object)
    random = np.random.default_rng(1)

    def leaking(columns: Columns) -> Columns:
        labels = columns[contract.target.column]
        told = np.where(random.random(len(labels)) < wrong, 1 - labels, labels)
        return {**columns, column.key: values[told]}

    parts = ground.rows.each(leaking)
    model = ground.fitted(encode(contract, parts.train), ground.labels.train)
    scores = ground.score_features(model, encode(contract, parts.validation))
    labels = ground.labels.validation
    floor = required_precision(ground.request.policy.gate, float(labels.mean())) + 0.01
    threshold = choose_threshold(labels, scores, floor)
    return MadeCase(MadeModel(model, threshold), rows=parts)


def _rare(ground: Ground) -> MadeCase:
    """All negatives of the holdout, and one positive."""
    labels = ground.labels.holdout
    which = np.append(np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[0])
    return with_holdout(ground, taken(ground.rows.holdout, np.sort(which)))


def _is_leaked(ground: Ground, decision: Decision) -> bool:
    judged = scores_of(decision)["row_hash"]
    return bool(np.isin(judged, ground.rows.train["row_hash"]).any())


def _is_doubled(_: Ground, decision: Decision) -> bool:
    facts = case_facts(decision)
    share = facts.duplicates / decision.scored.facts.rows
    return bool(share > decision.request.policy.gate.duplicate_ceiling)


def _is_nearly_doubled(_: Ground, decision: Decision) -> bool:
    facts = case_facts(decision)
    share = facts.near_duplicates / decision.scored.facts.rows
    gate = decision.request.policy.gate
    few = facts.duplicates <= gate.duplicate_ceiling * decision.scored.facts.rows
    return bool(few and share > gate.near_duplicate_ceiling)


def _has_three(_: Ground, decision: Decision) -> bool:
    return bool((scores_of(decision)["label"] == 2).any())


def _tells(ground: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    area = roc_auc(table["label"], table["alone"])
    return area > ground.request.policy.gate.one_column_ceiling


def _is_rare(_: Ground, decision: Decision) -> bool:
    return int(scores_of(decision)["label"].sum()) < 2
