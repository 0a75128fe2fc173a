"""Decide: PROMOTE, HOLD, REJECT or INSUFFICIENT."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.gate.decide import Facts, Holdout, Model, Verdict, decide
from sluice.identity import value_hash
from sluice.model.table import from_parquet
from sluice.policy import GatePolicy

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "gate", "Decide"


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The scores, the metrics, what was found about the rows, what is known when it is decided, and
    the policy.
    """
    return {
        "scores": done["score"].hash("scores.parquet"),
        "metrics": done["score"].hash("metrics.json"),
        "case": done["score"].hash("case.json"),
        "standing": value_hash(run.standing),
        "policy": value_hash(
            {**vars(run.policy.gate), "segments_required": list(run.policy.gate.segments_required)}
        ),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write verdict.json, and standing.json: what was known of ledger and champion when it was
    decided.
    """
    (folder / "standing.json").write_text(
        json.dumps(run.standing, sort_keys=True), encoding="utf-8"
    )
    verdict = decide_folder(done["score"].folder, run.policy.gate, run.standing)
    (folder / "verdict.json").write_text(json.dumps(verdict.document(), indent=1), encoding="utf-8")
    loud = {
        name: said
        for name, said in (("override", _overridden(run)), ("policy changed", _changed(run)))
        if said
    }
    return {
        "verdict": verdict.verdict,
        "sentence": verdict.sentence,
        "refresh": verdict.refresh,
        **loud,
    }


def _overridden(run: "Run") -> str:
    found = run.standing.get("override") or {}
    return (
        f"{found['rule']} waived by {found['signer']} until {found['expires']}: {found['reason']}"
        if found
        else ""
    )


def _changed(run: "Run") -> str:
    found = run.standing.get("policy_changes") or {}
    return "; ".join(f"{', '.join(changed)} {when}" for when, changed in found.items())


def decide_folder(
    folder: Path, policy: GatePolicy, standing: Mapping[str, Any], without: Collection[str] = ()
) -> Verdict:
    """The verdict on what a folder holds: metrics.json, scores.parquet and case.json; `without` is
    for tests.
    """
    table = from_parquet((folder / "scores.parquet").read_bytes())
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    candidate = Model("candidate", case["candidate"]["threshold"], table["candidate"])
    champion, anchor = (_model(case, table, other) for other in ("champion", "anchor"))
    segments = {
        name.removeprefix("segment "): values
        for name, values in table.items()
        if name.startswith("segment ")
    }
    alone = Model(case["one_column"], 0.5, table["alone"])
    rows = Holdout(table["label"], table["row_hash"], candidate, champion, anchor, alone, segments)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    known = {name: standing[name] for name in ("uses", "fresh", "champion_days")}
    waived = (standing.get("override") or {}).get("rule", "")
    return decide(
        metrics, rows, Facts(**case["facts"], **known, waived=waived), policy, without=without
    )


def _model(case: Mapping[str, Any], table: Mapping[str, np.ndarray], name: str) -> Model | None:
    return Model(case[name]["tag"], case[name]["threshold"], table[name]) if name in case else None


def promotes(done: "Done") -> bool:
    """Whether the candidate may go live: PROMOTE, or a HOLD on fresh data that may replace its
    champion.
    """
    facts = done["gate"].facts
    return facts["verdict"] == "PROMOTE" or bool(facts["verdict"] == "HOLD" and facts["refresh"])


def ending(done: "Done") -> tuple[str, str]:
    """Outcome and sentence of a release that ends with its verdict."""
    facts = done["gate"].facts
    return "hold" if facts["verdict"] == "HOLD" else "refused", str(facts["sentence"])
