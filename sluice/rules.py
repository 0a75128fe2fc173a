"""The rules of the gate, one function each: what is looked at, the sentence, and what would have met it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from sluice.gate import BROKEN, MET, OPEN, Case, Comparison, Rule
from sluice.metrics import confusion, measure
from sluice.paired import Pairs, holm, mean_difference, on_positives, tango, top, worse
from sluice.power import margin_needed, positives_needed
from sluice.statistics import calibration_error, roc_auc, roc_auc_interval, wilson_low

_SAME = 1e-9  # recomputed metrics may differ in the last bits of a sum, and by no more


def finite(case: Case) -> Iterator[Rule]:
    """Every score is a probability."""
    scores = case.holdout.candidate.scores
    good = bool((np.isfinite(scores) & (scores >= 0) & (scores <= 1)).all())
    yield _rule("finite", good, "every score is a probability" if good else "some scores are not probabilities")


def not_constant(case: Case) -> Iterator[Rule]:
    """The model tells rows apart."""
    distinct = len(np.unique(case.holdout.candidate.scores))
    yield _rule("not_constant", distinct > 1, f"{distinct:,} different scores over {len(case.holdout.labels):,} rows")


def signal(case: Case) -> Iterator[Rule]:
    """The ranking is better than chance: neither turned upside down nor learnt from shuffled labels."""
    area = roc_auc(case.holdout.labels, case.holdout.candidate.scores)
    low, _ = roc_auc_interval(case.holdout.labels, case.holdout.candidate.scores, 1 - 2 * case.policy.level)
    said = f"ROC-AUC {area:.4f}, lower limit {low:.4f}"
    why = ": the scores are upside down" if area < 0.5 else ": no better than chance, as if the labels were shuffled"
    yield _rule("signal", low > 0.5, said + ("" if low > 0.5 else why), area, 0.5)


def no_training_rows(case: Case) -> Iterator[Rule]:
    """No row of the holdout was trained on."""
    rows = case.facts.trained_on
    yield _rule("no_training_rows", rows == 0, f"{rows:,} training rows in the holdout", float(rows), 0.0)


def no_duplicates(case: Case) -> Iterator[Rule]:
    """Few rows of the holdout equal a training row in every feature."""
    share, most = case.facts.duplicates / len(case.holdout.labels), case.policy.duplicate_ceiling
    yield _rule("no_duplicates", share <= most, f"{share:.2%} of the holdout repeats training rows, {most:.0%} may",
                share, most)  # fmt: skip


def not_one_column(case: Case) -> Iterator[Rule]:
    """No single column gives the answer away, and the model knows more than its best column."""
    one = case.holdout.one_column
    if one is None:
        return
    area, limit = roc_auc(case.holdout.labels, one.scores), case.policy.one_column_ceiling
    yield _rule("no_leak", area <= limit, f"{one.tag} alone has ROC-AUC {area:.4f}, at most {limit:g} is believed",
                area, limit)  # fmt: skip
    flagged = int(case.holdout.candidate.flagged.sum())
    pairs = _pairs(case, one.scores, flagged)
    gain = tango(pairs, case.policy.level)
    yield _rule("more_than_one_column", gain.low > 0, f"recall {gain.value:+.4f} against {one.tag} alone at {flagged:,} "
                f"flagged rows, lower limit {gain.low:+.4f}", gain.value, 0.0)  # fmt: skip


def metrics_match(case: Case) -> Iterator[Rule]:
    """metrics.json says what the scores say."""
    threshold, rows = float(case.metrics["threshold"]), case.holdout
    actual = measure(rows.labels, rows.candidate.scores, threshold)
    declared = case.metrics["holdout"]
    wrong = [name for name, value in actual.items() if not abs(float(declared.get(name, math.nan)) - value) <= _SAME]
    wrong += ["confusion"] * (case.metrics["confusion"] != confusion(rows.labels, rows.candidate.scores >= threshold))
    wrong += ["threshold"] * (threshold != rows.candidate.threshold)
    counts = {"holdout": len(rows.labels), "holdout_positives": rows.positives}
    wrong += [name for name, value in counts.items() if case.metrics["rows"].get(name) != value]
    said = f"metrics.json does not agree with the scores in {', '.join(wrong)}" if wrong else "metrics.json agrees"
    yield _rule("metrics_match", not wrong, said)


def floors(case: Case) -> Iterator[Rule]:
    """Recall and precision at the shipped threshold; a first release clears them with its lower limits."""
    counts = confusion(case.holdout.labels, case.holdout.candidate.flagged)
    hit, missed, false = counts["true_positive"], counts["false_negative"], counts["false_positive"]
    yield _floor(case, "recall_floor", "recall", hit, hit + missed, case.policy.recall_floor, "more leavers found")
    yield _floor(case, "precision_floor", "precision", hit, hit + false, case.policy.precision_floor, "more of the "
                 "flagged right")  # fmt: skip


def _floor(case: Case, rule: str, name: str, hit: int, of: int, floor: float, words: str) -> Rule:
    value = hit / of if of else 0.0
    more = max(0, math.ceil(floor * of) - hit)
    if value < floor:
        return Rule(rule, BROKEN, f"{name} {value:.4f} against a floor of {floor:g}", value, floor, f"{more} {words}")
    low = wilson_low(hit, of, case.policy.level)
    if case.first and low < floor:
        rows = math.ceil(of * ((value - low) / max(value - floor, 1e-9)) ** 2) - of
        said = f"{name} {value:.4f} clears {floor:g}, its lower limit {low:.4f} does not"
        return Rule(rule, OPEN, said, value, floor, f"about {rows:,} more rows at this {name}")
    return Rule(rule, MET, f"{name} {value:.4f}, lower limit {low:.4f}, against a floor of {floor:g}", value, floor)


def flagged_ceiling(case: Case) -> Iterator[Rule]:
    """Not everybody is flagged: "always leave" has a recall of 1.0."""
    share, most = float(case.holdout.candidate.flagged.mean()), case.policy.flagged_ceiling
    yield _rule("flagged_ceiling", share <= most, f"{share:.1%} of the rows flagged against a ceiling of {most:.0%}",
                share, most)  # fmt: skip


def calibration(case: Case) -> Iterator[Rule]:
    """A probability can be taken at its word: the mean distance of score and outcome over ten equal parts."""
    error = calibration_error(case.holdout.labels, case.holdout.candidate.scores)
    most = case.policy.calibration_ceiling
    yield _rule("calibration", error <= most, f"calibration error {error:.4f} against a ceiling of {most:g}", error, most)


def stability(case: Case) -> Iterator[Rule]:
    """Cross-validation, validation and holdout tell the same story."""
    folds = case.metrics["cross_validation"]["roc_auc"]
    area, most = roc_auc(case.holdout.labels, case.holdout.candidate.scores), case.policy.stability_ceiling
    for name, value in (("cross_validation", folds["mean"]), ("validation", case.metrics["validation"]["roc_auc"])):
        gap = abs(float(value) - area)
        yield _rule(f"stable_{name}", gap <= most, f"ROC-AUC {value:.4f} in {name.replace('_', '-')}, {area:.4f} on the "
                    f"holdout", gap, most)  # fmt: skip
    yield _rule("stable_folds", folds["std"] <= most, f"ROC-AUC varies by {folds['std']:.4f} over the folds",
                folds["std"], most)  # fmt: skip


def comparable(case: Case) -> Iterator[Rule]:
    """The compared models can be scored, on rows that none of them has seen."""
    share, least = case.facts.accepted, case.policy.comparable_share
    if share < least:
        yield Rule("comparable", OPEN, f"the champion's contract takes {share:.1%} of the rows, {least:.0%} are needed",
                   share, least, "release under a contract that both take, or set a new anchor")  # fmt: skip
    if case.facts.left_out:
        enough = case.holdout.positives >= case.policy.least_positives
        said = f"split changed: {case.facts.left_out:,} rows that a compared model has seen are left out, " \
               f"{case.holdout.positives:,} positives are left"  # fmt: skip
        missing = case.policy.least_positives - case.holdout.positives
        yield Rule("split_changed", MET if enough else OPEN, said, needed="" if enough else f"{missing} more positives")


def ledger(case: Case) -> Iterator[Rule]:
    """The holdout has not decided too often."""
    used, most = case.facts.uses, case.policy.uses
    said = f"use {min(used + 1, most)} of {most} of this holdout"
    spent = Rule("ledger", OPEN, f"this holdout has decided {used} times, {most} are allowed", used, most,
                 "new labelled rows, until half of its positives are new")  # fmt: skip
    yield Rule("ledger", MET, said, used, most) if used < most else spent


def champion(case: Case) -> Iterator[Rule]:
    """Better than the champion, or at least not worse by the margin."""
    compared, policy = case.champion, case.policy
    if compared is None:
        return
    level, pairs = policy.level / policy.uses, compared.pairs
    found = (f"finds {pairs.gained} leavers that {compared.against} misses and misses {pairs.lost} that it finds, at "
             f"{compared.flagged:,} flagged rows each (recall {_interval(compared)}, p = {compared.p_value:.3g})")  # fmt: skip
    superior = compared.p_value <= level
    yield Rule("better", MET if superior else OPEN, found, compared.p_value, level, "" if superior else _more(case, level))
    yield _against("not_worse", compared, policy.margin, found, case)


def anchor(case: Case) -> Iterator[Rule]:
    """As good as the frozen reference, so that many small losses cannot add up."""
    compared, other = case.anchor, case.holdout.anchor
    if compared is None or other is None:
        return
    margin, scale = case.policy.margin, compared.pairs.rows / max(1, compared.flagged)
    yield _against("anchor_recall", compared, margin, f"recall {_interval(compared)} against anchor {other.tag}", case)
    low, high = compared.recall.low * scale, compared.recall.high * scale
    said = f"precision {compared.recall.value * scale:+.4f} [{low:+.4f}, {high:+.4f}] against anchor {other.tag}"
    yield _margin("anchor_precision", low, high, margin, said)
    errors = ((scores - case.holdout.labels) ** 2 for scores in (case.holdout.candidate.scores, other.scores))
    brier = mean_difference(*errors, case.policy.level)
    said = f"Brier score {brier.value:+.4f} [{brier.low:+.4f}, {brier.high:+.4f}] against anchor {other.tag}"
    yield _margin("anchor_brier", -brier.high, -brier.low, case.policy.brier_margin, said)


def segments(case: Case) -> Iterator[Rule]:
    """No group of people loses more than its margin, as far as that is significant after Holm's correction."""
    found = list(_groups(case))
    if not found:
        return
    policy, told, missing = case.policy, [], []
    adjusted = holm(np.array([worse(pairs, policy.segment_margin) for _, pairs in found]))
    for (name, pairs), p_value in zip(found, adjusted, strict=True):
        loss = tango(pairs, policy.level)
        if p_value <= policy.level:
            told.append(f"{name} loses {-loss.value:.4f} of its recall ({pairs.rows} positives, p = {p_value:.3g})")
        elif loss.low <= -policy.segment_margin and name.split(" = ")[0] in policy.segments_required:
            missing.append(name)
    yield _rule("segments", not told, "; ".join(told) or f"no group of {len(found)} is shown to lose")
    if missing:
        yield Rule("segments_required", OPEN, f"too few positives to say for {', '.join(missing)}")


