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

from sluice.gate.case import Case, Rule, number_at
from sluice.gate.limits import Least, Limit
from sluice.model.quality.clusters import INDEPENDENT, Design, design_of, of_share
from sluice.model.quality.metrics import confusion
from sluice.model.quality.operating_point import FEW_HITS, required_precision
from sluice.model.quality.statistics import wilson_high, wilson_low
from sluice.percent import percent

_NEAR_THRESHOLD = 0.2  # the share of the rows that tells how recall is bought with precision
# Limits beyond which nothing is deployed, whatever the verdict is called.
FLOORS = (
    "recall_floor",
    "precision_floor",
    "lift_floor",
    "brier_skill_floor",
    "net_benefit",
    "flagged_ceiling",
)


@dataclass(frozen=True)
class Share:
    """A share of rows, and its limits: `hit` of `of` rows, at most `high` by chance.

    `by` says where the upper limit comes from.
    """

    hit: int
    of: int
    low: float
    high: float
    by: str = ""

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hit / max(self.of, 1)


@dataclass(frozen=True)
class Aim:
    """What the threshold was chosen for: its precision on so many flagged validation rows, of which
    `prevalence` are positive in all; 0 where that is not known. `design` is that of the validation
    rows.
    """

    precision: float
    flagged: float
    prevalence: float = 0.0
    design: Design = INDEPENDENT

    @property
    def hits(self) -> float:
        """The positives among these rows, as many as count for themselves."""
        return self.precision * self.flagged / self.design.factor

    @property
    def variance(self) -> float:
        """Of that precision, by chance."""
        return self.precision * (1 - self.precision) / self.flagged * self.design.factor


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
    precision = aim.design.quantile(case.policy.level) * math.sqrt(aim.variance)
    return Chance(
        recall=_exchange(case) * precision,
        precision=precision,
        flagged=_flagged_for_precision(case) * precision,
    )


def floors(case: Case) -> Iterator[Rule]:
    """Recall and precision at the shipped threshold, against those floors that the policy states; a
    first release clears them with its lower limits.
    """
    policy, plural = case.policy, case.words.plural
    if policy.recall_floor:
        recall = Stated("recall", policy.recall_floor, plural, "Find {}")
        yield _against(case, recall, recall_share(case))
    if policy.precision_floor:
        step = "Flag {} in place of other rows"
        precision = Stated("precision", policy.precision_floor, "flagged rows", step)
        yield _against(case, precision, precision_share(case))


@dataclass(frozen=True)
class Stated:
    """A floor that the policy states.

    `rows` is what the rows are called of which more would narrow the interval; `step` says how a
    hit more comes about, with one place for the hits.
    """

    name: str
    floor: float
    rows: str
    step: str


def _against(case: Case, stated: Stated, share: Share) -> Rule:
    """The share against its floor: broken only where its upper limit lies below."""
    least = Least(
        name=f"{stated.name}_floor",
        title=stated.name.capitalize(),
        value=share.value,
        low=share.low,
        high=share.high,
        least=stated.floor,
        rows=share.of,
        called=stated.rows,
        needed=hits_needed(case, share, stated.floor, stated.step),
        by=share.by,
        scarce="" if share.by else placed_by_few(case),  # what scores promise, no threshold changes
    )
    return least.rule(first=case.first)


def placed_by_few(case: Case) -> str:
    """The next step where so few validation rows placed the threshold that nobody is to blame for
    it; empty where enough did, or where metrics.json does not say how many.
    """
    aim = _aim(case)
    if aim is None or aim.hits >= FEW_HITS:
        return ""
    found = case.words.counted(round(aim.hits))
    return (
        f"Label more rows: the threshold was chosen by {found} that it flags in validation, and"
        f" {FEW_HITS} are needed to tell a weak model from chance"
    )


def hits_needed(case: Case, share: Share, floor: float, step: str) -> str:
    """How many more hits bring the share to its floor, as the next step that `step` says."""
    if not share.of:
        return "Flag at least one row"
    # The small difference keeps a product such as 0.07 * 100 from being rounded up to the next hit.
    more = math.ceil(floor * share.of - 1e-9) - share.hit
    return step.format(case.words.more(more))


def _aim(case: Case) -> Aim | None:
    """What metrics.json says of the validation rows; None where it does not say enough."""
    precision = number_at(case.metrics, "validation", "precision")
    share = number_at(case.metrics, "validation", "share_flagged")
    flagged = share * number_at(case.metrics, "rows", "validation")
    if not (0 < precision <= 1 and flagged >= 1):
        return None
    recall = number_at(case.metrics, "validation", "recall")
    prevalence = precision * share / recall if recall > 0 else 0.0
    return Aim(precision, flagged, prevalence, _design_of_aim(case))


def _design_of_aim(case: Case) -> Design:
    """That of the validation precision, where metrics.json says that rows belong together.

    Where rows of the holdout do and the file says nothing of it, no chance is known: its freedom is
    the least.
    """
    if case.holdout.clusters is None:
        return INDEPENDENT
    factor = number_at(case.metrics, "grouped_precision", "factor")
    freedom = number_at(case.metrics, "grouped_precision", "freedom")
    known = factor >= 1 and freedom >= 1
    return Design(factor, freedom) if known else Design(1.0, 1.0)


