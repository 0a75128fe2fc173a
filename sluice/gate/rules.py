"""The rules on a candidate by itself: what each looks at, its sentence, and the next step.

A sentence says what was measured and what is required, and ends without a full stop. `needed` is
the next step where the rule is not met, empty where it is.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from sluice.gate import spending
from sluice.gate.case import BROKEN, MET, OPEN, Case, Facts, Rule, number_at
from sluice.gate.floors import flagged_ceiling, floors
from sluice.gate.limits import Limit, scarce
from sluice.gate.net_benefit import net_benefit
from sluice.gate.paired import at_equal_counts, recall_difference, top, unit_variance
from sluice.gate.power import margin_needed
from sluice.gate.stability import stability
from sluice.gate.travelling import brier_skill_floor, calibration_share, lift_floor
from sluice.model.quality.metrics import by_segment, confusion, intervals, measure, two_sided
from sluice.model.quality.statistics import calibration_gap, roc_auc, roc_auc_interval
from sluice.percent import percent
from sluice.policy import GatePolicy

Look = Callable[[Case], Iterator[Rule]]

_SAME = 1e-9  # recomputed metrics may differ in the last bits of a sum, and by no more
# The share of the rows that may have one score: the order of equal scores is that of their hashes,
# which is chance.
_ALIKE = 0.5
_EACH = 2  # positives and negatives without which nothing can be measured
_OLD_LEVEL = 0.95  # of the intervals of a metrics.json up to version 0.1.0
_NAMED = 3  # differences of metrics.json that a sentence names


def binary(case: Case) -> Iterator[Rule]:
    """Every label is 0 or 1."""
    labels = case.holdout.labels
    other = int((~np.isin(labels, (0, 1))).sum())
    sentence = f"{other:,} of {len(labels):,} labels are neither 0 nor 1; none may be"
    yield at_most("binary", sentence, other, 0, "Correct these labels, and validate the data again")


def labelled(case: Case) -> Iterator[Rule]:
    """Both classes have rows."""
    rows, positives = len(case.holdout.labels), case.holdout.positives
    negatives = rows - positives
    sentence = (
        f"The holdout has {case.words.counted(positives)} and {negatives:,} negatives;"
        f" at least {_EACH} of each are required"
    )
    if positives >= _EACH and negatives >= _EACH:
        yield Rule("labelled", MET, sentence, float(positives), float(_EACH))
        return
    missing = max(_EACH - positives, 0), max(_EACH - negatives, 0)
    needed = f"Label {case.words.more(missing[0])} and {missing[1]} more negatives"
    yield Rule("labelled", OPEN, sentence, float(positives), float(_EACH), needed)


def finite(case: Case) -> Iterator[Rule]:
    """Every score is a probability."""
    scores = case.holdout.candidate.scores
    good = np.isfinite(scores) & (scores >= 0) & (scores <= 1)
    bad = int((~good).sum())
    sentence = (
        f"{bad:,} of {len(scores):,} scores are not probabilities; numbers from 0 to 1 are required"
    )
    yield at_most("finite", sentence, bad, 0, "Train a model that returns probabilities")


def not_constant(case: Case) -> Iterator[Rule]:
    """The scores tell rows apart."""
    _, counts = np.unique(case.holdout.candidate.scores, return_counts=True)
    share = float(counts.max() / counts.sum())
    sentence = (
        f"{percent(share, 1)} of the rows share one score; at most {percent(_ALIKE)} is allowed"
    )
    yield at_most("not_constant", sentence, share, _ALIKE, "Train a model that tells rows apart")


def signal(case: Case) -> Iterator[Rule]:
    """The ranking is better than chance: neither turned upside down nor learnt from shuffled
    labels.
    """
    labels, scores = case.holdout.labels, case.holdout.candidate.scores
    area = roc_auc(labels, scores)
    level = 1 - 2 * case.policy.level
    low, high = roc_auc_interval(labels, scores, level, case.holdout.clusters)
    sentence = f"ROC-AUC is {area:.4f} [{low:.4f}, {high:.4f}]; a lower limit above 0.5 is required"
    needed = "Check the labels: the scores are no better than chance, as if labels were shuffled"
    if high < 0.5:
        needed = "Check the labels: the scores are upside down"
    rule = yes_or_no(Rule("signal", MET, sentence, area, 0.5, needed), low > 0.5)
    few = scarce(case)
    if rule.state == BROKEN and few and high >= 0.5:
        rule = replace(rule, state=OPEN, needed=few)
    yield rule


def no_duplicates(case: Case) -> Iterator[Rule]:
    """Few rows of the holdout repeat a training row."""
    yield from repeats(len(case.holdout.labels), case.facts, case.policy)


def repeats(rows: int, facts: Facts, policy: GatePolicy) -> Iterator[Rule]:
    """Of so many rows of the holdout, few equal a training row in every feature, or in all but one:
    the same person under another id, with one value written anew. So for every kind of target.
    """
    for name, found, most, what in (
        (
            "no_duplicates",
            facts.duplicates,
            policy.duplicate_ceiling,
            "repeats training rows",
        ),
        (
            "no_near_duplicates",
            facts.near_duplicates,
            policy.near_duplicate_ceiling,
            "equals a training row in all features but one",
        ),
    ):
        share = found / rows
        sentence = (
            f"{percent(share, 2)} of the holdout {what}; at most {percent(most, 2)} is allowed"
        )
        fewer = found - math.floor(most * rows)
        yield at_most(name, sentence, share, most, f"Remove {fewer:,} of these rows")


def not_one_column(case: Case) -> Iterator[Rule]:
    """No single column gives the answer away, and the model knows more than its best column."""
    alone = case.holdout.one_column
    if alone is None:
        return
    area, most = roc_auc(case.holdout.labels, alone.scores), case.policy.one_column_ceiling
    sentence = f"ROC-AUC of {alone.tag} alone is {area:.4f}; at most {most:g} is allowed"
    yield at_most("no_leak", sentence, area, most, f"Train without {alone.tag}")
    yield _more_than(case, alone.tag, alone.scores)


def _more_than(case: Case, tag: str, scores: np.ndarray) -> Rule:
    """Whether recall is above that of a column's scores, with as many rows flagged."""
    rows, level = case.holdout, case.policy.level
    flagged = int(rows.candidate.flagged.sum())
    mine = top(rows.candidate.scores, rows.hashes, flagged)
    theirs = top(scores, rows.hashes, flagged)
    pairs = at_equal_counts(rows.labels, mine, theirs, rows.clusters)
    gain = recall_difference(pairs, level)
    sentence = (
        f"Recall differs by {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] from {tag} alone,"
        f" at {flagged:,} flagged rows; a lower limit above 0 is required"
    )
    if gain.low > 0:
        return Rule("more_than_one_column", MET, sentence, gain.low, 0.0)
    if gain.value > 0:
        enough = (
            margin_needed(0.0, gain.value, unit_variance(pairs, 0.0), pairs.design.as_if(level))
            or 0
        )
        more = case.words.more(max(enough - pairs.rows, 1))
        needed = f"Label {more}, if the difference stays"
        return Rule("more_than_one_column", OPEN, sentence, gain.low, 0.0, needed)
    needed = "Train a model that knows more than its best column"
    return Rule("more_than_one_column", BROKEN, sentence, gain.low, 0.0, needed)


