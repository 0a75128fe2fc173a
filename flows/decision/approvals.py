"""Whether enough people approved the evidence of a release: those whom the tip of the protected
branch allows, by the check that an override has to pass.

How many are needed is said by the policy of the release and by that of the protected branch; the
stricter of both holds. An approval waives no rule: the verdict is decided anew before it is asked.
"""

import datetime
from pathlib import Path

from msgspec import structs

from flows.decision import signature
from flows.decision.signature import Allowed
from flows.gitops import approvals, manifest_repo
from flows.gitops.approvals import Answers
from flows.project import protected_branch
from flows.project.protected_branch import Protected
from flows.project.settings import Settings
from sluice.errors import Refused
from sluice.gitops import trailers
from sluice.gitops.approvals import (
    APPROVE,
    Count,
    Question,
    count,
    principal,
    rejection,
    short,
    stricter,
)
from sluice.policy import INCLUDED, ApprovalPolicy, load_approvals

UNAPPROVED = "held for approval"  # how a release ends that people have still to approve
_MANY = 200  # commits of a change set of which authors are asked
_NOBODY = Allowed("", "", "")
NOT_ASKED = Count(0, (), None, ())
NO_PEOPLE = ApprovalPolicy(0, INCLUDED)  # stricter than no other policy


def policy(settings: Settings, model: str, own: ApprovalPolicy) -> ApprovalPolicy:
    """What a release of a model has to have: what its own policy asks for, and that of the tip of
    the protected branch. Nothing is asked for another overlay than production.

    Where no protected branch is known, a change could ask for nobody in itself. Then what the
    newest question on the branch of the manifest repo asked for holds as well.
    """
    if settings.overlay != manifest_repo.PRODUCTION:
        return ApprovalPolicy()
    protected = protected_branch.find(settings.project, settings.protected_ref)
    path = f"models/{model}/policy.toml"
    tip = protected.tip if protected else ""
    reviewed = protected_branch.text(settings.project, tip, path)
    if not reviewed:
        return stricter(own, _asked_before(settings, model))
    return stricter(own, load_approvals(reviewed, f"{path} of {tip[:12]}"))


def _asked_before(settings: Settings, model: str) -> ApprovalPolicy:
    """What the newest release that asked people had to have."""
    before = approvals.waiting(settings, model)
    return ApprovalPolicy(before.required, before.own) if before else NO_PEOPLE


def makers(settings: Settings) -> tuple[str, ...]:
    """The addresses of those who made what is released: who wrote or committed what the protected
    branch does not have, or else the newest commit, and who runs it.
    """
    project = settings.project
    protected = protected_branch.find(project, settings.protected_ref)
    found = {settings.who.lower()}
    if protected is not None:
        span = "HEAD"
        if protected.base and not protected.unfit:
            span = f"{protected.base}..HEAD"
        limit = "1" if span == "HEAD" else str(_MANY)
        words = ("log", f"--max-count={limit}", "--format=%ae%n%ce", span, "--")
        found |= set(protected_branch.answer(project, *words).lower().split())
    return tuple(sorted(found))


def counted(
    settings: Settings,
    question: Question,
    needed: ApprovalPolicy,
    today: datetime.date,
    wanted: str = APPROVE,
) -> Count:
    """What people said to a question, by the signers of the tip of the protected branch.

    Raises Refused where nothing says who may sign.
    """
    protected = _required(settings)
    who = signature.allowed(settings.project, protected.tip)
    with approvals.opened(settings, question.model) as answers:
        return count_in(answers, question, needed, who, today, wanted)


def require(
    settings: Settings, question: Question, needed: ApprovalPolicy, today: datetime.date
) -> Count:
    """What people said, and the question put where they find it, where it is not there yet.

    Where nobody is asked, nothing is read. Raises Refused where the evidence was rejected, or
    nothing says who may sign.
    """
    if not needed.required:
        return NOT_ASKED
    found = counted(settings, question, needed, today)
    if found.rejected:
        raise Refused(
            rejection(found.rejected),
            "That is final for this evidence. Release again from other data, code or policy.",
        )
    if not found.enough and approvals.waiting(settings, question.model) != question:
        approvals.ask(settings, question)
    return found


def sentence(question: Question, found: Count) -> str:
    """What a release waits for, and how it goes on."""
    stale = [voice for voice in found.void if voice.said.release == question.release]
    void = "".join(f"; one of {voice.said.by} does not count: {voice.void}" for voice in stale)
    return (
        f"it waits for approvals: {found.sentence} of evidence {short(question.evidence)}{void}."
        f" `sluice approve {question.model}` approves it, `sluice reject {question.model} --reason"
        " TEXT` ends it"
    )


def with_names(settings: Settings, record: trailers.Promotion, found: Count) -> trailers.Promotion:
    """The trailers of a promotion with who approved it, each with the commit, and the commit of the
    protected branch that allows them.
    """
    if not found.required:
        return record
    names = ", ".join(f"{principal(voice.signer)} in {voice.commit}" for voice in found.approved)
    return structs.replace(record, approved=names, approvers_of=_required(settings).tip)


def _required(settings: Settings) -> Protected:
    """The protected branch, fit to say who may approve."""
    protected = protected_branch.find(settings.project, settings.protected_ref)
    why = "the project is not in git"
    if protected is not None:
        why = protected.unknown or protected.unfit
        if not why:
            return protected
    raise Refused(
        f"the policy asks for approvals, and nothing says who may approve: {why}",
        "Set SLUICE_PROTECTED_REF to the branch that is reviewed, such as origin/main~1.",
    )


def count_in(
    answers: Answers,
    question: Question,
    needed: ApprovalPolicy,
    who: Allowed,
    today: datetime.date,
    wanted: str = APPROVE,
) -> Count:
    """What the answers on the branch come to, while it is open, by those who may sign."""
    objects = Path(answers.repository) / "objects"

    def signed(commit: str) -> str:
        return signature.signer_in(objects, commit, who, today)

    return count(question, answers.voices, needed, signed, wanted)
