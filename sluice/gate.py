"""The gate: scores in, verdict out. All reasons are collected, then it is decided once.

    a rule broken                               REJECT
    no champion, and every floor cleared        PROMOTE
    significantly better than the champion      PROMOTE   (exact McNemar on the positives, at equal flagged counts)
    otherwise                                   HOLD      (the champion stays)

Both models are cut at the same number of flagged rows, the champion's, so a moved threshold gains nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.metrics import at_threshold, confusion, intervals, measure
from sluice.policy import GatePolicy
from sluice.statistics import mcnemar_greater

SCHEMA = 1
_SAME = 1e-9  # recomputed metrics may differ in the last bits of a sum, and by no more


@dataclass(frozen=True)
class Champion:
    """What the candidate is compared with: its tag, its threshold, its scores on the same rows (shape (rows,))."""

    tag: str
    threshold: float
    scores: np.ndarray


@dataclass(frozen=True)
class Rows:
    """The holdout, row by row: labels 0/1, salted hashes (uint64) and the candidate's scores, each (rows,)."""

    labels: np.ndarray
    hashes: np.ndarray
    scores: np.ndarray
    champion: Champion | None = None
    trained_on: int = 0


@dataclass(frozen=True)
class Rule:
    """One rule looked at: whether it holds, in one sentence with its numbers."""

    rule: str
    passed: bool
    sentence: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Both models at the same number of flagged rows: positives that only one of them finds."""

    flagged: int
    gained: int
    lost: int
    p_value: float


@dataclass(frozen=True)
class Verdict:
    """PROMOTE, HOLD or REJECT, with every reason."""

    verdict: str
    sentence: str
    rules: tuple[Rule, ...]
    champion: str | None = None
    comparison: Comparison | None = None

    def document(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "rules": [vars(rule) for rule in self.rules],
            "champion": self.champion,
            "comparison": vars(self.comparison) if self.comparison else None,
        }


def decide(metrics: Mapping[str, Any], rows: Rows, policy: GatePolicy) -> Verdict:
    """The verdict on a candidate: `metrics` as declared, checked against the rows they came from."""
    rules = [*_sanity(metrics, rows), *floors(metrics, policy)]
    broken = [rule for rule in rules if not rule.passed]
    champion, comparison = rows.champion, None
    if champion is not None and _probabilities(champion.scores) and _probabilities(rows.scores):
        comparison = compare(rows, champion)
    if broken:
        return _verdict("REJECT", "; ".join(rule.sentence for rule in broken), rules, champion, comparison)
    if comparison is None:
        return _verdict("PROMOTE", "the first model to clear every floor", rules, champion, comparison)
    found = (
        f"finds {comparison.gained} leavers that the champion misses and misses {comparison.lost} that it finds, "
        f"at {comparison.flagged} flagged rows each (p = {comparison.p_value:.3g}, level {policy.level:g})"
    )
    better = comparison.p_value <= policy.level
    rules.append(Rule("better_than_champion", better, found, comparison.p_value, policy.level))
    if better:
        return _verdict("PROMOTE", f"better than the champion: {found}", rules, champion, comparison)
    return _verdict("HOLD", f"the champion stays: {found}", rules, champion, comparison)


def decide_from_metrics(metrics: Mapping[str, Any], policy: GatePolicy) -> Verdict:
    """The verdict that metrics.json alone supports: the floors, on numbers that agree with its own counts."""
    rules = [_consistent(metrics), *floors(metrics, policy)]
    broken = "; ".join(rule.sentence for rule in rules if not rule.passed)
    return _verdict("REJECT" if broken else "PROMOTE", broken or "every floor is cleared", rules, None, None)


def floors(metrics: Mapping[str, Any], policy: GatePolicy) -> list[Rule]:
    """The absolute rules on the holdout, at the shipped threshold."""
    recall, precision, flagged = (
        _number(metrics, "holdout", name) for name in ("recall", "precision", "share_flagged")
    )
    missing = (policy.recall_floor - recall) * _number(metrics, "rows", "holdout_positives")
    more = math.ceil(missing - _SAME) if missing > 0 and math.isfinite(missing) else 0
    return [
        Rule("recall_floor", recall >= policy.recall_floor, f"recall {recall:.4f} against a floor of "
             f"{policy.recall_floor:g}" + (f": {more} more leavers to find" if more else ""),
             _value(recall), policy.recall_floor),
        Rule("precision_floor", precision >= policy.precision_floor,
             f"precision {precision:.4f} against a floor of {policy.precision_floor:g}",
             _value(precision), policy.precision_floor),
        Rule("flagged_ceiling", flagged <= policy.flagged_ceiling,
             f"{flagged:.1%} of the rows flagged against a ceiling of {policy.flagged_ceiling:.0%}",
             _value(flagged), policy.flagged_ceiling),
    ]  # fmt: skip


def _number(metrics: Mapping[str, Any], *path: str | int) -> float:
    """The number at this place of metrics.json; NaN, which clears no floor, where there is none."""
    value: Any = metrics
    try:
        for name in path:
            value = value[name]
    except (KeyError, IndexError, TypeError):
        return math.nan
    return float(value) if _is_number(value) else math.nan


def _value(number: float) -> float | None:
    return None if math.isnan(number) else number  # JSON has no NaN


def _same(declared: Any, actual: Any) -> bool:
    if isinstance(actual, list):
        return isinstance(declared, list) and len(declared) == len(actual) and all(map(_same, declared, actual))
    return _is_number(declared) and abs(declared - actual) <= _SAME


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def compare(rows: Rows, champion: Champion) -> Comparison:
    """Cut both at the champion's number of flagged rows (ties by row hash) and count on the positives."""
    flagged = int((champion.scores >= champion.threshold).sum())
    candidate, old = (_top(scores, rows.hashes, flagged) for scores in (rows.scores, champion.scores))
    positive = rows.labels == 1
    gained, lost = int((positive & candidate & ~old).sum()), int((positive & old & ~candidate).sum())
    return Comparison(flagged, gained, lost, mcnemar_greater(gained, lost))


