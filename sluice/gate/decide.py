"""The gate: scores in, verdict out. Every rule is looked at, all reasons are collected, then it is
decided once.

    a rule is broken                                        REJECT
    first release: every floor cleared with its lower limit PROMOTE      else INSUFFICIENT
    better than the champion, and as good as the anchor     PROMOTE
    not worse than the champion by the margin               HOLD         (the champion stays)
    otherwise                                               INSUFFICIENT (and how many would tell)

With [L, U] the interval of candidate minus other and m the margin: better is L > 0 (the exact
McNemar test at the level of one use of the holdout), not worse is L > -m, broken is U < -m; limits
are one-sided. A rule that is open (too few rows to say, a holdout used up, a champion that cannot
score them) lets nothing through: better is then HOLD at most. A HOLD may replace the champion where
the policy lets fresh data do so and nothing is open. A signed override sets one rule aside, but
none that tells whether the numbers can be believed (`NEVER_WAIVED`). What every rule says is in
`sluice.gate.rules` and `sluice.gate.comparison`.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sluice.gate.case import (
    BROKEN,
    MET,
    OPEN,
    WAIVED,
    Case,
    Comparison,
    Facts,
    Holdout,
    Model,
    Rule,
)
from sluice.gate.comparison import AGAINST_OTHERS
from sluice.gate.paired import better, on_positives, tango, top
from sluice.gate.rules import MEASURABLE, NEVER_WAIVED, ON_ITS_OWN
from sluice.policy import GatePolicy
from sluice.served.words import NEUTRAL_WORDS, Words

__all__ = [
    "BROKEN",
    "MET",
    "NEVER_WAIVED",
    "OPEN",
    "SCHEMA",
    "WAIVED",
    "Facts",
    "Holdout",
    "Model",
    "Rule",
    "Verdict",
    "decide",
]

SCHEMA = 2
_RULES = (*MEASURABLE, *ON_ITS_OWN, *AGAINST_OTHERS)


@dataclass(frozen=True)
class Verdict:
    """PROMOTE, HOLD, REJECT or INSUFFICIENT, with every reason; `refresh`: this HOLD may replace
    the champion.
    """

    verdict: str
    sentence: str
    rules: tuple[Rule, ...]
    refresh: bool = False
    champion: Comparison | None = None
    anchor: Comparison | None = None

    def document(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "refresh": self.refresh,
            "rules": [{**asdict(rule), "passed": rule.passed} for rule in self.rules],
            "champion": self.champion.against if self.champion else None,
            "comparison": _shown(self.champion),
            "anchor": _shown(self.anchor),
        }


def _shown(compared: Comparison | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    pairs = compared.pairs
    return {
        "against": compared.against,
        "flagged": compared.flagged,
        "gained": pairs.gained,
        "lost": pairs.lost,
        "positives": pairs.rows,
        "recall": asdict(compared.recall),
        "p_value": compared.p_value,
    }


def decide(
    metrics: Mapping[str, Any],
    holdout: Holdout,
    facts: Facts,
    policy: GatePolicy,
    *,
    words: Words = NEUTRAL_WORDS,
    without: Collection[str] = (),
) -> Verdict:
    """The verdict on a candidate whose `metrics` are checked against the scores they came from.

    `words` are the contract's, for the sentences; no rule depends on them.
    `without` names rules to leave out; it exists for tests that prove each rule necessary, and
    nothing else reaches it.
    """
    champion = _compared(holdout, holdout.champion, policy)
    anchor = _compared(holdout, holdout.anchor, policy)
    case = Case(metrics, holdout, facts, policy, champion, anchor, words)
    rules: list[Rule] = []
    for look in _RULES:
        rules += [_waived(rule, facts) for rule in look(case) if rule.rule not in without]
        if look in MEASURABLE and any(rule.state != MET for rule in rules):
            break  # no other rule can be computed from these rows
    return _verdict(case, rules)


def _compared(holdout: Holdout, other: Model | None, policy: GatePolicy) -> Comparison | None:
    """Cut both at the other's number of flagged rows, so that a moved threshold gains nothing."""
    if other is None or not (
        np.isfinite(other.scores).all() and np.isfinite(holdout.candidate.scores).all()
    ):
        return None
    flagged = int(other.flagged.sum())
    cut = (
        top(scores, holdout.hashes, flagged) for scores in (holdout.candidate.scores, other.scores)
    )
    pairs = on_positives(holdout.labels, *cut)
    return Comparison(other.tag, flagged, pairs, tango(pairs, policy.level), better(pairs))


def _waived(rule: Rule, facts: Facts) -> Rule:
    """The rule, set aside where an override names it and it is not met."""
    aside = rule.rule == facts.waived and rule.rule not in NEVER_WAIVED and rule.state != MET
    return replace(rule, state=WAIVED) if aside else rule


def _verdict(case: Case, rules: list[Rule]) -> Verdict:
    def verdict(name: str, *reasons: object, refresh: bool = False) -> Verdict:
        aside = (
            f"{rule.rule} waived" + (f" ({rule})" if rule not in reasons else "")
            for rule in rules
            if rule.state == WAIVED
        )
        said = "; ".join(map(str, (*reasons, *aside)))
        return Verdict(name, said, tuple(rules), refresh, case.champion, case.anchor)

    met = {rule.rule for rule in rules if rule.state in (MET, WAIVED)}
    broken = [rule for rule in rules if rule.state == BROKEN]
    against = {rule.rule: rule for rule in rules if rule.rule in ("better", "not_worse")}
    waiting = [rule for rule in rules if rule.state == OPEN and rule.rule not in against]
    if broken:
        return verdict("REJECT", *broken)
    if case.first:
        which = (
            "the first model to clear every floor"
            if case.holdout.champion is None
            else "clears every floor with its lower limits, where the champion cannot be compared"
        )
        first = verdict("PROMOTE", which)
        return verdict("INSUFFICIENT", *waiting) if waiting else first
    if "better" in met and not waiting:
        return verdict("PROMOTE", against["better"])
    if "not_worse" in met:
        due = (
            case.facts.fresh
            and case.facts.champion_days >= case.policy.refresh_days
            and not waiting
        )
        age = [f"fresh data may replace a champion of {case.facts.champion_days} days"] * due
        return verdict("HOLD", *against.values(), *waiting, *age, refresh=due)
    return verdict(
        "INSUFFICIENT", *(rule for name, rule in against.items() if name == "not_worse"), *waiting
    )
