"""The rules on a candidate by itself: what each looks at, its sentence, and what would have met
it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.gate.case import BROKEN, MET, OPEN, Case, Rule
from sluice.gate.paired import on_positives, tango, top
from sluice.gate.power import margin_needed
from sluice.model.metrics import by_segment, confusion, intervals, measure
from sluice.model.statistics import calibration_error, roc_auc, roc_auc_interval, wilson_low

Look = Callable[[Case], Iterator[Rule]]

_SAME = 1e-9  # recomputed metrics may differ in the last bits of a sum, and by no more
# the share of the rows that one score may cover: equal scores are told apart by hash, which is
# chance
_ALIKE = 0.5


def labelled(case: Case) -> Iterator[Rule]:
    """Both classes are there."""
    rows, positives = len(case.holdout.labels), case.holdout.positives
    said = f"{rows:,} labelled rows, {positives:,} of them positive"
    met = 2 <= positives <= rows - 2
    needed = (
        f"needs {max(2 - positives, 0)} more positives and {max(2 - rows + positives, 0)} more"
        " negatives"
    )
    yield Rule("labelled", MET if met else OPEN, said, float(positives), 2.0, "" if met else needed)


def finite(case: Case) -> Iterator[Rule]:
    """Every score is a probability."""
    scores = case.holdout.candidate.scores
    bad = int((~(np.isfinite(scores) & (scores >= 0) & (scores <= 1))).sum())
    said = f"{bad:,} of {len(scores):,} scores are not probabilities"
    yield yes_or_no("finite", bad == 0, said, bad, 0, "numbers from 0 to 1")


def not_constant(case: Case) -> Iterator[Rule]:
    """The model tells rows apart."""
    _, counts = np.unique(case.holdout.candidate.scores, return_counts=True)
    share = float(counts.max() / counts.sum())
    yield yes_or_no(
        "not_constant",
        share <= _ALIKE,
        f"{share:.1%} of the rows have the same score, {_ALIKE:.0%} may",
        share,
        _ALIKE,
        "a model that tells rows apart",
    )


def signal(case: Case) -> Iterator[Rule]:
    """The ranking is better than chance: neither turned upside down nor learnt from shuffled
    labels.
    """
    area = roc_auc(case.holdout.labels, case.holdout.candidate.scores)
    low, high = roc_auc_interval(
        case.holdout.labels, case.holdout.candidate.scores, 1 - 2 * case.policy.level
    )
    said = f"ROC-AUC {area:.4f} [{low:.4f}, {high:.4f}]"
    why = (
        ": the scores are upside down"
        if high < 0.5
        else ": no better than chance, as if the labels were shuffled"
    )
    yield yes_or_no(
        "signal", low > 0.5, said + ("" if low > 0.5 else why), area, 0.5, "a lower limit above 0.5"
    )


def no_training_rows(case: Case) -> Iterator[Rule]:
    """No row of the holdout was trained on."""
    rows = case.facts.trained_on
    said = f"{rows:,} training rows in the holdout"
    yield yes_or_no("no_training_rows", rows == 0, said, rows, 0, "training without them")


def no_duplicates(case: Case) -> Iterator[Rule]:
    """Few rows of the holdout equal a training row in every feature."""
    share, most = case.facts.duplicates / len(case.holdout.labels), case.policy.duplicate_ceiling
    fewer = case.facts.duplicates - math.floor(most * len(case.holdout.labels))
    yield yes_or_no(
        "no_duplicates",
        share <= most,
        f"{share:.2%} of the holdout repeats training rows, {most:.2%} may",
        share,
        most,
        f"{fewer:,} fewer",
    )


def not_one_column(case: Case) -> Iterator[Rule]:
    """No single column gives the answer away, and the model knows more than its best column."""
    one = case.holdout.one_column
    if one is None:
        return
    area, limit = roc_auc(case.holdout.labels, one.scores), case.policy.one_column_ceiling
    yield yes_or_no(
        "no_leak",
        area <= limit,
        f"{one.tag} alone has ROC-AUC {area:.4f}, at most {limit:g} is believed",
        area,
        limit,
        f"training without {one.tag}",
    )
    rows, flagged = case.holdout, int(case.holdout.candidate.flagged.sum())
    pairs = on_positives(
        rows.labels, *(top(s, rows.hashes, flagged) for s in (rows.candidate.scores, one.scores))
    )
    gain = tango(pairs, case.policy.level)
    state = MET if gain.low > 0 else OPEN if gain.value > 0 else BROKEN
    more = margin_needed(0.0, gain.value, pairs.discordant, case.policy.level) or 0
    needed = {
        MET: "",
        OPEN: f"needs {max(more - pairs.rows, 1):,} more positives at this difference",
        BROKEN: "a model that knows more than its best column",
    }
    said = (
        f"recall {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] against {one.tag} alone,"
        f" {flagged:,} flagged"
    )
    yield Rule("more_than_one_column", state, said, gain.low, 0.0, needed[state])


def metrics_match(case: Case) -> Iterator[Rule]:
    """metrics.json says what the scores say."""
    rows, threshold = case.holdout, case.holdout.candidate.threshold
    actual = {
        "threshold": threshold,
        "rows": {"holdout": len(rows.labels), "holdout_positives": rows.positives},
        "holdout": measure(rows.labels, rows.candidate.scores, threshold),
        "intervals": intervals(rows.labels, rows.candidate.scores, threshold),
        "confusion": confusion(rows.labels, rows.candidate.flagged),
        "segments": by_segment(rows.labels, rows.candidate.scores, threshold, rows.segments or {}),
    }
    wrong = [" ".join(place) for place in _differences(actual, case.metrics, ())]
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    said = f"metrics.json does not agree with the scores in {', '.join(wrong[:3])}{more}"
    said = said if wrong else "metrics.json agrees with the scores"
    yield yes_or_no(
        "metrics_match", not wrong, said, len(wrong), 0, "metrics measured again from the scores"
    )


def _differences(
    actual: object, declared: object, place: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """The places of `actual` at which `declared` says something else, or nothing."""
    if isinstance(actual, Mapping):
        told: Mapping[str, object] = declared if isinstance(declared, Mapping) else {}
        for name, value in actual.items():
            yield from _differences(value, told.get(name), (*place, name))
    elif isinstance(actual, list):
        limits = (
            declared
            if isinstance(declared, list) and len(declared) == len(actual)
            else [None] * len(actual)
        )
        if any(
            True for pair in zip(actual, limits, strict=True) for _ in _differences(*pair, place)
        ):
            yield place
    elif not abs(_number(declared) - _number(actual)) <= _SAME:
        yield place


def _number(value: Any, *names: str) -> float:
    """The number at this place of a document; not a number where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    )


