"""A person looks at what waits, and says something to it.

The question lies on a branch that others write to, so it is held against the evidence that the
registry has under the hash which it names: nobody is asked to sign what cannot be read.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.files import write_atomic
from flows.adapters.git.git import Author
from flows.adapters.registry import registry
from flows.decision import signature
from flows.decision.approvals import count_in
from flows.decision.signature import Allowed
from flows.gitops import approvals, manifest_repo
from flows.gitops.manifest_repo import Live
from flows.project import protected_branch
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops.approvals import APPROVE, REJECT, Count, Question, short
from sluice.gitops.evidence import NAME, Evidence, read_evidence
from sluice.policy import ApprovalPolicy

_PAGE = "evidence.html"
_LEAST = 7  # characters of a hash that is abbreviated
_NOBODY = Allowed("", "", "")


@dataclass(frozen=True)
class Waiting:
    """What waits, what was said to it, and its evidence; `page` is the file in which people read
    it. `unsure` says why nobody here knows who may approve; empty where that is known.
    """

    question: Question
    count: Count
    evidence: Evidence
    page: Path
    unsure: str = ""


@dataclass(frozen=True)
class Rejection:
    """Why the evidence is rejected, and who says so; without a key nobody signs it."""

    who: Author
    reason: str


@dataclass(frozen=True)
class Asked:
    """What waits, and what was said to it."""

    question: Question
    count: Count
    unsure: str = ""


def asked(settings: Settings, model: str, live: Live | None, today: datetime.date) -> Asked | None:
    """What waits, without its evidence; None where nothing does, or what did is live by now.

    A clone at the tip of the protected branch itself can look, too.
    """
    question = approvals.waiting(settings, model)
    if question is None or (live is not None and live.release >= question.release):
        return None
    protected = protected_branch.find(settings.project, settings.protected_ref)
    unsure = protected.unknown if protected else "the project is not in git"
    who = _NOBODY
    if protected is not None and protected.tip:
        who = signature.allowed(settings.project, protected.tip)
    needed = ApprovalPolicy(question.required, question.own)
    with approvals.opened(settings, model) as answers:
        count = count_in(answers, question, needed, who, today)
    return Asked(question, count, unsure)


def waiting(settings: Settings, model: str, today: datetime.date) -> Waiting | None:
    """What waits, with its evidence; None where nothing does.

    Raises Refused where the registry has other evidence than the question says, or none.
    """
    found = asked(settings, model, manifest_repo.live(settings, model), today)
    if found is None:
        return None
    evidence, page = _evidence(settings, found.question)
    return Waiting(found.question, found.count, evidence, page, found.unsure)


def require_waiting(settings: Settings, model: str, evidence: str, today: datetime.date) -> Waiting:
    """The same where something has to wait, with the evidence that is named, if one is.

    Raises UsageError where nothing waits, Refused where other evidence does.
    """
    found = waiting(settings, model, today)
    if found is None:
        raise UsageError(
            f"nothing of {model} waits for approvals{manifest_repo.place(settings, 'in')}",
            "A release asks for them where its policy says [approvals] required.",
        )
    wanted, there = _bare(evidence), _bare(found.question.evidence)
    if wanted and (len(wanted) < _LEAST or not there.startswith(wanted)):
        raise Refused(
            f"evidence {evidence!r} does not wait; that of release {found.question.release} is"
            f" {short(found.question.evidence)}",
            f"Read it first: `sluice approvals {model}` says where it lies.",
        )
    return found


def approve(settings: Settings, question: Question, today: datetime.date) -> Waiting:
    """Approve what waits in a signed commit; what waits then.

    Raises UsageError where no key signs, Refused where the approval does not count.
    """
    who = author(settings)
    if not who.key:
        raise UsageError(
            "an approval is signed, and no key is set",
            "Set SLUICE_SIGNING_KEY, or `git config user.signingkey` in the project.",
        )
    written = approvals.answer(settings, question, APPROVE, who)
    after = require_waiting(settings, question.model, question.evidence, today)
    mine = [voice for voice in after.count.void if voice.commit == written.commit]
    if mine and not after.unsure:
        raise Refused(
            f"the approval is recorded as {written.commit[:12]}, and does not count:"
            f" {mine[0].void}",
            f"`sluice approvals {question.model}` shows what counts.",
        )
    return after


def reject(
    settings: Settings, question: Question, said: Rejection, today: datetime.date
) -> Waiting:
    """Reject what waits; what is said of it then."""
    approvals.answer(settings, question, REJECT, said.who, said.reason)
    return require_waiting(settings, question.model, question.evidence, today)


def _bare(digest: str) -> str:
    return digest.strip().lower().removeprefix("sha256:")


def author(settings: Settings) -> Author:
    """Who speaks: SLUICE_AUTHOR and SLUICE_SIGNING_KEY, or what git knows of a person here."""
    given = settings.signature
    if given.key:
        return given
    key, name, address, kind = (
        protected_branch.answer(settings.project, "config", "--get", setting)
        for setting in ("user.signingkey", "user.name", "user.email", "gpg.format")
    )
    who = f"{name} <{address}>" if name and address else given.author
    return Author(who, key=key, format=kind or "openpgp")


def _evidence(settings: Settings, question: Question) -> tuple[Evidence, Path]:
    """The evidence that a question names, and the page that people read, laid out here.

    Raises Refused where the registry has none, or one about something else.
    """
    place = registry.place(question.image, settings.home / "registry", settings.registry_timeout)
    what = f"evidence {short(question.evidence)} of release {question.release}"
    fix = f"Release {question.model} again: it asks anew, with its evidence in the registry."
    if not registry.digest(place, question.evidence):
        raise Refused(f"the registry has no {what}, so nobody can read it", fix)
    files = registry.pull_files(place, question.evidence)
    try:
        evidence = read_evidence(files[NAME])
        page = files[_PAGE]
    except (ValueError, KeyError) as error:
        raise Refused(f"{what} cannot be read: {error}", fix) from None
    sealed = (evidence.seals or {}).get("policy", "")
    if (evidence.model, sealed) != (question.model, question.policy):
        raise Refused(f"{what} is about another model or policy than the question", fix)
    path = settings.home / "approvals" / question.model / _PAGE
    write_atomic(path, page)
    return evidence, path
