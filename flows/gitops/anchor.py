"""The anchor: the frozen reference that no chain of small losses can leave behind. Moving it is a
recorded act, which somebody who may has signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.gitops import manifest_repo, writer
from flows.gitops.promotion import anchor_of
from flows.gitops.quarantine import names
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, UsageError
from sluice.gitops import state, trailers
from sluice.gitops.state import Anchor, Champion

NO_ANCHOR = "none"  # what is written in the place of a tag where there is no anchor yet


@dataclass(frozen=True)
class Pair:
    """The release that becomes the anchor, and the anchor before: as it is recorded, and as it was
    released (None where no commit has it). `live` is the digest of the champion.
    """

    release: Champion
    before: Anchor | None
    released: Champion | None
    live: str = ""

    @property
    def tag_before(self) -> str:
        """The tag of the anchor before, `none` for none."""
        return self.before.tag if self.before else NO_ANCHOR

    @property
    def is_same(self) -> bool:
        """Whether the release is the anchor already."""
        return self.before is not None and self.before.digest == self.release.digest


@dataclass(frozen=True)
class Approval:
    """Who signed that a release becomes the anchor: in which commit, allowed by which branch, and
    why. `shown` says how far it falls, a sentence each. `others` names who else approved it, empty
    where nobody else is asked.
    """

    reason: str
    signer: str
    commit: str
    ref: str
    shown: tuple[str, ...] = ()
    others: str = ""


def find(settings: Settings, model: str, to: str) -> Pair:
    """The anchor, and the release meant: `champion`, or the tag or digest of an earlier one.

    Raises UsageError where that names no release or more than one.
    """
    manifest_repo.require(settings)
    with git.clone(settings.remote, settings.branch) as repo:
        return _pair(settings, model, to, repo)


def already(model: str, pair: Pair, tip: str = "") -> Written:
    """What became of it where the release is the anchor already."""
    number = pair.release.release
    sentence = f"release {number} of {model} is the anchor already"
    return Written("already there", sentence, tip, number)


def move(settings: Settings, model: str, wanted: Pair, approval: Approval) -> Written:
    """Make a release the anchor, in the place of the anchor that was approved to go.

    Raises Refused where another one is the anchor by now, or another one is live than several
    people were asked about, SluiceError where the registry lacks the
    artifact of the release.
    """

    def decide(repo: git.Clone) -> Change | Written:
        now = _pair(settings, model, wanted.release.digest, repo)
        if now.is_same:
            return already(model, now, repo.tip)
        if now.tag_before != wanted.tag_before:
            raise Refused(
                f"the anchor of {model} is {now.tag_before} by now, not {wanted.tag_before}",
                f"Look at it with `sluice anchor --model {model}`, and have the change from"
                " that one signed.",
            )
        if approval.others and now.live != wanted.live:
            raise Refused(
                f"the champion of {model} is another by now, so what people approved is stale",
                f"Have it approved again: `sluice anchor approve {wanted.release.tag}`.",
            )
        _require_artifact(settings, model, now.release.tag)
        return _change(settings, model, now, approval)

    return writer.write(settings, settings.branch, decide)


def _pair(settings: Settings, model: str, to: str, repo: git.Clone) -> Pair:
    now = manifest_repo.checked(settings, model, repo)
    manifest_repo.require_anchor(settings, model, now)
    before = now.anchor
    champions = manifest_repo.champions(settings, repo, model)
    release = _named(champions, model, to)
    released = [one for one in champions if before and one.digest == before.digest]
    live = now.champion.digest if now.champion else ""
    return Pair(release, before, released[-1] if released else None, live)


def _change(settings: Settings, model: str, pair: Pair, approval: Approval) -> Change:
    """The commit that moves the anchor."""
    anchor = anchor_of(pair.release, approval.reason)
    record = trailers.AnchorMove(
        model=model,
        anchor=anchor.tag,
        anchor_before=pair.tag_before,
        by=settings.who,
        reason=anchor.reason,
        signer=approval.signer,
        signed_commit=approval.commit,
        protected_ref=approval.ref,
        approved=approval.others,
    )
    subject = f"Anchor {model} to release {anchor.release}: {anchor.tag}"
    body = f"{anchor.reason.rstrip('.')}."
    if approval.shown:
        body += "\n\n" + "\n".join(f"- {sentence}" for sentence in approval.shown)
    message = trailers.commit_message(subject, body, trailers.pairs(record))
    files = {manifest_repo.state(settings, model, "anchor"): state.encode(anchor)}
    return Change(files, message, manifest_repo.branch(settings, "anchor", model, anchor.tag))


def _named(champions: Sequence[Champion], model: str, to: str) -> Champion:
    """The release that is meant, as it was first recorded; `champions` are the newest first."""
    if to == "champion":
        matching = list(champions[:1])
    else:
        matching = [champion for champion in champions if names(to, champion)]
    by_digest = {champion.digest: champion for champion in reversed(matching)}
    if not by_digest:
        what = f"{to!r} is no release of {model}"
        if to == "champion":
            what = f"{model} has no champion"
        fix = "Name a tag or a digest of a release, or `champion` once there is one."
        raise UsageError(what, fix)
    if len(by_digest) > 1:
        raise UsageError(f"{to} names {len(by_digest)} releases of {model}", "Write more of it.")
    [release] = by_digest.values()
    return release


def _require_artifact(settings: Settings, model: str, tag: str) -> None:
    """Without its artifact in the registry, nothing could be compared with it."""
    place = manifest_repo.images(settings, model)
    if not registry.digest(place, f"{tag}.model"):
        raise SluiceError(
            f"the registry has no {tag}.model, so nothing could be compared with it",
            "Restore the artifact in the registry, or choose another release.",
        )
