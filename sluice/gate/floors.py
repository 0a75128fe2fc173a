"""What the shipped threshold makes of a model: recall, precision, share flagged, and their chance.

A threshold is chosen on validation rows, and few of them place it badly: where it lies too high, an
honest model is precise beyond need and finds too little. That is nobody's fault, so the limits here
hold the chance of the threshold too. What misses its limit stays where it is all the same; the
intervals tell only whether the model is to blame or the number of rows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate.case import BROKEN, MET, OPEN, Case, Rule, number_at
from sluice.gate.limits import Limit, rows_to_tell
from sluice.model.metrics import confusion
from sluice.model.statistics import wilson_high, wilson_low

_NEAR_THRESHOLD = 0.2  # the share of the rows that tells how recall is bought with precision
# Limits beyond which nothing is deployed, whatever the verdict is called.
FLOORS = ("recall_floor", "precision_floor", "flagged_ceiling")


@dataclass(frozen=True)
class Share:
    """A share of rows and the floor it must clear: `hit` of `of` rows, at most `high` by chance.

    `more` says how a hit more comes about, with one place for the hits; `rows` is what the rows
    are called of which more would narrow the interval. `by` says where the limit comes from.
    """

    name: str
    hit: int
    of: int
    floor: float
    high: float
    more: str
    rows: str
    by: str = ""

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hit / max(self.of, 1)


@dataclass(frozen=True)
class Aim:
    """What the threshold was chosen for: its precision on so many flagged validation rows."""

    precision: float
    flagged: float

    @property
    def variance(self) -> float:
        """Of that precision, by chance."""
        return self.precision * (1 - self.precision) / self.flagged


@dataclass(frozen=True)
class Chance:
    """How far the chance of the validation rows reaches, by way of the threshold, in each measure;
    nowhere where metrics.json does not say what the threshold was chosen for.
    """

    recall: float = 0.0
    precision: float = 0.0
    flagged: float = 0.0


def chance_of_threshold(case: Case) -> Chance:
    """The chance that is in the threshold, one-sided at the level of the policy."""
    aim = _aim(case)
    if aim is None or not case.holdout.candidate.flagged.any():
        return Chance()
    precision = _quantile(case) * math.sqrt(aim.variance)
    return Chance(
        recall=_exchange(case) * precision,
        precision=precision,
        flagged=_flagged_for_precision(case) * precision,
    )


def floors(case: Case) -> Iterator[Rule]:
    """Recall and precision at the shipped threshold; a first release clears them with its lower
    limits.
    """
    aim = _aim(case)
    yield _floor(case, _recall(case, aim))
    yield _floor(case, _precision(case, aim))


def _aim(case: Case) -> Aim | None:
    """What metrics.json says of the validation rows; None where it does not say enough."""
    precision = number_at(case.metrics, "validation", "precision")
    share = number_at(case.metrics, "validation", "share_flagged")
    flagged = share * number_at(case.metrics, "rows", "validation")
    if not (0 < precision <= 1 and flagged >= 1):
        return None
    return Aim(precision, flagged)


def _recall(case: Case, aim: Aim | None) -> Share:
    counts = confusion(case.holdout.labels, case.holdout.candidate.flagged)
    hit, policy, by = counts.true_positive, case.policy, ""
    value = hit / counts.positives
    high = wilson_high(hit, counts.positives, policy.level)
    if aim is not None and counts.flagged:
        chance = chance_of_threshold(case).recall
        high = min(value + math.hypot(high - value, chance), 1.0)
        own = _by_its_own_probabilities(case, max(aim.precision, policy.precision_floor))
        if own < high:
            high, by = own, " by its own probabilities"
    return Share(
        "recall",
        hit,
        counts.positives,
        policy.recall_floor,
        high,
        "Find {}",
        case.words.plural,
        by,
    )


def _precision(case: Case, aim: Aim | None) -> Share:
    counts = confusion(case.holdout.labels, case.holdout.candidate.flagged)
    hit, of, policy = counts.true_positive, counts.flagged, case.policy
    high = wilson_high(hit, of, policy.level)
    if aim is not None and of:
        chance = chance_of_threshold(case).precision
        alone = hit / of + math.hypot(high - hit / of, chance)
        rows = of + round(aim.flagged)
        together = wilson_high(hit + round(aim.flagged * aim.precision), rows, policy.level)
        high = min(max(alone, together), 1.0)
    return Share(
        "precision",
        hit,
        of,
        policy.precision_floor,
        high,
        "Flag {} in place of other rows",
        "flagged rows",
    )


def flagged_ceiling(case: Case) -> Iterator[Rule]:
    """Not every row is flagged: a model that flags all of them has a recall of 1.0."""
    flagged, most = case.holdout.candidate.flagged, case.policy.flagged_ceiling
    rows, count = len(flagged), int(flagged.sum())
    share = count / rows
    alone = share - wilson_low(count, rows, case.policy.level)
    reach = math.hypot(alone, chance_of_threshold(case).flagged)
    sentence = (
        f"{share:.1%} of the rows are flagged, with a lower limit of"
        f" {max(share - reach, 0.0):.1%}; at most {most:.1%} is allowed"
    )
    broken = f"Flag {count - math.floor(most * rows):,} fewer rows"
    yield Limit("flagged_ceiling", sentence, share, reach, most, rows, broken).rule()


def _exchange(case: Case) -> float:
    """How much recall a point of precision costs where the threshold lies.

    A row more that is flagged there is positive with some chance q, and changes recall by q /
    positives.
    """
    holdout = case.holdout
    rows = len(holdout.labels)
    return _flagged_for_precision(case) * rows * _at_threshold(case) / holdout.positives


def _flagged_for_precision(case: Case) -> float:
    """How large a share of the rows is flagged less for a point more of precision.

    With n rows flagged of which a share p is positive, and a share q of those at the threshold, a
    row more changes precision by (q - p) / n. Endless where q is no less than p.
    """
    holdout, flagged = case.holdout, case.holdout.candidate.flagged
    above = float((holdout.labels[flagged] == 1).mean())
    lost = above - _at_threshold(case)
    return float(flagged.mean()) / lost if lost > 0 else math.inf


def _at_threshold(case: Case) -> float:
    """The share of positives among the rows whose scores are nearest to the threshold."""
    candidate = case.holdout.candidate
    distance = np.abs(candidate.scores - candidate.threshold)
    count = max(1, math.ceil(_NEAR_THRESHOLD * len(distance)))
    near = np.argsort(distance, kind="stable")[:count]
    return float((case.holdout.labels[near] == 1).mean())


def _by_its_own_probabilities(case: Case, precision: float) -> float:
    """The upper limit of the recall that the candidate's probabilities promise at a precision.

    If they are right, each row is positive with its score; no label is looked at. Its chance is
    that of the scores which the holdout happens to have.
    """
    scores = np.sort(case.holdout.candidate.scores)[::-1]
    total, count = float(scores.sum()), np.arange(1, len(scores) + 1)
    precise = np.flatnonzero(np.cumsum(scores) / count >= precision)
    if not len(precise) or len(precise) == len(scores):
        return 1.0  # it promises less than that of every row, or more: nothing to go by
    last = int(precise[-1])
    flagged = np.arange(len(scores)) <= last
    recall = float(scores[flagged].sum()) / total
    edge, above = float(scores[last]), float(scores[flagged].mean())
    exchange = edge * (last + 1) / (total * max(above - edge, 1e-9))
    of_each = (flagged - recall) * scores / total
    of_each += exchange * flagged * (scores - above) / (last + 1)
    return recall + _quantile(case) * math.sqrt(float((of_each**2).sum()))


def _quantile(case: Case) -> float:
    return float(scipy.stats.norm.isf(case.policy.level))


def _floor(case: Case, share: Share) -> Rule:
    """The share against its floor: broken only where its upper limit lies below."""
    if share.value < share.floor:
        return _below(case, share)
    name, floor, title = f"{share.name}_floor", share.floor, share.name.capitalize()
    low = wilson_low(share.hit, share.of, case.policy.level)
    measured = f"{title} is {share.value:.4f} with a lower limit of {low:.4f}"
    if case.first and low < floor:
        sentence = f"{measured}; a lower limit of at least {floor:g} is required of a first release"
        more = rows_to_tell(share.of, share.value - low, share.value - floor)
        needed = f"Label {more} further {share.rows}"
        return Rule(name, OPEN, sentence, share.value, floor, needed)
    return Rule(name, MET, f"{measured}; at least {floor:g} is required", share.value, floor)


def _below(case: Case, share: Share) -> Rule:
    name, floor, title = f"{share.name}_floor", share.floor, share.name.capitalize()
    sentence = (
        f"{title} is {share.value:.4f} with an upper limit of {share.high:.4f}{share.by}; at least"
        f" {floor:g} is required"
    )
    needed = _hits_needed(case, share)
    if share.high < floor:
        return Rule(name, BROKEN, sentence, share.value, floor, needed)
    more = rows_to_tell(share.of, share.high - share.value, floor - share.value)
    if share.of:
        needed = f"{needed}, or label {more} further {share.rows} to tell it from chance"
    return Rule(name, OPEN, sentence, share.value, floor, needed)


def _hits_needed(case: Case, share: Share) -> str:
    if not share.of:
        return "Flag at least one row"
    # The small difference keeps a product such as 0.07 * 100 from being rounded up to the next hit.
    more = math.ceil(share.floor * share.of - 1e-9) - share.hit
    return share.more.format(case.words.more(more))
