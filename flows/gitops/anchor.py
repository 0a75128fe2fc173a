"""The anchor: the frozen reference that no chain of small losses can leave behind. Moving it is a
recorded act.
"""

from collections.abc import Sequence

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.gitops import manifest_repo, writer
from flows.gitops.promotion import anchor_of
from flows.gitops.quarantine import names
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops import state, trailers
from sluice.gitops.state import Anchor, Champion


def move(settings: Settings, model: str, to: str, why: str) -> Written:
    """Make a release the anchor: `champion`, or the tag or digest of an earlier one.

    Raises UsageError where that names no release or more than one, SluiceError where the registry
    lacks its artifact.
    """

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, model, repo)
        release = _named(manifest_repo.champions(settings, repo, model), model, to)
        if now.anchor is not None and now.anchor.digest == release.digest:
            sentence = f"release {release.release} of {model} is the anchor already"
            return Written("already there", sentence, now.tip, release.release)
        _require_artifact(settings, model, release.tag)
        before = now.anchor.tag if now.anchor else "none"
        return _change(settings, model, anchor_of(release, why), before)

    return writer.write(settings, settings.branch, decide)


def _change(settings: Settings, model: str, anchor: Anchor, before: str) -> Change:
    """The commit that moves the anchor; `before` is the tag of the one that it was."""
    record = trailers.AnchorMove(
        model=model,
        anchor=anchor.tag,
        anchor_before=before,
        by=settings.who,
        reason=anchor.reason,
    )
    subject = f"Anchor {model} to release {anchor.release}: {anchor.tag}"
    body = f"{anchor.reason.rstrip('.')}."
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
