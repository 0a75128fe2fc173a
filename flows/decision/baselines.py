"""Champion and anchor: what a candidate is compared with, found from manifest repo and registry."""

import datetime
import shutil

from msgspec import UNSET

from bento import model_trial
from flows.adapters.failpoints import boundary
from flows.adapters.registry import registry
from flows.decision import override, protected_base
from flows.engine.phases import Candidate, Case
from flows.engine.request import Request
from flows.facts.step_files import TRAIN_ROWS
from flows.gitops import manifest_repo
from sluice.errors import SluiceError
from sluice.gate.ledger import Counted
from sluice.gitops.state import Anchor, Champion, Reference, Standing
from sluice.identity import folder_hash


def oppose(candidate: Candidate) -> Case:
    """The candidate with what it is compared with, as the manifest repo says it.

    A candidate that is the champion already, decided on this very data, is compared with what it
    was compared with then: its verdict stands, and nothing is decided twice.
    """
    champion = standing_champion(candidate)
    if champion:
        return Case(candidate, champion.against, champion.anchored)
    request = candidate.request
    return Case(candidate, reference_of(request.champion), reference_of(request.frozen))


def standing_champion(candidate: Candidate) -> Champion | None:
    """The champion, where it is this very candidate and was decided on this very data."""
    champion = candidate.request.champion
    if champion is None or champion.data != candidate.request.data.sha256:
        return None
    return champion if champion.tag == candidate.tag else None


def reference_of(release: Champion | Anchor | None) -> Reference | None:
    """What a candidate is compared with, as a verdict names it; None where there is none."""
    if release is None:
        return None
    return Reference(release.tag, release.digest, release.model, release.release)


def standing(case: Case, counted: Counted) -> Standing:
    """What is known when it is decided: `counted` is what the ledger says of holdout and use.

    What was known of a verdict that stands, stays. Raises what an override raises.
    """
    decided = standing_champion(case.candidate)
    if decided:
        return decided.standing
    request = case.request
    today = request.tools.today()
    champion = request.champion
    trained_on = case.candidate.split.hash(TRAIN_ROWS)
    fresh = champion is not None and champion.training != trained_on
    return Standing(
        uses=counted.uses,
        looks=counted.looks or UNSET,
        fresh=fresh,
        champion_days=_days(request, champion, today) if champion and fresh else 0,
        override=override.find(request, case.candidate.tag, today),
        policy_changes=protected_base.policy_changes(request, case.champion),
    )


def _days(request: Request, champion: Champion, today: datetime.date) -> int:
    """The age of the champion in days, up to those from which fresh data may replace it.

    Where its commit lies too far back to be found, it is old enough.
    """
    enough = request.policy.gate.refresh_days
    since = manifest_repo.since(request.settings, champion)
    if not since:
        return enough
    age = (today - datetime.date.fromisoformat(since[:10])).days
    return max(0, min(age, enough))


def fetch(case: Case) -> None:
    """Bring the artifacts of champion and anchor to this machine.

    Raises SluiceError where one is not what it was, and what a trial of its model raises.
    """
    for name, reference in case.opponents.items():
        fetch_artifact(case.request, name, reference)


def require_kept(request: Request, candidate: Candidate | None) -> None:
    """Raise what `fetch` raises where the registry does not have an artifact; nothing is written.

    Before a candidate is known, only a release of another table is sure to be compared with the
    champion.
    """
    for reference in _sure(request, candidate):
        if not _is_kept(request, reference):
            registry.manifest(request.place, f"{reference.tag}.model")


def _sure(request: Request, candidate: Candidate | None) -> list[Reference]:
    """What a candidate is compared with, as far as it is known."""
    if candidate:
        return list(oppose(candidate).opponents.values())
    champion = request.champion
    if champion is None or champion.data == request.data.sha256:
        return []
    known = (reference_of(champion), reference_of(request.frozen))
    return [reference for reference in known if reference]


def _is_kept(request: Request, wanted: Reference) -> bool:
    """Whether the artifact is on this machine, as it was."""
    kept = request.model_of(wanted.model)
    return kept.is_dir() and folder_hash(kept) == wanted.model


@boundary("champion.fetch")
def fetch_artifact(request: Request, name: str, wanted: Reference) -> None:
    """Bring one artifact to this machine, where it is not here. Raises what `fetch` raises."""
    if _is_kept(request, wanted):
        return
    kept = request.model_of(wanted.model)
    part = kept.with_name(f".{kept.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    files = registry.pull_files(request.place, f"{wanted.tag}.model")
    with boundary("champion.keep"):
        for file, content in files.items():
            (part / file).write_bytes(content)
    if folder_hash(part) != wanted.model:
        raise SluiceError(
            f"the artifact of {name} {wanted.tag} hashes to {folder_hash(part)};"
            f" {wanted.model} is required",
            "The registry holds something else than was promoted: look there before releasing"
            " anything.",
        )
    model_trial.require_loads(part)
    with boundary("champion.rename"):
        shutil.rmtree(kept, ignore_errors=True)
        part.rename(kept)
