"""Write the promotion of a fleet: its evidence beside the image, then one entry in one commit."""

import json
from dataclasses import dataclass
from typing import Any

from flows.decision.provenance import gather
from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.engine.store import Result
from flows.evidence.page import PAGE
from flows.facts.decided import Decided
from flows.facts.imaged import Imaged
from flows.facts.step_files import METRICS, REPORT, TRAIN_ROWS, TUNING, VERDICT
from flows.facts.trained import Trained
from flows.facts.validated import ReportFile
from flows.gitops.writer import Written
from flows.steps.promote import Proven, write
from flows.views.fleet_page import Headline, render
from sluice.fleet.changes import TABLE, Changes
from sluice.gitops.evidence import NAME, Data, Evidence, Words, write_evidence
from sluice.gitops.state import Reference, Standing
from sluice.identity import sha256
from sluice.model.fit.tuning_file import Tuning
from sluice.model.json_file import write_json
from sluice.model.quality.metrics_file import Metrics
from sluice.served.statements import statements

_SCHEMA = 2  # of verdict.json


@dataclass(frozen=True)
class FleetReport:
    """A fleet that is to be released: the candidate whose artifact it is, what changes, what it was
    held against, and what the ledger counts. `number` is that of the release, `day` its date.
    """

    candidate: Candidate
    joined: Result[Trained]
    changes: Changes
    champion: Reference | None
    anchor: Reference | None
    standing: Standing
    number: int
    day: str

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.candidate.request

    @property
    def metrics(self) -> Metrics:
        """What the whole of the fleet is worth on the holdout."""
        return self.joined.parsed(METRICS, Metrics)

    @property
    def page(self) -> str:
        """The page for people."""
        shown = Headline(
            self.request.model,
            self.changes.column,
            self.changes.sentence[:1].upper() + self.changes.sentence[1:],
            self.number,
            self.day,
        )
        return render(shown, self.changes)


def verdict_of(report: FleetReport) -> dict[str, Any]:
    """The verdict on the fleet, as verdict.json has it: the models have theirs in changes.json."""
    return {
        "schema": _SCHEMA,
        "verdict": "PROMOTE",
        "sentence": report.changes.sentence,
        "refresh": False,
        "rules": [],
        "champion": report.champion.tag if report.champion else None,
        "comparison": None,
        "anchor": None,
    }


def evidence_files(report: FleetReport) -> dict[str, bytes]:
    """What is kept of the evidence beside the image: no rows."""
    metrics = report.joined.read(METRICS)
    verdict = json.dumps(verdict_of(report), indent=1).encode()
    return {
        NAME: write_evidence(_evidence(report, metrics, verdict)).encode(),
        METRICS: metrics,
        VERDICT: verdict,
        TABLE: write_json(report.changes).encode(),
        PAGE: report.page.encode(),
    }


def _evidence(report: FleetReport, metrics: bytes, verdict: bytes) -> Evidence:
    request, candidate = report.request, report.candidate
    contract, target = request.contract, request.contract.target
    checked = candidate.validated.parsed(REPORT, ReportFile)
    return Evidence(
        model=request.model,
        title=contract.title,
        text=contract.text,
        words=Words(positive=target.positive, negative=target.negative, rows=contract.rows),
        verdict=verdict_of(report),
        metrics=report.metrics,
        tuning=candidate.tuned.parsed(TUNING, Tuning),
        data=Data(
            sha256=request.data.sha256,
            rows=checked.rows,
            source=request.data.reference,
            columns=len(contract.columns),
        ),
        lineage={
            "data": request.data.sha256,
            "training rows": candidate.split.hash(TRAIN_ROWS),
            "model artifact": candidate.trained.facts.model,
            "fleet": report.changes.column,
            "champion": report.champion.tag if report.champion else "none",
        },
        provenance=gather(candidate),
        seals={
            "data": request.data.sha256,
            "candidate": candidate.trained.facts.model,
            "metrics": sha256(metrics),
            "verdict": sha256(verdict),
            "changes": sha256(write_json(report.changes).encode()),
        },
        statements=statements(contract),
        excluded=tuple(column.name for column in contract.role("protected")),
    )


def promote(report: FleetReport, imaged: Result[Imaged], prefect_run: str = "") -> Written:
    """Keep the evidence in the registry and write the commit; the outcome says which of its ends it
    came to. Raises as the promotion of one model does.
    """
    sentence = report.changes.sentence
    measured = report.metrics.holdout
    body = f"A model for each {report.changes.column}: {sentence}."
    proven = Proven(
        candidate=report.candidate,
        number=report.number,
        files=evidence_files(report),
        against=report.champion,
        anchored=report.anchor,
        standing=report.standing,
        recall=measured.recall,
        precision=measured.precision,
        decided=Decided("PROMOTE", sentence, refresh=False),
        body=body,
        summary=f"# {report.request.model}, release {report.number}\n\n{body}\n",
    )
    return write(proven, imaged.facts, prefect_run)
