"""Candidates that only show their fault beside a champion or an anchor, as a whole or for one group
of people.
"""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tomli_w

from flows.drills.gate.bad_rows import taken
from flows.drills.gate.baseline import Ground
from flows.drills.gate.candidates import LOW, REJECT, cut, flagged, some_level
from flows.drills.gate.case import Case, Made, Stage
from flows.drills.gate.fault import KEPT, STOPPED, Fault, NotHere
from flows.drills.gate.mutants import bent, blurred, lowered, turned, unspoken
from sluice.model.metrics import confusion
from sluice.model.model_artifact import segment_groups
from sluice.model.statistics import brier

OLD = {"fresh": True, "champion_days": 10_000}  # a HOLD would let the candidate in
WIDE = {**LOW, "calibration_ceiling": 0.9, "segment_margin": 0.9}


def opponents() -> Iterator[Fault]:
    """All of them, the last one no fault at all: a gate that refuses everything catches
    everything.
    """
    yield Fault(
        "the champion with its threshold lowered by 0.01",
        "better",
        ("HOLD",),
        _shifted,
        _is_shifted,
    )
    yield Fault(
        "worse than the champion, as good as the anchor",
        "not_worse",
        REJECT,
        _worse,
        _less_recall("champion"),
    )
    yield Fault(
        "no better than its champion, worse than the anchor",
        "anchor_recall",
        REJECT,
        _slowly,
        _less_recall("anchor"),
    )
    yield Fault(
        "finds fewer of those that only an eager anchor finds",
        "anchor_recall",
        REJECT,
        _eager,
        _less_recall("anchor"),
    )
    yield Fault(
        "wrong about those whom a strict anchor is sure of",
        "anchor_precision",
        REJECT,
        _strict,
        _less_recall("anchor"),
    )
    yield Fault(
        "probabilities worse than those of the anchor",
        "anchor_brier",
        REJECT,
        _overconfident,
        _less_exact,
    )
    yield Fault(
        "better in all, one group 8 points worse", "segments", REJECT, _simpson, _one_group_lost
    )
    yield Fault("a required group with too few rows", "segments_required", KEPT, _thinned, _is_thin)
    yield Fault("a champion whose contract refuses rows", "comparable", STOPPED, _narrow, _refuses)
    yield Fault(
        "an anchor that gives no number for some rows", "comparable", KEPT, _silent, _has_no_number
    )
    yield Fault(
        "a champion, and no anchor", "anchored", KEPT, _unanchored, lambda _, s: not s.run.anchor
    )
    yield Fault(
        "split changed: few rows that the champion has not seen",
        "split_changed",
        KEPT,
        _other_split,
        _left_out,
    )
    yield Fault(
        "no fault: a truly better model, which must go through",
        "better",
        ("PROMOTE",),
        _better,
        lambda *_: True,
    )


def real(ground: Ground) -> Made:
    """The real model."""
    return Made(ground.model, ground.threshold)


def weak(ground: Ground, by: float = 0.6) -> Made:
    """The real one with noise on its scores: worse by some points, and not in one group alone."""
    return cut(ground, blurred(ground.model, ground.whole, by), flagged(ground))


def _better(ground: Ground) -> Case:
    """Groups are set aside: a model that is less sure of itself finds more in a group where few
    leave.
    """
    return Case(champion=weak(ground), anchor=weak(ground), limits={"segment_margin": 0.9})


def _unanchored(ground: Ground) -> Case:
    return Case(champion=real(ground), standing=OLD)


def _shifted(ground: Ground) -> Case:
    return Case(Made(ground.model, ground.threshold - 0.01), real(ground), real(ground))


def _worse(ground: Ground) -> Case:
    made = weak(ground, 0.35)
    return Case(made, real(ground), made, standing=OLD, limits=WIDE)


def _slowly(ground: Ground) -> Case:
    """Night after night against the champion of the night before: the policy lets fresh data
    replace it.
    """
    made = weak(ground, 0.35)
    return Case(made, made, real(ground), standing=OLD, limits=WIDE)


