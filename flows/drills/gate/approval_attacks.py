"""Approvals that must not let a release go live: each is tried where Anna has approved, two people
have to, and Berta's honest approval would be enough.

Who attacks can push to the manifest repo and to a branch of their own, and knows all that was said
before. Mallory may not sign.
"""

import datetime
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from flows.adapters.git.git import Author
from flows.decision import approvals
from flows.decision.signature import REVOKED, SIGNERS
from flows.drills.gate import forgeries
from flows.drills.gate.forgeries import Signing
from flows.gitops import approvals as branch
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError
from sluice.gitops.approvals import APPROVE, NOBODY, REJECT, Count, Question, statement
from sluice.policy import ApprovalPolicy, load_approvals

APPROVAL_RULE = "approvals"
_MODEL = "model"
_POLICY = f"models/{_MODEL}/policy.toml"
_ASKS = "[approvals]\nrequired = 2\n"
_ANNA, _BERTA, _MALLORY = "anna", "berta", "mallory"
_AGAIN = "again"  # another key of Anna, under her address in capitals


@dataclass(frozen=True)
class World:
    """A manifest repo with a question that Anna has approved, and a project whose protected branch
    allows Anna and Berta and asks for two people; everything lies under the home of `settings`.
    """

    settings: Settings
    signing: Signing
    question: Question

    def author(self, name: str, key: str = "") -> Author:
        """Somebody, who signs with their own key or with that of another."""
        return Author(f"{name} <{name}@example.com>", key=str(self.signing.keys / (key or name)))

    def approve(self, author: Author, question: Question | None = None) -> None:
        """Let somebody approve what waits, or say that of another question."""
        asked = question or self.question
        branch.say(self.settings, author, statement(asked, APPROVE, author.author))


@dataclass(frozen=True)
class ApprovalAttack:
    """What somebody does in the place of Berta's honest approval."""

    name: str
    attack: Callable[[World], World]


def approval_attacks() -> Iterator[ApprovalAttack]:
    """All of them."""
    yield ApprovalAttack("one approval where two are asked", _nothing)
    yield ApprovalAttack("an approval that nobody signed", _unsigned)
    yield ApprovalAttack("an approval that a stranger signed", _by_a_stranger)
    yield ApprovalAttack("an approval in another's name", _in_her_name)
    yield ApprovalAttack("one person who approves twice", _twice)
    yield ApprovalAttack("one person with two keys", _with_two_keys)
    yield ApprovalAttack("an approval of other evidence", _stale("evidence", f"sha256:{'9' * 64}"))
    yield ApprovalAttack("an approval under another policy", _stale("policy", "9" * 64))
    yield ApprovalAttack(
        "an approval beside another champion", _stale("champion", f"sha256:{'8' * 64}")
    )
    yield ApprovalAttack("an approval for another overlay", _said_of("overlay", "staging"))
    yield ApprovalAttack("an approver who was removed since", _removed)
    yield ApprovalAttack("an approver whose key was revoked", _revoked)
    yield ApprovalAttack("an approver who made the release", _own_release)
    yield ApprovalAttack("an approver who adds the own key in the same change", _own_key)
    yield ApprovalAttack("a change that asks for one person in itself", _asks_for_one)
    yield ApprovalAttack("approvals after a rejection", _outvoted)


def begun(folder: Path, today: datetime.date) -> World:
    """A world under `folder`, begun where none is.

    Raises NotHere where this machine cannot sign, SluiceError where two honest approvals are not
    enough: then no attack would prove anything.
    """
    signing = Signing(folder / "project", folder / "keys")
    settings = Settings(
        home=folder,
        project=signing.project,
        protected_ref=signing.ref,
        manifests="",
        registry="",
        overlay=manifest_repo.PRODUCTION,
        mode="push",
    )
    there = World(settings, signing, _question())
    made = folder / "made"
    if made.exists():
        return there
    shutil.rmtree(folder, ignore_errors=True)
    forgeries.signed(signing, {_POLICY: _ASKS})
    for name in (_BERTA, _AGAIN):
        forgeries.make_key(signing, name)
    forgeries.protect(signing, {SIGNERS: _allowed(signing, _ANNA, _BERTA)})
    manifest_repo.seed(settings)
    branch.ask(settings, there.question)
    there.approve(there.author(_ANNA))
    honest = copied(there, folder.with_name(f"{folder.name} honest"))
    honest.approve(honest.author(_BERTA))
    found = _counted(honest, today)
    if not found.enough:
        raise SluiceError(f"two approvals are {found.sentence}", "This is a fault.")
    made.touch()
    return there


