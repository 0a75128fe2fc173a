"""The rules on a candidate group by group: beside champion and anchor, and against floors.

Sentences are built as in `sluice.gate.rules`. A difference is candidate minus other.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate import comparison, spending
from sluice.gate.case import BROKEN, MET, OPEN, Case, Holdout, Model, Rule
from sluice.gate.comparison import smallest, to_tell
from sluice.gate.limits import rows_to_tell
from sluice.gate.paired import (
    Pairs,
    holm,
    on_positives,
    recall_difference,
    stays_within,
    top,
    worse,
)
from sluice.gate.power import POWER
from sluice.gate.rules import Look
from sluice.model.quality.clusters import of_share
from sluice.model.quality.statistics import wilson_high, wilson_low
from sluice.percent import percent
from sluice.policy import GroupFloor

_LUCK = NormalDist().inv_cdf(POWER)  # standard errors of bad luck that a group has to bear


@dataclass(frozen=True)
class Group:
    """A group of rows by name: its positives as the models find them.

    `shipped` is at the thresholds that the models ship with, `equal` with as many rows flagged by
    both over the whole holdout; of those the other model finds `found`.
    """

    name: str
    shipped: Pairs
    equal: Pairs
    found: int


@dataclass(frozen=True)
class Losses:
    """The groups whose loss beyond `margin` breaks a rule, with their p-values; `against` says
    below what they fell, where that is not the champion.
    """

    rule: str
    groups: list[Group]
    p_values: Mapping[str, float]
    margin: float
    against: str = ""


@dataclass(frozen=True)
class Shown:
    """How a group may be shown to stay within a margin: with as many rows flagged, and if `shipped`
    at the thresholds that ship too; each limit is at `level`.
    """

    level: float
    shipped: bool

    def pairs(self, group: Group) -> list[Pairs]:
        """What may show it."""
        return [group.equal, group.shipped] if self.shipped else [group.equal]

    def within(self, group: Group, margin: float) -> bool:
        """Whether it is shown."""
        return any(stays_within(one, margin, self.level) for one in self.pairs(group))


def segments(case: Case) -> Iterator[Rule]:
    """No group loses more than its margin, as far as that is significant after Holm's correction.

    The loss has to show at the shipped thresholds, which is what is served, and with as many rows
    flagged in all: two retrains of one recipe differ in what their validation rows made of the
    threshold, and that is no group's loss.
    """
    if case.champion is None:
        return
    margin = case.policy.segment_margin
    groups = list(groups_beside(case.holdout, case.holdout.champion, case.champion.flagged))
    lost = _lost(case, groups, margin)
    unclear = [group for group in groups if not _not_worse(case, group.shipped)]
    few = [group for group in unclear if group.name not in lost]
    if groups and lost:
        named = [group for group in groups if group.name in lost]
        yield _losses(case, Losses("segments", named, lost, margin))
    elif groups:
        yield _no_loss(case, len(groups), few)
    yield from _required(case, few)


def anchor_segments(case: Case) -> Iterator[Rule]:
    """No group has lost more than its margin against the anchor, so that small losses of one group
    cannot add up.

    A loss that is significant breaks the rule, judged like those against the champion. Where the
    positives of a group suffice to hold it to the margin, it has to be shown to stay within it, as
    the whole has; else the rule is open. With as many rows flagged, because a threshold that moved
    is no group's loss. A model that is shown to be better may also stay within it at the thresholds
    that ship: what it finds in other groups in place of these rows is a gain, and refreshes, which
    could add up, have no share in this.
    """
    if case.anchor is None:
        return
    margin = case.policy.anchor_segment_margin
    groups = list(groups_beside(case.holdout, case.holdout.anchor, case.anchor.flagged))
    lost = _lost(case, groups, margin)
    against = f" anchor {case.anchor.against}"
    held = held_of(case, groups)
    ways = _ways(case) if held else Shown(spending.anchor_level(case.policy.level), shipped=False)
    unclear = [group for group in held if not ways.within(group, margin)]
    if groups and lost:
        named = [group for group in groups if group.name in lost]
        yield _losses(case, Losses("anchor_segments", named, lost, margin, f" below{against}"))
    elif unclear:
        yield _may_have_lost(case, unclear, ways, against)
    elif groups:
        sentence = (
            f"No group is shown to lose more than {margin:g} of its recall against{against}"
            f"{_can_see(case, groups, margin)}"
        )
        yield Rule("anchor_segments", MET, sentence, 0.0, 0.0)


def held_of(case: Case, groups: Sequence[Group]) -> list[Group]:
    """The groups with positives enough to hold them to their margin of the anchor."""
    margin, level = case.policy.anchor_segment_margin, spending.anchor_level(case.policy.level)
    return [group for group in judged_of(case, groups) if held_to(group, margin, level)]


def held_to(group: Group, margin: float, level: float) -> bool:
    """Whether its positives suffice to hold a group to the margin: an equally good model is shown
    to stay within it with probability 0.8.

    Equally good models gain as many as they lose, so what a group loses beyond that does not make
    it one that is harder to see. With such luck as one in five has not, the model loses `unlucky`
    more than it would, and gains as many fewer.
    """
    by_chance = max(min(group.equal.gained, group.equal.lost), 1)
    unlucky = math.ceil(_LUCK * math.sqrt(by_chance / 2))
    pairs = replace(group.equal, gained=by_chance - unlucky, lost=by_chance + unlucky)
    return stays_within(pairs, margin, level)


def _ways(case: Case) -> Shown:
    """Of a model that is shown to be better there are two ways, which share the level."""
    against = comparison.champion(case)
    if any(rule.rule == "better" and rule.state == MET for rule in against):
        return Shown(spending.anchor_level(case.policy.level) / 2, shipped=True)
    return Shown(spending.anchor_level(case.policy.level), shipped=False)


def _may_have_lost(case: Case, unclear: list[Group], ways: Shown, against: str) -> Rule:
    """Groups that may have lost more than the margin, each with the intervals that say so."""
    margin = case.policy.anchor_segment_margin
    at = replace(case, policy=replace(case.policy, level=ways.level))
    shown, steps = [], []
    for group in unclear:
        told = [_interval(pairs, ways.level) for pairs in ways.pairs(group)]
        shown.append(f"{' and '.join(told)} in {group.name}")
        nearest = max(ways.pairs(group), key=lambda one: recall_difference(one, ways.level).low)
        steps.append(to_tell(at, nearest, margin, f" in {group.name}"))
    how, limit = "with as many rows flagged", "a lower limit"
    if ways.shipped:
        how, limit = f"{how} and as shipped", "one lower limit"
    how += f" ({percent(1 - 2 * ways.level)} intervals)"
    sentence = (
        f"Recall differs by {', '.join(shown)} from{against}, {how}; {limit} above {-margin:g} is"
        f" required of a group with so many {case.words.plural}"
    )
    return Rule("anchor_segments", OPEN, sentence, float(len(unclear)), 0.0, ". ".join(steps))


def _interval(pairs: Pairs, level: float) -> str:
    recall = recall_difference(pairs, level)
    return f"{recall.value:+.4f} [{recall.low:+.4f}, {recall.high:+.4f}]"


def _can_see(case: Case, groups: list[Group], margin: float) -> str:
    """From which loss on the rule finds one with probability 0.8, from the best seen group to the
    least, and which are too small to be judged.
    """
    judged = judged_of(case, groups)
    held = {group.name for group in held_of(case, groups)}
    few = [group.name for group in judged if group.name not in held]
    losses = {group.name: seen_loss(case, group, len(judged), margin) for group in groups}
    seen = [(loss, name) for name, loss in losses.items() if loss is not None]
    small = [name for name, loss in losses.items() if loss is None]
    told = f"; too few {case.words.plural} to hold {', '.join(few)} to it" if few else ""
    if seen:
        best, least = min(seen), max(seen)
        told += f"; a loss is seen from {best[0]:.2f} in {best[1]}"
        if len(seen) > 1:
            told += f" to {least[0]:.2f} in {least[1]}"
    if small:
        told += f"; nothing is seen in {', '.join(small)}"
    return told


def seen_from(case: Case, group: Group, count: int, margin: float) -> float:
    """The true loss that is found with probability 0.8 where so many groups are judged."""
    level = scipy.stats.norm.isf(case.policy.level / count) + scipy.stats.norm.isf(1 - POWER)
    pairs = group.shipped
    spread = math.sqrt(pairs.discordant / max(pairs.rows, 1) * pairs.design.factor)
    return min(margin + float(level) * spread, 1.0)


def seen_loss(case: Case, group: Group, count: int, margin: float) -> float | None:
    """As `seen_from`; None where no loss that the group can have is found: it has too few positives
    to be judged, or the other model finds too few of them to lose so many.
    """
    if not judged_of(case, [group]):
        return None
    seen = seen_from(case, group, count, margin)
    return seen if seen <= group.found / group.shipped.rows else None


def group_floors(case: Case) -> Iterator[Rule]:
    """The groups that the policy names have their recall, as the whole has its own."""
    floors = case.policy.group_floors
    if not floors:
        return
    judged = [_against_floor(case, floor) for floor in floors]
    state = next(state for state in (BROKEN, OPEN, MET) if state in [one.state for one in judged])
    sentence = "; ".join(one.sentence for one in judged)
    needed = ". ".join(one.needed for one in judged if one.needed)
    short = [one for one in judged if one.state != MET]
    yield Rule("group_floors", state, sentence, float(len(short)), 0.0, needed)


def _against_floor(case: Case, floor: GroupFloor) -> Rule:
    """One group against its floor: like the whole, a first release needs its lower limit above."""
    segment, _, name = floor.group.partition(" = ")
    names = (case.holdout.segments or {}).get(segment)
    rows = np.zeros(len(case.holdout.labels), dtype=bool) if names is None else names == name
    positive = rows & (case.holdout.labels == 1)
    hit, of = int((positive & case.holdout.candidate.flagged).sum()), int(positive.sum())
    level, value = case.policy.level, hit / max(of, 1)
    design = of_share(case.holdout.candidate.flagged, positive, case.holdout.clusters)
    low, high = wilson_low(hit, of, level, design), wilson_high(hit, of, level, design)
    sentence = (
        f"Recall of {floor.group} is {value:.4f} [{low:.4f}, {high:.4f}]; at least"
        f" {floor.recall:g} is required"
    )
    if high < floor.recall:
        more = case.words.more(math.ceil(floor.recall * of - 1e-9) - hit)
        return Rule("", BROKEN, sentence, needed=f"Find {more} in {floor.group}")
    needs = low if case.first else value
    if needs >= floor.recall:
        return Rule("", MET, sentence)
    if not of:
        return Rule("", OPEN, sentence, needed=f"Label rows of {floor.group}, or correct its name")
    reach = value - low if value >= floor.recall else high - value
    more_rows = rows_to_tell(of, reach, abs(value - floor.recall))
    needed = f"Label {more_rows} further {case.words.plural} in {floor.group} to tell"
    return Rule("", OPEN, sentence, needed=needed)


def groups_beside(holdout: Holdout, other: Model | None, flagged: int) -> Iterator[Group]:
    """Each group of each segment, the candidate against another model; `flagged` rows each for
    `equal`.
    """
    candidate = holdout.candidate
    if other is None:
        return
    mine = top(candidate.scores, holdout.hashes, flagged)
    theirs = top(other.scores, holdout.hashes, flagged)
    for segment, names in (holdout.segments or {}).items():
        for name in np.unique(names):
            rows = names == name
            labels = holdout.labels[rows]
            clusters = holdout.clusters_of(rows)
            shipped = on_positives(labels, candidate.flagged[rows], other.flagged[rows], clusters)
            equal = on_positives(labels, mine[rows], theirs[rows], clusters)
            found = int((theirs[rows] & (labels == 1)).sum())
            yield Group(f"{segment} = {name}", shipped, equal, found)


def judged_of(case: Case, groups: Sequence[Group]) -> list[Group]:
    """The groups with positives enough for a rule to judge them."""
    return [group for group in groups if group.shipped.rows >= case.policy.segment_positives]


def _lost(case: Case, groups: list[Group], margin: float) -> Mapping[str, float]:
    """The groups whose loss beyond the margin is significant, each with its p-value after Holm's
    correction.
    """
    level, judged = case.policy.level, judged_of(case, groups)
    shown = [max(worse(group.shipped, margin), worse(group.equal, margin)) for group in judged]
    adjusted = zip(judged, holm(np.array(shown)), strict=True)
    return {group.name: float(p_value) for group, p_value in adjusted if p_value <= level}


def _losses(case: Case, found: Losses) -> Rule:
    losses, steps, margin = [], [], found.margin
    for group in found.groups:
        pairs = group.shipped
        loss = (pairs.lost - pairs.gained) / pairs.rows
        losses.append(
            f"Recall of {group.name} falls by {loss:.4f}{found.against} over"
            f" {case.words.counted(pairs.rows)} (p = {found.p_values[group.name]:.3g}); at most"
            f" {margin:g} is allowed"
        )
        steps.append(f"{case.words.more(_to_margin(pairs, margin))} in {group.name}")
    needed = f"Find {', '.join(steps)}"
    return Rule(found.rule, BROKEN, ". ".join(losses), float(len(found.groups)), 0.0, needed)


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
    return stays_within(pairs, case.policy.segment_margin, case.policy.level)


# As in rules.py: nothing here says whether the numbers can be believed.
GOOD_ENOUGH = ("segments", "segments_required", "anchor_segments", "group_floors")

BY_GROUP: tuple[Look, ...] = (segments, anchor_segments, group_floors)