def _eager(ground: Ground) -> Case:
    """The anchor flags nine in ten; of the lowest fifth the candidate has the order turned
    around.
    """
    edge = float(np.quantile(ground.scores, 0.2))
    candidate = Made(bent(ground.model, turned(0.0, edge)), ground.threshold)
    return Case(candidate, real(ground), cut(ground, ground.model, 0.9), standing=OLD)


def _strict(ground: Ground) -> Case:
    """The anchor flags one in fifty; of the highest quarter the candidate has the order turned
    around.
    """
    edge = float(np.quantile(ground.scores, max(0.75, 1 - flagged(ground))))
    candidate = Made(bent(ground.model, turned(edge, 0.999)), ground.threshold)
    anchor = cut(ground, ground.model, 0.02)
    return Case(candidate, real(ground), anchor, standing=OLD, limits={"calibration_ceiling": 0.9})


def _overconfident(ground: Ground) -> Case:
    """The order and the rows flagged stay as they are."""
    curve = [(0.0, 0.0), (ground.threshold, 0.15), (1.0, 0.3)]
    return Case(
        Made(bent(ground.model, curve), 0.15), real(ground), real(ground), standing=OLD, limits=WIDE
    )


def _simpson(ground: Ground) -> Case:
    """The scores of one small group lowered until it has lost most of the recall that the champion
    has there.
    """
    champion = weak(ground)
    place, level = _group(ground)
    member = ground.matrices["validation"][:, place] == level
    theirs = ground.score(champion.model)
    positive = member & (ground.labels["validation"] == 1)
    before = float((theirs[positive] >= champion.threshold).mean())
    wanted = max(0.2 * before, before - 0.25)
    for by in np.arange(0.01, 0.6, 0.01):
        scores = np.clip(ground.scores - by * member, 0, 1)
        both = min(
            ground.threshold, float(np.quantile(scores, 1 - (theirs >= champion.threshold).mean()))
        )
        if (scores[positive] >= both).mean() <= wanted:
            break
    made = Made(lowered(ground.model, place, (level, level), float(by)), ground.threshold)
    return Case(
        made,
        champion,
        champion,
        limits={"recall_floor": LOW["recall_floor"], "calibration_ceiling": 0.9},
    )


def _group(ground: Ground) -> tuple[int, int]:
    """Place and level of the smallest group with a tenth of the rows, among the segments over an
    ordered feature.
    """
    keys = {segment.column for segment in ground.run.contract.segments}
    ordered = (
        c
        for c in ground.run.contract.features
        if c.key in keys and c.kind in ("ordinal", "boolean")
    )
    found: list[tuple[float, int, int]] = []
    for place in (place for column in ordered for place in ground.columns_of(column.key)):
        levels, counts = np.unique(ground.matrices["holdout"][:, place], return_counts=True)
        shares = counts / counts.sum()
        found += [
            (share, place, int(level))
            for share, level in zip(shares, levels, strict=True)
            if share > 0.1
        ]
    if not found:
        raise NotHere
    return min(found)[1:]


def _thinned(ground: Ground) -> Case:
    """Of the smallest group of the first segment, a dozen rows are left in the holdout."""
    holdout = ground.rows["holdout"]
    segment, groups = next(
        iter(segment_groups(ground.run.contract, holdout).items()), ("", np.array([]))
    )
    if not segment:
        raise NotHere
    names, counts = np.unique(groups, return_counts=True)
    keep = np.ones(len(groups), dtype=bool)
    keep[np.flatnonzero(groups == names[counts.argmin()])[12:]] = False
    rows, limits = (
        {"holdout": taken(holdout, keep)},
        {**WIDE, "segment_margin": 0.01, "segments_required": (segment,)},
    )
    return Case(champion=real(ground), anchor=real(ground), rows=rows, standing=OLD, limits=limits)