def floors(case: Case) -> Iterator[Rule]:
    """Recall and precision at the shipped threshold; a first release clears them with its lower
    limits.
    """
    counts = confusion(case.holdout.labels, case.holdout.candidate.flagged)
    hit, missed, false = counts["true_positive"], counts["false_negative"], counts["false_positive"]
    recall = Share("recall", hit, hit + missed, case.policy.recall_floor)
    yield _floor(case, recall, "found", case.words.plural)
    precision = Share("precision", hit, hit + false, case.policy.precision_floor)
    yield _floor(case, precision, "among the flagged rows", "flagged rows")


@dataclass(frozen=True)
class Share:
    """A share of rows and its floor: `hit` of `of` rows."""

    name: str
    hit: int
    of: int
    floor: float


def _floor(case: Case, share: Share, where: str, rows: str) -> Rule:
    name, hit, of, floor = share.name, share.hit, share.of, share.floor
    value, low = hit / max(of, 1), wilson_low(hit, of, case.policy.level)
    said = f"{name} {value:.4f} against a floor of {floor:g}"
    if value < floor:
        more = math.ceil(floor * of - 1e-9) - hit
        needed = f"{case.words.more(more)} {where}" if of else "at least one flagged row"
        return Rule(f"{name}_floor", BROKEN, said, value, floor, needed)
    said += f", lower limit {low:.4f}"
    if case.first and low < floor:
        needed = (
            f"a first release clears it with the limit: needs {_rows_for(value, low, of, floor)}"
            f" more {rows}"
        )
        return Rule(f"{name}_floor", OPEN, said, value, floor, needed)
    return Rule(f"{name}_floor", MET, said, value, floor)


