"""Whether enough people stand behind a signed file, where the policy asks for several.

Who signed the file is one of them. Each of the others says so on the branch where people answer
(`flows/gitops/approvals.py`), in a signed commit that names the hash of all that they were shown:
the file, and what follows from it. It is stale where that, the policy or the champion is another.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from flows.adapters.git.git import Author
from flows.decision import approvals
from flows.decision.signed_file import Signed
from flows.gitops import approvals as branch
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops.approvals import Count, Question, Voice, principal, short, statement
from sluice.identity import canonical
from sluice.policy import INCLUDED, ApprovalPolicy


@dataclass(frozen=True)
class Matter:
    """What people are asked: the question, the decision that answers it, and who signed the file.

    The number counts distinct people. Who made a release is asked of a release alone.
    """

    question: Question
    decision: str
    signed: Signed

    @property
    def needed(self) -> ApprovalPolicy:
        """How many, with the signer of the file."""
        return ApprovalPolicy(self.question.required, INCLUDED)


def hash_of(shown: Mapping[str, object]) -> str:
    """The hash of all that people are shown, in the place of that of an evidence."""
    return f"sha256:{sha256(canonical(shown)).hexdigest()}"


def counted(settings: Settings, matter: Matter, today: datetime.date) -> Count:
    """Who stands behind it, the signer of the file first. Raises as `approvals.counted`."""
    found = approvals.counted(settings, matter.question, matter.needed, today, matter.decision)
    own = principal(matter.signed.signer)
    twice = [one for one in found.approved if principal(one.signer) == own]
    others = tuple(one for one in found.approved if principal(one.signer) != own)
    void = [replace(one, void=f"{own} signed the file already") for one in twice]
    return Count(found.required, (_first(matter), *others), found.rejected, (*found.void, *void))


def _first(matter: Matter) -> Voice:
    """The signature of the file, as the statement that it is."""
    signed = matter.signed
    said = statement(matter.question, matter.decision, signed.signer)
    return Voice(signed.commit, "", said, signer=signed.signer)


def require(settings: Settings, matter: Matter, today: datetime.date, how: str) -> str:
    """Who else stands behind it, each with the commit, as one text; `how` is the command by which
    people do.

    Empty where the signature of the file is enough: then nothing is read. Raises Refused where too
    few do.
    """
    if matter.question.required <= 1:
        return ""
    found = counted(settings, matter, today)
    if not found.enough:
        void = "".join(f"; one of {one.said.by} does not count: {one.void}" for one in found.void)
        raise Refused(
            f"{found.sentence} of {short(matter.question.evidence)}; the policy asks for"
            f" {found.required}{void}",
            f"Let others read and approve it: `{how}`.",
        )
    _, *others = found.approved
    return ", ".join(f"{principal(one.signer)} in {one.commit}" for one in others)


def approve(settings: Settings, matter: Matter, who: Author, today: datetime.date) -> Count:
    """Stand behind it in a signed commit of `who`; who does then.

    Raises UsageError where nobody else is asked or no key signs, Refused where it does not count.
    """
    if matter.question.required <= 1:
        raise UsageError(
            f"the policy asks for {matter.question.required} approvals, and the signature of the"
            " file is enough",
            "Move the anchor with `sluice anchor set RELEASE`.",
        )
    if not who.key:
        raise UsageError(
            "an approval is signed, and no key is set",
            "Set SLUICE_SIGNING_KEY, or `git config user.signingkey` in the project.",
        )
    said = statement(matter.question, matter.decision, who.author)
    written = branch.say(settings, who, said)
    found = counted(settings, matter, today)
    mine = [one for one in found.void if one.commit == written.commit]
    if mine:
        raise Refused(
            f"the approval is recorded as {written.commit[:12]}, and does not count:"
            f" {mine[0].void}",
            "Somebody else has to approve it, whom the protected branch allows.",
        )
    return found