def _narrow(ground: Ground) -> Case:
    """The champion's contract knows fewer values of one column."""
    document = tomllib.loads(ground.run.contract_text)
    whole = (
        c for c in ground.run.contract.features if c.kind == "integer" and c.missing != "impute"
    )
    column = next(whole, None)
    if column is None:
        raise NotHere
    values = ground.rows["holdout"][column.key]
    document["columns"][column.name] |= {"maximum": int(np.quantile(values, 0.8))} | _example(
        document, column.name
    )
    old = replace(real(ground), contract=tomli_w.dumps(document))
    return Case(champion=old, anchor=old, standing=OLD)


def _example(document: dict[str, Any], name: str) -> dict[str, Any]:
    return (
        {"example": document["columns"][name]["minimum"]}
        if "example" in document["columns"][name]
        else {}
    )


def _silent(ground: Ground) -> Case:
    place, level = some_level(ground)
    mute = Made(unspoken(ground.model, place, (level, level)), ground.threshold)
    return Case(champion=real(ground), anchor=mute, standing=OLD)


def _other_split(ground: Ground) -> Case:
    """It was split with another salt, and kept fewer rows aside than are needed now."""
    document = tomllib.loads(ground.run.policy_text)
    aside, needed = 0.1, ground.labels["holdout"].sum() * 0.2
    document["split"] |= {"salt": "before", "train": 0.7, "validation": 1 - 0.7 - aside}
    old = replace(real(ground), policy=tomli_w.dumps(document))
    limits = {**WIDE, "margin": 0.3, "least_positives": int(needed)}
    return Case(champion=old, anchor=old, standing=OLD, limits=limits)


def _is_shifted(_: Ground, stage: Stage) -> bool:
    case = stage.read("score", "case")
    return abs(case["champion"]["threshold"] - case["candidate"]["threshold"] - 0.01) < 1e-9


def _less_recall(other: str) -> Callable[[Ground, Stage], bool]:
    """Whether the candidate finds fewer at as many flagged rows, in the table that was judged."""

    def look(_: Ground, stage: Stage) -> bool:
        table = stage.table
        count = int((table[other] >= stage.read("score", "case")[other]["threshold"]).sum())
        mine, theirs = (
            set(np.argsort(-table[name], kind="stable")[:count]) for name in ("candidate", other)
        )
        lost = sum(int(table["label"][row]) for row in theirs - mine)
        return lost > sum(int(table["label"][row]) for row in mine - theirs)

    return look


def _less_exact(_: Ground, stage: Stage) -> bool:
    table = stage.table
    return brier(table["label"], table["candidate"]) > brier(table["label"], table["anchor"])


def _one_group_lost(ground: Ground, stage: Stage) -> bool:
    """Better over all rows at as many flagged ones, and eight points worse in a group at the
    shipped thresholds.
    """
    table, case = stage.table, stage.read("score", "case")
    ours, theirs = (table[name] >= case[name]["threshold"] for name in ("candidate", "champion"))
    groups = [
        table[name] == value
        for name in table
        if name.startswith("segment ")
        for value in np.unique(table[name])
    ]
    losses = [
        _recall(table["label"][of], theirs[of]) - _recall(table["label"][of], ours[of])
        for of in groups
    ]
    return max(losses) >= 0.08 and not _less_recall("champion")(ground, stage)


def _recall(labels: np.ndarray, flagged: np.ndarray) -> float:
    counts = confusion(labels, flagged)
    return counts["true_positive"] / max(1, counts["true_positive"] + counts["false_negative"])


def _is_thin(_: Ground, stage: Stage) -> bool:
    [segment] = stage.run.policy.gate.segments_required
    return 12 in np.unique(stage.table[f"segment {segment}"], return_counts=True)[1]


def _refuses(ground: Ground, stage: Stage) -> bool:
    return (
        stage.read("score", "case")["facts"]["accepted"] < ground.run.policy.gate.comparable_share
    )


def _has_no_number(_: Ground, stage: Stage) -> bool:
    return bool(np.isnan(stage.table["anchor"]).any())


def _left_out(_: Ground, stage: Stage) -> bool:
    return stage.read("score", "case")["facts"]["left_out"] > 0