def _groups(case: Case) -> Iterator[tuple[str, Pairs]]:
    other = case.holdout.champion
    if other is None:
        return
    for segment, groups in (case.holdout.segments or {}).items():
        for group in np.unique(groups):
            rows = groups == group
            pairs = on_positives(case.holdout.labels[rows], case.holdout.candidate.flagged[rows], other.flagged[rows])
            if pairs.rows >= case.policy.segment_positives:
                yield f"{segment} = {group}", pairs


def _rule(name: str, met: bool, sentence: str, value: float | None = None, limit: float | None = None) -> Rule:
    return Rule(name, MET if met else BROKEN, sentence, value, limit)


def _margin(name: str, low: float, high: float, margin: float, sentence: str) -> Rule:
    """Broken where the whole interval lies below the margin, met where it lies above, open where it straddles it."""
    state = MET if low > -margin else BROKEN if high < -margin else OPEN
    return Rule(name, state, f"{sentence}, margin {margin:g}", low, -margin)


def _against(name: str, compared: Comparison, margin: float, sentence: str, case: Case) -> Rule:
    found = _margin(name, compared.recall.low, compared.recall.high, margin, sentence)
    if found.state == MET:
        return found
    if found.state == BROKEN:
        more = math.ceil((-margin - compared.recall.value) * compared.pairs.rows)
        return replace(found, needed=f"{more} more leavers found would lie on the margin")
    needed = margin_needed(margin, compared.recall.value, _discordant(compared), case.policy.level) - compared.pairs.rows
    return replace(found, needed=f"needs {needed:,} more positives at this difference" if needed > 0 else "")