def _rows_for(value: float, low: float, rows: int, floor: float) -> str:
    """About how many more rows bring the lower limit to the floor: its distance falls with the root
    of the rows.
    """
    if value - floor < 1e-4:
        return f"far more than {rows:,}"
    return f"{math.ceil(rows * ((value - low) / (value - floor)) ** 2) - rows:,}"


def flagged_ceiling(case: Case) -> Iterator[Rule]:
    """Not everybody is flagged: "always positive" has a recall of 1.0."""
    flagged, most = case.holdout.candidate.flagged, case.policy.flagged_ceiling
    fewer = int(flagged.sum()) - math.floor(most * len(flagged))
    share = float(flagged.mean())
    said = f"{share:.1%} of the rows flagged against a ceiling of {most:.1%}"
    yield yes_or_no("flagged_ceiling", share <= most, said, share, most, f"{fewer:,} fewer flagged")


def calibration(case: Case) -> Iterator[Rule]:
    """A probability can be taken at its word: the mean distance of score and outcome over ten equal
    parts.
    """
    error = calibration_error(case.holdout.labels, case.holdout.candidate.scores)
    most = case.policy.calibration_ceiling
    said = f"probabilities are {error:.4f} off the outcome in the mean, at most {most:g} may be"
    yield yes_or_no("calibration", error <= most, said, error, most, f"{error - most:.4f} less")


def stability(case: Case) -> Iterator[Rule]:
    """Cross-validation, validation and holdout tell the same story."""
    area, most = (
        roc_auc(case.holdout.labels, case.holdout.candidate.scores),
        case.policy.stability_ceiling,
    )
    places = {
        "cross_validation": ("cross_validation", "roc_auc", "mean"),
        "validation": ("validation", "roc_auc"),
    }
    for name, place in places.items():
        value = _number(case.metrics, *place)
        said = (
            f"ROC-AUC {value:.4f} in {name.replace('_', '-')} and {area:.4f} on the holdout,"
            f" {most:g} apart at most"
        )
        gap = abs(value - area)
        yield yes_or_no(f"stable_{name}", gap <= most, said, gap, most, f"{gap - most:.4f} nearer")
    spread = _number(case.metrics, "cross_validation", "roc_auc", "std")
    said = f"ROC-AUC varies by {spread:.4f} over the folds, at most {most:g} may it"
    yield yes_or_no("stable_folds", spread <= most, said, spread, most, f"{spread - most:.4f} less")


def ledger(case: Case) -> Iterator[Rule]:
    """The holdout has not decided too often."""
    used, most = case.facts.uses, case.policy.uses
    said = f"use {used + 1} of {most} of this holdout"
    spent = f"this holdout is used up: it has decided {used} times, {most} are allowed"
    needed = "new labelled rows, until half of its positives are new"
    met = Rule("ledger", MET, said, used, most)
    yield met if used < most else Rule("ledger", OPEN, spent, used, most, needed)


def yes_or_no(name: str, met: bool, sentence: str, value: float, limit: float, needed: str) -> Rule:
    """A rule that is met or broken."""
    return Rule(
        name, MET if met else BROKEN, sentence, float(value), float(limit), "" if met else needed
    )


# What tells whether the numbers can be believed; an override sets none of it aside.
NEVER_WAIVED = (
    *(
        "labelled",
        "finite",
        "not_constant",
        "signal",
        "no_training_rows",
        "no_duplicates",
        "no_leak",
    ),
    *("more_than_one_column", "metrics_match", "anchored", "split_changed", "ledger"),
)
# What is a matter of how good is good enough: a signed override may set one of these aside.
MAY_BE_WAIVED = (
    *(
        "recall_floor",
        "precision_floor",
        "flagged_ceiling",
        "calibration",
        "stable_cross_validation",
    ),
    *(
        "stable_validation",
        "stable_folds",
        "comparable",
        "better",
        "not_worse",
        "anchor_recall",
        "anchor_precision",
    ),
    *("anchor_brier", "segments", "segments_required"),
)

# Without labels and scores that are probabilities there is nothing to measure.
MEASURABLE: tuple[Look, ...] = (labelled, finite)
ON_ITS_OWN: tuple[Look, ...] = (
    not_constant,
    signal,
    no_training_rows,
    no_duplicates,
    not_one_column,
    metrics_match,
    floors,
    flagged_ceiling,
    calibration,
    stability,
    ledger,
)