def metrics_match(case: Case) -> Iterator[Rule]:
    """metrics.json says what the scores say."""
    rows, threshold = case.holdout, case.holdout.candidate.threshold
    scores = rows.candidate.scores
    level = _named_level(case)
    measured = {
        "holdout": measure(rows.labels, scores, threshold),
        "intervals": intervals(rows.labels, scores, threshold, level, rows.clusters),
        "confusion": confusion(rows.labels, rows.candidate.flagged),
        "segments": by_segment(
            rows.labels, rows.candidate.flagged, rows.segments or {}, level, rows.clusters
        ),
    }
    actual = {
        "threshold": threshold,
        "rows": {"holdout": len(rows.labels), "holdout_positives": rows.positives},
        **msgspec.to_builtins(measured),
    }
    wrong = [" ".join(path) for path in differences(actual, case.metrics)]
    if not wrong:
        yield Rule("metrics_match", MET, "metrics.json agrees with the scores", 0.0, 0.0)
        return
    named = ", ".join(wrong[:_NAMED])
    if len(wrong) > _NAMED:
        named += f" and {len(wrong) - _NAMED} more"
    sentence = f"metrics.json differs from the scores in {named}; equal numbers are required"
    needed = "Measure again from the scores"
    yield Rule("metrics_match", BROKEN, sentence, float(len(wrong)), 0.0, needed)


def _named_level(case: Case) -> float:
    """The confidence of the intervals of metrics.json: that of the gate's own limits, and of a file
    that an older version wrote, the one that it had.
    """
    named = number_at(case.metrics, "intervals", "level")
    return _OLD_LEVEL if named == _OLD_LEVEL else two_sided(case.policy.level)


