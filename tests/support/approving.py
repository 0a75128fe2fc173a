"""A question that a release asked, its evidence in the registry, and people who answer: shared by
the tests of approvals.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from flows.adapters.git.git import Author
from flows.adapters.registry import registry
from flows.decision import approvals
from flows.decision.signature import SIGNERS
from flows.engine.perform import Plainly
from flows.engine.request import begin
from flows.gitops import approvals as branch
from flows.gitops import manifest_repo
from flows.orchestration import pipeline
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.project.settings import Settings
from sluice.gitops.approvals import APPROVE, NOBODY, Count, Question
from sluice.gitops.evidence import Evidence, write_evidence
from sluice.policy import EXCLUDED, ApprovalPolicy
from support.git_repos import ONE
from support.signing import protect, signer

TODAY = datetime.datetime.now(datetime.UTC).date()
TWO_PEOPLE = ApprovalPolicy(2)
DIGEST = "sha256:" + "d" * 64
POLICY = "a" * 64


def allow(project: Path, people: Mapping[str, Path]) -> None:
    """Let the protected branch allow these people, and nobody else."""
    protect(project, "".join(signer(name, path) for name, path in people.items()), SIGNERS)


def author(name: str, key: Path | None) -> Author:
    return Author(f"{name} <{name}@example.com>", key=str(key) if key else "")


def question(
    given: Settings, text: str = "good", override: str | None = None, **changed: Any
) -> Question:
    """What release 1 asks; `text` and `override` make other evidence, which the registry has."""
    image = manifest_repo.image_name(given, "attrition")
    place = registry.place(image, given.home / "registry")
    told = Evidence(model="attrition", title=text, seals={"policy": POLICY}, override=override)
    files = {"evidence.json": write_evidence(told).encode(), "evidence.html": text.encode()}
    digest = registry.push_files(place, f"{ONE}.evidence-{text}", files, "application/x", {})
    asked = Question(
        model="attrition",
        overlay="production",
        release=1,
        tag=ONE,
        digest=DIGEST,
        image=image,
        evidence=digest,
        policy=POLICY,
        champion=NOBODY,
        makers=("maker@example.com",),
        required=2,
        own=EXCLUDED,
    )
    return structs.replace(asked, **changed)


def answered(given: Settings, asked: Question, who: Author, decision: str = APPROVE) -> str:
    """Somebody answers; the commit."""
    if branch.waiting(given, asked.model) != asked:
        branch.ask(given, asked)
    return branch.answer(given, asked, decision, who, "because").commit


def counted(given: Settings, asked: Question, needed: ApprovalPolicy = TWO_PEOPLE) -> Count:
    return approvals.counted(given, asked, needed, TODAY)


def names(count: Count) -> list[str]:
    return [voice.signer for voice in count.approved]


def voids(count: Count) -> list[str]:
    return [voice.void for voice in count.void]


def train() -> None:
    """Do the steps up to the model, as a release does them first."""
    request = begin(settings.load(), real_tools(), "attrition")
    pipeline.train(request, Plainly(request.settings.home, "attrition"))
