"""The rules on a candidate beside the champion, group by group.

Sentences are built as in `sluice.gate.rules`. A difference is candidate minus other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sluice.gate.case import BROKEN, MET, OPEN, Case, Holdout, Rule
from sluice.gate.comparison import smallest, to_tell
from sluice.gate.paired import Pairs, holm, on_positives, tango, top, worse
from sluice.gate.rules import Look


@dataclass(frozen=True)
class Group:
    """A group of rows by name: its positives as the models find them.

    `shipped` is at the thresholds that the models ship with, `equal` with as many rows flagged by
    both over the whole holdout.
    """

    name: str
    shipped: Pairs
    equal: Pairs


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
        to_tell(case, group.shipped, case.policy.segment_margin, f" in {group.name}")
        for group in short
    ]
    needed = ". ".join(steps) or "Name these segments in the contract"
    yield Rule("segments_required", OPEN, sentence, needed=needed)


def _to_margin(pairs: Pairs, margin: float) -> int:
    """How many more positives found bring the loss down to the margin."""
    return smallest(pairs.rows, lambda k: pairs.lost - pairs.gained - k <= margin * pairs.rows)


def _not_worse(case: Case, pairs: Pairs) -> bool:
    return tango(pairs, case.policy.level).low > -case.policy.segment_margin


# As in rules.py: nothing here says whether the numbers can be believed.
GOOD_ENOUGH = ("segments", "segments_required")

BY_GROUP: tuple[Look, ...] = (segments,)
