"""Candidates of several classes that are bad by themselves: with no champion, one rule alone has to
see the fault.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from flows.drills.gate.bad_rows import repeated, taken, with_holdout
from flows.drills.gate.baseline import Ground
from flows.drills.gate.candidates import one_column, promised, used_up
from flows.drills.gate.case import (
    Document,
    MadeCase,
    MadeModel,
    edit_json,
    scores_of,
    without_some,
)
from flows.drills.gate.fault import REJECT, STOPPED, Fault, Look, NotHere
from flows.drills.gate.mutants import bent, mixed
from flows.drills.gate.parts import Columns
from flows.engine.phases import Decision
from flows.facts.step_files import METRICS
from sluice.class_policy import ClassFloor
from sluice.model.classes.ranking import ranked
from sluice.served.classes import chosen
from sluice.served.encoding import encode

# Limits that are no hurdle: some faults hide behind a rule that is broken along with theirs.
LOW = {"recall_floor": 0.02, "calibration_ceiling": 0.9}
NO_FLOORS: dict[str, tuple[ClassFloor, ...]] = {"floors": ()}
_PERMUTED = 0.75  # of the rows that a weak model has learnt from, the share with another's class


def candidates() -> Iterator[Fault]:
    """All candidates that are bad by themselves, and faults of the rows."""
    yield from repeated()
    yield from _rows_at_fault()
    yield from _answers_at_fault()
    yield from _records_at_fault()


def _rows_at_fault() -> Iterator[Fault]:
    yield Fault("target copied into a feature", "no_leak", REJECT, _target_copied, _tells)
    yield Fault(
        "target in a feature, one in four wrong", "no_leak", REJECT, _target_nearly_copied, _tells
    )
    yield Fault("no row of a class", "labelled", ("INSUFFICIENT",), _rare, _is_rare)


def _answers_at_fault() -> Iterator[Fault]:
    yield Fault("every row alike", "signal", REJECT, _constant, _alike)
    chance = _recall(lambda recall, even: recall < 1.3 * even)
    yield Fault("trained on permuted classes", "signal", REJECT, _permuted, chance)
    yield Fault("trained on the next class", "signal", REJECT, _inverted, chance)
    yield Fault("every row alike, beside columns that mislead", "signal", REJECT, _misled, _alike)
    missing = _of_candidate(lambda scores: 0 < np.isnan(scores).any(axis=1).mean() < 1)
    yield Fault("no number for some rows", "finite", REJECT, _not_a_number, missing)
    beyond = _of_candidate(lambda scores: bool((scores.sum(axis=1) > 1.01).any()))
    yield Fault("probabilities that sum to more than one", "finite", REJECT, _too_much, beyond)
    yield Fault(
        "one column and no more, under low floors",
        "more_than_one_column",
        STOPPED,
        _one_column,
        _weaker,
    )
    yield Fault(
        "finds too few on the average of the classes", "recall_floor", REJECT, _weak, _weaker
    )
    yield Fault(
        "one class below the floor that the policy gives it",
        "class_floors",
        REJECT,
        _below_a_floor,
        _is_alone,
    )
    yield Fault("probabilities drawn to even", "calibration", REJECT, _drawn, _same_answers)


def _records_at_fault() -> Iterator[Fault]:
    yield from promised("roc_auc", "roc_auc", _far, _validated)
    yield used_up()
    yield Fault("metrics.json edited by hand", "metrics_match", REJECT, _edited, _recall_claimed)


def probabilities(decision: Decision, model: str = "candidate") -> np.ndarray:
    """The probabilities of a model on the rows that were judged, shape (rows, classes)."""
    table = scores_of(decision)
    classes = len(decision.request.contract.target.classes)
    return np.column_stack([table[f"{model} {place}"] for place in range(classes)])


def mean_recall_of(ground: Ground, labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean recall over the classes that these rows have."""
    right = chosen(scores, ground.weights) == labels
    return float(np.mean([right[labels == place].mean() for place in np.unique(labels)]))


