"""The rules on a candidate of several classes beside champion and anchor, each model as it ships.

Sentences are built as in `sluice.gate.rules`. A difference is candidate minus other.
"""

import math
from collections.abc import Iterator

import numpy as np

from sluice.gate import spending
from sluice.gate.case import BROKEN, MET, OPEN, Rule
from sluice.gate.classes.case import Case, Classifier
from sluice.gate.classes.paired import Tables, difference_of, tables_of
from sluice.gate.classes.rules import Look
from sluice.gate.comparison import WAY_OUT, interval, standing
from sluice.gate.limits import Least, rows_to_tell
from sluice.gate.paired import Difference, mean_difference
from sluice.model.classes.metrics import brier_rows
from sluice.model.classes.recall import mean_recall
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
    if case.facts.left_out:
        yield _split_changed(case)


def _split_changed(case: Case) -> Rule:
    """Rows that a compared model has seen are left out; the rarest class has enough left."""
    left, least = int(case.holdout.counts.min()), case.policy.least_positives
    rarest = case.holdout.classes[int(case.holdout.counts.argmin())]
    sentence = (
        f"The split changed: {case.facts.left_out:,} rows that a compared model has seen are left"
        f" out, and {left:,} of {rarest!r} are left; at least {least:,} are required"
    )
    state = MET if left >= least else OPEN
    needed = "" if state == MET else f"Label {least - left:,} more of {rarest!r}"
    return Rule("split_changed", state, sentence, left, least, needed)


def champion(case: Case) -> Iterator[Rule]:
    """Better than the champion, or at least not worse by the margin."""
    compared = case.champion
    if compared is None:
        return
    level = _level(case)
    tables = compared.tables
    sentence = (
        f"The candidate answers {tables.gained:,} {case.words.plural} rightly that"
        f" {compared.against} does not, and {tables.lost:,} the other way round; mean recall"
        f" differs by {compared.recall.value:+.4f}, with p = {compared.p_value:.3g}; at most"
        f" {level:.3g} is required to be better"
    )
    state = MET if compared.p_value <= level else OPEN
    needed = "" if state == MET else _to_be_better(case, tables)
    yield Rule("better", state, sentence, compared.p_value, level, needed)
    yield _within(case, "not_worse", compared.recall, tables, f"champion {compared.against}")


def _level(case: Case) -> float:
    """The level of this look at the holdout; each later look of a use has a part for itself."""
    facts = case.facts
    if facts.looks:
        return spending.grouped_level(case.policy.level, facts.uses, facts.looks)
    return spending.first_level(case.policy.level, facts.uses)


def _to_be_better(case: Case, tables: Tables) -> str:
    if tables.difference <= 0:
        return "Train a model that answers more rightly"
    gain = difference_of(tables, _level(case))
    more = rows_to_tell(tables.rows, gain.value - gain.low, gain.value)
    return f"Label {more} further {case.words.plural}, if the difference stays"


def anchor(case: Case) -> Iterator[Rule]:
    """As good as the frozen reference, so that many small losses cannot add up; at the level of a
    look beside it.
    """
    compared, other = case.anchor, case.holdout.anchor
    if compared is None or other is None:
        return
    level = spending.anchor_level(case.policy.level)
    against = f"anchor {other.tag} ({percent(1 - 2 * level)} interval)"
    recall = difference_of(compared.tables, level)
    yield _within(case, "anchor_recall", recall, compared.tables, against)
    yield _brier(case, other, level, against)


def _brier(case: Case, other: Classifier, level: float, against: str) -> Rule:
    holdout, margin = case.holdout, case.policy.brier_margin
    brier = mean_difference(
        brier_rows(holdout.labels, holdout.candidate.probabilities),
        brier_rows(holdout.labels, other.probabilities),
        level,
        holdout.clusters,
    )
    sentence = (
        f"Brier score differs by {interval(brier)} from {against}; an upper limit below {margin:g}"
        " is required"
    )
    # A Brier score is better the lower it is, so its interval is turned round.
    state = standing(-brier.high, -brier.low, margin)
    needed = "" if state == MET else f"Lower the upper limit by {brier.high - margin:.4f}"
    return Rule("anchor_brier", state, sentence, brier.high, margin, needed)


def _within(case: Case, name: str, recall: Difference, tables: Tables, against: str) -> Rule:
    """Whether mean recall stays within the margin of the policy."""
    margin = case.policy.margin
    sentence = (
        f"Mean recall differs by {interval(recall)} from {against}; a lower limit above {-margin:g}"
        " is required"
    )
    state = standing(recall.low, recall.high, margin)
    return Rule(name, state, sentence, recall.low, -margin, _to_tell(case, state, recall, tables))


def _to_tell(case: Case, state: str, recall: Difference, tables: Tables) -> str:
    if state == MET:
        return ""
    margin = case.policy.margin
    if recall.value > -margin:
        more = rows_to_tell(tables.rows, recall.value - recall.low, recall.value + margin)
        return f"Label {more} further {case.words.plural}, if the difference stays"
    missing = max(math.ceil((-margin - recall.value) * tables.rows), 1)
    return f"Answer about {case.words.more(missing)} rightly"


