"""Candidates that answer with a number and are bad by themselves: with no champion, one rule alone
has to see the fault.
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
from flows.drills.gate.mutants import bent
from flows.drills.gate.parts import Columns
from flows.engine.phases import Decision
from flows.facts.step_files import METRICS
from sluice.model.number.one_column import best
from sluice.model.number.skill import skill_of
from sluice.served.contract import Column
from sluice.served.encoding import encode
from sluice.served.quantity import Quantity

# Limits that are no hurdle: some faults hide behind a rule that is broken along with theirs.
LOW = {"skill_floor": 0.001, "mae_ceiling": 0.0, "bias_ceiling": 0.99}
# Of how far answers lie from their mean, where they say little: the first with which they still say
# more than the best column.
_KEPT = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_NEARLY = 0.8
_ASIDE = 0.2  # of the error of the median, by which answers are off to one side


def candidates() -> Iterator[Fault]:
    """All candidates that are bad by themselves, and faults of the rows."""
    yield from repeated()
    yield from _rows_at_fault()
    yield from _answers_at_fault()
    yield from _records_at_fault()


def _rows_at_fault() -> Iterator[Fault]:
    yield Fault("outcomes beyond the range", "binary", REJECT, _beyond, _is_beyond)
    yield Fault("target copied into a feature", "no_leak", REJECT, _target_copied, _tells)
    yield Fault("too few rows", "labelled", ("INSUFFICIENT",), _few, _is_few)
    yield Fault("every outcome the same", "differing", ("INSUFFICIENT",), _alike, _is_alike)


def _answers_at_fault() -> Iterator[Fault]:
    constant = _answers(lambda answers: np.ptp(answers) < 1e-3)
    yield Fault("every answer the same", "signal", REJECT, _constant, constant)
    no_better = _skill(lambda skill: skill < 0.05)
    yield Fault("trained on permuted outcomes", "signal", REJECT, _permuted, no_better)
    yield Fault("trained on outcomes turned around", "signal", REJECT, _inverted, no_better)
    yield Fault(
        "every answer the same, beside columns that mislead",
        "signal",
        REJECT,
        _misled,
        constant,
    )
    yield Fault("answers beyond the range", "finite", REJECT, _above, _is_above)
    missing = _answers(lambda answers: 0 < np.isnan(answers).mean() < 1)
    yield Fault("no number for some rows", "finite", REJECT, _not_a_number, missing)
    yield Fault(
        "one column and no more, under low floors",
        "more_than_one_column",
        STOPPED,
        _one_column,
        _weaker,
    )
    yield Fault(
        "answers that say little, under a floor of skill",
        "skill_floor",
        REJECT,
        _drawn_under_a_floor,
        _weaker,
    )
    yield Fault(
        "answers that say little, under a ceiling of the error",
        "mae_ceiling",
        REJECT,
        _drawn_under_a_ceiling,
        _weaker,
    )
    yield Fault("answers off to one side", "bias", REJECT, _aside, _is_aside)


def _records_at_fault() -> Iterator[Fault]:
    yield from promised("folds", "skill", _far, _validated)
    yield used_up()
    yield Fault("metrics.json edited by hand", "metrics_match", REJECT, _edited, _error_claimed)


def quantity_of(ground: Ground) -> Quantity:
    """The number that is predicted. Raises NotHere where the target is none."""
    quantity = ground.request.contract.target.quantity
    if quantity is None:
        raise NotHere("the target is no number")
    return quantity


def middle_of(ground: Ground) -> float:
    """The median of the training rows."""
    return float(np.median(ground.labels.train))


def drawn(ground: Ground) -> MadeModel:
    """The real model with answers drawn towards their mean: as right on the average, and further
    off. Raises NotHere where it would then say no more than a single column.
    """
    contract = ground.request.contract
    answers, labels, middle = ground.holdout_scores, ground.labels.holdout, middle_of(ground)
    _, alone = best(contract, ground.rows.train, ground.labels.train, ground.rows.holdout)
    skills = skill_of(labels, alone, middle), skill_of(labels, answers, middle)
    for kept in _KEPT:
        nearer = answers.mean() + kept * (answers - answers.mean())
        if skill_of(labels, nearer, middle) > sum(skills) / 2:
            return MadeModel(_drawn_in(ground, ground.model, kept))
    raise NotHere("the real model says little more than its best column")


def _drawn_in(ground: Ground, model: bytes, kept: float) -> bytes:
    mean = float(quantity_of(ground).shares(ground.score(model)).mean())
    return bent(model, [(end, mean + kept * (end - mean)) for end in (0.0, 1.0)])


def _beyond(ground: Ground) -> MadeCase:
    """One row in a hundred has an outcome that nobody can have."""
    target, high = ground.request.contract.target.column, quantity_of(ground).high
    labels = ground.rows.holdout[target].copy()
    labels[::100] = 2 * abs(high) + 1
    return with_holdout(ground, {**ground.rows.holdout, target: labels})


def _is_beyond(ground: Ground, decision: Decision) -> bool:
    return bool((scores_of(decision)["label"] > quantity_of(ground).high).any())


def _target_copied(ground: Ground) -> MadeCase:
    """A column of the contract that tells the outcome, in all rows; the model is trained on it."""
    contract, quantity = ground.request.contract, quantity_of(ground)
    column = _numeric(ground)
    low, high = float(column.minimum or 0.0), float(column.maximum or 0.0)

    def leaking(columns: Columns) -> Columns:
        shares = quantity.shares(columns[contract.target.column])
        shown = low + (high - low) * shares
        if column.kind == "integer":
            shown = np.round(shown)
        values = shown.astype(columns[column.key].dtype)
        return {**columns, column.key: values}

    parts = ground.rows.each(leaking)
    model = ground.fitted(encode(contract, parts.train), ground.labels.train)
    return MadeCase(MadeModel(model), rows=parts, limits={"one_column_ceiling": 0.6}, own=LOW)


def _numeric(ground: Ground) -> Column:
    """The feature of numbers with the most values. Raises NotHere where none has a range."""
    columns = [
        column
        for column in ground.request.contract.features
        if column.kind in ("number", "integer")
        and column.minimum is not None
        and column.maximum is not None
        and column.missing == "refuse"
    ]
    if not columns:
        raise NotHere("no column of numbers with a range is required")
    return max(columns, key=lambda column: len(np.unique(ground.rows.train[column.key])))


def _tells(ground: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    skill = skill_of(table["label"], table["alone"], middle_of(ground))
    return skill > decision.request.policy.gate.one_column_ceiling


def _few(ground: Ground) -> MadeCase:
    """One row less than the policy requires."""
    count = ground.request.policy.gate.least_positives - 1
    if count < 1:
        raise NotHere("the policy requires no number of rows")
    return with_holdout(ground, taken(ground.rows.holdout, np.arange(count)))


def _is_few(ground: Ground, decision: Decision) -> bool:
    return decision.scored.facts.rows < ground.request.policy.gate.least_positives


def _alike(ground: Ground) -> MadeCase:
    """All rows of the holdout have the outcome that is the median of the training rows."""
    target = ground.request.contract.target.column
    labels = np.full_like(ground.rows.holdout[target], middle_of(ground))
    return with_holdout(ground, {**ground.rows.holdout, target: labels})


def _is_alike(_: Ground, decision: Decision) -> bool:
    return len(np.unique(scores_of(decision)["label"])) == 1


def _constant(ground: Ground) -> MadeCase:
    share = float(quantity_of(ground).shares(np.array(middle_of(ground))))
    return MadeCase(MadeModel(bent(ground.model, [(0.0, share), (1.0, share)])), own=LOW)


def _misled(ground: Ground) -> MadeCase:
    """In the holdout each row has the outcome of another one, so that the best column is further
    off than whoever answers without looking.
    """
    target = ground.request.contract.target.column
    labels = np.random.default_rng(1).permutation(ground.labels.holdout)
    moved = with_holdout(ground, {**ground.rows.holdout, target: labels})
    no_floor = {**LOW, "skill_floor": 0.0}
    return replace(moved, candidate=_constant(ground).candidate, own=no_floor)


def _above(ground: Ground) -> MadeCase:
    """The highest answers alone: everything else is in order."""
    most = float(quantity_of(ground).shares(ground.holdout_scores).max())
    curve = [(0.0, 0.0), (most - 2e-4, most - 2e-4), (most - 1e-4, 1.1), (1.0, 1.1)]
    return MadeCase(MadeModel(bent(ground.model, curve)), own=LOW)


def _is_above(ground: Ground, decision: Decision) -> bool:
    return bool((scores_of(decision)["candidate"] > quantity_of(ground).high).any())


def _permuted(ground: Ground) -> MadeCase:
    labels = np.random.default_rng(1).permutation(ground.labels.train)
    return MadeCase(MadeModel(ground.fitted(ground.matrices.train, labels)), own=LOW)


def _inverted(ground: Ground) -> MadeCase:
    """Who has the most is taught to have the least."""
    order = np.argsort(ground.labels.train, kind="stable")
    labels = np.empty_like(ground.labels.train)
    labels[order] = np.sort(ground.labels.train)[::-1]
    return MadeCase(MadeModel(ground.fitted(ground.matrices.train, labels)), own=LOW)


def _not_a_number(_: Ground) -> MadeCase:
    """Among the scores: a model that gives none is refused with its golden records."""
    return MadeCase(written=without_some("candidate"))


def _one_column(ground: Ground) -> MadeCase:
    """Drawn in a little: a fit is nearer than the means of a few bins, which it is held against."""
    model = _drawn_in(ground, one_column(ground), _NEARLY)
    return MadeCase(MadeModel(model), own=LOW)


def _drawn_under_a_floor(ground: Ground) -> MadeCase:
    """The floor lies half way between what it reaches and what the real model does."""
    made = drawn(ground)
    floor = (_skill_of(ground, made) + _real_skill(ground)) / 2
    return MadeCase(made, own={**LOW, "skill_floor": floor})


def _drawn_under_a_ceiling(ground: Ground) -> MadeCase:
    """The ceiling lies half way between both errors."""
    made = drawn(ground)
    error = float(np.abs(ground.labels.holdout - middle_of(ground)).mean())
    most = error * (1 - (_skill_of(ground, made) + _real_skill(ground)) / 2)
    return MadeCase(made, own={**LOW, "skill_floor": 0.0, "mae_ceiling": most})


def _aside(ground: Ground) -> MadeCase:
    """Every answer is higher by a part of what the median is off by."""
    error = float(np.abs(ground.labels.holdout - middle_of(ground)).mean())
    off = float((ground.holdout_scores - ground.labels.holdout).mean())
    more = (_ASIDE * error + max(-off, 0.0)) / quantity_of(ground).spread
    moved = bent(ground.model, [(0.0, more), (1.0 - more, 1.0), (1.0, 1.0)])
    return MadeCase(MadeModel(moved), own={**LOW, "bias_ceiling": _ASIDE / 4})


def _is_aside(ground: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    error = np.abs(table["label"] - middle_of(ground)).mean()
    return bool((table["candidate"] - table["label"]).mean() > _ASIDE / 2 * error)


def _edited(_: Ground) -> MadeCase:
    def claim(metrics: Document) -> None:
        metrics["holdout"]["mae"] /= 2

    return MadeCase(written=lambda folder: edit_json(folder / METRICS, claim))


def _answers(test: Callable[[np.ndarray], bool]) -> Look:
    return lambda _, decision: bool(test(scores_of(decision)["candidate"]))


def _skill(test: Callable[[float], bool]) -> Look:
    return lambda ground, decision: bool(test(skill_on_holdout(ground, decision)))


def skill_on_holdout(ground: Ground, decision: Decision, model: str = "candidate") -> float:
    """The skill of a model on the rows that were judged."""
    table = scores_of(decision)
    return skill_of(table["label"], table[model], middle_of(ground))


def _skill_of(ground: Ground, made: MadeModel) -> float:
    """The skill of a model on the holdout."""
    answers = ground.score_features(made.model, ground.matrices.holdout)
    return skill_of(ground.labels.holdout, answers, middle_of(ground))


def _real_skill(ground: Ground) -> float:
    return skill_of(ground.labels.holdout, ground.holdout_scores, middle_of(ground))


def _weaker(ground: Ground, decision: Decision) -> bool:
    return skill_on_holdout(ground, decision) < _real_skill(ground)


def _far(ground: Ground, decision: Decision) -> bool:
    claimed = decision.number_metrics.cross_validation.skill.mean
    return _apart(ground, decision, claimed)


def _validated(ground: Ground, decision: Decision) -> bool:
    return _apart(ground, decision, decision.number_metrics.validation.skill)


def _apart(ground: Ground, decision: Decision, claimed: float) -> bool:
    ceiling = ground.request.policy.gate.stability_ceiling
    return abs(claimed - skill_on_holdout(ground, decision)) > ceiling


def _error_claimed(_: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    mae = float(np.abs(table["candidate"] - table["label"]).mean())
    return abs(decision.number_metrics.holdout.mae - mae) > 1e-6
