"""Write the promotion: evidence beside the image, then one entry in one commit.

This is no step: what it does is not kept under a key, but is there once in the manifest repo.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET, UnsetType

from flows.adapters import dsse
from flows.adapters.failpoints import boundary
from flows.adapters.image import image_contents
from flows.adapters.registry import oci, registry
from flows.audit import beside, known_images, statements, verify
from flows.decision import approvals, replayed, told
from flows.engine.phases import Candidate, Report
from flows.engine.request import Request
from flows.engine.store import Result
from flows.evidence.diagnostics import DRIFT_PAGE
from flows.evidence.numbered import beside_image
from flows.evidence.page import PAGE
from flows.facts.decided import Decided
from flows.facts.imaged import Imaged
from flows.facts.step_files import TRAIN_ROWS
from flows.gitops import manifest_repo, pull_request, statement_key
from flows.gitops.promotion import Promotion, promotion_id
from flows.gitops.promotion import promote as write_promotion
from flows.gitops.writer import Written
from flows.project.root import ROOT
from flows.project.source_commit import source_commit
from flows.steps.evidence import page_of
from sluice.errors import Refused, SluiceError
from sluice.gitops import trailers
from sluice.gitops.approvals import NOBODY, Question
from sluice.gitops.bill_of_materials import Software
from sluice.gitops.image_names import annotation, local_image
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Champion, Reference, Standing
from sluice.identity import sha256, value_hash
from sluice.policy import ApprovalPolicy

TITLE = "Commit to manifest repo"
_EVIDENCE = "application/vnd.sluice.evidence.v1"
_CONTENT = annotation("evidence")
LIVE = "the manifest repo names this image already"


@dataclass(frozen=True)
class Proven:
    """What is promoted, whatever was judged: a model or a fleet.

    `number` is that of the release, `files` what is kept of the evidence, `against` and `anchored`
    what it was held against. `recall` and `precision`, or of a number `skill`, are those of the
    holdout, unset where they are not told. `body` is the text of the commit, `summary` that of a
    pull request.
    """

    candidate: Candidate
    number: int
    files: Mapping[str, bytes]
    against: Reference | None
    anchored: Reference | None
    standing: Standing
    recall: float | UnsetType
    precision: float | UnsetType
    decided: Decided
    body: str
    summary: str
    mlflow_key: str = "none"
    skill: float | UnsetType = UNSET

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.candidate.request


def promote(report: Report, imaged: Result[Imaged], number: int, prefect_run: str = "") -> Written:
    """Keep the evidence in the registry and write the commit.

    `number` is that of the release. The outcome says which of its ends it came to. Raises Refused
    where what would be promoted is not sound, SluiceError where the tag names another image.
    """
    _check_promotes(report)
    case = report.decision.case
    outcome = told.of(report.decision)
    measured = outcome.metrics or outcome.of_classes
    sentence = report.decided.sentence
    proven = Proven(
        candidate=report.candidate,
        number=number,
        files=evidence_files(report, imaged.facts, number),
        against=case.champion,
        anchored=case.anchor,
        standing=report.decision.standing,
        recall=measured.holdout.recall if measured else UNSET,
        precision=measured.holdout.precision if measured else UNSET,
        skill=outcome.of_number.holdout.skill if outcome.of_number else UNSET,
        decided=report.decided,
        body=f"{outcome.line}.\n{sentence[:1].upper()}{sentence[1:]}.",
        summary=report.evidence.read("summary.md").decode(),
        mlflow_key=report.decision.decided.key,
    )
    return write(proven, imaged.facts, prefect_run)


def write(proven: Proven, image: Imaged, prefect_run: str) -> Written:
    """Keep the evidence in the registry and write the commit, or ask those who have to approve it
    first. Raises as `promote` does.
    """
    request = proven.request
    _check_tag(proven.candidate, image)
    if is_live(request, image):
        put = put_back(request, image, proven.files)
        sentence = f"{LIVE}; put back in the registry: {put}" if put else LIVE
        tip = request.live.tip if request.live else ""
        # The number of the release that is live: this one wrote nothing.
        number = request.champion.release if request.champion else proven.number
        return Written("already there", sentence, tip, number)
    evidence = _keep_evidence(request, image, proven.files)
    entry = ImageEntry(local_image(request.model), request.image, image.tag, image.digest)
    where = manifest_repo.apart(request.settings)
    name = promotion_id(request.model, entry, proven.number, where)
    champion = _champion(proven, image, evidence=evidence, promotion=name)
    key = statement_key.key(request.settings)
    said = _trailers(proven, champion, key.public, prefect_run)
    _keep_statements(request, image, key, trailers.pairs(said))
    known = known_images.here(request.settings.home)
    verify.require(request.place, trailers.pairs(said), known)
    needed = approvals.policy(request.settings, request.model, request.policy.approvals)
    question = _question(request, image, proven.number, evidence, needed, proven.against)
    found = approvals.require(request.settings, question, needed, request.tools.today())
    if not found.enough:
        sentence = approvals.sentence(question, found)
        return Written(approvals.UNAPPROVED, sentence, release=proven.number)
    promotion = Promotion(
        model=request.model,
        champion=champion,
        subject=_subject(request, champion),
        body=proven.body,
        trailers=approvals.with_names(request.settings, said, found),
    )
    written = write_promotion(request.settings, promotion)
    if written.outcome == "proposed":
        where = f"{request.image}@{evidence}"
        pull_request.write(request.settings, promotion, proven.summary, where)
    return written


def is_live(request: Request, image: Imaged) -> bool:
    """Whether the manifest repo names this image, and a release wrote that."""
    live, champion = request.live, request.champion
    if live is None or champion is None:
        return False
    return (live.entry.digest, champion.digest) == (image.digest, image.digest)


def put_back(request: Request, image: Imaged, files: Mapping[str, bytes]) -> str:
    """Put back what the registry lost beside the image that is live, as its commit names it; what
    that was, in words. `files` is the evidence as it is made again from what is here.

    Raises Refused for what cannot be made again, and where anything else of the release is not
    what was promoted.
    """
    champion = request.champion
    if champion is None:
        raise ValueError("nothing is live, so nothing can be put back")
    said = manifest_repo.said_of(request.settings, champion)
    missing = beside.lost(request.place, champion, said)
    # Written anew in any case: a file of it may be there and have other bytes by now.
    _put_evidence(request, champion, image, files)
    _put_statements(request, champion, said, missing)
    if said:
        verify.require(request.place, said, known_images.here(request.settings.home))
    return ", ".join(missing)


def _put_evidence(
    request: Request, champion: Champion, image: Imaged, files: Mapping[str, bytes]
) -> None:
    """Keep the evidence that the commit names, unless what is made here is other evidence."""
    annotations = _notes(request, files)
    made = oci.digest_of(oci.files_manifest(files, _EVIDENCE, annotations))
    if made == champion.evidence:
        _keep_evidence(request, image, files)
    elif "evidence" in beside.lost(request.place, champion, {}):
        raise Refused(
            f"the registry does not have the evidence of release {champion.release} any more, and"
            f" what is made here is {made}; {champion.evidence} is required",
            f"Copy {image.tag}.evidence back from a copy of the registry: a release makes it again"
            " only where its policy, its page and its ledger are as they were.",
        )


def _put_statements(
    request: Request, champion: Champion, said: Mapping[str, str], missing: Sequence[str]
) -> None:
    """Sign again what was stated, with the key that the commit names."""
    signed = [name for name in missing if name.startswith("signed ")]
    if not signed:
        return
    key = statement_key.found(request.settings)
    if key is None or key.public != said.get(statements.KEY):
        raise Refused(
            f"the registry does not have what was signed about release {champion.release} any"
            f" more ({', '.join(signed)}), and its key is not here",
            "Name that key in SLUICE_STATEMENT_KEY and run it again, or copy the referrers of"
            f" {champion.digest} back from a copy of the registry.",
        )
    place, digest = request.place, champion.digest
    notes = registry.annotations(place, digest)
    stated = statements.wanted(notes, said, software(place, digest))
    statements.keep(place, key, champion.image, digest, stated)


def question_of(
    report: Report, image: Imaged, number: int, evidence: str, needed: ApprovalPolicy
) -> Question:
    """What a release asks people, where its policy asks for approvals."""
    against = report.decision.case.champion
    return _question(report.request, image, number, evidence, needed, against)


def _question(
    request: Request,
    image: Imaged,
    number: int,
    evidence: str,
    needed: ApprovalPolicy,
    against: Reference | None,
) -> Question:
    return Question(
        model=request.model,
        overlay=request.settings.overlay,
        release=number,
        tag=image.tag,
        digest=image.digest,
        image=request.image,
        evidence=evidence,
        policy=request.policy_sha256,
        champion=against.digest if against else NOBODY,
        makers=approvals.makers(request.settings) if needed.required else (),
        required=needed.required,
        own=needed.makers,
    )


def _champion(proven: Proven, image: Imaged, *, evidence: str, promotion: str) -> Champion:
    """What is recorded of the release beside the entry."""
    candidate = proven.candidate
    return Champion(
        tag=image.tag,
        digest=image.digest,
        image=proven.request.image,
        release=proven.number,
        model=candidate.trained.facts.model,
        recall=proven.recall,
        precision=proven.precision,
        skill=proven.skill,
        data=proven.request.data.sha256,
        training=candidate.split.hash(TRAIN_ROWS),
        against=proven.against,
        anchored=proven.anchored,
        standing=proven.standing,
        evidence=evidence,
        promotion=promotion,
    )


def _trailers(
    proven: Proven, champion: Champion, public_key: str, prefect_run: str
) -> trailers.Promotion:
    """The commits, the data and what the image is made of: the hashes of its annotations."""
    request, decided = proven.request, proven.decided
    made_of = proven.candidate.ingredients
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
        verdict=decided.verdict,
        prefect_run=prefect_run or "none",
        mlflow_key=proven.mlflow_key,
        override=decided.override,
        policy_changed=decided.policy_changed,
    )


def _subject(request: Request, champion: Champion) -> str:
    where = manifest_repo.place(request.settings, "to")
    return f"Release {champion.release} of {request.model}{where}: {champion.tag}"


def _check_promotes(report: Report) -> None:
    """Whatever led here: only what verdict and replay let go live is written down."""
    decided = report.decided
    if not decided.promotes:
        raise Refused(
            f"the verdict is {decided.verdict}: {decided.sentence}; PROMOTE is required, or a HOLD"
            " that may replace its champion",
            "Run the release again with --no-cache.",
        )
    changed = replayed.refused(report)
    if changed:
        raise Refused(f"the replay refuses it: {changed}", "Train another candidate.")


def _check_tag(candidate: Candidate, image: Imaged) -> None:
    """The image has the tag of the candidate, and tag and digest name the same image, also where
    somebody else pushed in the meantime. Raises Refused or SluiceError where they do not.
    """
    tag = candidate.tag
    reference = f"{candidate.request.image}:{tag}@{image.digest}"
    if (image.tag, image.reference) != (tag, reference):
        raise Refused(
            f"the image is remembered as {image.reference}; {reference} is required",
            "Run the release again with --no-cache.",
        )
    digest = registry.digest(candidate.request.place, image.tag)
    if digest != image.digest:
        raise SluiceError(
            f"the tag {image.tag} names {digest or 'nothing'} in the registry by now, and"
            f" {image.digest} was started",
            "Run the release again: it takes what is there, or pushes what is not.",
        )


@boundary("evidence.push")
def _keep_evidence(request: Request, image: Imaged, files: Mapping[str, bytes]) -> str:
    """Push the evidence, without rows, as `<tag>.evidence`; return its digest.

    Where other evidence has that tag, the hash of the content is put behind it.
    """
    place = request.place
    content = _content(files)
    name = f"{image.tag}.evidence"
    taken = registry.digest(place, name)
    if taken and registry.annotations(place, name).get(_CONTENT) != content:
        name = f"{image.tag}.evidence-{content[:8]}"
    return registry.push_files(place, name, dict(files), _EVIDENCE, _notes(request, files))


def _notes(request: Request, files: Mapping[str, bytes]) -> dict[str, str]:
    """The annotations of this evidence."""
    return {_CONTENT: _content(files), annotation("data"): request.data.sha256}


def kept_evidence(report: Report, image: Imaged, number: int) -> str:
    """The digest of this evidence where the registry has it already; empty where it does not."""
    place = report.request.place
    content = _content(evidence_files(report, image, number))
    for name in (f"{image.tag}.evidence", f"{image.tag}.evidence-{content[:8]}"):
        digest = registry.digest(place, name)
        if not digest or registry.annotations(place, name).get(_CONTENT) != content:
            continue
        if not registry.missing(place, name):
            return digest
    return ""


def evidence_files(report: Report, image: Imaged, number: int) -> dict[str, bytes]:
    """What is kept of the evidence beside the image: no rows."""
    identity = beside_image(report, report.request.image, image.digest, number)
    files = {
        "evidence.json": report.evidence.read("evidence.json"),
        PAGE: page_of(report, identity).encode(),
        **told.of(report.decision).files,
    }
    if (report.evidence.folder / DRIFT_PAGE).is_file():
        files[DRIFT_PAGE] = report.evidence.read(DRIFT_PAGE)
    return files


def _content(files: Mapping[str, bytes]) -> str:
    return value_hash({name: sha256(data) for name, data in files.items()})


def _keep_statements(
    request: Request, image: Imaged, key: dsse.SigningKey, said: Mapping[str, str]
) -> None:
    """Sign what is in the image, how it came about and what the gate said, and keep that beside
    it.
    """
    place = request.place
    notes = registry.annotations(place, image.digest)
    stated = statements.wanted(notes, said, software(place, image.digest))
    statements.keep(place, key, request.image, image.digest, stated)


def software(place: registry.Place, digest: str) -> Software | None:
    """What is installed in the image, read from its layers; None where one is broken, which the
    check of the whole image names.
    """
    manifest = oci.parse_manifest(registry.manifest(place, digest))
    with tempfile.TemporaryDirectory(prefix="sluice-layers-") as folder, suppress(oci.Broken):
        layers = [registry.pull_blob(place, one.digest, Path(folder)) for one in manifest.layers]
        return image_contents.software_of(tuple(one.digest for one in manifest.layers), layers)
    return None
