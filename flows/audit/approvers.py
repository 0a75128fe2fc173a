"""The approvals of a release that is live, read back: each is a commit that somebody signed whom
the protected branch allowed. None of it is believed because the manifest repo says so.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flows.adapters.process import CommandFailed
from flows.decision import signature
from flows.gitops import approvals
from flows.gitops.approvals import Answers
from flows.project import protected_branch
from flows.project.settings import Settings
from sluice.gitops.approvals import APPROVE, REJECT, principal, rejection
from sluice.gitops.history import Event
from sluice.gitops.trailers import Statement
from sluice.policy import EXCLUDED, ApprovalPolicy

_NAMED = re.compile(r"(\S+) in ([0-9a-f]{40,64})")


@dataclass(frozen=True)
class ReadBack:
    """The people whose approvals of a release hold, sorted, and what is wrong with the rest."""

    people: tuple[str, ...]
    problems: tuple[str, ...]


def read_back(
    settings: Settings, event: Event, overlay: str, needed: ApprovalPolicy
) -> ReadBack | None:
    """What holds of the approvals that a release needed; None where it needed and names none."""
    named = _NAMED.findall(event.trailers.get("Approved", ""))
    if not needed.required and not named:
        return None
    ref = event.trailers.get("Approvers-Of", "")
    unknown = _unknown(settings, ref)
    if unknown:
        return ReadBack((), (f"nobody here can say who might approve: {unknown}",))
    people: set[str] = set()
    problems: list[str] = []
    with approvals.opened(settings, event.model) as answers:
        problems += _rejections(answers, event, overlay)
        said = {voice.commit: voice.said for voice in answers.voices}
        for who, commit in named:
            wrong = _wrong(said.get(commit), event, overlay)
            if not wrong and _signer(settings, answers, event, commit, ref) != who:
                wrong = f"its commit is not signed by {who}, or {ref[:12]} does not allow them"
            if not wrong and needed.makers == EXCLUDED and who in _makers(said[commit]):
                wrong = f"{who} made the release"
            if wrong:
                problems.append(f"the approval {commit[:12]} of {who} does not hold: {wrong}")
            else:
                people.add(who)
    if len(people) < needed.required:
        problems.append(f"{len(people)} people approved it; {needed.required} are required")
    return ReadBack(tuple(sorted(people)), tuple(problems))


def _unknown(settings: Settings, ref: str) -> str:
    """Why the commit that allows the approvers is none of the protected branch; empty where it
    is.
    """
    if not ref:
        return "the commit names no commit of the protected branch"
    protected = protected_branch.find(settings.project, settings.protected_ref)
    if protected is None or not protected.tip:
        return protected.unknown if protected else "the project is not in git"
    try:
        base = protected_branch.answer(settings.project, "merge-base", ref, protected.tip)
    except CommandFailed:
        base = ""
    if base != ref:
        return f"{ref[:12]} is no commit of {protected.named}"
    return ""


def _rejections(answers: Answers, event: Event, overlay: str) -> Iterator[str]:
    for voice in answers.voices:
        said = voice.said
        about = (said.overlay, said.evidence_hash)
        if said.decision == REJECT and about == (overlay, event.fields.evidence_hash):
            yield rejection(voice)


def _wrong(said: Statement | None, event: Event, overlay: str) -> str:
    """Why a statement does not approve this release; empty where it does."""
    if said is None:
        return f"branch {approvals.BRANCH} has no such statement"
    if said.decision != APPROVE:
        return "it rejects"
    about = (said.overlay, said.evidence_hash, said.image_digest, said.release)
    if about != (overlay, event.fields.evidence_hash, event.digest, event.release):
        return "it is about another overlay, evidence, image or release"
    return ""


def _signer(settings: Settings, answers: Answers, event: Event, commit: str, ref: str) -> str:
    """Who signed it, of those whom the protected branch allowed on the day of the release."""
    day = datetime.datetime.fromisoformat(event.date).astimezone(datetime.UTC).date()
    who = signature.allowed(settings.project, ref)
    return principal(signature.signer_in(answers.repository / "objects", commit, who, day))


def _makers(said: Statement) -> set[str]:
    return {principal(maker) for maker in said.made_by.split(", ")}
