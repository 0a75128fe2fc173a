"""The gate for several classes: probabilities in, verdict out, by the same table as for one class
(`sluice.gate.decide`).

What is required is the mean recall over the classes, and the recall of each that the policy names.
Models are compared as they ship, because there is no threshold that one of them could move: by the
difference of their mean recalls.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sluice.class_policy import ClassPolicy
from sluice.gate.case import BROKEN, MET, OPEN, WAIVED, Facts, Rule
from sluice.gate.classes.case import Case, Classifier, Comparison, Holdout
from sluice.gate.classes.comparison import AGAINST_OTHERS
from sluice.gate.classes.paired import better, difference_of, tables_of
from sluice.gate.classes.rules import FLOORS, MEASURABLE, ON_ITS_OWN
from sluice.gate.decide import Verdict, set_aside
from sluice.gate.hold import how_surely
from sluice.gate.paired import Difference
from sluice.policy import GatePolicy
from sluice.served.words import Words

_AGAINST = ("better", "not_worse")  # the rules that tell PROMOTE from HOLD
_RULES = (*MEASURABLE, *ON_ITS_OWN, *AGAINST_OTHERS)


def decide(
    metrics: Mapping[str, Any],
    holdout: Holdout,
    facts: Facts,
    policy: GatePolicy,
    limits: ClassPolicy,
    words: Words,
    without: Collection[str] = (),
) -> Verdict:
    """The verdict on a candidate whose `metrics` are checked against the probabilities they came
    from; `words` say what a row is called, and no rule depends on them. `without` names rules to
    leave out, for tests that prove each rule necessary.
    """
    case = _case_of(metrics, holdout, facts, policy, limits, words)
    rules: list[Rule] = []
    for look in _RULES:
        rules += [set_aside(rule, facts) for rule in look(case) if rule.rule not in without]
        if look in MEASURABLE and any(rule.state != MET for rule in rules):
            break  # no other rule can be computed from these rows
    return _verdict(case, rules)


def _case_of(
    metrics: Mapping[str, Any],
    holdout: Holdout,
    facts: Facts,
    policy: GatePolicy,
    limits: ClassPolicy,
    words: Words,
) -> Case:
    champion = _compared(holdout, holdout.champion, policy)
    anchor = _compared(holdout, holdout.anchor, policy)
    return Case(metrics, holdout, facts, policy, limits, champion, anchor, words)


def _compared(holdout: Holdout, other: Classifier | None, policy: GatePolicy) -> Comparison | None:
    """The comparison with another model; None where there is none, or some score is no number."""
    mine = holdout.candidate
    if other is None or not other.scored or not mine.scored:
        return None
    tables = tables_of(holdout.labels, mine.answered, other.answered, holdout.clusters)
    return Comparison(other.tag, tables, difference_of(tables, policy.level), better(tables))


def _verdict(case: Case, rules: list[Rule]) -> Verdict:
    """Decide once, from all rules, as `sluice.gate.decide` does."""
    broken = [rule for rule in rules if rule.state == BROKEN]
    waiting = [rule for rule in rules if rule.state == OPEN and rule.rule not in _AGAINST]
    against = {rule.rule: rule for rule in rules if rule.rule in _AGAINST}
    met = {name for name, rule in against.items() if rule.state in (MET, WAIVED)}
    if broken:
        return _reasoned(rules, "REJECT", broken)
    if case.first:
        if waiting:
            return _reasoned(rules, "INSUFFICIENT", waiting)
        return _reasoned(rules, "PROMOTE", [_first(case)])
    if any(rule.rule in FLOORS for rule in waiting):
        return _reasoned(rules, "INSUFFICIENT", waiting)
    if "better" in met and not waiting:
        return _reasoned(rules, "PROMOTE", [against["better"]])
    if "not_worse" in met and case.champion is not None:
        held = _held(case, case.champion.recall, is_better="better" in met)
        if waiting or not _due(case):
            return _reasoned(rules, "HOLD", [held, *waiting])
        age = f"Fresh data may replace a champion of {case.facts.champion_days} days"
        return replace(_reasoned(rules, "HOLD", [held, age]), refresh=True)
    worse = [rule for name, rule in against.items() if name == "not_worse"]
    return _reasoned(rules, "INSUFFICIENT", [*worse, *waiting])


def _first(case: Case) -> str:
    if case.holdout.champion is None:
        return "This is the first model, and it clears every floor"
    return "It clears every floor with its lower limits; the champion cannot be compared"


def _held(case: Case, recall: Difference, *, is_better: bool) -> str:
    number = case.facts.champion_release
    name = f"release {number}" if number else "the champion"
    found = f"its mean recall over the classes is {abs(recall.value):.4f}"
    found += " higher" if recall.value > 0 else " lower"
    if recall.value == 0:
        found = "its mean recall over the classes is the same"
    if is_better:
        return f"Better than {name}, and held all the same: {found}"
    margin = case.policy.margin
    surely = how_surely(recall, margin, f"{margin:g}", case.facts.uses)
    return f"No better than {name}: {found}, {surely}"


def _due(case: Case) -> bool:
    """Whether the policy lets fresh data replace a champion of this age."""
    if case.policy.worded:
        return False
    return case.facts.fresh and case.facts.champion_days >= case.policy.refresh_days


def _reasoned(rules: list[Rule], verdict: str, reasons: Sequence[Rule | str]) -> Verdict:
    """The verdict with its reasons as one text, and with the rules that an override set aside."""
    texts = [str(reason) for reason in reasons]
    for rule in rules:
        if rule.state == WAIVED:
            told = "" if rule in reasons else f" ({rule})"
            texts.append(f"Rule {rule.rule} is waived{told}")
    return Verdict(verdict, ". ".join(texts), tuple(rules))
