"""What a metrics.json says by itself, without the scores it came from: its own counts, and the
floors.
"""

import math
from collections.abc import Mapping
from typing import Any

from sluice.gate.case import BROKEN, MET, Rule
from sluice.gate.decide import Verdict
from sluice.model.metrics import at_threshold
from sluice.policy import GatePolicy
from sluice.served.words import NEUTRAL_WORDS, Words

Metrics = Mapping[str, Any]
_SAME = 1e-9  # recomputed metrics may differ in the last bits of a sum, and by no more
_COUNTS = ("true_positive", "false_positive", "false_negative", "true_negative")


def decide(metrics: Metrics, policy: GatePolicy, words: Words = NEUTRAL_WORDS) -> Verdict:
    """The verdict that the file alone supports; PROMOTE means that nothing in it is broken."""
    rules = [_consistent(metrics), *_floors(metrics, policy, words)]
    broken = "; ".join(str(rule) for rule in rules if not rule.passed)
    return Verdict(
        "REJECT" if broken else "PROMOTE", broken or "every floor is cleared", tuple(rules)
    )


def _floors(metrics: Metrics, policy: GatePolicy, words: Words) -> list[Rule]:
    recall, precision, flagged = (
        _number(metrics, "holdout", n) for n in ("recall", "precision", "share_flagged")
    )
    missing = (policy.recall_floor - recall) * _number(metrics, "rows", "holdout_positives")
    more = math.ceil(missing - _SAME) if missing > 0 and math.isfinite(missing) else 0
    needed = f"{words.more(more)} found" if more else ""
    said = f"{flagged:.1%} of the rows flagged against a ceiling of {policy.flagged_ceiling:.0%}"
    return [
        _rule(
            "recall_floor",
            recall >= policy.recall_floor,
            f"recall {recall:.4f} against a floor of {policy.recall_floor:g}",
            recall,
            policy.recall_floor,
            needed,
        ),
        _rule(
            "precision_floor",
            precision >= policy.precision_floor,
            f"precision {precision:.4f} against a floor of {policy.precision_floor:g}",
            precision,
            policy.precision_floor,
        ),
        _rule(
            "flagged_ceiling",
            flagged <= policy.flagged_ceiling,
            said,
            flagged,
            policy.flagged_ceiling,
        ),
    ]


def _rule(
    name: str, met: bool, sentence: str, value: float, limit: float, needed: str = ""
) -> Rule:
    return Rule(
        name, MET if met else BROKEN, sentence, None if math.isnan(value) else value, limit, needed
    )


def _consistent(metrics: Metrics) -> Rule:
    counts = {name: _number(metrics, "confusion", name) for name in _COUNTS}
    whole = {
        name: int(count) for name, count in counts.items() if count >= 0 and count.is_integer()
    }
    actual: dict[str, Metrics] = {
        "confusion": {name: whole.get(name, math.nan) for name in _COUNTS}
    }
    if len(whole) == len(_COUNTS):
        positives = whole["true_positive"] + whole["false_negative"]
        rows = {"holdout": sum(whole.values()), "holdout_positives": positives}
        actual |= {"holdout": at_threshold(whole), "rows": rows}
    wrong = [
        f"{section}.{name}"
        for section, values in actual.items()
        for name, value in values.items()
        if not abs(_number(metrics, section, name) - value) <= _SAME
    ]
    said = (
        f"does not agree with its own counts in {', '.join(wrong)}"
        if wrong
        else "agrees with its own counts"
    )
    return Rule("metrics_consistent", BROKEN if wrong else MET, f"metrics.json {said}")


def _number(metrics: Metrics, *path: str) -> float:
    """The number at this place; NaN, which clears no floor, where there is none."""
    value: Any = metrics
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if right else math.nan
