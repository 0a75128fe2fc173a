"""Commits of releases whose verdict does not promote: none of them may be called sound.

Who attacks can push to the manifest repo and the registry, and signs with the key of a release: all
but the verdict is in order. The image tools are those of the crash drills.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.audit import find_release, statements, verify
from flows.decision import told
from flows.decision.seals import sealed
from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase, judge, lay_out
from flows.drills.gate.foreign_images import prepared
from flows.drills.gate.kept import kept
from flows.engine.phases import Decision, Report
from flows.engine.store import Result
from flows.evidence.identity import before
from flows.evidence.page import PAGE, render, summary_markdown
from flows.facts.decided import NOT_PROMOTED
from flows.facts.evidenced import Evidenced
from flows.facts.step_files import VERDICT
from flows.gitops import deploy_files, manifest_repo, statement_key
from flows.project.settings import Settings
from flows.steps import promote
from flows.steps.evidence import EVIDENCE, summarised
from flows.steps.image import IMAGE
from sluice.errors import SluiceError
from sluice.gitops import trailers
from sluice.gitops.evidence import NAME, Evidence, read_evidence, write_evidence
from sluice.gitops.image_names import annotation
from sluice.identity import sha256, value_hash
from sluice.policy import load_policy

COMMIT_RULE = "verdict_of_a_commit"
_DRILL = "an honest commit"
_MALLORY = "Mallory <mallory@example.com>"
_REPO, _EMPTY = "manifests.git", "manifests before"  # with the release, and without it
_REQUIRED = "PROMOTE is required"
_KIND = "application/vnd.sluice.drill.v1"


@dataclass(frozen=True)
class Committed:
    """A release that is live; everything lies under the home of `settings`."""

    settings: Settings
    model: str


@dataclass(frozen=True)
class ForgedCommit:
    """A commit that releases a candidate with another verdict than one that promotes.

    `everywhere` says that evidence, seals and statements say the same, in good order.
    """

    name: str
    verdict: str
    everywhere: bool = True


def forged_commits() -> Iterator[ForgedCommit]:
    """All of them."""
    for verdict in ("REJECT", "INSUFFICIENT", "HOLD", NOT_PROMOTED):
        yield ForgedCommit(f"a commit whose verdict is {verdict}, all else to match", verdict)
    yield ForgedCommit("a commit whose trailer alone says REJECT", "REJECT", everywhere=False)


def begun(ground: Ground, folder: Path) -> Committed:
    """An honest release under `folder`, made where none is.

    Raises SluiceError where it is not called sound: then no forgery would prove anything.
    """
    there = Committed(_settings(ground, folder), ground.request.model)
    made = folder / "made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        report, imaged = _delivered(ground, folder)
        manifest_repo.seed(there.settings)
        deploy_files.write(there.settings, there.model)
        shutil.copytree(folder / _REPO, folder / _EMPTY)
        promote.promote(report, imaged, 1)
        problems = _problems(there)
        if problems:
            raise SluiceError("; ".join(problems), "This is a fault.")
        made.touch()
    return there


def copied(there: Committed, folder: Path) -> Committed:
    """The same release in a folder of its own, to be attacked there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(there.settings.home, folder, symlinks=True)
    return replace(there, settings=there.settings.model_copy(update={"home": folder}))


def found(there: Committed, forged: ForgedCommit) -> str:
    """What `sluice verify` says of the verdict of the forged commit; empty for nothing.

    Raises SluiceError where it says more of one that is to be in order: it would be found for that.
    """
    _forge(there, forged)
    problems = _problems(there)
    others = [problem for problem in problems if _REQUIRED not in problem]
    if forged.everywhere and others:
        raise SluiceError(
            f"more than its verdict is wrong: {'; '.join(others)}", "This is a fault."
        )
    return next((problem for problem in problems if _REQUIRED in problem), "")


def _settings(ground: Ground, folder: Path) -> Settings:
    return ground.request.settings.model_copy(
        update={
            "home": folder,
            "manifests": "",
            "registry": "",
            "overlay": manifest_repo.PRODUCTION,
            "mode": "push",
        }
    )


def _problems(there: Committed) -> list[str]:
    traced = find_release.trace(there.settings, "latest", there.model)
    return [str(problem) for problem in verify.verify(there.settings, traced).problems]


