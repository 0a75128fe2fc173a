"""The rules on a candidate beside champion and anchor: as a whole, and for each group of people."""

from bisect import bisect_left
from collections.abc import Callable, Iterator

import numpy as np

from sluice.gate.case import BROKEN, MET, OPEN, Case, Comparison, Holdout, Rule
from sluice.gate.paired import Pairs, better, holm, mean_difference, on_positives, tango, top, worse
from sluice.gate.power import margin_needed, positives_needed
from sluice.gate.rules import Look, yes_or_no


def comparable(case: Case) -> Iterator[Rule]:
    """Champion and anchor can be scored, on enough rows that none of the models has seen."""
    share, least = case.facts.accepted, case.policy.comparable_share
    others = [
        name
        for name, other, compared in (
            ("champion", case.holdout.champion, case.champion),
            ("anchor", case.holdout.anchor, case.anchor),
        )
        if other is not None and compared is None
    ]
    if share < least or others:
        who = " and ".join(others) or "the compared models"
        said = f"{who} take {share:.1%} of the rows, {least:.0%} are needed"
        said = said if share < least else f"{who} cannot score every one of these rows"
        way_out = (
            "a contract that both take; else a signed override of `comparable`, under which a"
            " candidate clears the floors as a first release does, and then `sluice anchor set"
            " champion`"
        )
        yield Rule("comparable", OPEN, said, share, least, way_out)
    if not case.first and case.holdout.anchor is None:
        yield Rule("anchored", OPEN, "there is a champion and no anchor", needed="set an anchor")
    if case.facts.left_out:
        left, least_left = case.holdout.positives, case.policy.least_positives
        said = (
            f"split changed: {case.facts.left_out:,} rows that a compared model has seen are left"
            f" out, {left:,} positives are left"
        )
        enough = left >= least_left
        needed = "" if enough else f"needs {least_left - left:,} more positives"
        yield Rule("split_changed", MET if enough else OPEN, said, left, least_left, needed)


def champion(case: Case) -> Iterator[Rule]:
    """Better than the champion, or at least not worse by the margin."""
    compared, policy = case.champion, case.policy
    if compared is None:
        return
    level, pairs = policy.level / policy.uses, compared.pairs
    met = compared.p_value <= level
    said = (
        f"finds {case.words.counted(pairs.gained)} that {compared.against} misses and misses"
        f" {pairs.lost} that it finds, at {compared.flagged:,} flagged each"
        f" (p = {compared.p_value:.3g}, better at {level:.3g})"
    )
    needed = "" if met else _to_be_better(case, pairs, level)
    yield Rule("better", MET if met else OPEN, said, compared.p_value, level, needed)
    yield _within(
        case,
        "not_worse",
        compared,
        f"recall {_interval(compared)} against champion {compared.against}",
    )


def anchor(case: Case) -> Iterator[Rule]:
    """As good as the frozen reference, so that many small losses cannot add up."""
    compared, other = case.anchor, case.holdout.anchor
    if compared is None or other is None:
        return
    yield _within(
        case, "anchor_recall", compared, f"recall {_interval(compared)} against anchor {other.tag}"
    )
    # With as many rows flagged, a positive found counts for precision what it counts for recall,
    # in another unit.
    unit = compared.pairs.rows / max(1, compared.flagged)
    said = f"precision {_interval(compared, unit)} against anchor {other.tag}"
    yield _within(case, "anchor_precision", compared, said, unit)
    mine, theirs = (
        (scores - case.holdout.labels) ** 2
        for scores in (case.holdout.candidate.scores, other.scores)
    )
    brier, margin = mean_difference(mine, theirs, case.policy.level), case.policy.brier_margin
    said = (
        f"Brier score {brier.value:+.4f} [{brier.low:+.4f}, {brier.high:+.4f}] against anchor"
        f" {other.tag}"
    )
    said += f", margin {margin:g}"
    state = _state(-brier.high, -brier.low, margin)
    needed = "" if state == MET else f"an upper limit {brier.high - margin:.4f} lower"
    yield Rule("anchor_brier", state, said, brier.high, margin, needed)


def segments(case: Case) -> Iterator[Rule]:
    """No group of people loses more than its margin, as far as that is significant after Holm's
    correction.

    The loss has to show at the shipped thresholds, which is what people get, and with as many rows
    flagged in all: two retrains of one recipe differ in what their validation rows made of the
    threshold, and that is no group's loss.
    """
    if case.champion is None:
        return
    policy, groups = case.policy, dict(_groups(case.holdout, case.champion.flagged))
    shipped = {name: pairs for name, (pairs, _) in groups.items()}
    judged = [name for name, pairs in shipped.items() if pairs.rows >= policy.segment_positives]
    shown = [max(worse(pairs, policy.segment_margin) for pairs in groups[name]) for name in judged]
    lost = {
        name: p for name, p in zip(judged, holm(np.array(shown)), strict=True) if p <= policy.level
    }
    unclear = [
        name
        for name, pairs in shipped.items()
        if not _not_worse(pairs, policy.segment_margin, policy.level)
    ]
    few = [name for name in unclear if name not in lost]
    told = [_loss(name, shipped[name], p, policy.segment_margin) for name, p in lost.items()]
    said = (
        f"{len(groups) - len(unclear)} of {len(groups)} groups are not worse by"
        f" {policy.segment_margin:g}"
    )
    said += f", too few to say for {', '.join(few)}" if few else ""
    spare = [
        f"{case.words.more(_to_margin(shipped[name], policy.segment_margin))} found in {name}"
        for name in lost
    ]
    if groups:
        yield yes_or_no(
            "segments", not lost, "; ".join(told) or said, len(lost), 0, ", ".join(spare)
        )
    required = [name for name in few if name.split(" = ")[0] in policy.segments_required]
    required += [
        name for name in policy.segments_required if name not in (case.holdout.segments or {})
    ]
    if required:
        needed = ", ".join(
            _to_tell(case, shipped[name], policy.segment_margin, name)
            for name in few
            if name in required
        )
        said = f"too few positives to say for {', '.join(required)}, which the policy requires"
        yield Rule(
            "segments_required", OPEN, said, needed=needed or "these segments in the contract"
        )


