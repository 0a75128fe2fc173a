"""Write the promotion of a fleet: its evidence beside the image, then one entry in one commit."""

import json
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from flows.audit import known_images, verify
from flows.decision import approvals
from flows.decision.provenance import gather
from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.engine.store import Result
from flows.evidence.page import PAGE
from flows.facts.imaged import Imaged
from flows.facts.step_files import METRICS, REPORT, TRAIN_ROWS, TUNING, VERDICT
from flows.facts.trained import Trained
from flows.facts.validated import ReportFile
from flows.gitops import manifest_repo, pull_request, statement_key
from flows.gitops.promotion import Promotion, promotion_id
from flows.gitops.promotion import promote as write_promotion
from flows.gitops.writer import Written
from flows.project.root import ROOT
from flows.project.source_commit import source_commit
from flows.steps.promote import check_tag, keep_evidence, keep_statements
from flows.views.fleet_page import Headline, render
from sluice.fleet.changes import TABLE, Changes
from sluice.gitops import trailers
from sluice.gitops.approvals import NOBODY, Question
from sluice.gitops.evidence import NAME, Data, Evidence, Words, write_evidence
from sluice.gitops.image_names import local_image
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Champion, Reference, Standing
from sluice.identity import sha256
from sluice.model.fit.tuning_file import Tuning
from sluice.model.json_file import write_json
from sluice.model.quality.metrics_file import Metrics
from sluice.served.statements import statements

TITLE = "Commit to manifest repo"
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
    request, image = report.request, imaged.facts
    check_tag(report.candidate, image)
    evidence = keep_evidence(request, image, evidence_files(report))
    entry = ImageEntry(local_image(request.model), request.image, image.tag, image.digest)
    name = promotion_id(request.model, entry, report.number, manifest_repo.apart(request.settings))
    champion = _champion(report, image, evidence, name)
    key = statement_key.key(request.settings)
    said = _trailers(report, champion, key.public, prefect_run)
    keep_statements(request, image, key, trailers.pairs(said))
    verify.require(request.place, trailers.pairs(said), known_images.here(request.settings.home))
    needed = approvals.policy(request.settings, request.model, request.policy.approvals)
    question = Question(
        model=request.model,
        overlay=request.settings.overlay,
        release=report.number,
        tag=image.tag,
        digest=image.digest,
        image=request.image,
        evidence=evidence,
        policy=request.policy_sha256,
        champion=report.champion.digest if report.champion else NOBODY,
        makers=approvals.makers(request.settings) if needed.required else (),
        required=needed.required,
        own=needed.makers,
    )
    found = approvals.require(request.settings, question, needed, request.tools.today())
    if not found.enough:
        sentence = approvals.sentence(question, found)
        return Written(approvals.UNAPPROVED, sentence, release=report.number)
    said = approvals.with_names(request.settings, said, found)
    where = manifest_repo.place(request.settings, "to")
    sentence = report.changes.sentence
    promotion = Promotion(
        model=request.model,
        champion=champion,
        subject=f"Release {champion.release} of {request.model}{where}: {champion.tag}",
        body=f"A model for each {report.changes.column}: {sentence}.",
        trailers=said,
    )
    written = write_promotion(request.settings, promotion)
    if written.outcome == "proposed":
        text = f"# {promotion.subject}\n\n{promotion.body}\n"
        pull_request.write(request.settings, promotion, text, f"{request.image}@{evidence}")
    return written


def _champion(report: FleetReport, image: Imaged, evidence: str, promotion: str) -> Champion:
    request, candidate = report.request, report.candidate
    measured = structs.asdict(report.metrics.holdout)
    return Champion(
        tag=image.tag,
        digest=image.digest,
        image=request.image,
        release=report.number,
        model=candidate.trained.facts.model,
        recall=measured["recall"],
        precision=measured["precision"],
        data=request.data.sha256,
        training=candidate.split.hash(TRAIN_ROWS),
        against=report.champion,
        anchored=report.anchor,
        standing=report.standing,
        evidence=evidence,
        promotion=promotion,
    )


def _trailers(
    report: FleetReport, champion: Champion, public_key: str, prefect_run: str
) -> trailers.Promotion:
    request, made_of = report.request, report.candidate.ingredients
    return trailers.Promotion(
        promotion_id=champion.promotion,
        model=request.model,
        release=champion.release,
        image=f"{champion.image}:{champion.tag}",
        image_digest=champion.digest,
        against=champion.against.tag if champion.against else "none",
        source_commit=source_commit(request.settings.project) or "none",
        code_commit=source_commit(ROOT) or "none",
        data_hash=request.data.sha256,
        training_hash=made_of["training-data"],
        policy_hash=made_of["policy"],
        code_hash=made_of["code"],
        lock_hash=made_of["lock"],
        model_hash=made_of["model"],
        evidence_hash=champion.evidence,
        statement_key=public_key,
        verdict="PROMOTE",
        prefect_run=prefect_run or "none",
        mlflow_key="none",
    )
