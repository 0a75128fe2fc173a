"""Champion and anchor: what a candidate is compared with, found from manifest repo and registry
alone.
"""

import datetime
import shutil
from dataclasses import replace
from typing import Any

from flows.adapters.failpoints import boundary
from flows.adapters.registry import registry
from flows.decision import override, protected_base
from flows.engine.run import Run
from flows.engine.step import Done
from flows.gitops import manifest_repo
from flows.steps import package
from sluice.errors import SluiceError
from sluice.identity import folder_hash

_REFERENCE = ("tag", "digest", "model")


def opposed(run: Run, done: Done) -> Run:
    """The run with what its candidate is compared with, as the manifest repo says it; nothing for
    the first release.

    A candidate (by its tag) that is the champion already, decided on this very data, is compared
    with what it was compared with then: its verdict stands, and nothing is decided twice.
    """
    champion = run.champion
    if _stands(run, done):
        then = {name: dict(champion.get(name) or {}) for name in ("against", "anchored")}
        return replace(run, against=then["against"], anchor=then["anchored"])
    against, anchor = (
        {name: found[name] for name in _REFERENCE} if found else {}
        for found in (champion, run.frozen)
    )
    return replace(run, against=against, anchor=anchor)


def _stands(run: Run, done: Done) -> bool:
    champion = run.champion
    return champion.get("data") == run.data.sha256 and champion.get("tag") == package.tag(run, done)


def standing(run: Run, done: Done, uses: int, today: datetime.date) -> Run:
    """The run with what is known when it is decided; what was known of a verdict that stands,
    stays.

    How often the holdout decided, the champion's age where the data is fresh, an override, what the
    policy changed.
    """
    if _stands(run, done):
        return replace(run, standing=dict(run.champion.get("standing") or {}))
    fresh = bool(run.champion) and run.champion.get("training") != done["split"].hash(
        "train.parquet"
    )
    said = {
        "override": override.find(run, package.tag(run, done), today),
        "policy_changes": protected_base.policy_changes(run),
    }
    days = _days(run, today) if fresh else 0
    return replace(run, standing={"uses": uses, "fresh": fresh, "champion_days": days} | said)


def _days(run: Run, today: datetime.date) -> int:
    """The age of the champion, up to the days from which fresh data may replace it: more makes no
    difference.
    """
    enough = run.policy.gate.refresh_days
    since = manifest_repo.since(run.settings, run.champion)
    return (
        max(0, min((today - datetime.date.fromisoformat(since[:10])).days, enough))
        if since
        else enough
    )


def fetch(run: Run) -> None:
    """Bring the artifacts of champion and anchor to this machine; raises SluiceError where one is
    not what it was.
    """
    for name in ("champion", "anchor"):
        if run.other(name):
            _fetch(run, name, dict(run.other(name)))


@boundary("champion.fetch")
def _fetch(run: Run, name: str, wanted: dict[str, Any]) -> None:
    kept = run.folder_of(name)
    if kept.is_dir() and folder_hash(kept) == wanted["model"]:
        return
    part = kept.with_name(f".{kept.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    files = registry.pull_files(run.place, f"{wanted['tag']}.model")
    with boundary("champion.keep"):
        for file, content in files.items():
            (part / file).write_bytes(content)
    if folder_hash(part) != wanted["model"]:
        raise SluiceError(
            f"the artifact of {name} {wanted['tag']} hashes to {folder_hash(part)}, not"
            f" {wanted['model']}",
            "The registry holds something else than was promoted: look there before releasing"
            " anything.",
        )
    with boundary("champion.rename"):
        shutil.rmtree(kept, ignore_errors=True)
        part.rename(kept)
