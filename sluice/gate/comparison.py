"""The rules on a candidate beside champion and anchor: as a whole, and group by group.

Sentences are built as in `sluice.gate.rules`. A difference is candidate minus other; its interval
has one-sided limits at the level of the policy.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sluice.gate.case import BROKEN, MET, OPEN, Case, Comparison, Holdout, Model, Rule
from sluice.gate.paired import (
    Difference,
    Pairs,
    better,
    holm,
    mean_difference,
    on_positives,
    recall_difference,
    tango,
    top,
    unit_variance,
    worse,
)
from sluice.gate.power import margin_needed, positives_needed
from sluice.gate.rules import Look

_WAY_OUT = (
    "Use a contract that both models accept; or sign an override of `comparable`, under which a"
    " candidate clears the floors as a first release does, and then run `sluice anchor set"
    " champion`"
)


@dataclass(frozen=True)
class Group:
    """A group of rows by name: its positives as the models find them.

    `shipped` is at the thresholds that the models ship with, `equal` with as many rows flagged by
    both over the whole holdout.
    """

    name: str
    shipped: Pairs
    equal: Pairs


def comparable(case: Case) -> Iterator[Rule]:
    """Champion and anchor can be scored, on enough rows that none of the models has seen."""
    share, least = case.facts.accepted, case.policy.comparable_share
    unscored = _unscored(case)
    if share < least or unscored:
        who = f"The {' and the '.join(unscored)}" if unscored else "The compared models"
        verb = "accepts" if len(unscored) == 1 else "accept"
        sentence = f"{who} {verb} {share:.1%} of the holdout rows; at least {least:.0%} is required"
        if share >= least:
            sentence = f"{who} cannot score every holdout row; a score of each is required"
        yield Rule("comparable", OPEN, sentence, share, least, _WAY_OUT)
    if not case.first and case.holdout.anchor is None:
        sentence = "There is a champion and no anchor; an anchor is required"
        yield Rule("anchored", OPEN, sentence, needed="Run `sluice anchor set champion`")
    if case.facts.left_out:
        yield _split_changed(case)


def _unscored(case: Case) -> list[str]:
    """Which of champion and anchor exist and cannot be compared."""
    names = []
    if case.holdout.champion is not None and case.champion is None:
        names.append("champion")
    if case.holdout.anchor is not None and case.anchor is None:
        names.append("anchor")
    return names


def _split_changed(case: Case) -> Rule:
    left, least = case.holdout.positives, case.policy.least_positives
    sentence = (
        f"The split changed: {case.facts.left_out:,} rows that a compared model has seen are left"
        f" out, and {case.words.counted(left)} are left; at least {least:,} are required"
    )
    if left >= least:
        return Rule("split_changed", MET, sentence, left, least)
    return Rule(
        "split_changed", OPEN, sentence, left, least, f"Label {case.words.more(least - left)}"
    )


def champion(case: Case) -> Iterator[Rule]:
    """Better than the champion, or at least not worse by the margin."""
    compared, policy = case.champion, case.policy
    if compared is None:
        return
    level, pairs = policy.level / policy.uses, compared.pairs
    sentence = (
        f"The candidate finds {case.words.counted(pairs.gained)} that {compared.against} misses and"
        f" misses {pairs.lost:,} that it finds, at {compared.flagged:,} flagged rows each, with"
        f" p = {compared.p_value:.3g}; at most {level:.3g} is required to be better"
    )
    if compared.p_value <= level:
        yield Rule("better", MET, sentence, compared.p_value, level)
    else:
        needed = _to_be_better(case, pairs, level)
        yield Rule("better", OPEN, sentence, compared.p_value, level, needed)
    yield _within(case, "not_worse", compared, f"champion {compared.against}")


def anchor(case: Case) -> Iterator[Rule]:
    """As good as the frozen reference, so that many small losses cannot add up."""
    compared, other = case.anchor, case.holdout.anchor
    if compared is None or other is None:
        return
    against = f"anchor {other.tag}"
    yield _within(case, "anchor_recall", compared, against)
    yield _precise(case, compared, against)
    yield _brier(case, other, against)


def _precise(case: Case, compared: Comparison, against: str) -> Rule:
    """Precision within the margin: with as many rows flagged, a positive found counts for precision
    what it counts for recall, in another unit.
    """
    unit = compared.pairs.rows / max(1, compared.flagged)
    recall, margin = compared.recall, case.policy.margin
    shown = _interval(
        Difference(recall.value * unit, recall.low * unit, recall.high * unit, recall.level)
    )
    sentence = (
        f"Precision differs by {shown} from {against}; a lower limit above {-margin:g} is required"
    )
    state = _state(recall.low, recall.high, margin / unit)
    needed = "" if state == MET else _to_tell(case, compared.pairs, margin / unit)
    return Rule("anchor_precision", state, sentence, recall.low * unit, -margin, needed)


def _brier(case: Case, other: Model, against: str) -> Rule:
    labels, margin = case.holdout.labels, case.policy.brier_margin
    mine = (case.holdout.candidate.scores - labels) ** 2
    theirs = (other.scores - labels) ** 2
    brier = mean_difference(mine, theirs, case.policy.level)
    sentence = (
        f"Brier score differs by {_interval(brier)} from {against}; an upper limit below"
        f" {margin:g} is required"
    )
    # A Brier score is better the lower it is, so its interval is turned round.
    state = _state(-brier.high, -brier.low, margin)
    needed = "" if state == MET else f"Lower the upper limit by {brier.high - margin:.4f}"
    return Rule("anchor_brier", state, sentence, brier.high, margin, needed)


def segments(case: Case) -> Iterator[Rule]:
    """No group loses more than its margin, as far as that is significant after Holm's correction.

    The loss has to show at the shipped thresholds, which is what is served, and with as many rows
    flagged in all: two retrains of one recipe differ in what their validation rows made of the
    threshold, and that is no group's loss.
    """
    if case.champion is None:
        return
    groups = list(_groups(case.holdout, case.champion.flagged))
    lost = _lost(case, groups)
    unclear = [group for group in groups if not _not_worse(case, group.shipped)]
    few = [group for group in unclear if group.name not in lost]
    if groups and lost:
        yield _losses(case, [group for group in groups if group.name in lost], lost)
    elif groups:
        yield _no_loss(case, len(groups), few)
    yield from _required(case, few)


def _groups(holdout: Holdout, flagged: int) -> Iterator[Group]:
    """Each group of each segment, the candidate against the champion; `flagged` rows each for
    `equal`.
    """
    candidate, other = holdout.candidate, holdout.champion
    if other is None:
        return
    mine = top(candidate.scores, holdout.hashes, flagged)
    theirs = top(other.scores, holdout.hashes, flagged)
    for segment, names in (holdout.segments or {}).items():
        for name in np.unique(names):
            rows = names == name
            labels = holdout.labels[rows]
            shipped = on_positives(labels, candidate.flagged[rows], other.flagged[rows])
            equal = on_positives(labels, mine[rows], theirs[rows])
            yield Group(f"{segment} = {name}", shipped, equal)


def _lost(case: Case, groups: list[Group]) -> Mapping[str, float]:
    """The groups whose loss is significant, each with its p-value after Holm's correction."""
    margin, level = case.policy.segment_margin, case.policy.level
    judged = [group for group in groups if group.shipped.rows >= case.policy.segment_positives]
    shown = [max(worse(group.shipped, margin), worse(group.equal, margin)) for group in judged]
    adjusted = zip(judged, holm(np.array(shown)), strict=True)
    return {group.name: float(p_value) for group, p_value in adjusted if p_value <= level}


