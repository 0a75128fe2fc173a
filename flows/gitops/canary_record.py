"""The end of a canary that stays live, written beside the champion: whether its canary passed, with
the figures.
"""

import msgspec

from flows.adapters.git import git
from flows.gitops import manifest_repo, promotion, writer
from flows.gitops.manifest_repo import Live
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.gitops import state, trailers
from sluice.gitops.state import Canary, Champion


def is_recorded(champion: Champion) -> bool:
    """Whether it is known how its canary ended, or nothing is to be known: it was gone back to."""
    return champion.canary is not msgspec.UNSET or champion.restored is not msgspec.UNSET


def record(settings: Settings, model: str, digest: str, canary: Canary) -> Written:
    """Record how the canary of a digest ended, if that is what is live; the first record stays.

    Raises what `writer.write` raises.
    """

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, model, repo)
        if now.champion is None or now.champion.digest != digest:
            return overtaken(now)
        if now.by_hand:
            return promotion.held(now)
        if is_recorded(now.champion):
            sentence = f"it is recorded of release {now.release} already"
            return Written("already there", sentence, now.tip, now.release)
        return _change(settings, model, now.champion, canary)

    return writer.write(settings, settings.branch, decide)


def overtaken(now: Live) -> Written:
    """The end where another release is live than the one that was looked at."""
    return Written("superseded", f"release {now.release} is live by now", now.tip, now.release)


def _change(settings: Settings, model: str, champion: Champion, canary: Canary) -> Change:
    path = manifest_repo.state(settings, model, "champion")
    files = {path: state.encode(msgspec.structs.replace(champion, canary=canary))}
    named = trailers.CanaryEnd(
        model=model,
        release=champion.release,
        image=f"{champion.image}:{champion.tag}",
        image_digest=champion.digest,
        canary=canary.ended,
        by=settings.who,
        reason=canary.why,
    )
    subject = f"Record the canary of release {champion.release} of {model}: {canary.ended}"
    figures = [f"{one.metric}: {one.value} ({one.phase}, {one.looks})" for one in canary.measured]
    body = "\n".join([f"{canary.why[:1].upper()}{canary.why[1:]}.", *figures])
    message = trailers.commit_message(subject, body, trailers.pairs(named))
    return Change(files, message, manifest_repo.branch(settings, "canary", model, champion.tag))
