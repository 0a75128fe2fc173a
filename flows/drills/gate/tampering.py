"""What may be done to a good verdict afterwards; the check before the image has to see each edit.

Who edits one file leaves the seal behind; who knows more edits the seal to match, and the record
of the step too. What no edit can do is let another model give these scores, or another case this
verdict.
"""

import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec
import tomli_w

from flows.decision.seals import sealed
from flows.drills.gate.baseline import Ground
from flows.drills.gate.candidates import raised
from flows.drills.gate.case import Document, MadeCase, threshold_of
from flows.drills.gate.mutants import bent
from flows.engine.phases import Candidate, Report
from flows.engine.store import Result
from flows.facts.step_files import METRICS, SCORES, STANDING, VERDICT
from sluice.gitops.state import Reference
from sluice.identity import file_sha256, folder_hash
from sluice.model.table import from_parquet, to_parquet
from sluice.policy import Policy, load_policy

F = TypeVar("F", bound=msgspec.Struct)

SEALS = "seals"
Edit = Callable[[Report], Report]


def untouched(_: Ground) -> MadeCase:
    """The real model."""
    return MadeCase()


@dataclass(frozen=True)
class Tampering:
    """An edit after the verdict: it changes the files of a report, or gives another report."""

    name: str
    edit: Edit
    case: Callable[[Ground], MadeCase] = untouched


@dataclass(frozen=True)
class State:
    """What an edit can change: the files of the steps by hash, policy and champion."""

    folders: tuple[str, ...]
    policy: Policy
    policy_text: str
    champion: Reference | None


def tampering() -> Iterator[Tampering]:
    """All edits after a verdict."""
    yield Tampering("metrics.json edited after the verdict", _metrics)
    yield Tampering("metrics.json edited, evidence.json to match", _then(_metrics, _seal_again))
    yield Tampering(
        "metrics.json edited, all records to match", _then(_metrics, _seal_again, _record_again)
    )
    yield Tampering("threshold lowered after the verdict", _threshold)
    yield Tampering(
        "another model under the same scores, all records to match",
        _then(_model, _seal_again, _record_again),
    )
    yield Tampering(
        "scores edited, all records to match", _then(_scores, _seal_again, _record_again)
    )
    yield Tampering("a verdict under an older policy", _policy)
    yield Tampering(
        "REJECT turned into PROMOTE, all records to match",
        _then(_verdict, _seal_again, _record_again),
        raised,
    )
    yield Tampering("uses of the holdout taken out of the record", _standing)
    yield Tampering("another champion than it was decided against", _champion)


def state(report: Report) -> State:
    """What an edit can change, as it is now."""
    decision = report.decision
    folders = (
        decision.candidate.trained.folder,
        decision.scored.folder,
        decision.decided.folder,
        report.evidence.folder,
    )
    return State(
        tuple(folder_hash(folder) for folder in folders),
        report.request.policy,
        report.request.policy_text,
        decision.case.champion,
    )


def _then(*edits: Edit) -> Edit:
    def edit_all(report: Report) -> Report:
        for edit in edits:
            report = edit(report)
        return report

    return edit_all


def _change(path: Path, change: Callable[[Document], None]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _metrics(report: Report) -> Report:
    path = report.decision.scored.folder / METRICS
    _change(path, lambda metrics: metrics["holdout"].update(recall=0.99))
    return report


def _threshold(report: Report) -> Report:
    path = report.candidate.trained.folder / "model" / "policy.toml"
    threshold = threshold_of(report.decision, "candidate")
    text = path.read_text(encoding="utf-8")
    lowered = text.replace(f"threshold = {threshold!r}", f"threshold = {threshold - 0.01!r}")
    path.write_text(lowered, encoding="utf-8")
    return report


def _model(report: Report) -> Report:
    path = report.candidate.trained.folder / "model" / "model.onnx"
    path.write_bytes(bent(path.read_bytes(), [(0.0, 0.0), (1.0, 0.9)]))
    return report


def _scores(report: Report) -> Report:
    """Every positive is found: what the gate would love to see."""
    path = report.decision.scored.folder / SCORES
    table = from_parquet(path.read_bytes())
    table["candidate"] = 0.5 * table["candidate"] + 0.5 * table["label"]
    path.write_bytes(to_parquet(table))
    return report


def _policy(report: Report) -> Report:
    """The floor was raised since, and nobody decided anew."""
    document = tomllib.loads(report.request.policy_text)
    document["gate"]["recall_floor"] = 0.999
    text = tomli_w.dumps(document)
    request = replace(report.request, policy_text=text, policy=load_policy(text))
    return _with_candidate(report, replace(report.candidate, request=request))


def _verdict(report: Report) -> Report:
    path = report.decision.decided.folder / VERDICT
    _change(path, lambda verdict: verdict.update(verdict="PROMOTE", rules=[]))
    return report


def _standing(report: Report) -> Report:
    path = report.decision.decided.folder / STANDING
    _change(path, lambda standing: standing.update(uses=7))
    return report


def _champion(report: Report) -> Report:
    other = Reference("other", "", "0" * 64)
    decision = report.decision
    case = replace(decision.case, champion=other)
    return replace(report, decision=replace(decision, case=case))


def _seal_again(report: Report) -> Report:
    """The seals in evidence.json, made anew over what lies there now."""
    path = report.evidence.folder / "evidence.json"
    _change(path, lambda evidence: evidence.update(seals=sealed(report.decision)))
    return report


def _record_again(report: Report) -> Report:
    """What each step is remembered to have put out, made anew."""
    decision, candidate = report.decision, report.candidate
    trained = _recorded(candidate.trained)
    facts = msgspec.structs.replace(trained.facts, model=folder_hash(trained.folder / "model"))
    candidate = replace(
        candidate,
        split=_recorded(candidate.split),
        tuned=_recorded(candidate.tuned),
        trained=replace(trained, facts=facts),
    )
    decision = replace(
        decision,
        case=replace(decision.case, candidate=candidate),
        scored=_recorded(decision.scored),
        decided=_recorded(decision.decided),
    )
    return Report(decision, _recorded(report.evidence))


def _recorded(result: Result[F]) -> Result[F]:
    outputs = {name: file_sha256(result.folder / name) for name in result.outputs}
    return replace(result, outputs=outputs)


def _with_candidate(report: Report, candidate: Candidate) -> Report:
    case = replace(report.decision.case, candidate=candidate)
    return replace(report, decision=replace(report.decision, case=case))
