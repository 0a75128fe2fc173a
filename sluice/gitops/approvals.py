"""Approvals: what people said of the evidence of a release, and whether that lets it go live.

A release asks (`Question`). Each answer is a commit whose message is its statement and nothing
else, so the signature of the commit is one on the statement. It names everything that it is about:
copied to another place it still speaks of the same evidence, model and overlay.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from sluice.gitops import trailers
from sluice.gitops.trailers import Statement
from sluice.policy import EXCLUDED, INCLUDED, ApprovalPolicy

APPROVE, REJECT, HEALTHY, ANCHOR = "approve", "reject", "healthy", "anchor"
NOBODY = "none"  # in the place of a champion, where nothing is live
_SHORT = 12  # characters of a hash that people are shown
_SUBJECTS = {
    APPROVE: "Approve",
    REJECT: "Reject",
    HEALTHY: "Vouch for the health of",
    ANCHOR: "Approve as the anchor",
}
# What a question and a statement have to agree on, by their fields, and how it is called where they
# do not. The first that differs is named, so what explains the others comes first.
_ABOUT = (
    ("model", "model", "it is about another model, {was}"),
    ("overlay", "overlay", "it is about another overlay, {was}"),
    ("champion", "champion", "it is stale: the champion is {now} by now, and was {was}"),
    ("policy", "policy_hash", "it is stale: the policy is {now} by now, and was {was}"),
    ("evidence", "evidence_hash", "it is stale: the evidence is {now} by now, and was {was}"),
    ("digest", "image_digest", "it is about another image, {was}"),
    ("release", "release", "it is about another release, {was}"),
)


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a release waits with, as the newest one of a model and overlay asked it.

    `digest` is that of the image, `champion` that of what is live (`none` for nothing), `evidence`
    the digest of the evidence in the registry, `policy` the SHA-256 of policy.toml. `makers` are
    the addresses of those who made the release, `required` is how many people have to approve,
    `own` whether those who made it may (`excluded` or `included`).
    """

    schema: int = 1
    model: str
    overlay: str
    release: int
    tag: str
    digest: str
    image: str
    evidence: str
    policy: str
    champion: str
    makers: tuple[str, ...]
    required: int
    own: str


def statement(question: Question, decision: str, by: str, reason: str = "") -> Statement:
    """The answer to a question."""
    return Statement(
        decision=decision,
        model=question.model,
        overlay=question.overlay,
        release=question.release,
        candidate=question.tag,
        image_digest=question.digest,
        evidence_hash=question.evidence,
        policy_hash=question.policy,
        champion=question.champion,
        made_by=", ".join(question.makers),
        by=by,
        reason=" ".join(reason.split()),
    )


def message(said: Statement) -> str:
    """The message of the commit that says it; `read` takes no other."""
    subject = f"{_SUBJECTS[said.decision]} release {said.release} of {said.model}"
    body = said.reason or "The evidence was read."
    return trailers.commit_message(f"{subject}: {said.candidate}", body, trailers.pairs(said))


def read(text: str) -> Statement | None:
    """The statement that a message is, to the last character; None where it is none."""
    try:
        said = msgspec.convert(trailers.read_trailers(text), Statement, strict=False)
    except msgspec.ValidationError:
        return None
    if said.decision not in _SUBJECTS or message(said).strip() != text.strip():
        return None
    return said


@dataclass(frozen=True)
class Voice:
    """A statement, the commit that makes it and its date in ISO 8601; `signer` is who signed it of
    those who may, and `void` why it does not count. Both are empty where there is none.
    """

    commit: str
    date: str
    said: Statement
    signer: str = ""
    void: str = ""


@dataclass(frozen=True)
class Count:
    """What came of a question: who approved, what ended it (None where nothing did), what does not
    count, and how many people are needed.
    """

    required: int
    approved: tuple[Voice, ...]
    rejected: Voice | None
    void: tuple[Voice, ...]

    @property
    def enough(self) -> bool:
        """Whether the release may go live, as far as people are asked."""
        return self.rejected is None and len(self.approved) >= self.required

    @property
    def sentence(self) -> str:
        """Where it stands."""
        if self.rejected:
            return rejection(self.rejected)
        names = ", ".join(voice.signer for voice in self.approved)
        by = f" ({names})" if names else ""
        return f"{len(self.approved)} of {self.required} approvals{by}"


