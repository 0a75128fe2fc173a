"""The rules on a candidate of several classes by itself. Sentences are built as in
`sluice.gate.rules`, and a rule has the name that it has there where it asks the same.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec
import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate import spending
from sluice.gate.case import BROKEN, MET, OPEN, Rule, number_at
from sluice.gate.classes.case import Case
from sluice.gate.classes.paired import difference_of, tables_of
from sluice.gate.limits import FEW, Least, Limit, rows_to_tell
from sluice.gate.rules import at_most, differences, repeats
from sluice.gate.stability import Area
from sluice.model.classes import metrics
from sluice.model.classes.ranking import ranked, told_apart
from sluice.model.classes.recall import mean_recall
from sluice.model.quality.clusters import of_share
from sluice.model.quality.metrics import two_sided
from sluice.model.quality.statistics import (
    calibration_gap,
    roc_auc_variance,
    wilson_high,
    wilson_low,
)

Look = Callable[[Case], Iterator[Rule]]
_EACH = 2  # rows of each class without which nothing can be measured
_SUMS = 1e-3  # how far the probabilities of a row may be from 1 in all


def classed(case: Case) -> Iterator[Rule]:
    """Every label is a class."""
    labels, classes = case.holdout.labels, case.holdout.classes
    other = int(((labels < 0) | (labels >= len(classes))).sum())
    sentence = (
        f"{other:,} of {len(labels):,} labels are none of {len(classes)} classes; none may be"
    )
    yield at_most("binary", sentence, other, 0, "Correct these labels, and validate the data again")


def labelled(case: Case) -> Iterator[Rule]:
    """Every class has rows."""
    counts = case.holdout.counts
    rarest = int(counts.argmin())
    name, rows = case.holdout.classes[rarest], int(counts[rarest])
    sentence = f"The holdout has {rows:,} rows of {name!r}; at least {_EACH} are required"
    if rows >= _EACH:
        yield Rule("labelled", MET, sentence, float(rows), float(_EACH))
        return
    needed = f"Label {_EACH - rows} more rows of {name!r}"
    yield Rule("labelled", OPEN, sentence, float(rows), float(_EACH), needed)


def finite(case: Case) -> Iterator[Rule]:
    """Every row has probabilities that sum to 1."""
    found = case.holdout.candidate.probabilities
    good = (np.isfinite(found) & (found >= 0) & (found <= 1)).all(axis=1)
    good &= np.abs(np.where(np.isfinite(found), found, 0.0).sum(axis=1) - 1.0) <= _SUMS
    bad = int((~good).sum())
    sentence = (
        f"{bad:,} of {len(found):,} rows have no probabilities; numbers from 0 to 1 that sum to 1"
        " are required"
    )
    yield at_most("finite", sentence, bad, 0, "Train a model that returns probabilities")


def signal(case: Case) -> Iterator[Rule]:
    """The answers know something of the classes: whatever answers without looking has a mean recall
    of 1 / K, as a constant answer has and a model learnt from shuffled labels.
    """
    holdout = case.holdout
    chance = 1.0 / len(holdout.classes)
    mean = mean_recall(
        holdout.labels, holdout.candidate.answered, case.policy.level, holdout.clusters
    )
    sentence = (
        f"Mean recall over {len(holdout.classes)} classes is {mean.value:.4f} [{mean.low:.4f},"
        f" {mean.high:.4f}]; a lower limit above {chance:.4f} is required"
    )
    if mean.low > chance:
        yield Rule("signal", MET, sentence, mean.value, chance)
        return
    needed = "Check the labels: the answers are no better than chance, as if labels were shuffled"
    few = scarce(case)
    state = OPEN if few and mean.high >= chance else BROKEN
    yield Rule("signal", state, sentence, mean.value, chance, few if state == OPEN else needed)


def no_duplicates(case: Case) -> Iterator[Rule]:
    """Few rows of the holdout repeat a training row."""
    yield from repeats(len(case.holdout.labels), case.facts, case.policy)


def not_one_column(case: Case) -> Iterator[Rule]:
    """No single column gives the answer away, and the model knows more than its best column."""
    holdout, alone = case.holdout, case.holdout.one_column
    _, area = ranked(holdout.labels, alone.probabilities)
    most = case.policy.one_column_ceiling
    sentence = (
        f"Mean ROC-AUC of {alone.tag} alone, each class against the rest, is {area:.4f}; at most"
        f" {most:g} is allowed"
    )
    yield at_most("no_leak", sentence, area, most, f"Train without {alone.tag}")
    tables = tables_of(holdout.labels, holdout.candidate.answered, alone.answered, holdout.clusters)
    gain = difference_of(tables, case.policy.level)
    sentence = (
        f"Mean recall differs by {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] from"
        f" {alone.tag} alone; a lower limit above 0 is required"
    )
    if gain.low > 0:
        yield Rule("more_than_one_column", MET, sentence, gain.low, 0.0)
    elif gain.value > 0:
        more = rows_to_tell(tables.rows, gain.value - gain.low, gain.value)
        needed = f"Label {more} further {case.words.plural}, if the difference stays"
        yield Rule("more_than_one_column", OPEN, sentence, gain.low, 0.0, needed)
    else:
        needed = "Train a model that knows more than its best column"
        yield Rule("more_than_one_column", BROKEN, sentence, gain.low, 0.0, needed)


def metrics_match(case: Case) -> Iterator[Rule]:
    """metrics.json says what the probabilities say."""
    holdout, level = case.holdout, two_sided(case.policy.level)
    labels, answered = holdout.labels, holdout.candidate.answered
    measured: Mapping[str, object] = {
        "holdout": metrics.measure(labels, holdout.candidate.probabilities, answered),
        "intervals": metrics.intervals(labels, answered, level, holdout.clusters),
        "classes": metrics.by_class(labels, answered, holdout.classes, level, holdout.clusters),
        "confusion": metrics.confusion(labels, answered, holdout.classes),
        "segments": metrics.by_segment(labels, answered, holdout.segments, level, holdout.clusters),
        "weights": dict(zip(holdout.classes, holdout.candidate.weights, strict=True)),
    }
    actual = {"rows": {"holdout": len(labels)}, **msgspec.to_builtins(measured)}
    wrong = [" ".join(path) for path in differences(actual, case.metrics)]
    if not wrong:
        yield Rule("metrics_match", MET, "metrics.json agrees with the probabilities", 0.0, 0.0)
        return
    named = ", ".join(wrong[:3])
    sentence = f"metrics.json differs from the probabilities in {named}; equal numbers are required"
    needed = "Measure again from the probabilities"
    yield Rule("metrics_match", BROKEN, sentence, float(len(wrong)), 0.0, needed)


def recall_floor(case: Case) -> Iterator[Rule]:
    """The mean recall over the classes has its floor."""
    holdout, floor = case.holdout, case.policy.recall_floor
    mean = mean_recall(
        holdout.labels, holdout.candidate.answered, case.policy.level, holdout.clusters
    )
    missing = math.ceil((floor - mean.value) * len(holdout.labels))
    yield Least(
        name="recall_floor",
        title="Mean recall over the classes",
        value=mean.value,
        low=mean.low,
        high=mean.high,
        least=floor,
        rows=len(holdout.labels),
        called=case.words.plural,
        needed=f"Answer about {case.words.more(max(missing, 1))} rightly",
        scarce=scarce(case),
    ).rule(first=case.first)


def class_floors(case: Case) -> Iterator[Rule]:
    """The classes that the policy names have their recall: broken only where the whole interval
    lies below the floor.
    """
    if not case.limits.floors:
        return
    judged = [_of_class(case, floor.name, floor.recall) for floor in case.limits.floors]
    state = next(state for state in (BROKEN, OPEN, MET) if state in [one.state for one in judged])
    short = [one for one in judged if one.state != MET]
    needed = ". ".join(one.needed for one in judged if one.needed)
    sentence = "; ".join(one.sentence for one in judged)
    yield Rule("class_floors", state, sentence, float(len(short)), 0.0, needed)


def _of_class(case: Case, name: str, floor: float) -> Rule:
    holdout, level = case.holdout, case.policy.level
    place = holdout.classes.index(name)
    own, answered = holdout.labels == place, holdout.candidate.answered == place
    found, rows = int((own & answered).sum()), int(own.sum())
    design = of_share(answered, own, holdout.clusters)
    return Least(
        name="class_floors",
        title=f"Recall of {name!r}",
        value=found / max(rows, 1),
        low=wilson_low(found, rows, level, design),
        high=wilson_high(found, rows, level, design),
        least=floor,
        rows=rows,
        called=f"{case.words.plural} of {name!r}",
        needed=f"Find {max(math.ceil(floor * rows - 1e-9) - found, 1):,} more of {name!r}",
    ).rule(first=case.first)


def calibration(case: Case) -> Iterator[Rule]:
    """The probability of each class can be taken at its word. Each class has its part of the level,
    so that one of them is not blamed for what one of many shows by chance.
    """
    holdout, most = case.holdout, case.policy.calibration_ceiling
    rules = []
    for place in told_apart(holdout.labels, len(holdout.classes)):
        gap = calibration_gap(
            (holdout.labels == place).astype(np.int8),
            holdout.candidate.probabilities[:, place],
            case.policy.level / len(holdout.classes),
            clusters=holdout.clusters,
        )
        sentence = (
            f"Calibration error of {holdout.classes[place]!r} is {gap.value:.4f} [{gap.low:.4f},"
            f" {gap.high:.4f}] beyond chance; at most {most:g} is allowed"
        )
        limit = Limit(
            "calibration",
            sentence,
            gap.value,
            gap.value - gap.low,
            most,
            len(holdout.labels),
            f"Lower it by {gap.value - most:.4f}",
            scarce(case),
        )
        rules.append(limit.rule())
    yield max(rules, key=lambda rule: ((MET, OPEN, BROKEN).index(rule.state), rule.value or 0.0))


def stability(case: Case) -> Iterator[Rule]:
    """Cross-validation, validation and holdout have about the same mean ROC-AUC."""
    holdout = case.holdout
    _, area = ranked(holdout.labels, holdout.candidate.probabilities)
    variance, rows = _area_variance(case), len(holdout.labels)
    here = Area(f"on {holdout.part}", area, variance)
    spread = number_at(case.metrics, "cross_validation", "roc_auc", "std")
    folds = case.metrics.get("cross_validation", {}).get("roc_auc", {}).get("folds", [])
    of_folds = spread**2 / (len(folds) - 1) if len(folds) > 1 else 0.0
    validated = number_at(case.metrics, "rows", "validation")
    for name, part in (
        (
            "stable_cross_validation",
            Area(
                "in cross-validation",
                number_at(case.metrics, "cross_validation", "roc_auc", "mean"),
                of_folds,
            ),
        ),
        (
            "stable_validation",
            Area(
                "in validation",
                number_at(case.metrics, "validation", "roc_auc"),
                variance * rows / validated if validated >= 1 else 0.0,
            ),
        ),
    ):
        yield _agree(case, name, part, here)


def _agree(case: Case, name: str, one: Area, other: Area) -> Rule:
    gap, most = abs(one.value - other.value), case.policy.stability_ceiling
    quantile = float(scipy.stats.norm.isf(case.policy.level))
    reach = quantile * math.sqrt(one.variance + other.variance)
    sentence = (
        f"Mean ROC-AUC is {one.value:.4f} {one.part} and {other.value:.4f} {other.part}, a"
        f" difference of {gap:.4f} with a lower limit of {max(gap - reach, 0.0):.4f}; at most"
        f" {most:g} is allowed"
    )
    broken, few = f"Bring them {gap - most:.4f} nearer", scarce(case)
    return Limit(name, sentence, gap, reach, most, len(case.holdout.labels), broken, few).rule()


def _area_variance(case: Case) -> float:
    """The variance of the mean area, at most: the areas of the classes may err together."""
    holdout = case.holdout
    errors = [
        math.sqrt(
            roc_auc_variance(
                (holdout.labels == place).astype(np.int8),
                holdout.candidate.probabilities[:, place],
                holdout.clusters,
            )
        )
        for place in told_apart(holdout.labels, len(holdout.classes))
    ]
    return float(np.mean(errors)) ** 2


def ledger(case: Case) -> Iterator[Rule]:
    """The holdout has not decided more often than the policy allows."""
    used, most = case.facts.uses, case.policy.uses
    level = spending.level_of(case.policy.level, used)
    of = f" of {most}" if most else ""
    sentence = f"This is use {used + 1}{of} of this holdout, and its level is {level:.3g}"
    if not most or used < most:
        yield Rule("ledger", MET, sentence, used, most or None)
        return
    rows = len(case.holdout.labels)
    new = spending.positives_needed(spending.spent_by(used), rows, most, rows)
    sentence = f"This holdout has decided {used} times; at most {most} are allowed"
    needed = f"Label {case.words.more(new)} for the holdout"
    yield Rule("ledger", OPEN, sentence, used, most, needed)


def scarce(case: Case) -> str:
    """The next step where a class has fewer rows than limits of large samples need; empty where
    all have enough. Of rows that belong together one of each class counts.
    """
    holdout = case.holdout
    for place, name in enumerate(holdout.classes):
        rows = holdout.labels == place
        count = int(rows.sum())
        if holdout.clusters is not None:
            count = len(np.unique(holdout.clusters[rows]))
        if count < FEW:
            return f"Label more rows, until there are {FEW} of {name!r}; there are {count}"
    return ""


# Without labels and probabilities there is nothing to measure.
MEASURABLE: tuple[Look, ...] = (classed, labelled, finite)
ON_ITS_OWN: tuple[Look, ...] = (
    signal,
    no_duplicates,
    not_one_column,
    metrics_match,
    recall_floor,
    class_floors,
    calibration,
    stability,
    ledger,
)
CLASS_FLOORS = "class_floors"
FLOORS = ("recall_floor", CLASS_FLOORS)
