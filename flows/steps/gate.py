"""Decide: PROMOTE, HOLD, REJECT or INSUFFICIENT."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flows.decision import told
from flows.decision.decide import Named, decide_folder, number, rules_on_validation, several
from flows.engine.step import Step
from flows.facts.decided import Decided
from flows.facts.step_files import (
    CASE,
    METRICS,
    ON_VALIDATION,
    SCORES,
    STANDING,
    VALIDATION_RULES,
    VERDICT,
)
from sluice.gate.case import Rule
from sluice.identity import value_hash

if TYPE_CHECKING:
    from flows.engine.phases import Case
    from flows.engine.store import Result
    from flows.facts.scored import Scored
    from sluice.gitops.state import Standing
    from sluice.policy import GatePolicy


def _inputs(case: "Case", scored: "Result[Scored]", standing: "Standing") -> dict[str, str]:
    gate = case.request.policy.gate
    return {
        "scores": scored.hash(SCORES),
        "metrics": scored.hash(METRICS),
        "case": scored.hash(CASE),
        **_beside(case, scored),
        "standing": value_hash(msgspec.to_builtins(standing)),
        "policy": limits(gate),
        "words": value_hash(asdict(case.request.contract.words)),
        "champion": str(case.champion.number) if case.champion else "none",
        **({"moves_on": "yes"} if case.request.policy.split.by_time else {}),
        **_of_classes(case),
    }


def _work(folder: Path, case: "Case", scored: "Result[Scored]", standing: "Standing") -> Decided:
    """Write verdict.json, and standing.json: what was known of ledger and champion; validation.json
    where the policy tells no figure of what is not promoted.
    """
    known = json.dumps(msgspec.to_builtins(standing), sort_keys=True)
    (folder / STANDING).write_text(known, encoding="utf-8")
    request = case.request
    verdict = decide_folder(scored.folder, request.policy.gate, standing, named(case))
    text = json.dumps(verdict.document(), indent=1)
    (folder / VERDICT).write_text(text, encoding="utf-8")
    return told.decided(
        verdict,
        request.policy.gate,
        _on_validation(folder, case, scored, standing),
        first=case.champion is None,
        several=request.contract.target.several,
        override=_overridden(standing),
        policy_changed=_changed(standing),
    )


def _on_validation(
    folder: Path, case: "Case", scored: "Result[Scored]", standing: "Standing"
) -> tuple[Rule, ...]:
    """The rules on the validation rows, which are told where those on the holdout are not; also
    written to validation.json.
    """
    gate = case.request.policy.gate
    if not gate.worded:
        return ()
    found = rules_on_validation(scored.folder / ON_VALIDATION, gate, standing, named(case))
    text = json.dumps([rule.document() for rule in found], indent=1)
    (folder / VALIDATION_RULES).write_text(text, encoding="utf-8")
    return found


def _beside(case: "Case", scored: "Result[Scored]") -> dict[str, str]:
    """The files of the validation rows, where there are any."""
    if not case.request.policy.gate.worded:
        return {}
    names = (SCORES, METRICS, CASE)
    return {f"validation {name}": scored.hash(f"{ON_VALIDATION}/{name}") for name in names}


def _of_classes(case: "Case") -> dict[str, str]:
    """What is decided by besides, where the target has several classes or is a number."""
    target, policy = case.request.contract.target, case.request.policy
    if policy.number and target.quantity:
        return {"number": value_hash([asdict(target.quantity), asdict(policy.number)])}
    if policy.classes is None:
        return {}
    return {"classes": value_hash([list(target.classes), asdict(policy.classes)])}


def limits(gate: "GatePolicy") -> str:
    """The hash of all limits of a policy, floors of groups among them."""
    return value_hash(asdict(gate))


def named(case: "Case") -> Named:
    """What the verdict on a case is told with."""
    release = case.champion.number if case.champion else 0
    target, policy = case.request.contract.target, case.request.policy
    return Named(
        words=target.words,
        release=release,
        moves_on=policy.split.by_time,
        classes=several(target, policy),
        number=number(target, policy),
    )


def _overridden(standing: "Standing") -> str:
    override = standing.override
    if not override.rule:
        return ""
    until = f"until {override.expires}"
    allowed = f", allowed by {override.ref}" if override.ref else ""
    return f"{override.rule} waived by {override.signer} {until}{allowed}: {override.reason}"


def _changed(standing: "Standing") -> str:
    parts = [f"{', '.join(keys)} {when}" for when, keys in standing.policy_changes.items()]
    return "; ".join(parts)


GATE = Step("gate", "Decide", Decided, (VERDICT, STANDING, VALIDATION_RULES), _inputs, _work)
