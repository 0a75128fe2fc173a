"""Which earlier release is gone back to, by whoever goes back: the newest one that ran everywhere,
as far as git says of any, and else the newest one that is not parked.

A release that was superseded in the middle of its canary was live in git and nowhere proven, and
one that is parked could not be run.
"""

from collections.abc import Iterable

import msgspec

from sluice.gitops.quarantine import barred
from sluice.gitops.state import Champion, Parked, Quarantine


def others(recorded: Iterable[Champion], live: Champion) -> dict[str, Champion]:
    """The releases besides the live one by digest, each as it was recorded last; `recorded` are the
    newest first.
    """
    known: dict[str, Champion] = {}
    for one in recorded:
        if one.digest != live.digest:
            known.setdefault(one.digest, one)
    return known


def free(releases: Iterable[Champion], quarantine: Quarantine) -> list[Champion]:
    """Those that are not in quarantine."""
    return [one for one in releases if not barred(quarantine, one.digest)]


def before(releases: Iterable[Champion], live: Champion) -> list[Champion]:
    """Those that were released before the live one."""
    return [one for one in releases if one.release < live.release]


def best(releases: Iterable[Champion], parked: Parked) -> Champion | None:
    """The one of these to go back to; None of none."""
    of = list(releases)
    waiting = {one.digest for one in parked.entries}
    proven = [one for one in of if is_proven(one)]
    fit = [one for one in of if one.digest not in waiting]
    return max(proven or fit, key=_number, default=None)


def is_proven(release: Champion) -> bool:
    """Whether git says that a release ran everywhere: by its canary, or by a person, or because
    nothing was asked of it.
    """
    return release.canary is not msgspec.UNSET


def proof(release: Champion) -> str:
    """What is known of how a release ran, in a sentence that begins small."""
    if release.canary is msgspec.UNSET:
        return "how its canary ended is not recorded: nothing shows that it ran everywhere"
    return {
        "healthy": "its canary was healthy",
        "promoted": "a person let its canary run everywhere",
    }.get(release.canary.ended, "it ran everywhere, and no analysis was asked")


def _number(release: Champion) -> int:
    return release.release
