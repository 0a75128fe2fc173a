"""The steps that write the artifact of a fleet: first of all that were taught, then of those that
are served.

It is a model artifact like any other, with fleet.json beside it: service, smoke run, monitor and
lineage read it as they read every other one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from flows.engine.request import Request
from flows.engine.step import Step
from flows.engine.store import Result
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import HOLDOUT_ROWS, METRICS, MODEL, TRAIN_ROWS, TUNING, VALIDATION_ROWS
from flows.facts.trained import Trained
from flows.facts.tuned import Tuned
from flows.fleet.rows import SHARD, FleetRows
from flows.steps.score import moved_aim
from sluice.fleet.changes import FILE, TABLE, Changes, Fleet, FleetFile, joined, members
from sluice.fleet.graph import Weights, graph_of, weights_of
from sluice.fleet.keys import contract_of
from sluice.fleet.teaching import DRAWN, FAMILY, Rows, strengths_tried
from sluice.identity import folder_hash, sha256, value_hash
from sluice.model.artifact import model_artifact
from sluice.model.artifact.model_artifact import group_order, segment_groups
from sluice.model.artifact.model_card import model_card
from sluice.model.artifact.reference import histogram
from sluice.model.fit.coding import coding_of
from sluice.model.fit.conversion import scores_of
from sluice.model.fit.tuning_file import Tuning, write_tuning
from sluice.model.json_file import read_json, write_json
from sluice.model.quality.metrics import (
    by_segment,
    confusion,
    cross_validation,
    group_table,
    intervals,
    measure,
    two_sided,
)
from sluice.model.quality.metrics_file import Metrics, ScoredRows, TrainedMetrics, TrainedRows
from sluice.model.quality.operating_curve import operating_curve
from sluice.model.quality.operating_point import threshold_for
from sluice.policy import load_policy
from sluice.served.scoring import load_model


@dataclass(frozen=True)
class Champion:
    """The fleet that is live: the folder of its artifact, and what is in it."""

    folder: Path
    tag: str
    fleet: Fleet
    threshold: float


def champion_in(folder: Path, tag: str) -> Champion:
    """The fleet in an artifact. Raises Refused where it is none."""
    weights = weights_of((folder / "model.onnx").read_bytes())
    file = read_json((folder / FILE).read_bytes(), FleetFile, FILE)
    return Champion(folder, tag, Fleet(file, weights), load_model(folder).threshold)


def _tune_inputs(request: Request, split: Result[SplitRows], rows: FleetRows) -> dict[str, str]:
    return {
        "train": split.hash(TRAIN_ROWS),
        "contract": request.contract_sha256,
        "policy": value_hash(request.policy.search.named),
        "column": rows.column.key,
    }


def _tune(folder: Path, request: Request, split: Result[SplitRows], rows: FleetRows) -> Tuned:
    """Write tuning.json: the strengths that were tried on models that a hash draws."""
    del split
    salt = request.policy.split.salt
    drawn = sorted(rows.keys, key=lambda key: sha256(f"{salt}\0{key}".encode()))[:DRAWN]
    models = [
        Rows(rows.matrix("train", [key]), rows.labels("train", [key]), rows.hashes("train", [key]))
        for key in drawn
    ]
    trials = strengths_tried(models, request.policy.search.folds)
    winner = max(trials, key=lambda trial: trial.score)
    tuning = Tuning(winner=winner, trials=trials)
    (folder / TUNING).write_text(write_tuning(tuning), encoding="utf-8")
    return Tuned({FAMILY: len(trials)}, FAMILY, winner.parameters, winner.score)


TUNE_FLEET = Step("fleet-tune", "Choose penalty", Tuned, (TUNING,), _tune_inputs, _tune)


@dataclass(frozen=True)
class Taught:
    """What was taught: the parcels of the shards joined. `weights` are in the order of the keys of
    the rows, and so are `precisions` and `areas`, of shape (models, folds).
    """

    weights: Weights
    precisions: np.ndarray
    areas: np.ndarray


def _write_inputs(
    request: Request,
    split: Result[SplitRows],
    tuned: Result[Tuned],
    rows: FleetRows,
    taught: Taught,
    champion: Champion | None,
) -> dict[str, str]:
    return {
        "train": split.hash(TRAIN_ROWS),
        "validation": split.hash(VALIDATION_ROWS),
        "tuning": tuned.hash(TUNING),
        "weights": sha256(taught.weights.weights.tobytes() + taught.weights.intercepts.tobytes()),
        "column": rows.column.key,
        "champion": folder_hash(champion.folder) if champion else "none",
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,
    }


def _write(
    folder: Path,
    request: Request,
    split: Result[SplitRows],
    tuned: Result[Tuned],
    rows: FleetRows,
    taught: Taught,
    champion: Champion | None,
) -> Trained:
    """Write the artifact of all that were taught. Raises Refused where no threshold is precise
    enough.
    """
    file = FleetFile(
        column=rows.column.name,
        candidate="",
        models=members(rows.keys, taught.weights, request.data.sha256),
    )
    fleet = Fleet(file, taught.weights)

    def threshold(labels: np.ndarray, scores: np.ndarray) -> float:
        return threshold_of(request, labels, scores, champion)

    return _written(folder, request, split, tuned, rows, fleet, threshold)


WRITE = Step("fleet-write", "Write candidate", Trained, (f"{MODEL}/",), _write_inputs, _write)


def threshold_of(
    request: Request, labels: np.ndarray, scores: np.ndarray, champion: Champion | None
) -> float:
    """The threshold of the whole fleet: that of the fleet that is live, so that a model that keeps
    its champion answers as before; chosen on these validation rows where there is none, or where a
    reviewed policy asks for another operating point since.
    """
    if champion is not None:
        text = (champion.folder / "policy.toml").read_text(encoding="utf-8")
        if not moved_aim(load_policy(text, "the champion's policy"), request.policy):
            return champion.threshold
    return threshold_for(request.policy, labels, scores)


@dataclass(frozen=True)
class _Scored:
    """Labels and scores of a part, both of shape (rows,), and the group of each row by segment."""

    labels: np.ndarray
    scores: np.ndarray
    segments: dict[str, np.ndarray]


def scored(model: bytes, rows: FleetRows, part: str, keys: Sequence[str]) -> np.ndarray:
    """The scores of the rows of these keys in a part, shape (rows,), a shard at a time."""
    shards = [keys[at : at + SHARD] for at in range(0, len(keys), SHARD)]
    matrices = (rows.matrix(part, shard) for shard in shards)
    parts = [scores_of(model, matrix) for matrix in matrices if len(matrix)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _part(model: bytes, rows: FleetRows, part: str) -> _Scored:
    labels = rows.labels(part, rows.keys)
    segments = segment_groups(rows.contract, rows.parts[part].of(rows.keys))
    return _Scored(labels, scored(model, rows, part, rows.keys), segments)


def _written(
    folder: Path,
    request: Request,
    split: Result[SplitRows],
    tuned: Result[Tuned],
    rows: FleetRows,
    fleet: Fleet,
    threshold_from: Callable[[np.ndarray, np.ndarray], float],
) -> Trained:
    """Write the artifact of a fleet whose keys are those of the rows; its threshold follows from
    the labels and scores of the validation rows.
    """
    contract = rows.contract
    model = graph_of(fleet.weights, rows.at, missing=bool(coding_of(contract).missing))
    train, validation = (_part(model, rows, part) for part in ("train", "validation"))
    threshold = threshold_from(validation.labels, validation.scores)
    tuning = tuned.parsed(TUNING, Tuning)
    metrics = _trained_metrics(request, rows, train, validation, tuning, threshold)
    text = contract_of(
        request.contract_text, rows.column, rows.keys, f"models/{request.model}/contract.toml"
    )
    tables = {name: value for name, value in vars(request.policy).items() if name != "reviewed"}
    policy = {name: vars(value) for name, value in tables.items() if value is not None}
    lineage = {
        "training rows (SHA-256)": split.hash(TRAIN_ROWS),
        "validation rows (SHA-256)": split.hash(VALIDATION_ROWS),
        "models, by column": f"{len(rows.keys):,}, {rows.column.name}",
        "policy (SHA-256)": request.policy_sha256,
    }
    (folder / MODEL).mkdir()
    (folder / MODEL / FILE).write_text(write_json(fleet.file), encoding="utf-8")
    model_artifact.write(
        folder / MODEL,
        model_artifact.Parts(
            model,
            text,
            request.policy_text,
            threshold,
            histogram(contract, rows.parts["train"].of(rows.keys)),
            metrics,
            model_card(contract, metrics, tuning, policy, lineage),
        ),
    )
    return Trained(folder_hash(folder / MODEL), threshold, FAMILY)


def _trained_metrics(
    request: Request,
    rows: FleetRows,
    train: _Scored,
    validation: _Scored,
    tuning: Tuning,
    threshold: float,
) -> TrainedMetrics:
    gate = request.policy.gate
    flagged = validation.scores >= threshold
    groups = by_segment(validation.labels, flagged, validation.segments, two_sided(gate.level))
    return TrainedMetrics(
        model=request.model,
        threshold=threshold,
        rows=TrainedRows(
            train=len(train.labels),
            train_positives=int(train.labels.sum()),
            validation=len(validation.labels),
            validation_positives=int(validation.labels.sum()),
        ),
        train=measure(train.labels, train.scores, threshold),
        validation=measure(validation.labels, validation.scores, threshold),
        cross_validation=cross_validation(tuning.winner),
        curve=operating_curve(validation.labels, validation.scores),
        groups=group_table(groups, group_order(rows.contract), gate.segment_positives),
    )


@dataclass(frozen=True)
class Joining:
    """What a fleet is joined from: the candidate, the hash of what it is made of and its threshold,
    the champion, and what changes.
    """

    candidate: Fleet
    made_of: str
    threshold: float
    champion: Champion | None
    changes: Changes


def fleet_after(joining: Joining) -> Fleet:
    """The fleet that is served after the changes."""
    before = joining.champion.fleet if joining.champion else None
    after = joined(joining.changes, joining.candidate, before)
    file = msgspec.structs.replace(after.file, candidate=joining.made_of)
    return Fleet(file, after.weights)


def _join_inputs(
    request: Request,
    split: Result[SplitRows],
    tuned: Result[Tuned],
    rows: FleetRows,
    joining: Joining,
) -> dict[str, str]:
    return {
        **_base(request, split, tuned, rows),
        "candidate": joining.made_of,
        "champion": folder_hash(joining.champion.folder) if joining.champion else "none",
        "changes": sha256(write_json(joining.changes).encode()),
    }


def _base(
    request: Request, split: Result[SplitRows], tuned: Result[Tuned], rows: FleetRows
) -> dict[str, str]:
    return {
        "train": split.hash(TRAIN_ROWS),
        "validation": split.hash(VALIDATION_ROWS),
        "holdout": split.hash(HOLDOUT_ROWS),
        "tuning": tuned.hash(TUNING),
        "column": rows.column.key,
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,
    }


def _join(
    folder: Path,
    request: Request,
    split: Result[SplitRows],
    tuned: Result[Tuned],
    rows: FleetRows,
    joining: Joining,
) -> Trained:
    """Write the artifact of what is served, metrics.json of it on the holdout, and changes.json."""
    fleet = fleet_after(joining)
    served = rows.under([one.key for one in fleet.file.models], request)
    # The one that the verdicts were given at.
    trained = _written(folder, request, split, tuned, served, fleet, lambda *_: joining.threshold)
    model = (folder / MODEL / "model.onnx").read_bytes()
    holdout = _part(model, served, "holdout")
    metrics = _metrics(request, folder, holdout, joining.threshold)
    (folder / METRICS).write_text(write_json(metrics), encoding="utf-8")
    (folder / TABLE).write_text(write_json(joining.changes), encoding="utf-8")
    return trained


JOIN = Step("fleet-join", "Join fleet", Trained, (f"{MODEL}/", METRICS, TABLE), _join_inputs, _join)


def _metrics(request: Request, folder: Path, holdout: _Scored, threshold: float) -> Metrics:
    """What the whole of the fleet is worth on the holdout. It decides nothing."""
    content = (folder / MODEL / METRICS).read_bytes()
    trained = read_json(content, TrainedMetrics, METRICS)
    labels, scores = holdout.labels, holdout.scores
    level = two_sided(request.policy.gate.level)
    return Metrics(
        model=request.model,
        threshold=threshold,
        rows=ScoredRows(
            train=trained.rows.train,
            validation=trained.rows.validation,
            holdout=len(labels),
            holdout_positives=int(labels.sum()),
        ),
        holdout=measure(labels, scores, threshold),
        intervals=intervals(labels, scores, threshold, level),
        confusion=confusion(labels, scores >= threshold),
        validation=trained.validation,
        cross_validation=trained.cross_validation,
        segments=by_segment(labels, scores >= threshold, holdout.segments, level),
    )