def recall_on_holdout(ground: Ground, decision: Decision, model: str = "candidate") -> float:
    """The mean recall of a model on the rows that were judged."""
    return mean_recall_of(ground, scores_of(decision)["label"], probabilities(decision, model))


def weak(ground: Ground) -> MadeModel:
    """A model of rows of which most have the class of another row."""
    random, labels = np.random.default_rng(1), ground.labels.train.copy()
    which = np.flatnonzero(random.random(len(labels)) < _PERMUTED)
    labels[which] = labels[random.permutation(which)]
    return MadeModel(ground.fitted(ground.matrices.train, labels))


def _classes(ground: Ground) -> int:
    return len(ground.request.contract.target.classes)


def _target_copied(ground: Ground) -> MadeCase:
    return _leaking(ground, wrong=0.0)


def _target_nearly_copied(ground: Ground) -> MadeCase:
    return _leaking(ground, wrong=0.25)


def _leaking(ground: Ground, wrong: float) -> MadeCase:
    """A column of the contract that tells the class, in all rows; the model is trained on it.

    `wrong` is the share of the rows in which it tells another class.
    """
    contract, classes = ground.request.contract, _classes(ground)
    columns = [column for column in contract.features if len(column.values) >= classes]
    if not columns:
        raise NotHere("no column has as many values as there are classes")
    column = columns[0]
    values = np.array(column.values[:classes], dtype=object)
    random = np.random.default_rng(1)

    def leaking(rows: Columns) -> Columns:
        labels = rows[contract.target.column]
        told = np.where(random.random(len(labels)) < wrong, (labels + 1) % classes, labels)
        return {**rows, column.key: values[told]}

    parts = ground.rows.each(leaking)
    model = ground.fitted(encode(contract, parts.train), ground.labels.train)
    limits = {**LOW, "one_column_ceiling": 0.7}
    return MadeCase(MadeModel(model), rows=parts, limits=limits, own=NO_FLOORS)


def _tells(_: Ground, decision: Decision) -> bool:
    area = ranked(scores_of(decision)["label"], probabilities(decision, "alone"))[1]
    return bool(area > decision.request.policy.gate.one_column_ceiling)


def _rare(ground: Ground) -> MadeCase:
    """All rows of the holdout but those of the rarest class."""
    labels = ground.labels.holdout
    rarest = int(np.bincount(labels, minlength=_classes(ground)).argmin())
    return with_holdout(ground, taken(ground.rows.holdout, labels != rarest))


def _is_rare(ground: Ground, decision: Decision) -> bool:
    counts = np.bincount(scores_of(decision)["label"], minlength=_classes(ground))
    return int(counts.min()) == 0


def _constant(ground: Ground) -> MadeCase:
    """Every row has the shares of the classes among the training rows."""
    shares = np.bincount(ground.labels.train, minlength=_classes(ground)) / len(ground.labels.train)
    return MadeCase(MadeModel(mixed(ground.model, shares, 1.0)), limits=LOW, own=NO_FLOORS)


def _misled(ground: Ground) -> MadeCase:
    """In the holdout each row has the class after its own, so that the best column is wrong more
    often than whoever answers without looking.
    """
    target = ground.request.contract.target.column
    labels = (ground.labels.holdout + 1) % _classes(ground)
    moved = with_holdout(ground, {**ground.rows.holdout, target: labels})
    alike = _constant(ground)
    return replace(moved, candidate=alike.candidate, limits=alike.limits, own=NO_FLOORS)


def _alike(_: Ground, decision: Decision) -> bool:
    return bool(np.ptp(probabilities(decision), axis=0).max() < 1e-6)


def _permuted(ground: Ground) -> MadeCase:
    labels = np.random.default_rng(1).permutation(ground.labels.train)
    model = ground.fitted(ground.matrices.train, labels)
    return MadeCase(MadeModel(model), limits=LOW, own=NO_FLOORS)