def copied(there: World, folder: Path) -> World:
    """The same world in a folder of its own, to be attacked there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(there.settings.home, folder, symlinks=True)
    signing = replace(there.signing, project=folder / "project", keys=folder / "keys")
    settings = there.settings.model_copy(update={"home": folder, "project": signing.project})
    return replace(there, settings=settings, signing=signing)


def unapproved(attack: ApprovalAttack, there: World, today: datetime.date) -> str:
    """Why a release does not go live after the attack; empty where it would."""
    attacked = attack.attack(there)
    try:
        found = _counted(attacked, today)
    except Refused as error:
        return error.what
    if found.enough:
        return ""
    void = "".join(f"; {voice.said.by}: {voice.void}" for voice in found.void)
    return f"{found.sentence}{void}"


def _counted(there: World, today: datetime.date) -> Count:
    """What a release counts, by the policy of the change and by that of the protected branch."""
    path = there.signing.project / _POLICY
    own = load_approvals(path.read_text(encoding="utf-8")) if path.is_file() else ApprovalPolicy()
    needed = approvals.policy(there.settings, _MODEL, own)
    return approvals.counted(there.settings, there.question, needed, today)


def _question() -> Question:
    return Question(
        model=_MODEL,
        overlay=manifest_repo.PRODUCTION,
        release=1,
        tag="1" * 16,
        digest=f"sha256:{'1' * 64}",
        image="localhost/drill",
        evidence=f"sha256:{'2' * 64}",
        policy="3" * 64,
        champion=NOBODY,
        makers=("maker@example.com",),
        required=2,
        own="excluded",
    )


def _allowed(signing: Signing, *names: str) -> str:
    """The lines of these people in the list of who may sign, and Anna's other key."""
    lines = [forgeries.allowed(signing, name) for name in names]
    lines.append(f"ANNA@example.com {forgeries.public(signing, _AGAIN)}")
    return "".join(lines)


def _nothing(there: World) -> World:
    return there


def _unsigned(there: World) -> World:
    there.approve(replace(there.author(_BERTA), key=""))
    return there


def _by_a_stranger(there: World) -> World:
    there.approve(there.author(_MALLORY))
    return there


def _in_her_name(there: World) -> World:
    there.approve(there.author(_BERTA, key=_MALLORY))
    return there


def _twice(there: World) -> World:
    there.approve(there.author(_ANNA))
    return there


def _with_two_keys(there: World) -> World:
    there.approve(there.author(_ANNA, key=_AGAIN))
    return there


def _stale(field: str, now: str) -> Callable[[World], World]:
    """Both approve honestly, and then what they were asked about is another."""

    def attack(there: World) -> World:
        there.approve(there.author(_BERTA))
        return replace(there, question=structs.replace(there.question, **{field: now}))

    return attack


def _said_of(field: str, other: str) -> Callable[[World], World]:
    """Berta says it of something else, which is brought here."""

    def attack(there: World) -> World:
        there.approve(there.author(_BERTA), structs.replace(there.question, **{field: other}))
        return there

    return attack


def _removed(there: World) -> World:
    there.approve(there.author(_BERTA))
    forgeries.protect(there.signing, {SIGNERS: _allowed(there.signing, _ANNA)})
    return there


def _revoked(there: World) -> World:
    there.approve(there.author(_BERTA))
    forgeries.protect(there.signing, {REVOKED: forgeries.public(there.signing, _BERTA)})
    return there


def _own_release(there: World) -> World:
    """Berta is told from the commits of the change to be one who made it."""
    makers = (*there.question.makers, "Berta@example.com")
    question = structs.replace(there.question, makers=makers)
    there.approve(there.author(_ANNA), question)
    there.approve(there.author(_BERTA), question)
    return replace(there, question=question)


def _own_key(there: World) -> World:
    allowed = _allowed(there.signing, _ANNA, _BERTA, _MALLORY)
    forgeries.commit(there.signing, {SIGNERS: allowed})
    return _by_a_stranger(there)


def _asks_for_one(there: World) -> World:
    forgeries.commit(there.signing, {_POLICY: _ASKS.replace("2", "1")})
    return there


def _outvoted(there: World) -> World:
    """Somebody without a key ended it, and two approve all the same."""
    anybody = Author("Carl <carl@example.com>")
    said = statement(there.question, REJECT, anybody.author, "the data are of another year")
    branch.say(there.settings, anybody, said)
    there.approve(there.author(_BERTA))
    return there
