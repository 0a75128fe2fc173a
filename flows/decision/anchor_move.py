"""Moving the anchor needs what an override needs: a signed file in git, until a day.

    overrides/<model>/anchor.toml    anchor, instead_of (tags), reason, expires (a date)

For another overlay than production it is overrides/<model>/<overlay>/anchor.toml. How far the
release may fall behind the anchor before is said by the policy of the protected branch, not by that
of the change which is judged. Where a policy asks for several people before production, as many
have to stand behind the move: `cosigned.py`.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from msgspec import Struct, structs

from flows.adapters.git.git import Author
from flows.adapters.registry import registry
from flows.decision import approvals, cosigned, signed_file
from flows.decision.cosigned import Matter
from flows.decision.signed_file import Signed
from flows.gitops import anchor, manifest_repo
from flows.gitops.anchor import Approval, Pair
from flows.gitops.writer import Written
from flows.project import protected_branch
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops import anchor_fall
from sluice.gitops.anchor_fall import Fall, Measured
from sluice.gitops.approvals import ANCHOR, NOBODY, Count, Question
from sluice.gitops.evidence import NAME, Evidence, read_evidence
from sluice.gitops.state import Champion
from sluice.policy import NEUTRAL_APPROVALS, Policy, load_approvals, load_policy
from sluice.toml_text import read_toml

_COMPARABLE = "comparable"  # the rule that is set aside where a contract asks other questions


@dataclass(frozen=True)
class Move:
    """A release that becomes the anchor: the file that approves it, and how far it falls.

    `falls` are empty where there is no anchor before. `apart` says why no bound holds; empty where
    the bounds hold.
    """

    model: str
    path: str
    pair: Pair
    falls: tuple[Fall, ...]
    apart: str

    @property
    def shown(self) -> tuple[str, ...]:
        """What is told of it, a sentence each."""
        told = tuple(str(fall) for fall in self.falls)
        return (self.apart, *told) if self.apart else told


def prepare(settings: Settings, model: str, to: str) -> Move:
    """What it means to make a release the anchor: `champion`, or the tag or digest of an earlier
    one.

    Raises UsageError where that names no release, or the protected branch has no policy.
    """
    pair = anchor.find(settings, model, to)
    path = f"overrides/{model}/{manifest_repo.apart(settings)}anchor.toml"
    if pair.before is None or pair.is_same:
        return Move(model, path, pair, (), "")
    policy = _policy(settings, model)
    before = anchor_fall.measured(
        pair.before.recall, pair.before.precision, _evidence(settings, model, pair.released)
    )
    after = _measured(settings, model, pair.release)
    falls = anchor_fall.falls(before, after, policy.anchor, policy.gate.segment_positives)
    return Move(model, path, pair, tuple(falls), _apart(pair))


def carry_out(
    settings: Settings, move: Move, today: datetime.date, say: Callable[[str], None]
) -> Written:
    """Move the anchor, if that is signed and it does not fall too far.

    `say` is told how far it falls, sentence by sentence, before anything is refused. Raises
    Refused, UsageError or SluiceError as `signed_file.read` and `anchor.move` do.
    """
    if move.pair.is_same:
        return anchor.already(move.model, move.pair)
    for sentence in move.shown:
        say(sentence)
    _require_within(move)
    signed, reason = _signed(settings, move, today)
    how = f"sluice anchor approve {move.pair.release.tag}"
    others = cosigned.require(settings, _matter(settings, move, signed), today, how)
    ref = signed.protected.named
    approval = Approval(reason, signed.signer, signed.commit, ref, move.shown, others)
    return anchor.move(settings, move.model, move.pair, approval)


def approve(
    settings: Settings, move: Move, who: Author, today: datetime.date, say: Callable[[str], None]
) -> Count:
    """Stand behind a move that somebody has signed; who does then.

    `say` is told how far it falls. Raises as `carry_out` and `cosigned.approve`.
    """
    for sentence in move.shown:
        say(sentence)
    _require_within(move)
    signed, _ = _signed(settings, move, today)
    return cosigned.approve(settings, _matter(settings, move, signed), who, today)


def _require_within(move: Move) -> None:
    far = [str(fall) for fall in move.falls if fall.too_far]
    if far and not move.apart:
        raise Refused(
            f"release {move.pair.release.release} falls too far behind the anchor:"
            f" {'; '.join(far)}",
            "Choose another release, or have the bounds in [anchor] of the policy reviewed.",
        )


def _apart(pair: Pair) -> str:
    """Why the two are not comparable; empty where they are.

    A release whose contract the anchor cannot follow was let through by a signature of its own, and
    becomes the anchor after it.
    """
    newer = pair.before is not None and pair.before.release < pair.release.release
    if newer and pair.release.standing.override.rule == _COMPARABLE:
        return "the rule comparable was set aside for this release, so no bound holds"
    return ""


def _matter(settings: Settings, move: Move, signed: Signed) -> Matter:
    """What people are asked: this file, and what it says of the release and of the fall."""
    pair, path = move.pair, f"models/{move.model}/policy.toml"
    text = protected_branch.text(settings.project, signed.protected.tip, path)
    own = settings.project / path
    asked = NEUTRAL_APPROVALS
    if own.is_file():
        asked = load_approvals(own.read_text(encoding="utf-8"), path)
    needed = approvals.policy(settings, move.model, asked)
    shown = {
        "path": move.path,
        "text": signed.text,
        "falls": list(move.shown),
        "evidence": pair.release.evidence,
    }
    question = Question(
        model=move.model,
        overlay=settings.overlay,
        release=pair.release.release,
        tag=pair.release.tag,
        digest=pair.release.digest,
        image=pair.release.image,
        evidence=cosigned.hash_of(shown),
        policy=sha256(text.encode()).hexdigest(),
        champion=pair.live or NOBODY,
        makers=(),
        required=needed.required,
        own=needed.makers,
    )
    return Matter(question, ANCHOR, signed)


def _signed(settings: Settings, move: Move, today: datetime.date) -> tuple[Signed, str]:
    """The signed file that names this very move, and its reason."""
    signed = signed_file.read(settings, move.path, today)
    if signed is None:
        raise Refused(
            f"moving the anchor needs a signature, and there is no {move.path}",
            f"Commit it with a signature (git commit -S): {_needed(move.pair)}",
        )
    return signed, _reason(move, signed, today)


class _File(Struct, frozen=True):
    """The file as a person wrote it: any value may be missing or wrong."""

    anchor: object = ""
    instead_of: object = ""
    reason: object = ""
    expires: object = ""


def _reason(move: Move, signed: Signed, today: datetime.date) -> str:
    """The reason in the file. Raises UsageError, which says what is wrong in it."""
    path, pair = move.path, move.pair
    written = msgspec.convert(read_toml(signed.text, path), _File)
    missing = [name for name, value in structs.asdict(written).items() if not value]
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}", _needed(pair))
    if written.anchor != pair.release.tag:
        raise UsageError(f"{path} names anchor {written.anchor!r}", _needed(pair))
    if written.instead_of != pair.tag_before:
        raise UsageError(f"{path} is about instead_of {written.instead_of!r}", _needed(pair))
    signed_file.until(path, written.expires, today)
    return " ".join(str(written.reason).split())


def _needed(pair: Pair) -> str:
    return (
        f'anchor = "{pair.release.tag}", instead_of = "{pair.tag_before}", reason and expires (a'
        " date)."
    )


def _policy(settings: Settings, model: str) -> Policy:
    """The policy of the protected branch."""
    protected = protected_branch.find(settings.project, settings.protected_ref)
    path = f"models/{model}/policy.toml"
    if protected is None or not protected.tip:
        why = protected.unknown if protected else "the project is not in git"
        raise Refused(
            f"moving the anchor needs a protected branch, and this project has none: {why}",
            "Set SLUICE_PROTECTED_REF to the branch that is reviewed.",
        )
    text = protected_branch.text(settings.project, protected.tip, path)
    if not text:
        raise UsageError(
            f"{protected.named} has no {path}, which says how far an anchor may fall",
            "Bring the policy to the protected branch first.",
        )
    return load_policy(text, f"{path} of {protected.named}")


def _measured(settings: Settings, model: str, release: Champion) -> Measured:
    evidence = _evidence(settings, model, release)
    return anchor_fall.measured(release.recall, release.precision, evidence)


def _evidence(settings: Settings, model: str, release: Champion | None) -> Evidence | None:
    """The evidence that a release keeps; None where the registry has none of it.

    Raises Retryable where the registry is down and Broken where the evidence is: neither is taken
    for a release that kept none.
    """
    if release is None or not release.evidence:
        return None
    place = manifest_repo.images(settings, model)
    if not registry.digest(place, release.evidence):
        return None
    files = registry.pull_files(place, release.evidence)
    try:
        return read_evidence(files[NAME])
    except (ValueError, KeyError):
        return None  # written by a version whose evidence nobody here can read