def rejection(voice: Voice) -> str:
    """Who rejected the evidence and why."""
    who = voice.signer or f"{voice.said.by} (not signed by anybody who may approve)"
    return f"{who} rejected the evidence {short(voice.said.evidence_hash)}: {voice.said.reason}"


def short(value: object) -> str:
    """A digest or hash as people are shown it."""
    text = str(value).removeprefix("sha256:")
    return text[:_SHORT] if len(text) >= 40 else text


def stricter(one: ApprovalPolicy, other: ApprovalPolicy) -> ApprovalPolicy:
    """What both ask for: nobody lowers a number by changing it in the change that it judges."""
    both = one.makers == other.makers == INCLUDED
    return ApprovalPolicy(max(one.required, other.required), INCLUDED if both else EXCLUDED)


def principal(signer: str) -> str:
    """Who a signer is, whichever key signed: the address, in lower case."""
    _, bracket, address = signer.rpartition("<")
    return (address.rstrip(">") if bracket else signer).strip().lower()


def count(
    question: Question,
    voices: Sequence[Voice],
    policy: ApprovalPolicy,
    signed: Callable[[str], str],
    wanted: str = APPROVE,
) -> Count:
    """What came of a question; `voices` are the oldest first, and `signed` says who signed a commit
    of those who may (empty for nobody). It is asked of no commit that does not count anyway.
    `wanted` is the decision that is counted: an approval of a release, one of a move of the anchor,
    or that what is live is healthy.

    A rejection needs no signature: whoever may write there can stop a release, and nobody can let
    one go. It is final for its evidence, whatever was said before or is said later.
    """
    approved: dict[str, Voice] = {}
    rejected: Voice | None = None
    void: list[Voice] = []
    for voice in voices:
        if voice.said.decision == REJECT:
            if rejected is None and _is_of(question, voice.said):
                rejected = _with(voice, signer=signed(voice.commit))
            continue
        if voice.said.decision != wanted:
            continue
        why = _differs(question, voice.said)
        signer = "" if why else signed(voice.commit)
        why = why or _not_counted(question, voice.said, signer, policy, approved)
        if why:
            void.append(_with(voice, signer=signer, void=why))
        else:
            approved[principal(signer)] = _with(voice, signer=signer)
    return Count(policy.required, tuple(approved.values()), rejected, tuple(void))


def _with(voice: Voice, *, signer: str, void: str = "") -> Voice:
    return Voice(voice.commit, voice.date, voice.said, signer, void)


def _is_of(question: Question, said: Statement) -> bool:
    """Whether a rejection is about this evidence."""
    wanted = (question.model, question.overlay, question.evidence)
    return (said.model, said.overlay, said.evidence_hash) == wanted


def _differs(question: Question, said: Statement) -> str:
    """What an approval is about instead; empty where it is about this question."""
    for asked, answered, what in _ABOUT:
        now, was = getattr(question, asked), getattr(said, answered)
        if now != was:
            return what.format(now=short(now), was=short(was))
    return ""


def _not_counted(
    question: Question,
    said: Statement,
    signer: str,
    policy: ApprovalPolicy,
    approved: dict[str, Voice],
) -> str:
    """Why an approval of this very evidence does not count; empty where it does."""
    if not signer:
        return "its commit is signed by nobody who may approve"
    who = principal(signer)
    makers = {principal(maker) for maker in (*question.makers, *said.made_by.split(", "))}
    if policy.makers == EXCLUDED and who in makers:
        return f"{who} made this release, and the policy lets nobody approve their own"
    if who in approved:
        return f"{who} approved it already, in commit {approved[who].commit[:_SHORT]}"
    return ""
