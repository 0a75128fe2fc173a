"""Write the promotion: evidence beside the image, then one entry in one commit of the manifest
repo.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.audit import verify
from flows.engine.run import source_commit
from flows.gitops import manifest_repo, promotion, pull_request
from flows.gitops.writer import Written
from flows.project.settings import ROOT
from flows.steps import package
from sluice.errors import SluiceError
from sluice.gitops.lineage import MADE_OF
from sluice.gitops.manifest import ImageEntry
from sluice.identity import sha256, value_hash
from sluice.model.metrics import summary

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "promote", "Commit to manifest repo"
_EVIDENCE = "application/vnd.sluice.evidence.v1"


def promote(run: "Run", done: "Done", number: int, prefect_run: str = "") -> Written:
    """Keep the evidence in the registry and write the commit; the outcome says which of its ends it
    came to.
    """
    facts = done["image"].facts
    entry = ImageEntry(
        f"sluice.local/{run.model}", run.image, str(facts["tag"]), str(facts["digest"])
    )
    _check_tag(run, entry)
    evidence = _keep_evidence(run, done, entry.tag)
    verdict, metrics = _read(done, "gate", "verdict"), _read(done, "score", "metrics")
    line = summary(verdict, metrics)
    trailers = {
        "Promotion-Id": promotion.promotion_id(
            run.model, entry, number, manifest_repo.apart(run.settings)
        ),
        "Model": run.model,
        "Release": str(number),
        "Image": f"{entry.new_name}:{entry.tag}",
        "Image-Digest": entry.digest,
        "Against": str(run.against.get("tag", "none")),
        **_provenance(run, done),
        "Evidence-Hash": evidence,
        "Verdict": str(verdict["verdict"]),
        "Prefect-Run": prefect_run or "none",
        "MLflow-Key": done["gate"].key,
        **_loud(done),
    }
    state = {
        **_recorded(run, done, metrics),
        "evidence": evidence,
        "promotion": trailers["Promotion-Id"],
    }
    subject = (
        f"Release {number} of {run.model}{manifest_repo.place(run.settings, 'to')}: {entry.tag}"
    )
    body = f"{line}.\n{str(verdict['sentence'])[:1].upper()}{str(verdict['sentence'])[1:]}."
    verify.require(run.place, trailers)
    wanted = promotion.Promotion(
        run.model, entry, str(run.against.get("tag", "")), number, state, subject, body, trailers
    )
    written = promotion.promote(run.settings, wanted)
    if written.outcome == "proposed":
        shown = (done["evidence"].folder / "summary.md").read_text(encoding="utf-8")
        pull_request.write(run.settings, wanted, shown, f"{run.image}@{evidence}")
    return written


def _recorded(run: "Run", done: "Done", metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What the champion's record keeps, besides the image: its model, its data, what it was
    compared with.
    """
    return {
        "model": done["train"].facts["model"],
        "data": run.data.sha256,
        "training": done["split"].hash("train.parquet"),
        "against": dict(run.against) or None,
        "anchored": dict(run.anchor) or None,
        "standing": dict(run.standing),
        "recall": metrics["holdout"]["recall"],
        "precision": metrics["holdout"]["precision"],
    }


def _loud(done: "Done") -> dict[str, str]:
    """What nobody may overlook: a rule that was set aside, a policy that was changed with the
    candidate.
    """
    facts = done["gate"].facts
    names = {"override": "Override", "policy changed": "Policy-Changed"}
    return {trailer: str(facts[name]) for name, trailer in names.items() if name in facts}


def _check_tag(run: "Run", entry: ImageEntry) -> None:
    """Tag and digest of the commit must name the same image, also where somebody else pushed in the
    meantime.
    """
    there = registry.digest(run.place, entry.tag)
    if there != entry.digest:
        what = (
            f"the tag {entry.tag} names {there or 'nothing'} in the registry by now, and"
            f" {entry.digest} was started"
        )
        raise SluiceError(
            what, "Run the release again: it takes what is there, or pushes what is not."
        )


def _provenance(run: "Run", done: "Done") -> dict[str, str]:
    """The commits and the data, and what the image is made of: the same hashes that its annotations
    carry.
    """
    made_of = package.ingredients(run, done)
    return {
        "Source-Commit": source_commit(run.settings) or "none",
        "Code-Commit": git.head(ROOT) or "none",
        "Data-Hash": run.data.sha256,
        **{trailer: made_of[name] for trailer, name in MADE_OF.items()},
    }


def _read(done: "Done", step: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (done[step].folder / f"{name}.json").read_text(encoding="utf-8")
    )
    return document


@boundary("evidence.push")
def _keep_evidence(run: "Run", done: "Done", tag: str) -> str:
    """Push the evidence, without rows, as `<tag>.evidence`; where other evidence has that tag, with
    its hash behind.
    """
    files = {
        "evidence.json": (done["evidence"].folder / "evidence.json").read_bytes(),
        "evidence.html": (done["evidence"].folder / "evidence.html").read_bytes(),
        "metrics.json": (done["score"].folder / "metrics.json").read_bytes(),
        "verdict.json": (done["gate"].folder / "verdict.json").read_bytes(),
    }
    content = value_hash({name: sha256(data) for name, data in files.items()})
    annotations = {"dev.sluice.evidence": content, "dev.sluice.data": run.data.sha256}
    name = f"{tag}.evidence"
    taken = registry.digest(run.place, name)
    if taken and registry.annotations(run.place, name).get("dev.sluice.evidence") != content:
        name = f"{tag}.evidence-{content[:8]}"
    return registry.push_files(run.place, name, files, _EVIDENCE, annotations)
