"""The rules on a candidate that answers with a number, beside champion and anchor.

Sentences are built as in `sluice.gate.rules`. A difference is candidate minus other, of skills, so
more is better.
"""

from collections.abc import Iterator

import numpy as np

from sluice.gate import spending
from sluice.gate.case import BROKEN, MET, OPEN, Rule
from sluice.gate.comparison import WAY_OUT, interval, standing
from sluice.gate.limits import rows_to_tell
from sluice.gate.number.case import Answering, Case
from sluice.gate.number.rules import Look
from sluice.gate.paired import Difference
from sluice.percent import percent


def comparable(case: Case) -> Iterator[Rule]:
    """Champion and anchor can be scored, on enough rows that none of the models has seen."""
    share, least = case.facts.accepted, case.policy.comparable_share
    unscored = [
        name
        for name, model, compared in (
            ("champion", case.holdout.champion, case.champion),
            ("anchor", case.holdout.anchor, case.anchor),
        )
        if model is not None and compared is None
    ]
    if share < least or unscored:
        who = f"The {' and the '.join(unscored)}" if unscored else "The compared models"
        sentence = f"{who} cannot score every holdout row; a score of each is required"
        if share < least:
            verb = "accepts" if len(unscored) == 1 else "accept"
            sentence = (
                f"{who} {verb} {percent(share, 1)} of the holdout rows; at least {percent(least)}"
                " is required"
            )
        yield Rule("comparable", OPEN, sentence, share, least, WAY_OUT)
    if not case.first and case.holdout.anchor is None:
        sentence = "There is a champion and no anchor; an anchor is required"
        yield Rule("anchored", OPEN, sentence, needed="Run `sluice anchor set champion`")


def champion(case: Case) -> Iterator[Rule]:
    """Better than the champion, or at least not worse by the margin."""
    compared, other = case.champion, case.holdout.champion
    if compared is None or other is None:
        return
    level = _level(case)
    sentence = (
        f"Mean absolute error is {case.shown(compared.mae)}, and {case.shown(compared.other_mae)}"
        f" of {compared.against} on the same rows; skill differs by {compared.skill.value:+.4f},"
        f" with p = {compared.p_value:.3g}; at most {level:.3g} is required to be better"
    )
    state = MET if compared.p_value <= level else OPEN
    needed = "" if state == MET else _to_be_better(case, other, level)
    yield Rule("better", state, sentence, compared.p_value, level, needed)
    yield _within(case, "not_worse", compared.skill, f"champion {compared.against}")


def _level(case: Case) -> float:
    """The level of this look at the holdout; each later look of a use has a part for itself."""
    facts = case.facts
    if facts.looks:
        return spending.grouped_level(case.policy.level, facts.uses, facts.looks)
    return spending.first_level(case.policy.level, facts.uses)


def _to_be_better(case: Case, other: Answering, level: float) -> str:
    gain = case.holdout.skill_over(other, level)
    if gain.value <= 0:
        return "Train a model that is nearer"
    more = rows_to_tell(len(case.holdout.labels), gain.value - gain.low, gain.value)
    return f"Label {more} further {case.words.plural}, if the difference stays"


def anchor(case: Case) -> Iterator[Rule]:
    """As good as the frozen reference, so that many small losses cannot add up; at the level of a
    look beside it.
    """
    other = case.holdout.anchor
    if case.anchor is None or other is None:
        return
    level = spending.anchor_level(case.policy.level)
    against = f"anchor {other.tag} ({percent(1 - 2 * level)} interval)"
    yield _within(case, "anchor_skill", case.holdout.skill_over(other, level), against)


def _within(case: Case, name: str, skill: Difference, against: str) -> Rule:
    """Whether the skill stays within the margin of the policy."""
    margin = case.policy.margin
    sentence = (
        f"Skill differs by {interval(skill)} from {against}; a lower limit above {-margin:g} is"
        " required"
    )
    state = standing(skill.low, skill.high, margin)
    return Rule(name, state, sentence, skill.low, -margin, _to_tell(case, state, skill))


def _to_tell(case: Case, state: str, skill: Difference) -> str:
    if state == MET:
        return ""
    margin = case.policy.margin
    if skill.value > -margin:
        rows = len(case.holdout.labels)
        more = rows_to_tell(rows, skill.value - skill.low, skill.value + margin)
        return f"Label {more} further {case.words.plural}, if the difference stays"
    lower = (-margin - skill.value) * float(case.holdout.nothing.mean())
    return f"Lower the mean absolute error by {case.shown(lower)}"


def segments(case: Case) -> Iterator[Rule]:
    """No group loses more than its margin against champion and anchor: broken where that is
    significant, each group having its part of the level.
    """
    for name, compared, other, margin in (
        ("segments", case.champion, case.holdout.champion, case.policy.segment_margin),
        (
            "anchor_segments",
            case.anchor,
            case.holdout.anchor,
            case.policy.anchor_segment_margin,
        ),
    ):
        if compared is not None and other is not None and case.holdout.segments:
            yield _of_groups(case, name, other, margin)


def _of_groups(case: Case, name: str, other: Answering, margin: float) -> Rule:
    groups = dict(_judged(case))
    lost, steps = [], []
    for group, rows in groups.items():
        skill = case.holdout.skill_in(rows, other, case.policy.level / len(groups))
        if skill.high < -margin:
            lost.append(f"Skill in {group} differs by {interval(skill)} from {other.tag}")
            steps.append(group)
    if lost:
        sentence = f"{'. '.join(lost)}; a loss of at most {margin:g} is allowed"
        needed = f"Answer more nearly in {', '.join(steps)}"
        return Rule(name, BROKEN, sentence, float(len(lost)), 0.0, needed)
    least = f"{case.policy.segment_positives} rows"
    sentence = (
        f"None of {len(groups)} groups that have {least} is shown to lose more than {margin:g} of"
        f" skill against {other.tag}"
    )
    if not groups:
        sentence = f"No group has {least}, so none is held against {other.tag}"
    return Rule(name, MET, sentence, 0.0, 0.0)


def _judged(case: Case) -> Iterator[tuple[str, np.ndarray]]:
    """Each group that has rows enough, by name, with its rows (boolean)."""
    for segment, groups in case.holdout.segments.items():
        for name in np.unique(groups):
            rows = groups == name
            if int(rows.sum()) >= case.policy.segment_positives:
                yield f"{segment} = {name}", rows


def segments_required(case: Case) -> Iterator[Rule]:
    """The segments of which the policy requires that something can be said of every group."""
    wanted, holdout = case.policy.segments_required, case.holdout
    if case.champion is None or not wanted:
        return
    short = [name for name in wanted if name not in holdout.segments]
    for segment in wanted:
        groups = holdout.segments.get(segment, np.empty(0, dtype=object))
        names, counts = np.unique(groups, return_counts=True)
        few = counts < case.policy.segment_positives
        short += [f"{segment} = {name}" for name in names[few]]
    if short:
        named = ", ".join(short)
        sentence = f"There are too few rows to say for {named}; the policy requires an answer"
        yield Rule("segments_required", OPEN, sentence, needed=f"Label more rows of {named}")


AGAINST_OTHERS: tuple[Look, ...] = (comparable, champion, anchor, segments, segments_required)