def differences(actual: object, declared: object) -> Iterator[tuple[str, ...]]:
    """The paths in `actual` at which `declared` has another value, or none."""
    return _differences(actual, declared, ())


def _differences(
    actual: object, declared: object, path: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """The paths in `actual` at which `declared` has another value, or none."""
    if isinstance(actual, Mapping):
        inner = declared if isinstance(declared, Mapping) else {}
        for name, value in actual.items():
            yield from _differences(value, inner.get(name), (*path, name))
    elif isinstance(actual, list | tuple):
        if not _equal_lists(actual, declared):
            yield path
    elif not abs(number_at(declared) - number_at(actual)) <= _SAME:
        yield path


def _equal_lists(actual: Sequence[object], declared: object) -> bool:
    if not isinstance(declared, list) or len(declared) != len(actual):
        return False
    pairs = zip(actual, declared, strict=True)
    return all(next(_differences(mine, theirs, ()), None) is None for mine, theirs in pairs)


def calibration(case: Case) -> Iterator[Rule]:
    """A probability can be taken at its word: the mean distance of score and outcome over ten equal
    parts of the rows, without what chance adds to it.
    """
    policy, rows = case.policy, len(case.holdout.labels)
    most = policy.calibration_ceiling
    if not most:
        return
    holdout = case.holdout
    gap = calibration_gap(
        holdout.labels, holdout.candidate.scores, policy.level, clusters=holdout.clusters
    )
    sentence = (
        f"Calibration error is {gap.value:.4f} [{gap.low:.4f}, {gap.high:.4f}] beyond chance; at"
        f" most {most:g} is allowed"
    )
    broken = f"Lower it by {gap.value - most:.4f}"
    reach = gap.value - gap.low
    limit = Limit("calibration", sentence, gap.value, reach, most, rows, broken, scarce(case))
    yield limit.rule()


def ledger(case: Case) -> Iterator[Rule]:
    """The holdout has not decided more often than the policy allows.

    A release is refused for it before anything is scored (`sluice.gate.ledger`); here it holds for
    a verdict that is decided without one.
    """
    used, most = case.facts.uses, case.policy.uses
    level = spending.level_of(case.policy.level, used)
    if not most:
        sentence = f"This is use {used + 1} of this holdout, and its level is {level:.3g}"
        yield Rule("ledger", MET, sentence, used)
        return
    if used < most:
        sentence = f"This is use {used + 1} of {most} of this holdout, and its level is {level:.3g}"
        yield Rule("ledger", MET, sentence, used, most)
        return
    positives = case.holdout.positives
    new = spending.positives_needed(spending.spent_by(used), positives, most, positives)
    sentence = f"This holdout has decided {used} times; at most {most} are allowed"
    needed = f"Label {case.words.more(new)} for the holdout"
    yield Rule("ledger", OPEN, sentence, used, most, needed)


def at_most(name: str, sentence: str, value: float, limit: float, needed: str) -> Rule:
    """A rule that is met up to its limit, and broken above it or where there is no number."""
    return yes_or_no(Rule(name, MET, sentence, float(value), float(limit), needed), value <= limit)


def yes_or_no(rule: Rule, met: bool) -> Rule:
    """The rule met, and without a next step; or broken, and with it."""
    return replace(rule, needed="") if met else replace(rule, state=BROKEN)


# What tells whether the numbers can be believed; an override sets none of it aside.
BELIEVED = (
    "binary",
    "labelled",
    "finite",
    "not_constant",
    "signal",
    "no_duplicates",
    "no_near_duplicates",
    "no_leak",
    "more_than_one_column",
    "metrics_match",
    "ledger",
)
# What is a matter of how good is good enough: a signed override may set one of these aside.
GOOD_ENOUGH = (
    "recall_floor",
    "precision_floor",
    "lift_floor",
    "brier_skill_floor",
    "net_benefit",
    "flagged_ceiling",
    "calibration",
    "calibration_share",
    "stable_cross_validation",
    "stable_validation",
    "stable_folds",
)

# Without labels and scores that are probabilities there is nothing to measure.
MEASURABLE: tuple[Look, ...] = (binary, labelled, finite)
ON_ITS_OWN: tuple[Look, ...] = (
    not_constant,
    signal,
    no_duplicates,
    not_one_column,
    metrics_match,
    floors,
    lift_floor,
    brier_skill_floor,
    net_benefit,
    flagged_ceiling,
    calibration,
    calibration_share,
    stability,
    ledger,
)