def _delivered(ground: Ground, folder: Path) -> tuple[Report, Result[Any]]:
    """A candidate that is promoted, with its evidence and its image."""
    # What is told follows the policy that the artifact has.
    made = MadeCase(limits={"told": load_policy(ground.request.policy_text).gate.told})
    decision = judge(lay_out(ground, _DRILL, made), _DRILL, made)
    there = prepared(decision.candidate, folder)
    request = replace(there.candidate.request, settings=_settings(ground, folder))
    candidate = replace(there.candidate, request=request)
    decision = replace(decision, case=replace(decision.case, candidate=candidate))
    step = folder / "imaged"
    step.mkdir()
    facts = IMAGE.work(step, candidate, there.packaged)
    return _evidenced(decision), Result(IMAGE.name, "", step, {}, {}, facts, 0.0)


def _evidenced(decision: Decision) -> Report:
    """The decision with its evidence, without pictures."""

    def work(folder: Path) -> Evidenced:
        outcome = told.of(decision)
        evidence = Evidence(
            model=decision.request.model,
            verdict=dict(outcome.verdict),
            metrics=outcome.metrics,
            class_metrics=outcome.of_classes,
            number_metrics=outcome.of_number,
            validation=outcome.validation,
            class_validation=outcome.validation_of_classes,
            number_validation=outcome.validation_of_number,
            mean_recall=outcome.mean_recall,
            seals=sealed(decision),
            told=decision.request.policy.gate.told,
        )
        (folder / NAME).write_text(write_evidence(evidence), encoding="utf-8")
        page = render(evidence, {}, before(decision.candidate.tag))
        (folder / PAGE).write_text(page, encoding="utf-8")
        (folder / "summary.md").write_text(summary_markdown(evidence), encoding="utf-8")
        return summarised(evidence)

    return Report(decision, kept(decision.request.settings.home, EVIDENCE, _DRILL, work))


def _forge(there: Committed, forged: ForgedCommit) -> None:
    """Write the only release of the manifest repo anew, with the other verdict."""
    settings, path = there.settings, manifest_repo.state(there.settings, there.model, "champion")
    with git.clone(settings.remote, settings.branch) as repo:
        overlay = manifest_repo.overlay(settings, repo, there.model)
        names = (overlay, path, manifest_repo.state(settings, there.model, "anchor"))
        files = {name: git.file(repo, name) or b"" for name in names}
    [_, _, message], *_ = git.log(settings.remote, settings.branch)
    parsed = trailers.parsed(message)
    said = {**parsed.trailers, "Verdict": forged.verdict}
    if forged.everywhere:
        said = _everywhere(there, said)
        champion = json.loads(files[path]) | {"evidence": said["Evidence-Hash"]}
        files[path] = json.dumps(champion).encode()
    subject, _, body = parsed.before.partition("\n")
    shutil.rmtree(settings.home / _REPO)
    (settings.home / _EMPTY).rename(settings.home / _REPO)
    with git.clone(settings.remote, settings.branch) as repo:
        message = trailers.commit_message(subject, body.strip(), said)
        git.push(repo, git.commit(repo, files, message, _MALLORY))


def _everywhere(there: Committed, said: Mapping[str, str]) -> dict[str, str]:
    """Evidence, its seals and the signed statements say so too; the trailers that name them."""
    place = manifest_repo.images(there.settings, there.model)
    files = dict(registry.pull_files(place, said["Evidence-Hash"]))
    verdict = json.loads(files[VERDICT]) | {"verdict": said["Verdict"], "refresh": False}
    evidence = read_evidence(files[NAME])
    files[VERDICT] = json.dumps(verdict).encode()
    seals = {**(evidence.seals or {}), "verdict": sha256(files[VERDICT])}
    lying = structs.replace(evidence, verdict=verdict, seals=seals)
    files[NAME] = write_evidence(lying).encode()
    notes = registry.annotations(place, said["Evidence-Hash"])
    notes |= {annotation("evidence"): value_hash({name: sha256(files[name]) for name in files})}
    tag = said["Image"].rpartition(":")[2]
    name = f"{tag}.evidence-{notes[annotation('evidence')][:8]}"
    lie = {**said, "Evidence-Hash": registry.push_files(place, name, files, _KIND, notes)}
    key, digest = statement_key.key(there.settings), said["Image-Digest"]
    image = registry.annotations(place, digest)
    stated = statements.wanted(image, lie, promote.software(place, digest))
    statements.keep(place, key, said["Image"].rpartition(":")[0], digest, stated)
    return lie
