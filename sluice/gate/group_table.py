"""Each group beside champion and anchor, and what the rules on groups can see of it.

Nothing is decided here. The rules are in `sluice.gate.groups`; this is what they look at, so that
people see it too.
"""

from dataclasses import dataclass

import numpy as np

from sluice.gate.case import Case, Comparison, Model
from sluice.gate.groups import Group, groups_beside, judged_of, seen_loss
from sluice.gate.paired import Difference, recall_difference
from sluice.gate.visibility import visible


@dataclass(frozen=True)
class BesideOther:
    """A group, found by the candidate and by another model that flag as many rows in all.

    `candidate` and `other` are recalls, `recall` is their difference with its limits. `margin` is
    the loss that the rule allows, `seen_from` the smallest one that it refuses with probability
    0.8; None where it sees none that the group can have.
    """

    candidate: float
    other: float
    recall: Difference
    margin: float
    seen_from: float | None


@dataclass(frozen=True)
class GroupRow:
    """A group of a segment: its rows and positives, and its recall as shipped.

    `floor` is the recall that the policy asks of it, None where it asks for none. `champion` and
    `anchor` are None where there is none to compare with.
    """

    segment: str
    name: str
    rows: int
    positives: int
    recall: float
    floor: float | None
    champion: BesideOther | None
    anchor: BesideOther | None


def group_rows(case: Case) -> tuple[GroupRow, ...]:
    """Every group of every segment, in the order of the segments and of the alphabet."""
    policy, holdout = case.policy, case.holdout
    champion = _beside(case, holdout.champion, case.champion, policy.segment_margin)
    anchor = _beside(case, holdout.anchor, case.anchor, policy.anchor_segment_margin)
    floors = {floor.group: floor.recall for floor in policy.group_floors}
    table = []
    for segment, names in (holdout.segments or {}).items():
        for name in np.unique(names):
            rows, title = names == name, f"{segment} = {name}"
            positive = rows & (holdout.labels == 1)
            found = int((positive & holdout.candidate.flagged).sum())
            table.append(
                GroupRow(
                    segment=segment,
                    name=str(name),
                    rows=int(rows.sum()),
                    positives=int(positive.sum()),
                    recall=found / max(int(positive.sum()), 1),
                    floor=floors.get(title),
                    champion=champion.get(title),
                    anchor=anchor.get(title),
                )
            )
    return tuple(table)


def _beside(
    case: Case, other: Model | None, compared: Comparison | None, margin: float
) -> dict[str, BesideOther]:
    """Each group beside another model, by `segment = group`; empty where nothing is compared."""
    if other is None or compared is None:
        return {}
    groups = list(groups_beside(case.holdout, other, compared.flagged))
    count = len(judged_of(case, groups))
    seen = visible(case, other)
    table = {}
    for group in groups:
        loss = seen_loss(case, group, count, margin) if seen else None
        table[group.name] = _row(case, group, margin, loss)
    return table


def _row(case: Case, group: Group, margin: float, seen: float | None) -> BesideOther:
    pairs, of = group.equal, max(group.equal.rows, 1)
    return BesideOther(
        candidate=(group.found + pairs.gained - pairs.lost) / of,
        other=group.found / of,
        recall=recall_difference(pairs, case.policy.level),
        margin=margin,
        seen_from=seen,
    )
