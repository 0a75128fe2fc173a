"""Candidates that are bad by themselves, each with no champion beside it: what only a rule on its
own can see.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import Case, Made, Stage
from flows.drills.gate.fault import STOPPED, Fault, NotHere
from flows.drills.gate.mutants import bent, turned, unspoken
from sluice.model.metrics import confusion
from sluice.model.statistics import calibration_error, roc_auc

REJECT = ("REJECT",)
# Floors that are no hurdle: some faults hide behind a rule that is broken along with theirs.
LOW = {"recall_floor": 0.02, "precision_floor": 0.02}


def candidates() -> Iterator[Fault]:
    """All of them."""
    yield Fault(
        "every score the same", "not_constant", REJECT, _constant, _scores(lambda s: np.ptp(s) == 0)
    )
    yield Fault(
        "half of the scores the same, under low floors",
        "not_constant",
        REJECT,
        _mostly_constant,
        _scores(lambda s: 0.5 < _commonest(s) < 0.9),
    )
    yield Fault(
        "no number for some rows",
        "finite",
        REJECT,
        _not_a_number,
        _scores(lambda s: 0 < np.isnan(s).mean() < 1),
    )
    yield Fault("scores above one", "finite", REJECT, _above_one, _scores(lambda s: s.max() > 1))
    yield Fault(
        "trained on inverted labels", "signal", REJECT, _inverted, _area(lambda area: area < 0.45)
    )
    yield Fault(
        "trained on permuted labels",
        "signal",
        REJECT,
        _permuted,
        _area(lambda area: abs(area - 0.5) < 0.1),
    )
    yield Fault(
        "upside down below its best, under low floors",
        "signal",
        REJECT,
        _upside_down,
        _area(lambda a: a < 0.5),
    )
    yield Fault(
        "one column and no more, under low floors",
        "more_than_one_column",
        STOPPED,
        _one_column,
        _weaker,
    )
    yield Fault("threshold raised after training", "recall_floor", REJECT, raised, _recall_lost)
    yield Fault(
        "threshold lowered after training", "precision_floor", REJECT, _lowered, _precision_lost
    )
    yield Fault(
        "always leave", "precision_floor", REJECT, _always, _flagged(lambda share: share == 1)
    )
    yield Fault(
        "nearly always leave, under low floors", "flagged_ceiling", REJECT, _nearly, _crowded
    )
    yield Fault("probabilities driven to the ends", "calibration", REJECT, _driven, _miscalibrated)
    yield Fault(
        "cross-validation far from the holdout",
        "stable_cross_validation",
        REJECT,
        _other_folds,
        _far,
    )
    yield Fault(
        "validation far from the holdout",
        "stable_validation",
        REJECT,
        _other_validation,
        _validated,
    )
    yield Fault("folds that do not agree", "stable_folds", REJECT, _loose_folds, _loose)
    yield Fault(
        "holdout used up",
        "ledger",
        STOPPED,
        _used_up,
        lambda _, stage: stage.run.standing.uses > 0,
    )
    yield Fault("metrics.json edited by hand", "metrics_match", REJECT, _edited, _recall_claimed)


def cut(ground: Ground, model: bytes, share: float) -> Made:
    """A model that flags this share of the validation rows."""
    threshold = ground.flagging(model, share)
    return Made(model, min(max(threshold, 0.0), 1.0))


def flagged(ground: Ground) -> float:
    """The share of the validation rows that the real model flags."""
    return float((ground.scores >= ground.threshold).mean())


def _constant(ground: Ground) -> Case:
    return Case(Made(bent(ground.model, [(0.0, 0.5), (1.0, 0.5)]), 0.4))


def _mostly_constant(ground: Ground) -> Case:
    """The lower half, and some more, get the score that they have in the mean; the others keep
    theirs.
    """
    edge = float(np.quantile(ground.scores, 0.56))
    mean = float(ground.scores[ground.scores <= edge].mean())
    curve = [(0.0, mean), (edge, mean), (edge + 1e-4, edge), (1.0, 1.0)]
    return Case(Made(bent(ground.model, curve), edge), limits=LOW)


def _not_a_number(ground: Ground) -> Case:
    place, level = some_level(ground)
    return Case(Made(unspoken(ground.model, place, (level, level)), ground.threshold))


def some_level(ground: Ground) -> tuple[int, int]:
    """A whole-numbered feature, by its place in the matrix, and a value that a part of the rows
    has.
    """
    for place, values in enumerate(ground.matrices["holdout"].T):
        levels, counts = np.unique(values, return_counts=True)
        shares = counts / len(values)
        if (levels == np.floor(levels)).all() and (
            usable := levels[(shares > 0.02) & (shares < 0.6)]
        ).size:
            return place, int(usable[0])
    raise NotHere


def _above_one(ground: Ground) -> Case:
    """The highest scores, only: everything else of it is in order."""
    high = float(np.quantile(ground.scores, 0.999))
    return Case(
        Made(
            bent(ground.model, [(0.0, 0.0), (high, high), (1.0, 1.0 + 2 * (1.0 - high))]),
            ground.threshold,
        )
    )


def _inverted(ground: Ground) -> Case:
    model = ground.fitted(ground.matrices["train"], 1 - ground.labels["train"])
    return Case(cut(ground, model, flagged(ground)))


def _permuted(ground: Ground) -> Case:
    model = ground.fitted(
        ground.matrices["train"], np.random.default_rng(1).permutation(ground.labels["train"])
    )
    return Case(cut(ground, model, flagged(ground)))


def _upside_down(ground: Ground) -> Case:
    """Its surest tenth is right, and sought by a policy that asks for no more; below, the order is
    turned around.
    """
    edge = float(np.quantile(ground.scores, 0.93))
    policy = {**LOW, "calibration_ceiling": 0.9}
    return Case(Made(bent(ground.model, turned(0.0, edge)), edge), limits=policy)


def _one_column(ground: Ground) -> Case:
    """Every other column is shuffled before training, so that nothing can be learnt from it."""
    features, random = ground.matrices["train"].copy(), np.random.default_rng(1)
    for place in set(range(features.shape[1])) - set(ground.columns_of(ground.best_column)):
        random.shuffle(features[:, place])
    model = ground.fitted(features, ground.labels["train"], iterations=30, leaves=4)
    return Case(cut(ground, model, flagged(ground)), limits={**LOW, "calibration_ceiling": 0.9})


def raised(ground: Ground) -> Case:
    """Past the recall floor, with a few points to spare."""
    wanted = ground.run.policy.gate.recall_floor - 0.05
    positives = ground.scores[ground.labels["validation"] == 1]
    return Case(Made(ground.model, float(np.quantile(positives, 1 - wanted))))


def _lowered(ground: Ground) -> Case:
    """Past the precision floor, flagging as few rows more as that takes."""
    order = np.argsort(-ground.scores)
    found = np.cumsum(ground.labels["validation"][order]) / np.arange(1, len(order) + 1)
    last = int(np.flatnonzero(found >= ground.run.policy.gate.precision_floor - 0.03)[-1])
    return Case(Made(ground.model, float(ground.scores[order][last])))


def _always(ground: Ground) -> Case:
    return Case(Made(ground.model, 0.0))


def _nearly(ground: Ground) -> Case:
    """Half way between what the policy allows and everybody."""
    return Case(
        cut(ground, ground.model, (1 + ground.run.policy.gate.flagged_ceiling) / 2), limits=LOW
    )


def _driven(ground: Ground) -> Case:
    """The order and the rows flagged stay as they are; only the probabilities are wrong."""
    curve = [(0.0, 0.0), (ground.threshold, 0.15), (1.0, 0.3)]
    return Case(Made(bent(ground.model, curve), 0.15))


def _other_folds(ground: Ground) -> Case:
    more = 2 * ground.run.policy.gate.stability_ceiling
    return Case(
        tuning=lambda document: _fold(document, lambda areas: [area + more for area in areas])
    )


def _loose_folds(ground: Ground) -> Case:
    wide = 2 * ground.run.policy.gate.stability_ceiling
    return Case(
        tuning=lambda document: _fold(
            document,
            lambda areas: [
                float(np.mean(areas))
                + (wide if number % 2 else -wide) * (number < len(areas) // 2 * 2)
                for number, _ in enumerate(areas)
            ],
        )
    )


def _fold(document: dict[str, Any], change: Callable[[list[float]], list[float]]) -> None:
    document["winner"]["roc_auc"] = change(document["winner"]["roc_auc"])


def _other_validation(ground: Ground) -> Case:
    more = 2 * ground.run.policy.gate.stability_ceiling
    return Case(
        trained=lambda document: document["validation"].update(
            roc_auc=document["validation"]["roc_auc"] + more
        )
    )


def _used_up(ground: Ground) -> Case:
    return Case(standing={"uses": ground.run.policy.gate.uses})


def _edited(_: Ground) -> Case:
    def edit(folder: Path) -> None:
        import json

        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        metrics["holdout"]["recall"] = 0.99
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")

    return Case(written=edit)


def _scores(test: Callable[[np.ndarray], bool]) -> Callable[[Ground, Stage], bool]:
    return lambda _, stage: bool(test(stage.table["candidate"]))


def _area(test: Callable[[float], bool]) -> Callable[[Ground, Stage], bool]:
    return lambda _, stage: test(roc_auc(stage.table["label"], stage.table["candidate"]))


def _commonest(scores: np.ndarray) -> float:
    return float(np.unique(scores, return_counts=True)[1].max() / len(scores))


def _weaker(ground: Ground, stage: Stage) -> bool:
    real = ground.score(ground.model, "holdout")
    return roc_auc(stage.table["label"], stage.table["candidate"]) < roc_auc(
        ground.labels["holdout"], real
    )


def _counts(stage: Stage) -> dict[str, int]:
    return confusion(
        stage.table["label"],
        stage.table["candidate"] >= stage.read("score", "case")["candidate"]["threshold"],
    )


def _flagged(test: Callable[[float], bool]) -> Callable[[Ground, Stage], bool]:
    def look(_: Ground, stage: Stage) -> bool:
        counts = _counts(stage)
        return test((counts["true_positive"] + counts["false_positive"]) / sum(counts.values()))

    return look


def _crowded(ground: Ground, stage: Stage) -> bool:
    return _flagged(lambda share: share > ground.run.policy.gate.flagged_ceiling)(ground, stage)


def _recall_lost(ground: Ground, stage: Stage) -> bool:
    counts = _counts(stage)
    found = counts["true_positive"] / (counts["true_positive"] + counts["false_negative"])
    return found < ground.run.policy.gate.recall_floor


def _precision_lost(ground: Ground, stage: Stage) -> bool:
    counts = _counts(stage)
    found = counts["true_positive"] / (counts["true_positive"] + counts["false_positive"])
    return found < ground.run.policy.gate.precision_floor


def _miscalibrated(ground: Ground, stage: Stage) -> bool:
    real = calibration_error(ground.labels["holdout"], ground.score(ground.model, "holdout"))
    return calibration_error(stage.table["label"], stage.table["candidate"]) > real + 0.02


def _gap(stage: Stage, claimed: float) -> float:
    return abs(claimed - roc_auc(stage.table["label"], stage.table["candidate"]))


def _far(ground: Ground, stage: Stage) -> bool:
    claimed = stage.read("score", "metrics")["cross_validation"]["roc_auc"]["mean"]
    return _gap(stage, claimed) > ground.run.policy.gate.stability_ceiling


def _validated(ground: Ground, stage: Stage) -> bool:
    claimed = stage.read("score", "metrics")["validation"]["roc_auc"]
    return _gap(stage, claimed) > ground.run.policy.gate.stability_ceiling


def _loose(ground: Ground, stage: Stage) -> bool:
    return (
        stage.read("score", "metrics")["cross_validation"]["roc_auc"]["std"]
        > ground.run.policy.gate.stability_ceiling
    )


def _recall_claimed(_: Ground, stage: Stage) -> bool:
    counts = _counts(stage)
    found = counts["true_positive"] / (counts["true_positive"] + counts["false_negative"])
    return abs(found - stage.read("score", "metrics")["holdout"]["recall"]) > 1e-6