def _losses(case: Case, groups: list[Group], p_values: Mapping[str, float]) -> Rule:
    margin = case.policy.segment_margin
    losses, steps = [], []
    for group in groups:
        pairs = group.shipped
        loss = (pairs.lost - pairs.gained) / pairs.rows
        losses.append(
            f"Recall of {group.name} falls by {loss:.4f} over {case.words.counted(pairs.rows)}"
            f" (p = {p_values[group.name]:.3g}); at most {margin:g} is allowed"
        )
        steps.append(f"{case.words.more(_to_margin(pairs, margin))} in {group.name}")
    needed = f"Find {', '.join(steps)}"
    return Rule("segments", BROKEN, ". ".join(losses), float(len(groups)), 0.0, needed)


def _no_loss(case: Case, count: int, few: list[Group]) -> Rule:
    sentence = (
        f"{count - len(few)} of {count} groups are shown to lose less than"
        f" {case.policy.segment_margin:g} of their recall"
    )
    if few:
        names = ", ".join(group.name for group in few)
        sentence += f"; too few {case.words.plural} to say for {names}"
    return Rule("segments", MET, sentence, 0.0, 0.0)


def _required(case: Case, few: list[Group]) -> Iterator[Rule]:
    """The segments of which the policy requires that something can be said of every group."""
    wanted = case.policy.segments_required
    short = [group for group in few if group.name.split(" = ")[0] in wanted]
    absent = [name for name in wanted if name not in (case.holdout.segments or {})]
    if not short and not absent:
        return
    names = ", ".join([*(group.name for group in short), *absent])
    sentence = (
        f"There are too few {case.words.plural} to say for {names}; the policy requires an answer"
    )
    steps = [
        _to_tell(case, group.shipped, case.policy.segment_margin, f" in {group.name}")
        for group in short
    ]
    needed = ". ".join(steps) or "Name these segments in the contract"
    yield Rule("segments_required", OPEN, sentence, needed=needed)


