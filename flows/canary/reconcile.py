"""The loop closer: what the cluster says of the release that git names is written back to git.

Reads levels, and decides from the tip of the branch by compare and swap: it may run twice, late, or
in two copies at once, and may be killed anywhere. It writes nothing to the cluster.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from flows.adapters.git import git
from flows.adapters.kubernetes import Place
from flows.gitops import canary_record, manifest_repo, promotion, quarantine, rollback
from flows.gitops.manifest_repo import Live
from flows.gitops.rollback import Plan
from flows.gitops.writer import Written
from flows.project.settings import Settings
from sluice.canary import ending as rules
from sluice.canary.ending import Ending
from sluice.canary.progress import Progress, progress
from sluice.canary.rollout import Seen
from sluice.errors import SluiceError, UsageError
from sluice.gitops import way_back
from sluice.gitops.state import Canary, Champion, Measured

# What a Rollout that runs an image of this name says.
Look = Callable[[Place, str], Seen]

NOTHING = Ending("waits", "the first release")


@dataclass(frozen=True)
class Asked:
    """What is asked for; `patience` is for how many hours a canary may stay inconclusive. A dry run
    writes nothing.
    """

    model: str
    patience: float
    dry_run: bool = False


@dataclass(frozen=True)
class Report:
    """What was found, and what was written. `release` and `digest` are what git names, 0 and empty
    where it names nothing; `progress` is None where no cluster had to be asked; `diff` is what a
    way back changes.
    """

    model: str
    release: int
    digest: str
    ending: Ending
    written: Written
    progress: Progress | None = None
    diff: str = ""


def reconcile(settings: Settings, asked: Asked, look: Look, now: datetime.datetime) -> Report:
    """Bring git to what the cluster says, once.

    Raises UsageError where no cluster or namespace is named, SluiceError where nothing healthy can
    be gone back to, and what `look` and the writer raise.
    """
    manifest_repo.require(settings)
    with git.clone(settings.remote, settings.branch) as repo:
        live = manifest_repo.read(settings, asked.model, repo)
        champion = live.champion
        if champion is None:
            return Report(asked.model, 0, "", NOTHING, Written("nothing", "nothing is live yet"))
        if live.by_hand:
            found = Ending("waits", "the person who wrote the entry: what they did stands")
            return _report(asked, champion, found, promotion.held(live))
        seen = look(place(settings, live), live.entry.new_name)
        found = rules.ending(seen, champion.digest, now, asked.patience)
        report = _report(asked, champion, found, _left_alone(champion), progress(seen))
        if found.word not in rules.TAKEN_BACK:
            made = None
        else:
            made = _way_back(settings, asked, live, found, seen.stable, repo)
    if made is not None:
        return replace(report, written=_go_back(settings, asked, made), diff=made.diff)
    if found.word in rules.RECORDED and not canary_record.is_recorded(champion):
        return replace(report, written=_record(settings, asked, champion, found, now))
    return report


def settled(report: Report) -> bool:
    """Whether git says by now how the canary ended."""
    return report.written.outcome in ("committed", "already there")


def place(settings: Settings, live: Live) -> Place:
    """Where the Rollout is. Raises UsageError where nobody says."""
    if not settings.cluster:
        raise UsageError(
            "SLUICE_CLUSTER is not set, and a cluster is required",
            "Name a context of your kubeconfig in it, or `in-cluster` in a pod.",
        )
    namespace = settings.cluster_namespace or live.namespace
    if not namespace:
        raise UsageError(f"{live.file} names no namespace", "Name it in SLUICE_CLUSTER_NAMESPACE.")
    return Place(settings.cluster, namespace)


def _report(
    asked: Asked,
    champion: Champion,
    found: Ending,
    written: Written,
    progress: Progress | None = None,
) -> Report:
    return Report(asked.model, champion.release, champion.digest, found, written, progress)


def _left_alone(champion: Champion) -> Written:
    """The end where nothing is to be written."""
    if champion.restored is not msgspec.UNSET:
        sentence = f"release {champion.release} was gone back to; there is nothing to undo"
    elif champion.canary is not msgspec.UNSET:
        sentence = f"the canary of release {champion.release} is recorded: {champion.canary.ended}"
    else:
        return Written("waits", "its end is not there yet", release=champion.release)
    return Written("already there", sentence, release=champion.release)


def _record(
    settings: Settings, asked: Asked, champion: Champion, found: Ending, now: datetime.datetime
) -> Written:
    if asked.dry_run:
        sentence = f"{found.word} would be recorded; nothing was written"
        return Written("dry run", sentence, release=champion.release)
    canary = Canary(
        ended=found.word,
        when=quarantine.stamp(now),
        why=found.why,
        measured=tuple(
            Measured(one.metric, one.phase, one.value, one.looks) for one in found.figures
        ),
    )
    return canary_record.record(settings, asked.model, champion.digest, canary)


def _way_back(
    settings: Settings, asked: Asked, live: Live, found: Ending, stable: str, repo: git.Clone
) -> Plan:
    """The way back from what is live, with what it would change."""
    bad = live.champion
    assert bad is not None
    recorded = manifest_repo.champions(settings, repo, asked.model)
    target = choose(recorded, live, bad, stable)
    if target is None:
        raise SluiceError(
            f"release {bad.release} of {asked.model} is to be taken back ({found.why}), and git has"
            " no healthy release before it",
            "Release another candidate, or lift a quarantine.",
        )
    parks = found.word == "unfit"
    made = Plan(asked.model, bad, target, found.why, "", found.word, parks)
    return replace(made, diff=rollback.diff(settings, made, live, repo))


def choose(recorded: Sequence[Champion], live: Live, bad: Champion, stable: str) -> Champion | None:
    """The release to go back to: what the cluster runs as stable, where git knows it; else the one
    that a person would go back to. None of them is in quarantine.

    `recorded` are the newest first; `stable` is a digest.
    """
    free = way_back.free(way_back.others(recorded, bad).values(), live.quarantine)
    running = [one for one in free if one.digest == stable]
    return running[0] if running else way_back.best(way_back.before(free, bad), live.parked)


def _go_back(settings: Settings, asked: Asked, made: Plan) -> Written:
    if asked.dry_run:
        sentence = f"release {made.target.release} would be live; nothing was written"
        return Written("dry run", sentence, release=made.target.release)
    return rollback.restore(settings, made)
