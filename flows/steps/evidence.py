"""After the verdict: the pictures, the drift against the champion, and the page for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np
from msgspec import structs

from flows.adapters.failpoints import boundary
from flows.adapters.files import write_atomic
from flows.decision import told
from flows.decision.decide import groups_in_folder
from flows.decision.provenance import gather
from flows.decision.seals import sealed
from flows.engine.step import Step
from flows.evidence.diagnostics import (
    DRIFT_PAGE,
    Diagnosed,
    drift_alone,
    early,
    finished,
    material,
    underway,
)
from flows.evidence.drawn_parts import draw
from flows.evidence.identity import Identity, before
from flows.evidence.page import PAGE, render, summary_markdown, with_identity
from flows.facts.evidenced import Evidenced
from flows.facts.step_files import (
    CASE,
    FORECAST,
    HOLDOUT_ROWS,
    METRICS,
    ON_VALIDATION,
    RECORD,
    REPORT,
    SCORES,
    STANDING,
    TABLE,
    TRAIN_ROWS,
    TUNING,
    VALIDATION_RULES,
    VERDICT,
)
from flows.facts.validated import ReportFile
from flows.project.root import ROOT
from flows.steps.gate import named
from sluice.gitops.evidence import (
    NAME,
    Checks,
    Data,
    Evidence,
    GroupRow,
    Warned,
    Words,
    read_evidence,
    write_evidence,
)
from sluice.identity import folder_hash
from sluice.model.artifact.model_artifact import group_order
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.data.table import from_parquet
from sluice.model.fit.tuning_file import Tuning
from sluice.model.number.metrics_file import NumberMetrics
from sluice.model.quality.metrics_file import Metrics
from sluice.served.contract import Contract, Target
from sluice.served.quantity import Quantity
from sluice.served.statements import statements

if TYPE_CHECKING:
    from flows.engine.phases import Decision, Report

_G = TypeVar("_G")


def _inputs(decision: "Decision") -> dict[str, str]:
    """Everything the page shows."""
    request, case, candidate = decision.request, decision.case, decision.candidate
    return {
        "report": candidate.validated.hash(REPORT),
        "data": request.data.sha256,
        "tuning": candidate.tuned.hash(TUNING),
        "candidate": candidate.trained.facts.model,
        "scores": decision.scored.hash(SCORES),
        "verdict": decision.decided.hash(VERDICT),
        "champion": case.champion.model if case.champion else "none",
        "anchor": case.anchor.model if case.anchor else "none",
        "standing": decision.decided.hash(STANDING),
        "case": decision.scored.hash(CASE),
        **_beside(decision),
        "replay": decision.replayed.outputs.get(FORECAST, "none"),
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,
        "page": folder_hash(ROOT / "flows" / "views" / "templates"),
    }


def _beside(decision: "Decision") -> dict[str, str]:
    """What is shown of the validation rows, where no part of the holdout is."""
    if not decision.request.policy.gate.worded:
        return {}
    return {
        "validation scores": decision.scored.hash(f"{ON_VALIDATION}/{SCORES}"),
        "validation metrics": decision.scored.hash(f"{ON_VALIDATION}/{METRICS}"),
        "validation rules": decision.decided.hash(VALIDATION_RULES),
    }


def _work(folder: Path, decision: "Decision") -> Evidenced:
    """Write evidence.json, evidence.html, summary.md, pictures and, for a champion, drift.html."""
    target = decision.request.contract.target
    if target.several or target.quantity:
        return _without_diagnostics(folder, decision)
    given = material(decision)
    with underway(given, decision.request.settings.workers) as parts:
        known = early(given)
        evidence = _with(_evidence(decision), known)
        pictures = draw(evidence)
        diagnosed, drift_page = finished(given, known, parts)
    evidence = _with(evidence, diagnosed)
    if decision.request.policy.gate.worded:
        # These would stand beside what the candidate is worth on the holdout.
        evidence = structs.replace(evidence, champion_metrics=None, champion_equal=None)
    return _kept(folder, decision, evidence, draw(evidence, pictures), drift_page)


def _without_diagnostics(folder: Path, decision: "Decision") -> Evidenced:
    """The same without what is worked out on rows after the verdict, where the target has several
    classes or is a number.
    """
    drift, drift_page = drift_alone(material(decision))
    evidence = structs.replace(_evidence(decision), drift=drift)
    return _kept(folder, decision, evidence, draw(evidence), drift_page)


def _kept(
    folder: Path,
    decision: "Decision",
    evidence: Evidence,
    pictures: Mapping[str, str],
    drift_page: str,
) -> Evidenced:
    (folder / NAME).write_text(write_evidence(evidence), encoding="utf-8")
    if drift_page:
        (folder / DRIFT_PAGE).write_text(drift_page, encoding="utf-8")
    _write_pages(folder, evidence, pictures, decision.candidate.tag)
    return summarised(evidence)


def summarised(evidence: Evidence) -> Evidenced:
    """The facts of the evidence: they follow from evidence.json."""
    if evidence.drift is None:
        return Evidenced("no champion to compare with")
    return Evidenced(evidence.drift.verdict)


def _with(evidence: Evidence, diagnosed: Diagnosed) -> Evidence:
    """The evidence with what was worked out meanwhile."""
    return structs.replace(
        evidence,
        champion_metrics=diagnosed.champion_metrics,
        champion_equal=diagnosed.champion_equal,
        diagnostics=diagnosed.diagnostics,
        drift=diagnosed.drift,
        protected_cost=diagnosed.protected_cost,
    )


def _write_pages(folder: Path, evidence: Evidence, pictures: Mapping[str, str], tag: str) -> None:
    (folder / "pictures").mkdir()
    for name, svg in pictures.items():
        (folder / "pictures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = render(evidence, pictures, before(tag))
    (folder / PAGE).write_text(page, encoding="utf-8")
    (folder / "summary.md").write_text(summary_markdown(evidence), encoding="utf-8")


EVIDENCE = Step(
    "evidence",
    "Write evidence",
    Evidenced,
    (NAME, PAGE, "summary.md", "pictures/", DRIFT_PAGE),
    _inputs,
    _work,
)


def _evidence(decision: "Decision") -> Evidence:
    """What is known without working anything out on rows."""
    request, candidate, decided = decision.request, decision.candidate, decision.decided.facts
    contract, outcome = request.contract, told.of(decision)
    return Evidence(
        model=request.model,
        title=contract.title,
        text=contract.text,
        words=Words(
            positive=contract.target.positive, negative=contract.target.negative, rows=contract.rows
        ),
        verdict=dict(outcome.verdict),
        told=request.policy.gate.told,
        metrics=_listed(contract, outcome.metrics) if outcome.metrics else None,
        class_metrics=_classes_listed(contract, outcome.of_classes),
        number_metrics=_number_listed(contract, outcome.of_number),
        validation=_listed(contract, outcome.validation) if outcome.validation else None,
        class_validation=_classes_listed(contract, outcome.validation_of_classes),
        number_validation=_number_listed(contract, outcome.validation_of_number),
        mean_recall=outcome.mean_recall,
        tuning=candidate.tuned.parsed(TUNING, Tuning),
        data=_data(decision),
        lineage=_lineage(decision),
        provenance=gather(candidate),
        seals=sealed(decision),
        statements=statements(contract),
        excluded=tuple(column.name for column in contract.role("protected")),
        groups=_groups(decision),
        forecast=_forecast(decision),
        override=decided.override or None,
        policy_changed=decided.policy_changed or None,
    )


def _forecast(decision: "Decision") -> dict[str, object] | None:
    """What the replay foretold; None where nothing runs that it could be replayed beside."""
    if FORECAST not in decision.replayed.outputs:
        return None
    return dict(decision.replayed.document(FORECAST))


def _groups(decision: "Decision") -> tuple[GroupRow, ...]:
    """The groups beside champion and anchor, as people list them."""
    policy, case = decision.request.policy.gate, decision.case
    target = decision.request.contract.target
    if target.several or target.quantity:
        return ()
    folder = decision.scored.folder
    if policy.worded:
        folder = folder / ON_VALIDATION
    rows = groups_in_folder(folder, policy, decision.standing, named(case))
    places = {
        (segment, name): place
        for segment, names in group_order(decision.request.contract).items()
        for place, name in enumerate(names)
    }
    # The segments are in the contract's order already, and a sort leaves equal places as they are.
    listed = [
        row
        for segment in dict.fromkeys(row.segment for row in rows)
        for row in sorted(
            (row for row in rows if row.segment == segment),
            key=lambda row: places.get((row.segment, row.name), len(places)),
        )
    ]
    return msgspec.convert(msgspec.to_builtins(listed), tuple[GroupRow, ...])


def _listed(contract: Contract, metrics: Metrics) -> Metrics:
    """The same with the groups as people list them, not by the alphabet."""
    return structs.replace(metrics, segments=_in_order(contract, metrics.segments))


def _classes_listed(contract: Contract, metrics: ClassMetrics | None) -> ClassMetrics | None:
    """The same of several classes."""
    if metrics is None:
        return None
    return structs.replace(metrics, segments=_in_order(contract, metrics.segments))


def _number_listed(contract: Contract, metrics: NumberMetrics | None) -> NumberMetrics | None:
    """The same of a number."""
    if metrics is None:
        return None
    return structs.replace(metrics, segments=_in_order(contract, metrics.segments))


def _in_order(
    contract: Contract, found: Mapping[str, Mapping[str, _G]]
) -> dict[str, dict[str, _G]]:
    order = group_order(contract)
    return {
        segment: {name: groups[name] for name in order[segment] if name in groups}
        for segment, groups in found.items()
    }


def _data(decision: "Decision") -> Data:
    request, validated = decision.request, decision.candidate.validated
    report = validated.parsed(REPORT, ReportFile)
    columns = from_parquet(validated.read(TABLE))
    target = request.contract.target
    failed = len(report.findings)
    return Data(
        sha256=request.data.sha256,
        rows=report.rows,
        source=request.data.reference,
        columns=len(request.contract.columns),
        classes=_counted(target, columns[target.column]),
        checks=Checks(passed=report.checks - failed, failed=failed),
        warnings=tuple(
            Warned(finding.column, finding.rule, finding.rows) for finding in report.findings
        ),
    )


def _counted(target: Target, labels: np.ndarray) -> dict[str, int]:
    """The rows of each outcome: the positive one first, classes as the contract has them; of a
    number the rows of each fifth of its range that has some.
    """
    if target.quantity:
        return _by_fifth(target.quantity, labels)
    counts = np.bincount(labels, minlength=len(target.outcomes)).tolist()
    named = list(zip(target.outcomes, counts, strict=True))
    return dict(named if target.several else reversed(named))


def _by_fifth(quantity: Quantity, labels: np.ndarray) -> dict[str, int]:
    counts, edges = np.histogram(labels, bins=5, range=(quantity.low, quantity.high))
    named = zip(edges[:-1], edges[1:], counts.tolist(), strict=True)
    return {
        f"{quantity.written(low)} to {quantity.written(high)}": rows
        for low, high, rows in named
        if rows
    }


def _lineage(decision: "Decision") -> dict[str, str]:
    candidate = decision.candidate
    champion = decision.case.champion
    return {
        "data": decision.request.data.sha256,
        "training rows": candidate.split.hash(TRAIN_ROWS),
        "holdout rows": candidate.split.hash(HOLDOUT_ROWS),
        "model artifact": candidate.trained.facts.model,
        **told.lineage(decision),
        "champion": champion.tag if champion else "none",
    }


def page_of(report: "Report", identity: Identity) -> str:
    """The page for people, with what is known of the release by now.

    What it shows is that of the step; only head and foot say more than they could then.
    """
    page = report.evidence.read(PAGE).decode()
    evidence = read_evidence(report.evidence.read(NAME))
    return with_identity(page, evidence, before(report.candidate.tag), identity)


def published(report: "Report") -> Path:
    """The folder in which people and workflows find the newest evidence of a model."""
    return report.request.settings.home / "evidence" / report.request.model


@boundary("evidence.publish")
def publish(report: "Report", identity: Identity) -> Path:
    """Lay the newest evidence where people and workflows look; scores, where they are laid out at
    all, stay on this machine.
    """
    folder = published(report)
    beside, outdated = told.laid_out(report.decision)
    written = {path.name: path for path in report.evidence.folder.iterdir() if path.is_file()}
    files = {name: path.read_bytes() for name, path in written.items() if name != RECORD}
    for name, content in (files | beside | {PAGE: page_of(report, identity).encode()}).items():
        write_atomic(folder / name, content)
    if DRIFT_PAGE not in files:
        outdated = (*outdated, DRIFT_PAGE)
    for name in outdated:
        (folder / name).unlink(missing_ok=True)
    return folder / PAGE
