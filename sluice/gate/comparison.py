"""The rules on a candidate beside champion and anchor, on the holdout as a whole.

Sentences are built as in `sluice.gate.rules`. A difference is candidate minus other; its interval
has one-sided limits at the level of the policy, beside the anchor at that of a look.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace

from sluice.gate import net_benefit, spending
from sluice.gate.case import BROKEN, MET, OPEN, Case, Comparison, Model, Rule
from sluice.gate.paired import (
    Difference,
    Pairs,
    better,
    mean_difference,
    recall_difference,
    unit_variance,
)
from sluice.gate.power import margin_needed
from sluice.gate.rules import Look
from sluice.gate.sequential import log_e_value, rows_needed
from sluice.percent import percent

WAY_OUT = (
    "Use a contract that both models accept; or sign an override of `comparable`, under which a"
    " candidate clears the floors as a first release does, and then run `sluice anchor set"
    " champion`"
)


def comparable(case: Case) -> Iterator[Rule]:
    """Champion and anchor can be scored, on enough rows that none of the models has seen."""
    share, least = case.facts.accepted, case.policy.comparable_share
    unscored = _unscored(case)
    if share < least or unscored:
        who = f"The {' and the '.join(unscored)}" if unscored else "The compared models"
        verb = "accepts" if len(unscored) == 1 else "accept"
        sentence = (
            f"{who} {verb} {percent(share, 1)} of the holdout rows; at least {percent(least)} is"
            " required"
        )
        if share >= least:
            sentence = f"{who} cannot score every holdout row; a score of each is required"
        yield Rule("comparable", OPEN, sentence, share, least, WAY_OUT)
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
    compared = case.champion
    if compared is None:
        return
    if case.policy.costed:
        yield from net_benefit.against_champion(case)
        return
    look = _later_look if case.facts.looks else _first_look
    yield look(case, compared)
    yield _within(case, "not_worse", compared, f"champion {compared.against}")


def _first_look(case: Case, compared: Comparison) -> Rule:
    """Better by the exact test."""
    level = _level_of_first_look(case)
    sentence = (
        f"{_found(case, compared)}, with p = {compared.p_value:.3g}; at most {level:.3g} is"
        " required to be better"
    )
    if compared.p_value <= level:
        return Rule("better", MET, sentence, compared.p_value, level)
    needed = _to_be_better(case, compared.pairs)
    return Rule("better", OPEN, sentence, compared.p_value, level, needed)


def _level_of_first_look(case: Case) -> float:
    return case.facts.shared * spending.first_level(case.policy.level, case.facts.uses)


def _later_look(case: Case, compared: Comparison) -> Rule:
    """Better by the e-value of all rows that are there by now."""
    if not compared.pairs.design.independent:
        return _later_look_at_groups(case, compared)
    level = spending.later_level(case.policy.level, case.facts.uses)
    reached = log_e_value(compared.pairs, case.policy.margin)
    sentence = (
        f"{_found(case, compared)}; at look {case.facts.looks + 1} of this use the logarithm of the"
        f" e-value is {reached:.2f}; at least {-math.log(level):.2f} is required to be better"
    )
    if reached >= -math.log(level):
        return Rule("better", MET, sentence, reached, -math.log(level))
    needed = _to_go_on(case, compared.pairs) or "Release another model"
    return Rule("better", OPEN, sentence, reached, -math.log(level), needed)


def _later_look_at_groups(case: Case, compared: Comparison) -> Rule:
    """Groups grow from look to look, so each later look has a part of the level for itself."""
    facts = case.facts
    level = spending.grouped_level(case.policy.level, facts.uses, facts.looks)
    sentence = (
        f"{_found(case, compared)}, with p = {compared.p_value:.3g}; at look {facts.looks + 1} of"
        f" this use at most {level:.3g} is required to be better"
    )
    if compared.p_value <= level:
        return Rule("better", MET, sentence, compared.p_value, level)
    needed = _to_go_on(case, compared.pairs) or "Release another model"
    return Rule("better", OPEN, sentence, compared.p_value, level, needed)


def _found(case: Case, compared: Comparison) -> str:
    pairs = compared.pairs
    return (
        f"The candidate finds {case.words.counted(pairs.gained)} that {compared.against} misses and"
        f" misses {pairs.lost:,} that it finds, at {compared.flagged:,} flagged rows each"
    )


def anchor(case: Case) -> Iterator[Rule]:
    """As good as the frozen reference, so that many small losses cannot add up; at the level of a
    look beside it.
    """
    compared, other = case.anchor, case.holdout.anchor
    if compared is None or other is None:
        return
    level = spending.anchor_level(case.policy.level)
    at = replace(case, policy=replace(case.policy, level=level))
    against = f"anchor {other.tag} ({percent(1 - 2 * level)} interval)"
    if case.policy.costed:
        yield from net_benefit.against_anchor(at, against)
    else:
        recall = recall_difference(compared.pairs, level)
        looked = replace(compared, recall=recall)
        yield _within(at, "anchor_recall", looked, against)
        yield _precise(at, looked, against)
    yield _brier(at, other, against)


def _precise(case: Case, compared: Comparison, against: str) -> Rule:
    """Precision within the margin: with as many rows flagged, a positive found counts for precision
    what it counts for recall, in another unit.
    """
    unit = compared.pairs.rows / max(1, compared.flagged)
    recall, margin = compared.recall, case.policy.margin
    shown = interval(
        Difference(recall.value * unit, recall.low * unit, recall.high * unit, recall.level)
    )
    sentence = (
        f"Precision differs by {shown} from {against}; a lower limit above {-margin:g} is required"
    )
    state = standing(recall.low, recall.high, margin / unit)
    needed = "" if state == MET else to_tell(case, compared.pairs, margin / unit)
    return Rule("anchor_precision", state, sentence, recall.low * unit, -margin, needed)


def _brier(case: Case, other: Model, against: str) -> Rule:
    labels, margin = case.holdout.labels, case.policy.brier_margin
    mine = (case.holdout.candidate.scores - labels) ** 2
    theirs = (other.scores - labels) ** 2
    brier = mean_difference(mine, theirs, case.policy.level, case.holdout.clusters)
    sentence = (
        f"Brier score differs by {interval(brier)} from {against}; an upper limit below"
        f" {margin:g} is required"
    )
    # A Brier score is better the lower it is, so its interval is turned round.
    state = standing(-brier.high, -brier.low, margin)
    needed = "" if state == MET else f"Lower the upper limit by {brier.high - margin:.4f}"
    return Rule("anchor_brier", state, sentence, brier.high, margin, needed)


def standing(low: float, high: float, margin: float) -> str:
    """Met where the whole interval lies above `-margin`, broken where it lies below, else open."""
    if low > -margin:
        return MET
    return BROKEN if high < -margin else OPEN


def _within(case: Case, name: str, compared: Comparison, against: str) -> Rule:
    """Whether recall stays within the margin of the policy."""
    recall, margin = compared.recall, case.policy.margin
    sentence = (
        f"Recall differs by {interval(recall)} from {against}; a lower limit above {-margin:g} is"
        " required"
    )
    state = standing(recall.low, recall.high, margin)
    needed = "" if state == MET else to_tell(case, compared.pairs, margin)
    return Rule(name, state, sentence, recall.low, -margin, needed)


def to_tell(case: Case, pairs: Pairs, margin: float, where: str = "") -> str:
    """What would show that the loss stays within the margin: more rows where that can be, else more
    positives found.
    """
    level = case.policy.level
    variance, at = unit_variance(pairs, -margin), pairs.design.as_if(level)
    rows = margin_needed(margin, pairs.difference, variance, at)
    if rows is not None:
        more = case.words.more(max(rows - pairs.rows, 1))
        return f"Label {more}{where}, if the difference stays"

    def enough(more: int) -> bool:
        return recall_difference(_with_found(pairs, more), level).low > -margin

    return f"Find {case.words.more(smallest(pairs.rows, enough))}{where}"


def _to_be_better(case: Case, pairs: Pairs) -> str:
    """What would show a gain: another model that finds more, or this one on more rows."""
    level = _level_of_first_look(case)
    more = smallest(pairs.rows, lambda k: better(_with_found(pairs, k)) <= level)
    step = f"Find {case.words.more(more)}"
    going_on = _to_go_on(case, pairs)
    if not going_on:
        return step
    return f"{step}, or {going_on[0].lower()}{going_on[1:]}"


def _to_go_on(case: Case, pairs: Pairs) -> str:
    """With how many more labels the same model is shown to be better; empty where with none."""
    needed = _rows_to_go_on(case, pairs)
    if needed is None or case.facts.moves_on:
        return ""
    labelled = case.words.more(max(needed - pairs.rows, 1))
    return (
        f"Label {labelled} and go on with this model (`sluice extend --by FILE --to FILE`), if the"
        f" gain of {pairs.difference:.4f} is true"
    )


def _rows_to_go_on(case: Case, pairs: Pairs) -> int | None:
    """The rows with which the next look shows the gain, if the difference stays; None where no
    number of them does.
    """
    if pairs.design.independent:
        level = spending.later_level(case.policy.level, case.facts.uses)
        return rows_needed(pairs, case.policy.margin, level)
    level = spending.grouped_level(case.policy.level, case.facts.uses, case.facts.looks + 1)
    return margin_needed(0.0, pairs.difference, unit_variance(pairs, 0.0), level)


def _with_found(pairs: Pairs, more: int) -> Pairs:
    """The pairs with so many more positives found, those first that the other finds.

    Where both flag equally many rows, a row that is no positive is given up for each: those first
    that the candidate flags alone.
    """
    both = min(more, pairs.lost)
    gained, lost = pairs.gained + more - both, pairs.lost - both
    if pairs.side is None:
        return replace(pairs, gained=gained, lost=lost)
    own = pairs.side - pairs.gained
    return replace(pairs, gained=gained, lost=lost, side=gained + own - min(more, own))


def smallest(most: int, enough: Callable[[int], bool]) -> int:
    """The smallest number up to `most` that is enough, where more is never less; `most` if none
    is.
    """
    return bisect_left(range(most), True, key=enough)


def interval(difference: Difference) -> str:
    """A difference with its limits, as a sentence has it."""
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
    "anchor_net_benefit",
    "anchor_brier",
)

AGAINST_OTHERS: tuple[Look, ...] = (comparable, champion, anchor)