def segments(case: Case) -> Iterator[Rule]:
    """No group loses more than its margin of mean recall against champion and anchor: broken where
    that is significant, each group having its part of the level.
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


def _of_groups(case: Case, name: str, other: Classifier, margin: float) -> Rule:
    groups = dict(_judged(case, other))
    lost, steps = [], []
    for group, tables in groups.items():
        recall = difference_of(tables, case.policy.level / len(groups))
        if recall.high < -margin:
            lost.append(f"Mean recall of {group} differs by {interval(recall)} from {other.tag}")
            steps.append(group)
    if lost:
        sentence = f"{'. '.join(lost)}; a loss of at most {margin:g} is allowed"
        needed = f"Answer more rightly in {', '.join(steps)}"
        return Rule(name, BROKEN, sentence, float(len(lost)), 0.0, needed)
    least = f"{case.policy.segment_positives} rows of a class"
    sentence = (
        f"None of {len(groups)} groups that have {least} is shown to lose more than {margin:g} of"
        f" mean recall against {other.tag}"
    )
    if not groups:
        sentence = f"No group has {least}, so none is held against {other.tag}"
    return Rule(name, MET, sentence, 0.0, 0.0)


def _judged(case: Case, other: Classifier) -> Iterator[tuple[str, Tables]]:
    """Each group by name, over its classes that have rows enough."""
    holdout = case.holdout
    mine, theirs = holdout.candidate.answered, other.answered
    for segment, groups in holdout.segments.items():
        for name in np.unique(groups):
            rows = (groups == name) & _frequent(case, groups == name)
            if rows.any():
                clusters = None if holdout.clusters is None else holdout.clusters[rows]
                tables = tables_of(holdout.labels[rows], mine[rows], theirs[rows], clusters)
                yield f"{segment} = {name}", tables


def _frequent(case: Case, rows: np.ndarray) -> np.ndarray:
    """The rows whose class has enough of these rows."""
    labels = case.holdout.labels
    counts = np.bincount(labels[rows], minlength=len(case.holdout.classes))
    return np.asarray(counts[labels] >= case.policy.segment_positives)


def segments_required(case: Case) -> Iterator[Rule]:
    """The segments of which the policy requires that something can be said of every group: each has
    rows enough of every class.
    """
    wanted, holdout = case.policy.segments_required, case.holdout
    if case.champion is None or not wanted:
        return
    short = [name for name in wanted if name not in holdout.segments]
    for segment in wanted:
        groups = holdout.segments.get(segment, np.empty(0, dtype=object))
        for name in np.unique(groups):
            counts = np.bincount(holdout.labels[groups == name], minlength=len(holdout.classes))
            if counts.min() < case.policy.segment_positives:
                short.append(f"{segment} = {name}")
    if short:
        names = ", ".join(short)
        sentence = f"There are too few rows to say for {names}; the policy requires an answer"
        yield Rule("segments_required", OPEN, sentence, needed=f"Label more rows of {names}")


def group_floors(case: Case) -> Iterator[Rule]:
    """The groups that the policy names have their mean recall, over the classes that they have."""
    judged = [_group(case, floor.group, floor.recall) for floor in case.policy.group_floors]
    if not judged:
        return
    state = next(state for state in (BROKEN, OPEN, MET) if state in [one.state for one in judged])
    needed = ". ".join(one.needed for one in judged if one.needed)
    short = [one for one in judged if one.state != MET]
    sentence = "; ".join(one.sentence for one in judged)
    yield Rule("group_floors", state, sentence, float(len(short)), 0.0, needed)


def _group(case: Case, group: str, floor: float) -> Rule:
    segment, _, name = group.partition(" = ")
    holdout = case.holdout
    names = holdout.segments.get(segment)
    rows = np.zeros(len(holdout.labels), dtype=bool) if names is None else names == name
    if not rows.any():
        sentence = f"No row of {group} is among {holdout.part}; at least one is required"
        needed = f"Label rows of {group}, or correct its name"
        return Rule("group_floors", OPEN, sentence, needed=needed)
    clusters = None if holdout.clusters is None else holdout.clusters[rows]
    mean = mean_recall(
        holdout.labels[rows], holdout.candidate.answered[rows], case.policy.level, clusters
    )
    return Least(
        name="group_floors",
        title=f"Mean recall of {group}",
        value=mean.value,
        low=mean.low,
        high=mean.high,
        least=floor,
        rows=int(rows.sum()),
        called=f"{case.words.plural} of {group}",
        needed=f"Answer more rightly in {group}",
    ).rule(first=case.first)


AGAINST_OTHERS: tuple[Look, ...] = (
    comparable,
    champion,
    anchor,
    segments,
    segments_required,
    group_floors,
)
