"""The rules on a candidate that answers with a number: what it says on its own.

Sentences are built as in `sluice.gate.rules`, and a rule has the name that it has there where it
asks the same. A floor or a ceiling is broken only where the whole interval lies beyond it.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec
import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate import spending
from sluice.gate.case import BROKEN, MET, OPEN, Rule, number_at
from sluice.gate.limits import FEW, Least, Limit, rows_to_tell
from sluice.gate.number.case import Case
from sluice.gate.rules import at_most, differences, repeats
from sluice.model.number import metrics
from sluice.model.number.resampled import limits_of
from sluice.model.number.skill import skill_of
from sluice.model.quality.metrics import two_sided
from sluice.percent import four_digits

Look = Callable[[Case], Iterator[Rule]]


def numbers(case: Case) -> Iterator[Rule]:
    """Every label is a number of the range."""
    holdout, quantity = case.holdout, case.holdout.quantity
    good = np.isfinite(holdout.labels)
    good &= (holdout.labels >= quantity.low) & (holdout.labels <= quantity.high)
    other = int((~good).sum())
    sentence = (
        f"{other:,} of {len(holdout.labels):,} labels are no number from {quantity.low:g} to"
        f" {quantity.high:g}; none may be"
    )
    yield at_most("binary", sentence, other, 0, "Correct these labels, and validate the data again")


def labelled(case: Case) -> Iterator[Rule]:
    """There are rows enough, and their labels differ. Of rows that belong together one counts."""
    counted, what = _apart(case)
    least = case.policy.least_positives
    sentence = f"The holdout has {counted:,} {what}"
    if case.facts.left_out:
        sentence = (
            f"The split changed: {case.facts.left_out:,} rows that a compared model has seen are"
            f" left out, and {counted:,} {what} are left"
        )
    sentence += f"; at least {least:,} are required"
    if counted < least:
        needed = f"Label {least - counted:,} more {what.removeprefix('labelled ')}"
        yield Rule("labelled", OPEN, sentence, float(counted), float(least), needed)
        return
    yield Rule("labelled", MET, sentence, float(counted), float(least))
    off = float(case.holdout.nothing.mean())
    if not off > 0:
        sentence = f"All labels are {case.shown(case.holdout.middle)}; two that differ are required"
        yield Rule("differing", OPEN, sentence, 1.0, 2.0, "Label rows of another number")


def _apart(case: Case) -> tuple[int, str]:
    """How many rows say something of their own, and what they are called."""
    plural, clusters = case.words.plural, case.holdout.clusters
    if clusters is None:
        return len(case.holdout.labels), f"labelled {plural}"
    return len(np.unique(clusters)), f"groups of {plural} that belong together"


def finite(case: Case) -> Iterator[Rule]:
    """Every answer is a number of the range."""
    found, quantity = case.holdout.candidate.answers, case.holdout.quantity
    low, high = quantity.low - quantity.tolerance, quantity.high + quantity.tolerance
    bad = int((~(np.isfinite(found) & (found >= low) & (found <= high))).sum())
    sentence = (
        f"{bad:,} of {len(found):,} answers are no number from {quantity.low:g} to"
        f" {quantity.high:g}; none may be"
    )
    yield at_most("finite", sentence, bad, 0, "Train a model that answers within its range")


def signal(case: Case) -> Iterator[Rule]:
    """The answers know something: what is learnt from shuffled labels is no nearer than one answer
    for all.

    That answer is the median of these very rows, which no other one is nearer than. Beside the
    median of the training rows, one answer for all may be nearer: outcomes are others by now.
    """
    holdout = case.holdout
    skill = metrics.skill_limits(
        holdout.labels,
        holdout.candidate.answers,
        float(np.median(holdout.labels)),
        case.policy.level,
        holdout.clusters,
    )
    sentence = (
        f"Skill beside one answer for all, the median of {holdout.part}, is {skill.value:.4f}"
        f" [{skill.low:.4f}, {skill.high:.4f}]; a lower limit above 0 is required"
    )
    if skill.low > 0:
        yield Rule("signal", MET, sentence, skill.value, 0.0)
        return
    needed = "Check the labels: the answers are no nearer than that, as if they were shuffled"
    few = scarce(case)
    state = OPEN if few and skill.high >= 0 else BROKEN
    yield Rule("signal", state, sentence, skill.value, 0.0, few if state == OPEN else needed)


def no_duplicates(case: Case) -> Iterator[Rule]:
    """Few rows of the holdout repeat a training row."""
    yield from repeats(len(case.holdout.labels), case.facts, case.policy)


def not_one_column(case: Case) -> Iterator[Rule]:
    """No single column gives the answer away, and the model knows more than its best column."""
    holdout, alone = case.holdout, case.holdout.one_column
    skill = skill_of(holdout.labels, alone.answers, holdout.middle)
    most = case.policy.one_column_ceiling
    sentence = f"Skill of {alone.tag} alone is {skill:.4f}; at most {most:g} is allowed"
    yield at_most("no_leak", sentence, skill, most, f"Train without {alone.tag}")
    gain = holdout.skill_over(alone, case.policy.level)
    sentence = (
        f"Skill differs by {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] from {alone.tag}"
        " alone; a lower limit above 0 is required"
    )
    if gain.low > 0:
        yield Rule("more_than_one_column", MET, sentence, gain.low, 0.0)
    elif gain.value > 0:
        more = rows_to_tell(len(holdout.labels), gain.value - gain.low, gain.value)
        needed = f"Label {more} further {case.words.plural}, if the difference stays"
        yield Rule("more_than_one_column", OPEN, sentence, gain.low, 0.0, needed)
    else:
        needed = "Train a model that knows more than its best column"
        yield Rule("more_than_one_column", BROKEN, sentence, gain.low, 0.0, needed)


def metrics_match(case: Case) -> Iterator[Rule]:
    """metrics.json says what the answers say."""
    holdout, level = case.holdout, two_sided(case.policy.level)
    labels, answers, middle = holdout.labels, holdout.candidate.answers, holdout.middle
    band, clusters = case.limits.band, holdout.clusters
    measured: Mapping[str, object] = {
        "holdout": metrics.measure(labels, answers, middle, band),
        "intervals": metrics.intervals(labels, answers, middle, band, level, clusters),
        "segments": metrics.by_segment(labels, answers, holdout.segments, level, clusters),
    }
    actual = {
        "band": band,
        "middle": middle,
        "rows": {"holdout": len(labels)},
        **msgspec.to_builtins(measured),
    }
    wrong = [" ".join(path) for path in differences(actual, case.metrics)]
    if not wrong:
        yield Rule("metrics_match", MET, "metrics.json agrees with the answers", 0.0, 0.0)
        return
    named = ", ".join(wrong[:3])
    sentence = f"metrics.json differs from the answers in {named}; equal numbers are required"
    needed = "Measure again from the answers"
    yield Rule("metrics_match", BROKEN, sentence, float(len(wrong)), 0.0, needed)


def skill_floor(case: Case) -> Iterator[Rule]:
    """The skill has its floor, where the policy states one."""
    holdout, floor = case.holdout, case.limits.skill_floor
    if not floor:
        return
    skill = metrics.skill_limits(
        holdout.labels,
        holdout.candidate.answers,
        holdout.middle,
        case.policy.level,
        holdout.clusters,
    )
    lower = (floor - skill.value) * float(holdout.nothing.mean())
    yield Least(
        name="skill_floor",
        title="Skill beside the median of the training rows",
        value=skill.value,
        low=skill.low,
        high=skill.high,
        least=floor,
        rows=len(holdout.labels),
        called=case.words.plural,
        needed=f"Lower the mean absolute error by {case.shown(max(lower, 0.0))}",
        scarce=scarce(case),
    ).rule(first=case.first)


def mae_ceiling(case: Case) -> Iterator[Rule]:
    """The mean absolute error has its ceiling, where the policy states one. A first release is
    below it with its upper limit too, because nothing that was proved before stands behind it.
    """
    most, holdout = case.limits.mae_ceiling, case.holdout
    if not most:
        return
    off = np.abs(holdout.candidate.answers - holdout.labels)
    mae = metrics.mean_limits(off, case.policy.level, holdout.clusters)
    sentence = (
        f"Mean absolute error is {case.shown(mae.value)} [{four_digits(mae.low)},"
        f" {four_digits(mae.high)}]; at most {case.shown(most)} is allowed"
    )
    if case.first and mae.value <= most < mae.high:
        sentence += ", and of a first release an upper limit of no more"
        more = rows_to_tell(len(off), (mae.high - mae.value) / most, 1 - mae.value / most)
        needed = f"Label {more} further {case.words.plural}"
        yield Rule("mae_ceiling", OPEN, sentence, mae.value, most, needed)
        return
    yield Limit(
        "mae_ceiling",
        sentence,
        mae.value,
        mae.value - mae.low,
        most,
        len(off),
        f"Lower it by {case.shown(mae.value - most)}",
        scarce(case),
    ).rule()


def bias(case: Case) -> Iterator[Rule]:
    """Answers lie neither above nor below on the average by more than a part of what the median of
    the training rows is off.
    """
    holdout, most = case.holdout, case.limits.bias_ceiling
    off = holdout.candidate.answers - holdout.labels
    found = limits_of(off, holdout.nothing, case.policy.level, holdout.clusters)
    side, mean = "high" if found.value > 0 else "low", abs(float(off.mean()))
    sentence = (
        f"Answers are {case.shown(mean)} too {side}"
        f" on the average, {found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}] of the error of"
        f" the median; at most {most:g} either way is allowed"
    )
    reach = found.value - found.low if found.value > 0 else found.high - found.value
    yield Limit(
        "bias",
        sentence,
        abs(found.value),
        reach,
        most,
        len(off),
        f"Bring it {abs(found.value) - most:.4f} nearer to 0",
        scarce(case),
    ).rule()


def stability(case: Case) -> Iterator[Rule]:
    """Cross-validation, validation and holdout have about the same skill."""
    holdout = case.holdout
    quantile = float(scipy.stats.norm.isf(case.policy.level))
    skill = metrics.skill_limits(
        holdout.labels,
        holdout.candidate.answers,
        holdout.middle,
        case.policy.level,
        holdout.clusters,
    )
    error, rows = (skill.high - skill.low) / 2 / quantile, len(holdout.labels)
    spread = number_at(case.metrics, "cross_validation", "skill", "std")
    folds = case.metrics.get("cross_validation", {}).get("skill", {}).get("folds", [])
    of_folds = spread / math.sqrt(len(folds) - 1) if len(folds) > 1 else 0.0
    validated = number_at(case.metrics, "rows", "validation")
    there = error * math.sqrt(rows / validated) if validated >= 1 else 0.0
    for name, part, path, other in (
        (
            "stable_cross_validation",
            "in cross-validation",
            ("cross_validation", "skill", "mean"),
            of_folds,
        ),
        ("stable_validation", "in validation", ("validation", "skill"), there),
    ):
        value, most = number_at(case.metrics, *path), case.policy.stability_ceiling
        gap = abs(value - skill.value)
        reach = quantile * math.hypot(error, other)
        sentence = (
            f"Skill is {value:.4f} {part} and {skill.value:.4f} on {holdout.part}, a difference of"
            f" {gap:.4f} with a lower limit of {max(gap - reach, 0.0):.4f}; at most {most:g} is"
            " allowed"
        )
        broken = f"Bring them {gap - most:.4f} nearer"
        yield Limit(name, sentence, gap, reach, most, rows, broken, scarce(case)).rule()


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
    """The next step where there are fewer rows than limits of large samples need; empty where there
    are enough. Of rows that belong together one counts.
    """
    counted, what = _apart(case)
    if counted < FEW:
        return f"Label more rows, until there are {FEW} {what}; there are {counted}"
    return ""


# Without labels and answers there is nothing to measure.
MEASURABLE: tuple[Look, ...] = (numbers, labelled, finite)
ON_ITS_OWN: tuple[Look, ...] = (
    signal,
    no_duplicates,
    not_one_column,
    metrics_match,
    skill_floor,
    mae_ceiling,
    bias,
    stability,
    ledger,
)
FLOORS = ("skill_floor", "mae_ceiling")
# What an override may set aside of those that have a name of their own.
NUMBER_GOOD_ENOUGH = (*FLOORS, "bias", "anchor_skill")
