"""Candidates that are bad by themselves: with no champion, one rule alone has to see the fault."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import (
    Document,
    Limits,
    MadeCase,
    MadeModel,
    edit_json,
    scores_of,
    threshold_of,
    without_some,
)
from flows.drills.gate.fault import REJECT, STOPPED, Fault, Look
from flows.drills.gate.mutants import bent, turned
from flows.engine.phases import Decision
from flows.facts.step_files import METRICS
from sluice.gate.travelling import brier_skill
from sluice.gitops.state import Standing
from sluice.model.quality.metrics import confusion
from sluice.model.quality.metrics_file import Confusion
from sluice.model.quality.operating_point import required_precision
from sluice.model.quality.statistics import calibration_error, roc_auc

# Floors that are no hurdle: some faults hide behind a rule that is broken along with theirs.
LOW = {"recall_floor": 0.02, "precision_floor": 0.02, "lift_floor": 0.0, "brier_skill_floor": 0.0}
_ANY_LEVEL = 0.05  # of limits that are not looked at


def candidates() -> Iterator[Fault]:
    """All candidates that are bad by themselves."""
    yield from _scores_at_fault()
    yield from _order_at_fault()
    yield from _threshold_at_fault()
    yield from _records_at_fault()


def _scores_at_fault() -> Iterator[Fault]:
    constant = _scores(lambda scores: np.ptp(scores) == 0)
    yield Fault("every score the same", "not_constant", REJECT, _constant, constant)
    yield Fault(
        "half of the scores the same, under low floors",
        "not_constant",
        REJECT,
        _mostly_constant,
        _scores(lambda scores: 0.5 < _commonest(scores) < 0.9),
    )
    missing = _scores(lambda scores: 0 < np.isnan(scores).mean() < 1)
    yield Fault("no number for some rows", "finite", REJECT, _not_a_number, missing)
    above = _scores(lambda scores: scores.max() > 1)
    yield Fault("scores above one", "finite", REJECT, _above_one, above)
    yield Fault("probabilities driven to the ends", "calibration", REJECT, _driven, _miscalibrated)
    yield Fault(
        "probabilities driven to the ends, under a ceiling in parts of the prevalence",
        "calibration_share",
        REJECT,
        _driven_in_parts,
        _miscalibrated,
    )
    yield Fault(
        "probabilities drawn towards the share of positives, under a floor of skill",
        "brier_skill_floor",
        REJECT,
        _drawn_in,
        _skill_lost,
    )


def _order_at_fault() -> Iterator[Fault]:
    inverted = _area(lambda area: area < 0.45)
    yield Fault("trained on inverted labels", "signal", REJECT, _inverted, inverted)
    chance = _area(lambda area: abs(area - 0.5) < 0.1)
    yield Fault("trained on permuted labels", "signal", REJECT, _permuted, chance)
    yield Fault(
        "upside down below its best, under low floors",
        "signal",
        REJECT,
        _upside_down,
        _area(lambda area: area < 0.5),
    )
    yield Fault(
        "one column and no more, under low floors",
        "more_than_one_column",
        STOPPED,
        _one_column,
        _weaker,
    )


def _threshold_at_fault() -> Iterator[Fault]:
    yield Fault("threshold raised after training", "recall_floor", REJECT, raised, _recall_lost)
    yield Fault(
        "threshold lowered after training", "precision_floor", REJECT, _lowered, _precision_lost
    )
    yield Fault(
        "threshold lowered after training, under a floor of lift",
        "lift_floor",
        REJECT,
        _lowered_under_lift,
        _precision_lost,
    )
    everybody = _flagged(lambda share: share == 1)
    yield Fault("always leave", "precision_floor", REJECT, _always, everybody)
    yield Fault(
        "false alarms that cost more than what is found is worth",
        "net_benefit",
        REJECT,
        _worthless,
        _costs_more,
    )
    yield Fault(
        "nearly always leave, under low floors", "flagged_ceiling", REJECT, _nearly, _crowded
    )


def _records_at_fault() -> Iterator[Fault]:
    yield from promised("roc_auc", "roc_auc", _far, _validated)
    yield Fault("folds that do not agree", "stable_folds", REJECT, _loose_folds, _loose)
    yield used_up()
    yield Fault("metrics.json edited by hand", "metrics_match", REJECT, _edited, _recall_claimed)


def promised(folds: str, measure: str, far: Look, validated: Look) -> Iterator[Fault]:
    """Cross-validation and validation that promise more than the holdout holds, so for every kind
    of target: `folds` is what tuning.json has of the winner's folds, `measure` what metrics.json
    has of the validation rows.
    """

    def other_folds(ground: Ground) -> MadeCase:
        more = 2 * ground.request.policy.gate.stability_ceiling

        def edit(tuning: Document) -> None:
            tuning["winner"][folds] = [value + more for value in tuning["winner"][folds]]

        return MadeCase(tuning=edit)

    def other_validation(ground: Ground) -> MadeCase:
        more = 2 * ground.request.policy.gate.stability_ceiling

        def edit(metrics: Document) -> None:
            metrics["validation"][measure] += more

        return MadeCase(trained=edit)

    name = "cross-validation far from the holdout"
    yield Fault(name, "stable_cross_validation", REJECT, other_folds, far)
    name = "validation far from the holdout"
    yield Fault(name, "stable_validation", REJECT, other_validation, validated)


def used_up() -> Fault:
    """A holdout that has decided as often as it may: so for every kind of target."""
    return Fault("holdout used up", "ledger", STOPPED, _used_up, _is_used_up)


def cut(ground: Ground, model: bytes, share: float) -> MadeModel:
    """A model that flags this share of the validation rows."""
    threshold = ground.flagging(model, share)
    return MadeModel(model, min(max(threshold, 0.0), 1.0))


def flagged(ground: Ground) -> float:
    """The share of the validation rows that the real model flags."""
    return float((ground.scores >= ground.threshold).mean())


def _constant(ground: Ground) -> MadeCase:
    return MadeCase(MadeModel(bent(ground.model, [(0.0, 0.5), (1.0, 0.5)]), 0.4))


def _mostly_constant(ground: Ground) -> MadeCase:
    """The lower half, and some more, get their mean score; the others keep theirs."""
    edge = float(np.quantile(ground.scores, 0.56))
    mean = float(ground.scores[ground.scores <= edge].mean())
    curve = [(0.0, mean), (edge, mean), (edge + 1e-4, edge), (1.0, 1.0)]
    return MadeCase(MadeModel(bent(ground.model, curve), edge), limits=LOW)


def _not_a_number(_: Ground) -> MadeCase:
    """Among the scores: a model that gives none is refused with its golden records."""
    return MadeCase(written=without_some("candidate"))


def _above_one(ground: Ground) -> MadeCase:
    """The highest scores only: everything else is in order."""
    high = float(ground.holdout_scores.max())
    curve = [(0.0, 0.0), (high - 2e-4, high - 2e-4), (high - 1e-4, 1.001), (1.0, 1.01)]
    return MadeCase(MadeModel(bent(ground.model, curve), ground.threshold))


def _inverted(ground: Ground) -> MadeCase:
    model = ground.fitted(ground.matrices.train, 1 - ground.labels.train)
    return MadeCase(cut(ground, model, flagged(ground)))


def _permuted(ground: Ground) -> MadeCase:
    labels = np.random.default_rng(1).permutation(ground.labels.train)
    model = ground.fitted(ground.matrices.train, labels)
    return MadeCase(cut(ground, model, flagged(ground)))


def _upside_down(ground: Ground) -> MadeCase:
    """The highest scores are right, and the policy asks for no more; below, the order is turned."""
    edge = float(np.quantile(ground.scores, 0.93))
    limits = {**LOW, "calibration_ceiling": 0.9, "calibration_share_ceiling": 0.0}
    return MadeCase(MadeModel(bent(ground.model, turned(0.0, edge)), edge), limits=limits)


def one_column(ground: Ground) -> bytes:
    """Every other column is shuffled before training, so that nothing can be learnt from it."""
    features, random = ground.matrices.train.copy(), np.random.default_rng(1)
    for feature in set(range(features.shape[1])) - set(ground.columns_of(ground.best_column)):
        random.shuffle(features[:, feature])
    return ground.fitted(features, ground.labels.train, iterations=30, leaves=4)


def _one_column(ground: Ground) -> MadeCase:
    model = one_column(ground)
    limits = {**LOW, "calibration_ceiling": 0.9, "calibration_share_ceiling": 0.0}
    return MadeCase(cut(ground, model, flagged(ground)), limits=limits)


def raised(ground: Ground) -> MadeCase:
    """A threshold past the recall floor, with a few points to spare."""
    wanted = max(ground.request.policy.gate.recall_floor - 0.05, 0.0)
    positives = ground.scores[ground.labels.validation == 1]
    return MadeCase(MadeModel(ground.model, float(np.quantile(positives, 1 - wanted))))


def _lowered(ground: Ground) -> MadeCase:
    return MadeCase(_below_required(ground), limits=_plain(ground))


def _lowered_under_lift(ground: Ground) -> MadeCase:
    """The same fault, where the policy says how many times the prevalence precision has to be."""
    lift = _required(ground) / float(ground.labels.holdout.mean())
    return MadeCase(_below_required(ground), limits={"precision_floor": 0.0, "lift_floor": lift})


def _below_required(ground: Ground) -> MadeModel:
    """A threshold past the precision floor, flagging as few rows more as that takes."""
    required = _required(ground)
    wanted = required - min(0.06, 0.1 * required)
    order = np.argsort(-ground.scores)
    hits = np.cumsum(ground.labels.validation[order])
    precisions = hits / np.arange(1, len(order) + 1)
    last = int(np.flatnonzero(precisions >= wanted)[-1])
    return MadeModel(ground.model, float(ground.scores[order][last]))


def _required(ground: Ground) -> float:
    """The precision that the floors of the policy require on the holdout."""
    prevalence = float(ground.labels.holdout.mean())
    return required_precision(ground.request.policy.gate, prevalence)


def _plain(ground: Ground) -> Limits:
    """What the floors of the policy require, as a floor of precision alone."""
    return {"precision_floor": _required(ground), "lift_floor": 0.0}


def _always(ground: Ground) -> MadeCase:
    return MadeCase(MadeModel(ground.model, 0.0), limits=_plain(ground))


def _worthless(_: Ground) -> MadeCase:
    """The real model, where nine of ten that it flags would have to be positives."""
    return MadeCase(limits={"cost_of_a_miss": 1.0, "cost_of_a_false_alarm": 9.0})


def _nearly(ground: Ground) -> MadeCase:
    """Half way between what the policy allows and everybody."""
    share = (1 + ground.request.policy.gate.flagged_ceiling) / 2
    return MadeCase(cut(ground, ground.model, share), limits=LOW)


def _driven(ground: Ground) -> MadeCase:
    """The order and the rows flagged stay as they are; only the probabilities are wrong."""
    curve = [(0.0, 0.0), (ground.threshold, 0.15), (1.0, 0.3)]
    return MadeCase(MadeModel(bent(ground.model, curve), 0.15))


def _driven_in_parts(ground: Ground) -> MadeCase:
    ceiling = 0.05 / float(ground.labels.holdout.mean())
    limits = {"calibration_ceiling": 0.0, "calibration_share_ceiling": ceiling}
    return replace(_driven(ground), limits=limits)


def _drawn_in(ground: Ground) -> MadeCase:
    """Scores that say little: three tenths of their distance from the share of positives."""
    mean, kept = float(ground.scores.mean()), 0.3
    floor = 0.8 * _skill(ground.labels.holdout, ground.holdout_scores)
    limits = {"calibration_ceiling": 0.9, "calibration_share_ceiling": 0.0}

    def drawn(score: float) -> float:
        return mean + kept * (score - mean)

    model = bent(ground.model, [(0.0, drawn(0.0)), (1.0, drawn(1.0))])
    made = MadeModel(model, drawn(ground.threshold))
    return MadeCase(made, limits={**limits, "brier_skill_floor": floor})


def _skill(labels: np.ndarray, scores: np.ndarray) -> float:
    return brier_skill(labels, scores, _ANY_LEVEL).value


def _loose_folds(ground: Ground) -> MadeCase:
    """Every other fold lies above the mean, and every other below; an odd last one lies on it."""
    wide = 2 * ground.request.policy.gate.stability_ceiling

    def edit(tuning: Document) -> None:
        areas = tuning["winner"]["roc_auc"]
        mean, pairs = float(np.mean(areas)), len(areas) // 2
        lone = [mean] * (len(areas) % 2)
        tuning["winner"]["roc_auc"] = [mean - wide, mean + wide] * pairs + lone

    return MadeCase(tuning=edit)


def _used_up(_: Ground) -> MadeCase:
    return MadeCase(standing=Standing(uses=20), limits={"uses": 20})


def _edited(_: Ground) -> MadeCase:
    def claim(metrics: Document) -> None:
        metrics["holdout"]["recall"] = 0.99

    return MadeCase(written=lambda folder: edit_json(folder / METRICS, claim))


def _scores(test: Callable[[np.ndarray], bool]) -> Look:
    return lambda _, decision: bool(test(scores_of(decision)["candidate"]))


def _area(test: Callable[[float], bool]) -> Look:
    return lambda _, decision: test(_area_of(decision))


def _area_of(decision: Decision) -> float:
    """The area under the ROC curve that the candidate has on the holdout."""
    table = scores_of(decision)
    return roc_auc(table["label"], table["candidate"])


def _commonest(scores: np.ndarray) -> float:
    """The share of the rows that have the commonest score."""
    return float(np.unique(scores, return_counts=True)[1].max() / len(scores))


def _weaker(ground: Ground, decision: Decision) -> bool:
    return _area_of(decision) < roc_auc(ground.labels.holdout, ground.holdout_scores)


def _counts(decision: Decision) -> Confusion:
    table = scores_of(decision)
    return confusion(table["label"], table["candidate"] >= threshold_of(decision, "candidate"))


def _recall(decision: Decision) -> float:
    counts = _counts(decision)
    return counts.true_positive / counts.positives


def _flagged(test: Callable[[float], bool]) -> Look:
    return lambda _, decision: test(_flagged_share(decision))


def _flagged_share(decision: Decision) -> float:
    counts = _counts(decision)
    return counts.flagged / counts.rows


def _crowded(ground: Ground, decision: Decision) -> bool:
    return _flagged_share(decision) > ground.request.policy.gate.flagged_ceiling


def _recall_lost(ground: Ground, decision: Decision) -> bool:
    return _recall(decision) < ground.request.policy.gate.recall_floor


def _precision_lost(ground: Ground, decision: Decision) -> bool:
    counts = _counts(decision)
    return counts.true_positive / counts.flagged < _required(ground)


def _costs_more(_: Ground, decision: Decision) -> bool:
    """Whether its false alarms cost more than all that it finds."""
    counts, gate = _counts(decision), decision.request.policy.gate
    saved = gate.cost_of_a_miss * counts.true_positive
    return gate.cost_of_a_false_alarm * counts.false_positive > saved


def _skill_lost(ground: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    real = _skill(ground.labels.holdout, ground.holdout_scores)
    return _skill(table["label"], table["candidate"]) < 0.7 * real


def _miscalibrated(ground: Ground, decision: Decision) -> bool:
    real = calibration_error(ground.labels.holdout, ground.holdout_scores)
    table = scores_of(decision)
    return calibration_error(table["label"], table["candidate"]) > real + 0.02


def _far(ground: Ground, decision: Decision) -> bool:
    claimed = decision.metrics.cross_validation.roc_auc.mean
    return abs(claimed - _area_of(decision)) > ground.request.policy.gate.stability_ceiling


def _validated(ground: Ground, decision: Decision) -> bool:
    claimed = decision.metrics.validation.roc_auc
    return abs(claimed - _area_of(decision)) > ground.request.policy.gate.stability_ceiling


def _loose(ground: Ground, decision: Decision) -> bool:
    spread = decision.metrics.cross_validation.roc_auc.std
    return bool(spread > ground.request.policy.gate.stability_ceiling)


def _is_used_up(_: Ground, decision: Decision) -> bool:
    return decision.standing.uses > 0


def _recall_claimed(_: Ground, decision: Decision) -> bool:
    claimed = decision.metrics.holdout.recall
    return bool(abs(_recall(decision) - claimed) > 1e-6)