def _top(scores: np.ndarray, hashes: np.ndarray, count: int) -> np.ndarray:
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[np.lexsort((hashes, -scores))[:count]] = True
    return chosen


def _sanity(metrics: Mapping[str, Any], rows: Rows) -> list[Rule]:
    finite = _probabilities(rows.scores)
    rules = [
        Rule("finite", finite, "every score is a probability" if finite else "some scores are not probabilities"),
        Rule("no_training_rows", rows.trained_on == 0, f"{rows.trained_on} training rows in the holdout"),
    ]
    if rows.champion:
        known = _probabilities(rows.champion.scores)
        rules.append(Rule("champion_finite", known, "every score of the champion is a probability" if known
                          else "some scores of the champion are not probabilities"))  # fmt: skip
    if not finite:
        return rules
    distinct = len(np.unique(rows.scores))
    rules.append(Rule("not_constant", distinct > 1, f"{distinct} different scores over {len(rows.scores)} rows"))
    return [*rules, *_recomputed(metrics, rows)] if distinct > 1 else rules


def _probabilities(scores: np.ndarray) -> bool:
    return bool(((scores >= 0) & (scores <= 1)).all())  # false for NaN


def _recomputed(metrics: Mapping[str, Any], rows: Rows) -> list[Rule]:
    threshold = _number(metrics, "threshold")
    if math.isnan(threshold):
        return [Rule("metrics_match", False, "metrics.json has no threshold")]
    measured = measure(rows.labels, rows.scores, threshold)
    actual: dict[str, Mapping[str, Any]] = {
        "holdout": measured,
        "confusion": confusion(rows.labels, rows.scores >= threshold),
        "intervals": intervals(rows.labels, rows.scores, threshold),
        "rows": {"holdout": len(rows.labels), "holdout_positives": int(rows.labels.sum())},
    }
    area = measured["roc_auc"]
    ranks = f"ROC-AUC {area:.4f}" + (": the scores are upside down" if area < 0.5 else "")
    return [
        _agreement("metrics_match", "with the scores", metrics, actual),
        Rule("not_inverted", area >= 0.5, ranks, area, 0.5),
    ]


def _consistent(metrics: Mapping[str, Any]) -> Rule:
    names = ("true_positive", "false_positive", "false_negative", "true_negative")
    counts = {name: _number(metrics, "confusion", name) for name in names}
    whole = {name: int(count) for name, count in counts.items() if count >= 0 and count.is_integer()}
    actual: dict[str, Mapping[str, Any]] = {"confusion": {name: whole.get(name, math.nan) for name in names}}
    if len(whole) == len(names):
        positives = whole["true_positive"] + whole["false_negative"]
        actual |= {
            "holdout": at_threshold(whole),
            "rows": {"holdout": sum(whole.values()), "holdout_positives": positives},
        }
    return _agreement("metrics_consistent", "with its own counts", metrics, actual)


def _agreement(rule: str, what: str, metrics: Mapping[str, Any], actual: Mapping[str, Mapping[str, Any]]) -> Rule:
    wrong = []
    for section, values in actual.items():
        declared = metrics.get(section)
        for name, value in values.items():
            if not isinstance(declared, Mapping) or not _same(declared.get(name), value):
                wrong.append(f"{section}.{name}")
    said = f"does not agree {what} in {', '.join(wrong)}" if wrong else f"agrees {what}"
    return Rule(rule, not wrong, f"metrics.json {said}")


def _verdict(
    name: str, sentence: str, rules: list[Rule], champion: Champion | None, comparison: Comparison | None
) -> Verdict:
    return Verdict(name, sentence, tuple(rules), champion.tag if champion else None, comparison)


def summary(verdict: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """One line: the verdict, recall and precision with their intervals."""
    said = []
    for name in ("recall", "precision"):
        low, high = (_number(metrics, "intervals", name, end) for end in (0, 1))
        said.append(f"{name} {_number(metrics, 'holdout', name):.4f} [{low:.4f}, {high:.4f}]")
    return f"{verdict['verdict']}: {', '.join(said)}"
