"""The gate: scores in, verdict out. Every rule is looked at, all reasons are collected, then it is decided once.

    a rule is broken                                              REJECT
    first release: every floor cleared with its lower limit       PROMOTE       else INSUFFICIENT
    better than the champion, and as good as the anchor           PROMOTE
    not worse than the champion by the margin                     HOLD          (the champion stays)
    otherwise                                                     INSUFFICIENT  (with how many positives would tell)

With [L, U] the interval of candidate minus other and m the margin: better is L > 0 (the exact McNemar test at the level of
one use of the holdout), not worse is L > -m, broken is U < -m; limits are one-sided. A HOLD may replace the champion where
the policy lets fresh data do so. What every rule says is in `sluice.rules`.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sluice.paired import Difference, Pairs, better, on_positives, tango, top
from sluice.policy import GatePolicy

SCHEMA = 2
MET, BROKEN, OPEN = "met", "broken", "open"


@dataclass(frozen=True)
class Model:
    """A model on the holdout: its tag, the threshold it ships with, its scores (rows,)."""

    tag: str
    threshold: float
    scores: np.ndarray

    @property
    def flagged(self) -> np.ndarray:
        """The rows it flags at its own threshold."""
        return self.scores >= self.threshold


@dataclass(frozen=True)
class Holdout:
    """The rows that decide: labels 0/1, salted hashes (uint64), groups by segment (texts), scores; each (rows,).

    No row of it was seen by any of the models. `one_column` holds the scores of the best model of a single column.
    """

    labels: np.ndarray
    hashes: np.ndarray
    candidate: Model
    champion: Model | None = None
    anchor: Model | None = None
    one_column: Model | None = None
    segments: Mapping[str, np.ndarray] | None = None

    @property
    def positives(self) -> int:
        """The number of positive rows."""
        return int((self.labels == 1).sum())


@dataclass(frozen=True)
class Facts:
    """What the caller found out about the rows and the ledger.

    `trained_on` and `duplicates` count holdout rows that the candidate was fitted on, or that equal a training row in
    every feature; `left_out` those that a compared model has seen; `accepted` is the share that the contracts of champion
    and anchor take. `uses` counts how often this holdout decided before. `fresh`: the training rows are not the
    champion's; `champion_days` is its age in days.
    """

    trained_on: int = 0
    duplicates: int = 0
    left_out: int = 0
    accepted: float = 1.0
    uses: int = 0
    fresh: bool = False
    champion_days: int = 0


@dataclass(frozen=True)
class Rule:
    """One rule looked at: met, broken or open (too few rows to say), in one sentence with its numbers.

    `needed` says what would have met it.
    """

    rule: str
    state: str
    sentence: str
    value: float | None = None
    limit: float | None = None
    needed: str = ""

    @property
    def passed(self) -> bool:
        """Whether it does not stand in the way for good."""
        return self.state != BROKEN


@dataclass(frozen=True)
class Comparison:
    """Candidate against another model at that model's number of flagged rows, on the positives."""

    against: str
    flagged: int
    pairs: Pairs
    recall: Difference
    p_value: float


@dataclass(frozen=True)
class Case:
    """Everything that a rule may look at."""

    metrics: Mapping[str, Any]
    holdout: Holdout
    facts: Facts
    policy: GatePolicy
    champion: Comparison | None
    anchor: Comparison | None

    @property
    def first(self) -> bool:
        """Whether there is no champion to compare with."""
        return self.holdout.champion is None


@dataclass(frozen=True)
class Verdict:
    """PROMOTE, HOLD, REJECT or INSUFFICIENT, with every reason; `refresh`: this HOLD may replace the champion."""

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
    return {"against": compared.against, "flagged": compared.flagged, "gained": pairs.gained, "lost": pairs.lost,
            "positives": pairs.rows, "recall": asdict(compared.recall), "p_value": compared.p_value}  # fmt: skip


def decide(
    metrics: Mapping[str, Any], holdout: Holdout, facts: Facts, policy: GatePolicy, *, without: Collection[str] = ()
) -> Verdict:
    """The verdict on a candidate whose `metrics` are checked against the scores they came from.

    `without` names rules to leave out; it exists for tests that prove each rule necessary, and nothing else reaches it.
    """
    from sluice.rules import RULES

    case = Case(metrics, holdout, facts, policy, *(_compared(holdout, other, policy) for other in
                                                   (holdout.champion, holdout.anchor)))  # fmt: skip
    rules: list[Rule] = []
    for rule in RULES:
        rules += [found for found in rule(case) if found.rule not in without]
        if any(found.rule == "finite" and found.state == BROKEN for found in rules):
            break  # nothing can be computed from scores that are no numbers
    return _verdict(case, rules)


def _compared(holdout: Holdout, other: Model | None, policy: GatePolicy) -> Comparison | None:
    """Cut both at the other's number of flagged rows, so that a moved threshold gains nothing."""
    if other is None or not (np.isfinite(other.scores).all() and np.isfinite(holdout.candidate.scores).all()):
        return None
    flagged = int(other.flagged.sum())
    cut = (top(scores, holdout.hashes, flagged) for scores in (holdout.candidate.scores, other.scores))
    pairs = on_positives(holdout.labels, *cut)
    return Comparison(other.tag, flagged, pairs, tango(pairs, policy.level), better(pairs))


def _verdict(case: Case, rules: list[Rule]) -> Verdict:
    def verdict(name: str, reasons: list[Rule], refresh: bool = False) -> Verdict:
        sentence = "; ".join(rule.sentence + (f" ({rule.needed})" if rule.needed else "") for rule in reasons)
        return Verdict(name, sentence, tuple(rules), refresh, case.champion, case.anchor)

    states = {rule.rule: rule for rule in rules}
    broken = [rule for rule in rules if rule.state == BROKEN]
    open_ = [rule for rule in rules if rule.state == OPEN and rule.rule not in ("better", "not_worse")]
    if broken:
        return verdict("REJECT", broken)
    if case.first:
        return verdict("INSUFFICIENT", open_) if open_ else verdict("PROMOTE", [Rule("first", MET, "the first model "
                       "to clear every floor")])  # fmt: skip
    superior, equal = (states.get(name) for name in ("better", "not_worse"))
    if superior and superior.state == MET and not open_:
        return verdict("PROMOTE", [superior])
    if equal and equal.state == MET:
        due = case.facts.fresh and case.facts.champion_days >= case.policy.refresh_days
        reasons = [rule for rule in (superior if superior and superior.state == MET else equal,) if rule]
        return verdict("HOLD", [*reasons, *open_], refresh=due and not open_)
    return verdict("INSUFFICIENT", [*([equal] if equal else []), *open_])