def _more(case: Case, level: float) -> str:
    """How many positives would show the gain that was found, if it is true."""
    compared = case.champion
    if compared is None or compared.recall.value <= 0:
        return ""
    needed = positives_needed(compared.recall.value, _discordant(compared), level) - compared.pairs.rows
    return f"a true gain of {compared.recall.value:.4f} needs {needed:,} more positives" if needed > 0 else ""


def _discordant(compared: Comparison) -> float:
    pairs = compared.pairs
    return max((pairs.gained + pairs.lost) / pairs.rows, abs(compared.recall.value), 1 / pairs.rows)


def _interval(compared: Comparison) -> str:
    recall = compared.recall
    return f"{recall.value:+.4f} [{recall.low:+.4f}, {recall.high:+.4f}]"


def _pairs(case: Case, other: np.ndarray, flagged: int) -> Pairs:
    rows = case.holdout
    cut = (top(scores, rows.hashes, flagged) for scores in (rows.candidate.scores, other))
    return on_positives(rows.labels, *cut)


RULES: tuple[Callable[[Case], Iterator[Rule]], ...] = (
    finite,
    not_constant,
    signal,
    no_training_rows,
    no_duplicates,
    not_one_column,
    metrics_match,
    floors,
    flagged_ceiling,
    calibration,
    stability,
    comparable,
    ledger,
    champion,
    anchor,
    segments,
)
