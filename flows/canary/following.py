"""A canary as it is looked at, without writing anything."""

import datetime
from dataclasses import dataclass

import msgspec

from flows.canary.reconcile import Look, place
from flows.gitops import manifest_repo
from flows.gitops.manifest_repo import Live
from flows.project.settings import Settings
from sluice.canary.ending import Ending, ending
from sluice.canary.progress import Progress, progress
from sluice.errors import SluiceError, UsageError

_FOREVER = 24.0 * 36_500  # hours: who only looks says of nothing that it took too long


@dataclass(frozen=True)
class Found:
    """What is live, how far its canary is and how it ended; `recorded` is the end that git knows,
    empty while it knows none.
    """

    model: str
    release: int
    tag: str
    digest: str
    ending: Ending
    progress: Progress
    recorded: str
    at: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.ending.word != "waits"


def looked_at(settings: Settings, model: str, look: Look, now: datetime.datetime) -> Found:
    """The canary of what git names. Raises UsageError where nothing is live or no cluster is named,
    and what `look` raises.
    """
    manifest_repo.require(settings)
    live = manifest_repo.live(settings, model)
    if live is None or live.champion is None:
        raise UsageError(f"nothing of {model} is live yet", f"Run `sluice release {model}`.")
    return found_of(settings, model, live, look, now)


def found_of(
    settings: Settings, model: str, live: Live, look: Look, now: datetime.datetime
) -> Found:
    """The same for what was read already; its champion is there."""
    champion = live.champion
    assert champion is not None
    seen = look(place(settings, live), live.entry.new_name)
    return Found(
        model=model,
        release=champion.release,
        tag=champion.tag,
        digest=champion.digest,
        ending=ending(seen, champion.digest, now, _FOREVER),
        progress=progress(seen),
        recorded="" if champion.canary is msgspec.UNSET else champion.canary.ended,
        at=now.isoformat(timespec="seconds"),
    )


def in_short(
    settings: Settings, model: str, live: Live | None, look: Look, now: datetime.datetime
) -> tuple[str, Found | None]:
    """A line about the canary of what is live, and what was found; an empty line where no cluster
    is named or nothing is live. A cluster that does not answer is told, and is no error.
    """
    if not settings.cluster or live is None or live.champion is None:
        return "", None
    try:
        found = found_of(settings, model, live, look, now)
    except SluiceError as error:
        return f"not known: {error.what}", None
    return sentence(found), found


def sentence(found: Found) -> str:
    """How far it is, what was said last and what it waits for, in a line."""
    at = found.progress
    if found.is_over:
        return f"{found.ending.word}: {found.ending.why}"
    if at.digest != found.digest:
        return f"waits for {found.ending.why}"
    said = f", {at.verdict}" if at.verdict else ""
    since = f", since {at.since}" if at.since else ""
    waits = f"; waits for {at.waits_for}" if at.waits_for else ""
    return f"step {min(at.step + 1, at.steps)} of {at.steps}, {at.weight} %{said}{since}{waits}"
