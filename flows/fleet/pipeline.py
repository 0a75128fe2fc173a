"""From a request to the verdicts on every model of a fleet, in the order in which it happens."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from flows.decision import baselines, holdout, override, protected_base
from flows.engine.perform import Plainly, Runner
from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.engine.store import Result
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import MODEL
from flows.facts.trained import Trained
from flows.facts.tuned import Tuned
from flows.facts.validated import Validated
from flows.fleet import shards
from flows.fleet.artifact import (
    JOIN,
    TUNE_FLEET,
    WRITE,
    Champion,
    Joining,
    Taught,
    champion_in,
)
from flows.fleet.promote import FleetReport
from flows.fleet.rows import FleetRows, opened
from flows.fleet.shards import Engine
from flows.fleet.verdicts import Against, maker
from flows.fleet.verdicts import Candidate as Judged
from flows.gitops import events, ledger, quarantine
from flows.steps.split import SPLIT
from flows.steps.validate import VALIDATE
from sluice.errors import Refused, UsageError
from sluice.fleet.changes import FILE, Changes, Fleet, FleetFile, Untaught, settled
from sluice.fleet.graph import Weights
from sluice.fleet.judging import verdicts_of
from sluice.fleet.keys import require_fleet
from sluice.fleet.parcels import packed, unpacked
from sluice.gitops.state import Override, Reference, Standing
from sluice.identity import sha256, value_hash
from sluice.model.json_file import read_json
from sluice.served.scoring import load_model
from sluice.toml_text import read_toml


@dataclass(frozen=True)
class Opponents:
    """What a fleet is held against: the records of champion and anchor, and the fleet that is live;
    None where there is none.
    """

    champion: Reference | None
    anchor: Reference | None
    fleet: Champion | None


@dataclass(frozen=True)
class FleetCandidate:
    """Every model that could be taught, as one artifact; nothing is known of their worth."""

    candidate: Candidate
    rows: FleetRows
    taught: Taught
    opponents: Opponents
    made_of: str

    @property
    def key(self) -> str:
        """What the ledger knows this candidate by."""
        against = self.opponents.champion
        return value_hash(
            {
                "fleet": self.candidate.trained.facts.model,
                "holdout": self.candidate.split.hash("holdout.parquet"),
                "champion": against.model if against else "none",
            }
        )


@dataclass(frozen=True)
class Lessons:
    """Every model that could be taught, before its artifact is written."""

    request: Request
    validated: Result[Validated]
    split: Result[SplitRows]
    tuned: Result[Tuned]
    rows: FleetRows
    taught: Taught
    opponents: Opponents

    @property
    def made_of(self) -> str:
        """What the models are, and what judges them: fleet.json has it as its candidate."""
        weights = self.taught.weights
        return value_hash(
            {
                "column": self.rows.column.key,
                "keys": list(self.rows.keys),
                "weights": sha256(weights.weights.tobytes() + weights.intercepts.tobytes()),
                "contract": self.request.contract_sha256,
                "policy": self.request.policy_sha256,
            }
        )

    @property
    def is_live(self) -> bool:
        """Whether the fleet that is live was made from these very models, on these very data."""
        champion, fleet = self.request.champion, self.opponents.fleet
        return (
            champion is not None
            and fleet is not None
            and champion.data == self.request.data.sha256
            and fleet.fleet.file.candidate == self.made_of
        )


def engine_of(request: Request) -> Engine:
    """What works on the shards of a request."""
    settings = request.settings
    place = Plainly(settings.home, request.model, cache=request.cache)
    return Engine(settings.engine, settings.workers, place)


def opponents_of(request: Request, column: str) -> Opponents:
    """What a fleet is held against, brought to this machine. Raises Refused where what is live is
    no fleet of this column and contract, so that its models could not be kept.
    """
    champion = baselines.reference_of(request.champion)
    anchor = baselines.reference_of(request.frozen)
    for name, reference in (("champion", champion), ("anchor", anchor)):
        if reference is not None:
            baselines.fetch_artifact(request, name, reference)
    if champion is None:
        return Opponents(None, None, None)
    folder = request.model_of(champion.model)
    if not (folder / FILE).is_file():
        raise Refused(
            f"release {champion.number} of {request.model} is live and is no fleet; a model that"
            " fails its gate could not keep its champion",
            "Release the fleet as a model of its own: a folder below models/.",
        )
    fleet = champion_in(folder, champion.tag)
    if fleet.fleet.file.column != column:
        raise Refused(
            f"the fleet that is live has a model for each {fleet.fleet.file.column!r}, and --each"
            f" is {column!r}",
            "Name the same column, or release it as a model of its own: a folder below models/.",
        )
    changed = _changed(request, folder.joinpath("contract.toml").read_text("utf-8"), column)
    if changed:
        raise Refused(
            f"the contract changed since release {champion.number}: {changed}; models that keep"
            " their champions know the older one",
            "Release it as a model of its own, a folder below models/, and move over.",
        )
    return Opponents(champion, anchor, fleet)


def _changed(request: Request, before: str, column: str) -> str:
    """The columns of the contract that are others than they were, but for the values of the key;
    empty where none is.
    """
    older = read_toml(before, "the champion's contract")["columns"]
    newer = read_toml(request.contract_text, "the contract")["columns"]
    told = {"text", "example"}
    if older.keys() != newer.keys():
        return ", ".join(sorted(older.keys() ^ newer.keys()))
    differing = [
        name
        for name, spec in newer.items()
        if name != column
        and {k: v for k, v in spec.items() if k not in told}
        != {k: v for k, v in older[name].items() if k not in told}
    ]
    return ", ".join(sorted(differing))


def taught(request: Request, name: str, runner: Runner) -> Lessons:
    """From the data to every model of a fleet. Raises Refused where the data break the contract, or
    no model can be taught; UsageError where contract or policy ask for what a fleet does not do.
    """
    column = require_fleet(request.contract, request.policy, name)
    protected_base.require(request)
    opponents = opponents_of(request, column.name)
    validated = runner.do(VALIDATE, request)
    split = runner.do(SPLIT, request, validated)
    rows = opened(request, split, column)
    tuned = runner.do(TUNE_FLEET, request, split, rows)
    strength = float(tuned.facts.parameters["strength"])
    made = shards.shards([partial(_lesson, request, rows, strength, keys) for keys in rows.shards])
    found = _joined(shards.taught(engine_of(request), runner, made))
    return Lessons(request, validated, split, tuned, rows, found, opponents)


def written(lessons: Lessons, runner: Runner) -> FleetCandidate:
    """The models as one artifact. Raises Refused where no threshold is precise enough."""
    request, split, tuned = lessons.request, lessons.split, lessons.tuned
    rows, found, fleet = lessons.rows, lessons.taught, lessons.opponents.fleet
    trained = runner.do(WRITE, request, split, tuned, rows, found, fleet)
    candidate = Candidate(request, lessons.validated, split, tuned, trained)
    return FleetCandidate(candidate, rows, found, lessons.opponents, lessons.made_of)


def _lesson(request: Request, rows: FleetRows, strength: float, keys: tuple[str, ...]) -> bytes:
    """What the models of a shard are taught from."""
    return packed(
        {
            "features": _without_key(rows, rows.matrix("train", keys)),
            "labels": rows.labels("train", keys),
            "hashes": rows.hashes("train", keys),
            "starts": rows.parts["train"].starts(keys),
            "strength": np.array(strength),
            "folds": np.array(request.policy.search.folds),
        }
    )


def _without_key(rows: FleetRows, matrix: np.ndarray) -> np.ndarray:
    """The matrix, with nothing in the column of the key: it is the same in all rows of a model."""
    matrix[:, rows.at] = 0.0
    return matrix


def _joined(parcels: list[bytes]) -> Taught:
    parts = [unpacked(parcel) for parcel in parcels]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    weights = Weights(whole["weights"], whole["intercepts"])
    return Taught(weights, whole["precisions"], whole["areas"])


@dataclass(frozen=True)
class Reserved:
    """The number of a release, and how often its holdout decided before."""

    number: int
    uses: int


def reserve(fleet: FleetCandidate) -> Reserved:
    """Reserve one use of the holdout for the fleet as a whole, before anything is scored.

    Raises what the ledger raises, and Refused for a use that goes on with more labels.
    """
    candidate = fleet.candidate
    request = candidate.request
    quarantine.check(request.live, tag=candidate.tag)
    waived = override.find(request, candidate.tag, request.tools.today())
    require_no_override(candidate.tag, waived)
    use = holdout.use(candidate, fleet.key)
    live = request.champion.release if request.champion else 0
    number, counted = ledger.reserve(request.settings, request.model, use, live)
    if counted.looks:
        raise Refused(
            "the very same models were judged before on fewer labels, and a fleet has one look at"
            " each of its models",
            "Bring new training rows too: the models are then others.",
        )
    return Reserved(number, counted.uses)


def reserved_before(fleet: FleetCandidate) -> Reserved | None:
    """What the ledger has for this very fleet; None where it has taken no number yet. Nothing is
    written.
    """
    request = fleet.candidate.request
    if request.live is None:
        return None
    counted = ledger.known(request.settings, request.model, fleet.key)
    number = ledger.number_of(request.settings, request.model, fleet.key)
    return Reserved(number, counted.uses) if counted and number else None


def require_no_override(tag: str, found: Override) -> None:
    """Raise UsageError where an override is there for this candidate: it waives a rule of one
    model.
    """
    if found.rule:
        raise UsageError(
            f"an override sets {found.rule!r} aside for {tag}; a fleet has a verdict for each of"
            " its models, and an override names none of them",
            "Take it away: a model that fails keeps its champion, and the others go on.",
        )


def judged(fleet: FleetCandidate, reserved: Reserved, runner: Runner) -> Changes:
    """The verdict on every model, and what changes."""
    request, rows = fleet.candidate.request, fleet.rows
    trained = fleet.candidate.trained
    opponents = fleet.opponents
    live = opponents.fleet
    anchor = opponents.anchor
    against = Against(
        champion=live,
        champion_model=load_model(live.folder) if live else None,
        anchor=load_model(request.model_of(anchor.model)) if anchor else None,
        anchor_tag=anchor.tag if anchor else "",
    )
    threshold = float(trained.facts.threshold or 0.0)
    model = trained.read(f"{MODEL}/model.onnx")
    subject = Judged(model, fleet.candidate.tag, threshold, fleet.taught)
    make: Callable[[tuple[str, ...]], bytes] = maker(request, rows, subject, against, reserved.uses)
    made = shards.shards([partial(make, keys) for keys in rows.shards])
    contents = shards.judged(engine_of(request), runner, made)
    served = {one.key for one in live.fleet.file.models} if live else set()
    return settled(
        rows.column.name,
        [verdict for content in contents for verdict in verdicts_of(content)],
        [Untaught(key, why, key in served) for key, why in rows.untaught.items()],
        request.policy.gate.level,
        reserved.uses,
        dependent=request.contract.group is not None,
    )


def joined(
    fleet: FleetCandidate, changes: Changes, reserved: Reserved, runner: Runner
) -> FleetReport:
    """The fleet that is served after the changes, as the candidate of a release."""
    candidate = fleet.candidate
    request, trained = candidate.request, candidate.trained
    file = read_json(trained.read(f"{MODEL}/{FILE}"), FleetFile, FILE)
    joining = Joining(
        candidate=Fleet(file, fleet.taught.weights),
        made_of=fleet.made_of,
        threshold=float(trained.facts.threshold or 0.0),
        champion=fleet.opponents.fleet,
        changes=changes,
    )
    whole: Result[Trained] = runner.do(
        JOIN, request, candidate.split, candidate.tuned, fleet.rows, joining
    )
    released = replace(candidate, trained=whole)
    quarantine.check(request.live, tag=released.tag)
    return FleetReport(
        candidate=released,
        joined=whole,
        changes=changes,
        champion=fleet.opponents.champion,
        anchor=fleet.opponents.anchor,
        standing=Standing(
            uses=reserved.uses,
            policy_changes=protected_base.policy_changes(request, fleet.opponents.champion),
        ),
        number=reserved.number,
        day=events.taken_on(request.settings, request.model, reserved.number),
    )
