"""The gate: scores in, verdict out. Every rule is looked at, all reasons are collected, then it is
decided once.

    a rule is broken                                        REJECT
    first release: every floor cleared with its lower limit PROMOTE      else INSUFFICIENT
    recall or precision below its floor, if by chance       INSUFFICIENT
    better than the champion, and as good as the anchor     PROMOTE
    not worse than the champion by the margin               HOLD         (the champion stays)
    otherwise                                               INSUFFICIENT (and how many would tell)

With [L, U] the interval of candidate minus other and m the margin: better is L > 0 (by the exact
test at the level of one use of the holdout), not worse is L > -m, broken is U < -m; limits are
one-sided, and docs/statistics.md derives them. A floor or a ceiling is broken only where the whole
interval lies beyond it. A rule that is open (too few rows to say, a holdout used up, a champion
that cannot score them) lets nothing through: better is then HOLD at most. A HOLD may replace the
champion where the policy lets fresh data do so, tells figures, and nothing is open. A signed
override sets one rule aside, but none that tells whether the numbers can be believed
(`NEVER_WAIVED`). What every rule says is in the module that it is in: `sluice.gate.rules`,
`floors`, `stability`, `comparison`, `visibility`, `as_shipped` and `groups`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sluice.gate import as_shipped, comparison, groups, rules, visibility
from sluice.gate.as_shipped import AS_SHIPPED
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
from sluice.gate.floors import FLOORS
from sluice.gate.groups import BY_GROUP
from sluice.gate.hold import held_sentence
from sluice.gate.paired import at_equal_counts, better, recall_difference, top
from sluice.gate.rules import MEASURABLE, ON_ITS_OWN
from sluice.gate.visibility import VISIBILITY
from sluice.policy import GatePolicy
from sluice.served.words import NEUTRAL_WORDS, Words

__all__ = [
    "BROKEN",
    "MAY_BE_WAIVED",
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
_AGAINST = ("better", "not_worse")  # the rules that tell PROMOTE from HOLD
# An override sets none of the first aside, and may set one of the second aside.
NEVER_WAIVED = (*rules.BELIEVED, *comparison.BELIEVED)
MAY_BE_WAIVED = (
    *rules.GOOD_ENOUGH,
    *comparison.GOOD_ENOUGH,
    *visibility.GOOD_ENOUGH,
    *as_shipped.GOOD_ENOUGH,
    *groups.GOOD_ENOUGH,
)
_RULES = (*MEASURABLE, *ON_ITS_OWN, *AGAINST_OTHERS, *VISIBILITY, *AS_SHIPPED, *BY_GROUP)


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
            "rules": [rule.document() for rule in self.rules],
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
        "side": pairs.side,
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
    case = case_of(metrics, holdout, facts, policy, words)
    rules: list[Rule] = []
    for look in _RULES:
        rules += [set_aside(rule, facts) for rule in look(case) if rule.rule not in without]
        if look in MEASURABLE and any(rule.state != MET for rule in rules):
            break  # no other rule can be computed from these rows
    return _verdict(case, rules)


def case_of(
    metrics: Mapping[str, Any], holdout: Holdout, facts: Facts, policy: GatePolicy, words: Words
) -> Case:
    """What the rules look at: all that is given, and the comparisons with champion and anchor."""
    champion = _compared(holdout, holdout.champion, policy)
    anchor = _compared(holdout, holdout.anchor, policy)
    return Case(metrics, holdout, facts, policy, champion, anchor, words)


def _compared(holdout: Holdout, other: Model | None, policy: GatePolicy) -> Comparison | None:
    """The comparison with another model, both cut at its number of flagged rows, so that a moved
    threshold gains nothing. None where there is no such model or some score is no number.
    """
    if other is None:
        return None
    if not np.isfinite(other.scores).all() or not np.isfinite(holdout.candidate.scores).all():
        return None
    flagged = int(other.flagged.sum())
    mine = top(holdout.candidate.scores, holdout.hashes, flagged)
    theirs = top(other.scores, holdout.hashes, flagged)
    pairs = at_equal_counts(holdout.labels, mine, theirs, holdout.clusters)
    recall = recall_difference(pairs, policy.level)
    return Comparison(other.tag, flagged, pairs, recall, better(pairs))


def set_aside(rule: Rule, facts: Facts) -> Rule:
    """The rule, set aside where an override names it and it is not met."""
    if rule.rule != facts.waived or rule.rule in NEVER_WAIVED or rule.state == MET:
        return rule
    return replace(rule, state=WAIVED)


def _verdict(case: Case, rules: list[Rule]) -> Verdict:
    """Decide once, from all rules; the table in the docstring of this module is this function."""
    broken = [rule for rule in rules if rule.state == BROKEN]
    waiting = [rule for rule in rules if rule.state == OPEN and rule.rule not in _AGAINST]
    met = {rule.rule for rule in rules if rule.state in (MET, WAIVED)}
    # What people get stands beside the ranking; where it is open, it is among those that wait.
    shipped = [rule for rule in rules if rule.rule == as_shipped.NAME and rule.state == MET]
    if broken:
        return _reasoned(case, rules, "REJECT", broken)
    if case.first:
        if waiting:
            return _reasoned(case, rules, "INSUFFICIENT", [*waiting, *_ways(case, waiting)])
        return _reasoned(case, rules, "PROMOTE", [_first(case)])
    short = [rule for rule in waiting if rule.rule in FLOORS]
    if short:
        return _reasoned(case, rules, "INSUFFICIENT", waiting)
    if "better" in met and not waiting:
        told = [rule for rule in rules if rule.rule == "better"]
        return _reasoned(case, rules, "PROMOTE", [*told, *shipped])
    if "not_worse" in met and case.champion is not None:
        held = held_sentence(case, case.champion, is_better="better" in met)
        if waiting or not _due(case):
            return _reasoned(case, rules, "HOLD", [held, *waiting])
        # It goes live, so what people will get is said with it.
        age = f"Fresh data may replace a champion of {case.facts.champion_days} days"
        return replace(_reasoned(case, rules, "HOLD", [held, age, *shipped]), refresh=True)
    worse = [rule for rule in rules if rule.rule == "not_worse"]
    return _reasoned(case, rules, "INSUFFICIENT", [*worse, *waiting])


def _first(case: Case) -> str:
    if case.holdout.champion is None:
        return "This is the first model, and it clears every floor"
    return "It clears every floor with its lower limits; the champion cannot be compared"


def _ways(case: Case, waiting: list[Rule]) -> list[str]:
    """The ways to a first release besides more labels, where a floor is in question."""
    if not any(rule.rule in FLOORS for rule in waiting):
        return []
    return [
        f"For a first release on {case.words.counted(case.holdout.positives)}, `sluice power` says"
        " which floors this size can show, and a larger share of the rows in the holdout"
        " (`train` and `validation` of the policy) shows more"
    ]


def _due(case: Case) -> bool:
    """Whether the policy lets fresh data replace a champion of this age; never where only words are
    told, because each look would then tell whether the candidate is within the margin.
    """
    if case.policy.worded:
        return False
    return case.facts.fresh and case.facts.champion_days >= case.policy.refresh_days


def _reasoned(
    case: Case, rules: list[Rule], verdict: str, reasons: Sequence[Rule | str]
) -> Verdict:
    """The verdict with its reasons as one text, and with the rules that an override set aside."""
    texts = [str(reason) for reason in reasons]
    for rule in rules:
        if rule.state == WAIVED:
            told = "" if rule in reasons else f" ({rule})"
            texts.append(f"Rule {rule.rule} is waived{told}")
    return Verdict(verdict, ". ".join(texts), tuple(rules), False, case.champion, case.anchor)