def _inverted(ground: Ground) -> MadeCase:
    labels = (ground.labels.train + 1) % _classes(ground)
    model = ground.fitted(ground.matrices.train, labels)
    return MadeCase(MadeModel(model), limits=LOW, own=NO_FLOORS)


def _not_a_number(_: Ground) -> MadeCase:
    """Among the scores: a model that gives none is refused with its golden records."""
    return MadeCase(written=without_some("candidate"))


def _too_much(ground: Ground) -> MadeCase:
    """The order of the classes stays as it is in each row."""
    model = bent(ground.model, [(0.0, 0.05), (1.0, 1.0)])
    return MadeCase(MadeModel(model), limits=LOW, own=NO_FLOORS)


def _one_column(ground: Ground) -> MadeCase:
    return MadeCase(MadeModel(one_column(ground)), limits=LOW, own=NO_FLOORS)


def _weak(ground: Ground) -> MadeCase:
    floor = 0.95 * mean_recall_of(ground, ground.labels.holdout, ground.holdout_scores)
    return MadeCase(weak(ground), limits={**LOW, "recall_floor": floor}, own=NO_FLOORS)


def _below_a_floor(ground: Ground) -> MadeCase:
    """The policy wants of the class that is found least what the model does not give."""
    labels = ground.labels.holdout
    right = chosen(ground.holdout_scores, ground.weights) == labels
    recalls = [float(right[labels == place].mean()) for place in range(_classes(ground))]
    name = ground.request.contract.target.classes[int(np.argmin(recalls))]
    return MadeCase(limits=LOW, own={"floors": (ClassFloor(name, 0.999),)})


def _is_alone(_: Ground, decision: Decision) -> bool:
    return decision.case.champion is None


def drawn(ground: Ground, by: float) -> MadeModel:
    """The real model with a part of each probability that says nothing; with the weights of the
    classes, every row is answered with the class that it was.
    """
    even = 1.0 / np.asarray(ground.weights)
    return MadeModel(mixed(ground.model, even / even.sum(), by))


def _drawn(ground: Ground) -> MadeCase:
    limits = {"recall_floor": LOW["recall_floor"], "calibration_ceiling": 0.02}
    return MadeCase(drawn(ground, 0.5), limits=limits, own=NO_FLOORS)


def _same_answers(ground: Ground, decision: Decision) -> bool:
    mine = chosen(probabilities(decision), ground.weights)
    real = chosen(ground.holdout_scores, ground.weights)
    return bool((mine == real).mean() > 0.99)


def _edited(_: Ground) -> MadeCase:
    def claim(metrics: Document) -> None:
        metrics["holdout"]["recall"] = 0.99

    return MadeCase(written=lambda folder: edit_json(folder / METRICS, claim))


def _of_candidate(test: Callable[[np.ndarray], bool]) -> Look:
    return lambda _, decision: bool(test(probabilities(decision)))


def _recall(test: Callable[[float, float], bool]) -> Look:
    """Of the mean recall of the candidate, and of whoever answers without looking."""
    return lambda ground, decision: test(
        recall_on_holdout(ground, decision), 1.0 / _classes(ground)
    )


def _weaker(ground: Ground, decision: Decision) -> bool:
    real = mean_recall_of(ground, ground.labels.holdout, ground.holdout_scores)
    return recall_on_holdout(ground, decision) < real


def _area(decision: Decision) -> float:
    return float(ranked(scores_of(decision)["label"], probabilities(decision))[1])


def _far(ground: Ground, decision: Decision) -> bool:
    claimed = decision.class_metrics.cross_validation.roc_auc.mean
    return abs(claimed - _area(decision)) > ground.request.policy.gate.stability_ceiling


def _validated(ground: Ground, decision: Decision) -> bool:
    claimed = decision.class_metrics.validation.roc_auc
    return abs(claimed - _area(decision)) > ground.request.policy.gate.stability_ceiling


def _recall_claimed(ground: Ground, decision: Decision) -> bool:
    claimed = decision.class_metrics.holdout.recall
    return abs(recall_on_holdout(ground, decision) - claimed) > 1e-6
