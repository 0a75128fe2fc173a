"""What a metrics.json says by itself, without the scores it came from: its own counts, and the
floors.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from sluice.gate.case import BROKEN, MET, Rule, number_at
from sluice.gate.decide import Verdict
from sluice.gate.rules import yes_or_no
from sluice.model.quality.error_costs import PER
from sluice.model.quality.metrics import at_threshold
from sluice.model.quality.metrics_file import Confusion
from sluice.percent import percent
from sluice.policy import GatePolicy
from sluice.served.words import NEUTRAL_WORDS, Words

Metrics = Mapping[str, Any]
_SAME = 1e-9  # recomputed metrics may differ in the last bits of a sum, and by no more
_COUNTS = ("true_positive", "false_positive", "false_negative", "true_negative")


def decide(metrics: Metrics, policy: GatePolicy, words: Words = NEUTRAL_WORDS) -> Verdict:
    """The verdict that the file alone supports; PROMOTE means that nothing in it is broken.

    A number that is missing, or that is no number, clears no floor.
    """
    rules = (_consistent(metrics), *_floors(metrics, policy, words))
    broken = ". ".join(str(rule) for rule in rules if not rule.passed)
    if broken:
        return Verdict("REJECT", broken, rules)
    return Verdict("PROMOTE", "Every floor is cleared", rules)


def _floors(metrics: Metrics, policy: GatePolicy, words: Words) -> Iterator[Rule]:
    recall = number_at(metrics, "holdout", "recall")
    if policy.recall_floor:
        needed = _recall_needed(metrics, policy, words)
        yield _at_least("recall", recall, policy.recall_floor, needed)
    precision = number_at(metrics, "holdout", "precision")
    if policy.precision_floor:
        yield _at_least("precision", precision, policy.precision_floor, "")
    prevalence = _prevalence(metrics)
    if policy.lift_floor:
        yield _at_least("lift", precision / prevalence, policy.lift_floor, "")
    if policy.brier_skill_floor:
        plain = prevalence * (1 - prevalence)
        skill = 1 - number_at(metrics, "holdout", "brier") / plain
        yield _at_least("brier_skill", skill, policy.brier_skill_floor, "")
    if policy.costed:
        yield _saving(metrics, policy)
    flagged, most = number_at(metrics, "holdout", "share_flagged"), policy.flagged_ceiling
    sentence = f"{percent(flagged, 1)} of the rows are flagged; at most {percent(most)} is allowed"
    rule = Rule("flagged_ceiling", MET, sentence, _known(flagged), most)
    yield yes_or_no(rule, flagged <= most)


def _saving(metrics: Metrics, policy: GatePolicy) -> Rule:
    """What the counts save, against flagging nobody or everybody, whichever costs less."""
    counts = {name: number_at(metrics, "confusion", name) for name in _COUNTS}
    nobody = policy.cost_of_a_miss * (counts["true_positive"] + counts["false_negative"])
    alarms = counts["false_positive"] + counts["true_negative"]
    everybody = policy.cost_of_a_false_alarm * alarms
    cost = policy.cost_of_a_miss * counts["false_negative"]
    cost += policy.cost_of_a_false_alarm * counts["false_positive"]
    rows = number_at(metrics, "rows", "holdout")
    saved = PER * (min(nobody, everybody) - cost) / rows if rows > 0 else math.nan
    sentence = (
        f"The errors cost {saved:.4g} less for each {PER:,} rows than the cheaper of flagging"
        " nobody and everybody; more than 0 is required"
    )
    return yes_or_no(Rule("net_benefit", MET, sentence, _known(saved), 0.0), saved > 0)


def _prevalence(metrics: Metrics) -> float:
    """The share of positives in the holdout; NaN where the file does not say it."""
    rows = number_at(metrics, "rows", "holdout")
    positives = number_at(metrics, "rows", "holdout_positives")
    return positives / rows if 0 < positives < rows else math.nan


def _recall_needed(metrics: Metrics, policy: GatePolicy, words: Words) -> str:
    short = policy.recall_floor - number_at(metrics, "holdout", "recall")
    missing = short * number_at(metrics, "rows", "holdout_positives")
    if missing > 0 and math.isfinite(missing):
        more = math.ceil(missing - _SAME)
        if more:
            return f"Find {words.more(more)}"
    return ""


def _at_least(name: str, value: float, floor: float, needed: str) -> Rule:
    title = name.replace("_", " ").capitalize()
    sentence = f"{title} is {value:.4f}; at least {floor:g} is required"
    rule = Rule(f"{name}_floor", MET, sentence, _known(value), floor, needed)
    return yes_or_no(rule, value >= floor)


def _consistent(metrics: Metrics) -> Rule:
    """Whether rows and shares are those that the counts of the file itself make."""
    wrong = [
        f"{section}.{name}"
        for section, values in _recounted(metrics).items()
        for name, value in values.items()
        if not abs(number_at(metrics, section, name) - value) <= _SAME
    ]
    rule = Rule("metrics_consistent", MET, "metrics.json agrees with its own counts")
    if not wrong:
        return rule
    named = ", ".join(wrong)
    sentence = f"metrics.json differs from its own counts in {named}; equal numbers are required"
    return replace(rule, state=BROKEN, sentence=sentence)


def _recounted(metrics: Metrics) -> dict[str, Metrics]:
    """What the four counts of the file make of its rows and shares; NaN for a count that is no
    whole number.
    """
    counts = {name: number_at(metrics, "confusion", name) for name in _COUNTS}
    whole = {
        name: int(count) for name, count in counts.items() if count >= 0 and count.is_integer()
    }
    recounted: dict[str, Metrics] = {
        "confusion": {name: whole.get(name, math.nan) for name in _COUNTS}
    }
    if len(whole) == len(_COUNTS):
        confusion = Confusion(**whole)
        recounted["holdout"] = msgspec.to_builtins(at_threshold(confusion))
        recounted["rows"] = {
            "holdout": confusion.rows,
            "holdout_positives": confusion.positives,
        }
    return recounted


def _known(value: float) -> float | None:
    """The value as JSON can hold it."""
    return None if math.isnan(value) else value
