"""What a release would do, known from keys, manifest repo and registry, before any engine is
imported.
"""

import datetime
import difflib
import json
from dataclasses import dataclass

from flows.adapters.registry import registry
from flows.decision import baselines
from flows.engine import step as engine
from flows.engine.outcome import Outcome
from flows.engine.run import Run
from flows.engine.step import Done, Planned
from flows.gitops import ledger, manifest_repo, quarantine
from flows.steps import evidence, gate, image, package, score, smoke, split, train, tune, validate
from sluice.model.metrics import summary

TO_MODEL = (validate, split, tune, train)
TO_IMAGE = (package, image, smoke)


@dataclass(frozen=True)
class Plan:
    """Every step as HIT or MISS, the run as far as it is known, and the outcome where nothing is
    left to do.
    """

    steps: tuple[Planned, ...]
    run: Run
    done: Done
    outcome: Outcome | None
    diff: str


def plan(run: Run) -> Plan:
    """Look every step up, in order; nothing is done, nothing is written."""
    done: Done = {}
    steps = list(engine.plan(TO_MODEL, run, done))
    if "train" in done:
        if barred := _barred(run, done):
            return Plan(tuple(steps), run, done, barred, "")
        run = baselines.opposed(run, done)
    steps += engine.plan((score,), run, done, blocked=_blocked(steps))
    if "score" in done:
        uses = (
            ledger.peek(run.settings, run.model, split.use(run, done, done["score"].key))
            if run.live
            else 0
        )
        run = baselines.standing(run, done, uses, datetime.datetime.now(datetime.UTC).date())
    steps += engine.plan((gate, evidence), run, done, blocked=_blocked(steps))
    if "gate" not in done or gate.promotes(done):
        steps += engine.plan(TO_IMAGE, run, done, blocked=_blocked(steps))
    settled = _outcome(run, done) if all(step.hit for step in steps) else None
    return Plan(tuple(steps), run, done, settled, _diff(run, done) if settled is None else "")


def _barred(run: Run, done: Done) -> Outcome | None:
    """The end of a release whose candidate is in quarantine; None where it is in none."""
    try:
        quarantine.check(run.live, tag=package.tag(run, done))
    except quarantine.Quarantined as barred:
        return Outcome("quarantined", barred.what, run.model, tag=package.tag(run, done))
    return None


def _blocked(steps: list[Planned]) -> str:
    return next((step.step for step in steps if not step.hit), "")


def _outcome(run: Run, done: Done) -> Outcome | None:
    """How a run ends in which every step is a HIT; None where the manifest repo or the registry
    lacks something.
    """
    if not gate.promotes(done):
        return ended(run, done, *gate.ending(done))
    digest = str(done["image"].facts["digest"])
    if run.live is None or run.live.entry.digest != digest or run.champion.get("digest") != digest:
        return None
    if registry.digest(run.place, package.tag(run, done)) != digest:
        return None
    said = "the manifest repo names this image already, and nothing has changed"
    return ended(
        run, done, "nothing to do", said, commit=run.live.tip, release=int(run.champion["release"])
    )


def ended(
    run: Run, done: Done, outcome: str, sentence: str, commit: str = "", release: int = 0
) -> Outcome:
    """The outcome of a run that came to a verdict, with what every such outcome tells."""
    metrics = json.loads((done["score"].folder / "metrics.json").read_text(encoding="utf-8"))
    image_facts = done["image"].facts if "image" in done else {}
    return Outcome(
        outcome,
        sentence,
        run.model,
        verdict=str(done["gate"].facts["verdict"]),
        tag=package.tag(run, done),
        digest=str(image_facts.get("digest", "")),
        reference=str(image_facts.get("reference", "")),
        commit=commit,
        release=release,
        evidence=str(run.settings.home / "evidence" / run.model / "evidence.html"),
        summary=summary(done["gate"].facts, metrics),
        override=str(done["gate"].facts.get("override", "")),
        policy_changed=str(done["gate"].facts.get("policy changed", "")),
        overlay=manifest_repo.apart(run.settings).rstrip("/"),
    )


def _diff(run: Run, done: Done) -> str:
    """The change to the manifest repo, where the image is known without training or building."""
    if run.live is None or "image" not in done:
        return ""
    facts, entry = done["image"].facts, run.live.entry
    before = [f"newName: {entry.new_name}", f"newTag: {entry.tag}", f"digest: {entry.digest}"]
    after = [f"newName: {run.image}", f"newTag: {facts['tag']}", f"digest: {facts['digest']}"]
    path = manifest_repo.overlay(run.settings)
    return "\n".join(difflib.unified_diff(before, after, path, path, lineterm="", n=0))