def _state(low: float, high: float, margin: float) -> str:
    """Met where the whole interval lies above `-margin`, broken where it lies below, else open."""
    if low > -margin:
        return MET
    return BROKEN if high < -margin else OPEN


def _within(case: Case, name: str, compared: Comparison, against: str) -> Rule:
    """Whether recall stays within the margin of the policy."""
    recall, margin = compared.recall, case.policy.margin
    sentence = (
        f"Recall differs by {_interval(recall)} from {against}; a lower limit above {-margin:g} is"
        " required"
    )
    state = _state(recall.low, recall.high, margin)
    needed = "" if state == MET else _to_tell(case, compared.pairs, margin)
    return Rule(name, state, sentence, recall.low, -margin, needed)


def _to_tell(case: Case, pairs: Pairs, margin: float, where: str = "") -> str:
    """What would show that the loss stays within the margin: more rows where that can be, else more
    positives found.
    """
    level = case.policy.level
    rows = margin_needed(margin, pairs.difference, unit_variance(pairs, -margin), level)
    if rows is not None:
        more = case.words.more(max(rows - pairs.rows, 1))
        return f"Label {more}{where}, if the difference stays"

    def enough(more: int) -> bool:
        return recall_difference(_with_found(pairs, more), level).low > -margin

    return f"Find {case.words.more(_smallest(pairs.rows, enough))}{where}"


def _to_margin(pairs: Pairs, margin: float) -> int:
    """How many more positives found bring the loss down to the margin."""
    return _smallest(pairs.rows, lambda k: pairs.lost - pairs.gained - k <= margin * pairs.rows)


def _to_be_better(case: Case, pairs: Pairs, level: float) -> str:
    """What would show a gain: more positives found, or more rows of the same."""
    more = _smallest(pairs.rows, lambda k: better(_with_found(pairs, k)) <= level)
    step = f"Find {case.words.more(more)}"
    gain = pairs.difference
    if gain <= 0:
        return step
    needed = positives_needed(gain, pairs.discordant, level, positive_share=pairs.positive_share)
    rows = needed - pairs.rows
    labelled = case.words.more(max(rows, 1))
    return f"{step}, or label {labelled} if the gain of {gain:.4f} is true"


def _with_found(pairs: Pairs, more: int) -> Pairs:
    """The pairs with so many more positives found, those first that the other finds.

    Where both flag equally many rows, a row that is no positive is given up for each: those first
    that the candidate flags alone.
    """
    both = min(more, pairs.lost)
    gained, lost = pairs.gained + more - both, pairs.lost - both
    if pairs.side is None:
        return Pairs(gained, lost, pairs.rows)
    own = pairs.side - pairs.gained
    return Pairs(gained, lost, pairs.rows, gained + own - min(more, own))


def _smallest(most: int, enough: Callable[[int], bool]) -> int:
    """The smallest number up to `most` that is enough, where more is never less; `most` if none
    is.
    """
    return bisect_left(range(most), True, key=enough)


def _not_worse(case: Case, pairs: Pairs) -> bool:
    return tango(pairs, case.policy.level).low > -case.policy.segment_margin


def _interval(difference: Difference) -> str:
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


# What tells whether the models can be compared, and what is a matter of how good is good enough; as
# in rules.py.
BELIEVED = ("anchored", "split_changed")
GOOD_ENOUGH = (
    "comparable",
    "better",
    "not_worse",
    "anchor_recall",
    "anchor_precision",
    "anchor_brier",
    "segments",
    "segments_required",
)

AGAINST_OTHERS: tuple[Look, ...] = (comparable, champion, anchor, segments)