def _groups(holdout: Holdout, flagged: int) -> Iterator[tuple[str, tuple[Pairs, Pairs]]]:
    """The positives of each group as the models find them: at their own thresholds, and at
    `flagged` rows each.
    """
    if holdout.champion is None:
        return
    models = (holdout.candidate, holdout.champion)
    cuts = (
        [model.flagged for model in models],
        [top(model.scores, holdout.hashes, flagged) for model in models],
    )
    for segment, groups in (holdout.segments or {}).items():
        for group in np.unique(groups):
            of = groups == group
            own, equal = (
                on_positives(holdout.labels[of], mine[of], theirs[of]) for mine, theirs in cuts
            )
            yield f"{segment} = {group}", (own, equal)


def _loss(name: str, pairs: Pairs, p_value: float, margin: float) -> str:
    loss = (pairs.lost - pairs.gained) / pairs.rows
    said = f"{name} loses {loss:.4f} of its recall over {pairs.rows:,} positives"
    return f"{said}, more than {margin:g} (p = {p_value:.3g})"


def _state(low: float, high: float, margin: float) -> str:
    """Met where the whole interval lies above the margin, broken where it lies below, open where it
    straddles it.
    """
    return MET if low > -margin else BROKEN if high < -margin else OPEN


def _within(case: Case, name: str, compared: Comparison, sentence: str, unit: float = 1.0) -> Rule:
    """The interval, in `unit`s of recall, against the margin of the policy."""
    margin, recall = case.policy.margin / unit, compared.recall
    state = _state(recall.low, recall.high, margin)
    needed = "" if state == MET else _to_tell(case, compared.pairs, margin)
    said = f"{sentence}, margin {case.policy.margin:g}"
    return Rule(name, state, said, recall.low * unit, -case.policy.margin, needed)


def _to_tell(case: Case, pairs: Pairs, margin: float, where: str = "") -> str:
    """What would show that the loss stays within the margin: more rows where that can be, else more
    positives found.
    """
    level = case.policy.level
    place = f" in {where}" if where else ""
    rows = margin_needed(
        margin, (pairs.gained - pairs.lost) / max(pairs.rows, 1), pairs.discordant, level
    )
    if rows is not None:
        return f"needs {case.words.more(max(rows - pairs.rows, 1))}{place} at this difference"
    more = _smallest(pairs.rows, lambda k: _not_worse(_found(pairs, k), margin, level))
    return f"{case.words.more(more)} found{place}"


def _to_margin(pairs: Pairs, margin: float) -> int:
    return _smallest(pairs.rows, lambda k: (pairs.lost - pairs.gained - k) <= margin * pairs.rows)


def _to_be_better(case: Case, pairs: Pairs, level: float) -> str:
    """What would show a gain: more positives found, or more rows of the same."""
    more = _smallest(pairs.rows, lambda k: better(_found(pairs, k)) <= level)
    gain = (pairs.gained - pairs.lost) / max(pairs.rows, 1)
    if gain <= 0:
        return f"{case.words.more(more)} found"
    rows = positives_needed(gain, pairs.discordant, level) - pairs.rows
    return (
        f"{case.words.more(more)} found, or {case.words.more(max(rows, 1))} if the gain of"
        f" {gain:.4f} is true"
    )


def _found(pairs: Pairs, more: int) -> Pairs:
    """The same with so many more positives found, those first that the other finds."""
    both = min(more, pairs.lost)
    return Pairs(pairs.gained + more - both, pairs.lost - both, pairs.rows)


def _smallest(most: int, enough: Callable[[int], bool]) -> int:
    """The smallest number up to `most` that is enough, where more is never less; `most` if none
    is.
    """
    return bisect_left(range(most), True, key=enough)


def _not_worse(pairs: Pairs, margin: float, level: float) -> bool:
    return tango(pairs, level).low > -margin


def _interval(compared: Comparison, unit: float = 1.0) -> str:
    recall = compared.recall
    return f"{recall.value * unit:+.4f} [{recall.low * unit:+.4f}, {recall.high * unit:+.4f}]"


AGAINST_OTHERS: tuple[Look, ...] = (comparable, champion, anchor, segments)
