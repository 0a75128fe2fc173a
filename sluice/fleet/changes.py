"""What a release changes in a fleet: a line for each model, and the fleet's own file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType

from sluice.fleet.discoveries import shares
from sluice.fleet.graph import Weights
from sluice.fleet.judging import ModelVerdict
from sluice.gate.spending import first_level
from sluice.identity import sha256

FILE = "fleet.json"  # of the artifact
TABLE = "changes.json"  # of the evidence
NEW, REPLACED, KEPT, NONE = "new", "replaced", "kept", "none"


class Member(Struct, frozen=True):
    """A model of a fleet: its key, the hash of its weights, and the SHA-256 of the data that it was
    taught on.
    """

    key: str
    model: str
    data: str


class FleetFile(Struct, frozen=True, kw_only=True):
    """fleet.json: the column that names the model, the hash of all models that were taught for it
    and of what judged them, and its models in the order of their weights.
    """

    schema: int = 1
    column: str
    candidate: str
    models: tuple[Member, ...]


class Change(Struct, frozen=True, kw_only=True):
    """What became of one model: `change` is new, replaced, kept (its champion stays) or none (the
    key is not served). `rows` and `positives` are those of its holdout, 0 where it was not taught.
    """

    key: str
    change: str
    verdict: str
    sentence: str
    rows: int = 0
    positives: int = 0
    recall: float | UnsetType = UNSET
    precision: float | UnsetType = UNSET
    champion_recall: float | UnsetType = UNSET
    gained: int | UnsetType = UNSET
    lost: int | UnsetType = UNSET
    p_value: float | UnsetType = UNSET


class Changes(Struct, frozen=True, kw_only=True):
    """changes.json: every model of a fleet, by its key.

    `compared` of them share the `level` of one look, so a model is better at a p-value of at most
    `at`.
    """

    schema: int = 1
    column: str
    level: float
    compared: int
    at: float
    models: tuple[Change, ...]

    def count(self, change: str) -> int:
        """How many models this became of."""
        return sum(one.change == change for one in self.models)

    @property
    def changed(self) -> bool:
        """Whether a model is another one than before."""
        return any(one.change in (NEW, REPLACED) for one in self.models)

    @property
    def sentence(self) -> str:
        """What became of how many models."""
        told = {
            NEW: "new",
            REPLACED: "replaced by a better one",
            KEPT: "kept as they were",
            NONE: "not served",
        }
        counts = {name: self.count(name) for name in told}
        parts = [f"{counts[name]:,} {words}" for name, words in told.items() if counts[name]]
        return f"of {len(self.models):,} models {', '.join(parts)}"


@dataclass(frozen=True)
class Untaught:
    """A key whose rows are too few to teach a model, and why."""

    key: str
    sentence: str
    served: bool


def settled(
    column: str,
    verdicts: Sequence[ModelVerdict],
    untaught: Sequence[Untaught],
    level: float,
    uses: int,
    *,
    dependent: bool,
) -> Changes:
    """What becomes of every model, by key, once all verdicts are known.

    `level` is the policy's and `uses` how often the holdout of the fleet decided before. What is
    called better shares the level of one look over all models that were compared; `dependent` says
    that rows of one group may be in several.
    """
    compared = [one for one in verdicts if one.compared]
    look = first_level(level, uses)
    # What another rule stops is no discovery, and is counted among the tests all the same.
    values = [_p_value(one) if one.verdict == "PROMOTE" else 1.0 for one in compared]
    parts = shares(np.array(values), look, dependent=dependent)
    at = {one.key: float(part) * look for one, part in zip(compared, parts, strict=True)}
    found = [_change(one, at.get(one.key), len(compared)) for one in verdicts]
    found += [
        Change(
            key=one.key,
            change=KEPT if one.served else NONE,
            verdict="INSUFFICIENT",
            sentence=one.sentence,
        )
        for one in untaught
    ]
    return Changes(
        column=column,
        level=look,
        compared=len(compared),
        at=max(at.values(), default=look),
        models=tuple(sorted(found, key=lambda one: one.key)),
    )


def _p_value(one: ModelVerdict) -> float:
    return 1.0 if one.p_value is UNSET else one.p_value


def _change(one: ModelVerdict, at: float | None, tests: int) -> Change:
    verdict, sentence = one.verdict, one.sentence
    if at is not None and verdict == "PROMOTE" and _p_value(one) > at:
        verdict = one.otherwise
        sentence = (
            f"it would be better by itself, with p = {_p_value(one):.3g}; at most {at:.3g} is"
            f" required where {tests:,} models share the level"
        )
    promoted = verdict == "PROMOTE"
    if promoted and at is not None:
        sentence = (
            f"it finds {one.gained} that its champion misses and misses {one.lost} that it finds,"
            f" with p = {_p_value(one):.3g}; at most {at:.3g} is required where {tests:,} models"
            " share the level"
        )
    change = (NEW if promoted else NONE) if at is None else (REPLACED if promoted else KEPT)
    return Change(
        key=one.key,
        change=change,
        verdict=verdict,
        sentence=sentence,
        rows=one.rows,
        positives=one.positives,
        recall=one.recall,
        precision=one.precision,
        champion_recall=one.champion_recall,
        gained=one.gained,
        lost=one.lost,
        p_value=one.p_value,
    )


@dataclass(frozen=True)
class Fleet:
    """The models that are served: their file, and their weights in the same order."""

    file: FleetFile
    weights: Weights


def members(keys: Sequence[str], weights: Weights, data: str) -> tuple[Member, ...]:
    """What is on record of these models, in their order."""
    rows = np.column_stack([weights.weights, weights.intercepts])
    return tuple(
        Member(key, sha256(row.tobytes())[:16], data) for key, row in zip(keys, rows, strict=True)
    )


def joined(changes: Changes, candidate: Fleet, champion: Fleet | None) -> Fleet:
    """The fleet after these changes: for each key that is served the candidate's model or the
    champion's. Keys that the champion has and nobody judged stay, because their rows may come
    again.
    """
    taken = {one.key for one in changes.models if one.change in (NEW, REPLACED)}
    mine = {one.key: place for place, one in enumerate(candidate.file.models)}
    theirs: Mapping[str, int] = {}
    if champion is not None:
        theirs = {one.key: place for place, one in enumerate(champion.file.models)}
    keys = sorted(taken | set(theirs))
    members_of: list[Member] = []
    weights, intercepts = [], []
    for key in keys:
        source = candidate if key in taken or champion is None else champion
        place = mine[key] if key in taken else theirs[key]
        members_of.append(source.file.models[place])
        weights.append(source.weights.weights[place])
        intercepts.append(source.weights.intercepts[place])
    file = msgspec.structs.replace(candidate.file, models=tuple(members_of))
    return Fleet(file, Weights(np.array(weights), np.array(intercepts)))