def recall_share(case: Case) -> Share:
    """The recall, with the chance of the threshold in its upper limit."""
    counts, level = (
        confusion(case.holdout.labels, case.holdout.candidate.flagged),
        case.policy.level,
    )
    hit, positives, by = counts.true_positive, counts.positives, ""
    value = hit / positives
    holdout = case.holdout
    flagged, positive = holdout.candidate.flagged, holdout.labels == 1
    design = of_share(flagged, positive, holdout.clusters)
    high = wilson_high(hit, positives, level, design)
    aim = _aim(case)
    if aim is not None and counts.flagged:
        chance = chance_of_threshold(case).recall
        high = min(value + math.hypot(high - value, chance), 1.0)
        own = _by_its_own_probabilities(case, _promised_at(case, aim))
        if own < high:
            high, by = own, " by its own probabilities"
    return Share(hit, positives, wilson_low(hit, positives, level, design), high, by)


def precision_share(case: Case) -> Share:
    """The precision, with the chance of the threshold in its upper limit."""
    counts, level = (
        confusion(case.holdout.labels, case.holdout.candidate.flagged),
        case.policy.level,
    )
    hit, of = counts.true_positive, counts.flagged
    holdout = case.holdout
    design = of_share(holdout.labels == 1, holdout.candidate.flagged, holdout.clusters)
    high = wilson_high(hit, of, level, design)
    aim = _aim(case)
    if aim is not None and of:
        chance = chance_of_threshold(case).precision
        alone = hit / of + math.hypot(high - hit / of, chance)
        rows = of + round(aim.flagged)
        both = _pooled((of, design), (aim.flagged, aim.design))
        together = wilson_high(hit + round(aim.flagged * aim.precision), rows, level, both)
        high = min(max(alone, together), 1.0)
    return Share(hit, of, wilson_low(hit, of, level, design), high)


def _pooled(*parts: tuple[float, Design]) -> Design:
    """The design of a share over the rows of several parts, each with its own."""
    if all(design.independent for _, design in parts):
        return INDEPENDENT
    rows = sum(count for count, _ in parts)
    worth = sum(count / design.factor for count, design in parts)
    return Design(rows / worth, min(design.freedom for _, design in parts))


def flagged_ceiling(case: Case) -> Iterator[Rule]:
    """Not every row is flagged: a model that flags all of them has a recall of 1.0."""
    flagged, most = case.holdout.candidate.flagged, case.policy.flagged_ceiling
    rows, count = len(flagged), int(flagged.sum())
    share = count / rows
    design = of_share(flagged, np.ones(rows, dtype=bool), case.holdout.clusters)
    alone = share - wilson_low(count, rows, case.policy.level, design)
    reach = math.hypot(alone, chance_of_threshold(case).flagged)
    sentence = (
        f"{percent(share, 1)} of the rows are flagged, with a lower limit of"
        f" {percent(max(share - reach, 0.0), 1)}; at most {percent(most, 1)} is allowed"
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


@dataclass(frozen=True)
class Promised:
    """The precision at which a model is asked for its own recall: so much of the flagged rows, or
    so many times the mean of all scores where `lift` is not 0.
    """

    precision: float
    lift: float = 0.0


def _promised_at(case: Case, aim: Aim) -> Promised:
    """What the threshold was chosen for, in terms of the scores alone.

    A lift is reached at a precision that depends on how many validation rows happened to be
    positive. That says nothing of the scores, so it is asked for as a lift.
    """
    policy, prevalence = case.policy, case.holdout.prevalence
    required = required_precision(policy, prevalence)
    if required > policy.precision_floor and aim.prevalence > 0:
        lift = max(aim.precision / aim.prevalence, policy.lift_floor)
        return Promised(lift * float(case.holdout.candidate.scores.mean()), lift)
    return Promised(max(aim.precision, required))


def _by_its_own_probabilities(case: Case, promised: Promised) -> float:
    """The upper limit of the recall that the candidate's probabilities promise at a precision.

    If they are right, each row is positive with its score; no label is looked at. Its chance is
    that of the scores which the holdout happens to have. Few rows promise nothing: 1.
    """
    holdout = case.holdout
    order = np.argsort(holdout.candidate.scores)[::-1]
    scores = holdout.candidate.scores[order]
    total, count = float(scores.sum()), np.arange(1, len(scores) + 1)
    precise = np.flatnonzero(np.cumsum(scores) / count >= promised.precision)
    if not len(precise) or len(precise) == len(scores):
        return 1.0  # it promises less than that of every row, or more: nothing to go by
    last = int(precise[-1])
    flagged = np.arange(len(scores)) <= last
    if float(scores[flagged].sum()) < FEW_HITS:
        return 1.0
    recall = float(scores[flagged].sum()) / total
    edge, above = float(scores[last]), float(scores[flagged].mean())
    exchange = edge * (last + 1) / (total * max(above - edge, 1e-9))
    of_each = (flagged - recall) * scores / total
    of_each += exchange * flagged * (scores - above) / (last + 1)
    of_each -= exchange * promised.lift * (scores - float(scores.mean())) / len(scores)
    design = design_of(of_each, holdout.clusters_of(order))
    spread = math.sqrt(float((of_each**2).sum()) * design.factor)
    return recall + design.quantile(case.policy.level) * spread
