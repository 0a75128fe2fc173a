"""Fit the winner, choose the operating point on the validation rows, write the model artifact."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET, UnsetType

from flows.engine.memory import give_back
from flows.engine.step import Step
from flows.facts.step_files import MODEL, TRAIN_ROWS, TUNING, VALIDATION_ROWS
from flows.facts.trained import Trained
from sluice.errors import Refused
from sluice.identity import folder_hash
from sluice.model.artifact import model_artifact
from sluice.model.artifact.model_artifact import group_order, segment_groups
from sluice.model.artifact.model_card import model_card
from sluice.model.artifact.reference import histogram
from sluice.model.classes.metrics_file import TrainedClassMetrics
from sluice.model.classes.trained import Part, Ships, trained_metrics
from sluice.model.data.split import GROUP
from sluice.model.data.table import from_parquet
from sluice.model.data.times import TIME
from sluice.model.fit.coding import coding_of
from sluice.model.fit.conversion import check_agreement, convert, scores_of
from sluice.model.fit.monotone import directions
from sluice.model.fit.training import Rows, fit_rows, learnt_labels, row_weights
from sluice.model.fit.tuning_file import Trial, Tuning
from sluice.model.number.metrics_file import TrainedNumberMetrics
from sluice.model.number.trained import NumberPart, number_ships
from sluice.model.number.trained import trained_metrics as trained_number_metrics
from sluice.model.quality.clusters import alike, numbered, of_share
from sluice.model.quality.floor_proposal import propose, told
from sluice.model.quality.metrics import (
    by_segment,
    cross_validation,
    group_table,
    measure,
    two_sided,
)
from sluice.model.quality.metrics_file import (
    GroupedPrecision,
    OperatingCurve,
    TrainedMetrics,
    TrainedRows,
)
from sluice.model.quality.operating_curve import counted_again, operating_curve
from sluice.model.quality.operating_point import threshold_for
from sluice.policy import Policy, load_policy
from sluice.served.classes import weights_of
from sluice.served.contract import Contract
from sluice.served.encoding import Columns, encode, feature_names, numeric_features
from sluice.served.quantity import bins_of
from sluice.toml_text import read_toml

if TYPE_CHECKING:
    from flows.engine.request import Request
    from flows.engine.store import Result
    from flows.facts.split_rows import SplitRows
    from flows.facts.tuned import Tuned
    from sluice.model.fit.training import Estimator


@dataclass(frozen=True)
class _Part:
    """One part of the rows: labels and scores, each of shape (rows,); of several classes the scores
    have the shape (rows, classes). Of a number both are in its unit.
    """

    labels: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class _Fitted:
    """The ONNX model, and what it gives the rows that it was made from; `segments` has the group of
    each validation row, by segment. `clusters` are the groups of the validation rows, as numbers;
    None where each row is independent. `until` is the time of the newest of all these rows, unset
    where the split is not by time.
    """

    model: bytes
    train: _Part
    validation: _Part
    segments: dict[str, np.ndarray]
    clusters: np.ndarray | None
    until: str | UnsetType


def _inputs(
    request: "Request", split: "Result[SplitRows]", tuned: "Result[Tuned]"
) -> dict[str, str]:
    return {
        "train": split.hash(TRAIN_ROWS),
        "validation": split.hash(VALIDATION_ROWS),
        "tuning": tuned.hash(TUNING),
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,  # the whole of it ships
    }


def _work(
    folder: Path, request: "Request", split: "Result[SplitRows]", tuned: "Result[Tuned]"
) -> Trained:
    """Write the artifact folder. Raises SluiceError where ONNX and scikit-learn do not agree."""
    contract = request.contract
    tuning = tuned.parsed(TUNING, Tuning)
    fitted = _fit(contract, split, tuning.winner)
    threshold: float | None = None
    metrics: TrainedMetrics | TrainedClassMetrics | TrainedNumberMetrics
    bins: tuple[float, ...] = ()
    if contract.target.quantity:
        bins = bins_of(fitted.validation.scores)
        metrics = _number_metrics(request, fitted, tuning)
    elif contract.target.several:
        metrics = _class_metrics(request, fitted, tuning)
    else:
        threshold = _threshold(request.policy, fitted)
        curve = operating_curve(fitted.validation.labels, fitted.validation.scores)
        metrics = _metrics(request, threshold, fitted, tuning, curve)
    card = _card(request, split, metrics, tuning)
    (folder / MODEL).mkdir()
    model_artifact.write(
        folder / MODEL,
        model_artifact.Parts(
            fitted.model,
            request.contract_text,
            request.policy_text,
            threshold,
            # Read once more: beside the matrix and a fit they would be too much of a large table.
            histogram(contract, from_parquet(split.read(TRAIN_ROWS))),
            metrics,
            card,
            bins,
        ),
    )
    return remembered(contract, folder_hash(folder / MODEL), threshold, tuning.winner.family)


def remembered(contract: Contract, model: str, threshold: float | None, family: str) -> Trained:
    """The facts of a training."""
    quantity = contract.target.quantity
    return Trained(model, threshold, family, (quantity.unit or "") if quantity else None)


@dataclass(frozen=True)
class Remeasured:
    """What training says of a model, measured anew: its threshold, which there is not where there
    are several classes or a number, its metrics, and of a number the bins of its answers.
    """

    threshold: float | None
    metrics: TrainedMetrics | TrainedClassMetrics | TrainedNumberMetrics
    bins: tuple[float, ...] = ()


def measured_again(
    request: "Request",
    split: "Result[SplitRows]",
    tuned: "Result[Tuned]",
    trained: "Result[Trained]",
) -> Remeasured:
    """Threshold and metrics of a model that was trained before, from the model and the rows.

    They are those of the policy that shipped with it. Raises Refused where no threshold is precise
    enough.
    """
    contract, quantity = request.contract, request.contract.target.quantity
    content = trained.read(f"{MODEL}/model.onnx")
    train = from_parquet(split.read(TRAIN_ROWS))
    validation = from_parquet(split.read(VALIDATION_ROWS))
    learnt, judged = [
        _Part(rows[contract.target.column], scores_of(content, encode(contract, rows), quantity))
        for rows in (train, validation)
    ]
    clusters = numbered(validation.get(GROUP))
    groups = segment_groups(contract, validation)
    until = max(_newest(train), _newest(validation)) or UNSET
    fitted = _Fitted(content, learnt, judged, groups, clusters, until)
    tuning = tuned.parsed(TUNING, Tuning)
    if quantity:
        metrics = _number_metrics(request, fitted, tuning)
        return Remeasured(None, metrics, bins_of(judged.scores))
    if contract.target.several:
        return Remeasured(None, _class_metrics(request, fitted, tuning))
    threshold = _threshold(load_policy(request.policy_text), fitted)
    shipped = trained.parsed(f"{MODEL}/metrics.json", TrainedMetrics).curve
    curve = counted_again(shipped, judged.labels, judged.scores)
    return Remeasured(threshold, _metrics(request, threshold, fitted, tuning, curve))


def _threshold(policy: Policy, fitted: _Fitted) -> float:
    """The operating point on the validation rows.

    Raises Refused where none is precise enough, with the floors that this model would clear.
    """
    labels, scores = fitted.validation.labels, fitted.validation.scores
    try:
        return threshold_for(policy, labels, scores, fitted.clusters)
    except Refused as refused:
        holdout = round(len(labels) * policy.split.holdout / policy.split.validation)
        clusters = fitted.clusters
        proposal = propose(labels, scores, holdout, policy.gate.level, clusters=clusters)
        raise Refused(refused.what, f"{refused.fix}{told(proposal)}") from refused


def _fit(contract: Contract, split: "Result[SplitRows]", winner: Trial) -> _Fitted:
    """The winner as an ONNX model. Raises SluiceError where it differs from scikit-learn's."""
    quantity = contract.target.quantity
    estimator, model, taught, learnt_until = _taught(contract, split, winner)
    # Not before the matrix of what was learnt is gone, the largest of all that a release holds.
    validation = from_parquet(split.read(VALIDATION_ROWS))
    until = max(learnt_until, _newest(validation)) or UNSET
    judged = encode(contract, validation)
    check_agreement(estimator, model, judged, quantity)
    return _Fitted(
        model,
        taught,
        _Part(validation[contract.target.column], scores_of(model, judged, quantity)),
        segment_groups(contract, validation),
        numbered(validation.get(GROUP)),
        until,
    )


def _taught(
    contract: Contract, split: "Result[SplitRows]", winner: Trial
) -> "tuple[Estimator, bytes, _Part, str]":
    """The winner fitted to the training rows, its ONNX model, what that gives these rows, and the
    time of the newest of them, empty where the split is not by time.
    """
    train = from_parquet(split.read(TRAIN_ROWS))
    labels, until = train[contract.target.column], _newest(train)
    rows = Rows(
        encode(contract, train),
        learnt_labels(contract, train),
        numeric_features(contract),
        coding_of(contract),
        row_weights(contract, train),
        directions(contract),
    )
    del train
    give_back()  # the fit makes a copy in double precision, and has to find room for it
    estimator = fit_rows(winner.family, winner.parameters, rows)
    quantity = contract.target.quantity
    model = convert(estimator, len(feature_names(contract)), quantity)
    check_agreement(estimator, model, rows.features, quantity)
    return estimator, model, _Part(labels, scores_of(model, rows.features, quantity)), until


def _newest(rows: Columns) -> str:
    """The time of the newest of these rows; empty where the split is not by time."""
    return str(rows[TIME].max()) if TIME in rows else ""


def _metrics(
    request: "Request",
    threshold: float,
    fitted: _Fitted,
    tuning: Tuning,
    curve: OperatingCurve,
) -> TrainedMetrics:
    """The metrics of training and validation; `curve` is that of the validation rows."""
    train, validation = fitted.train, fitted.validation
    gate = load_policy(request.policy_text).gate
    flagged = validation.scores >= threshold
    level, clusters = two_sided(gate.level), fitted.clusters
    groups = by_segment(validation.labels, flagged, fitted.segments, level, clusters)
    return TrainedMetrics(
        model=request.model,
        threshold=threshold,
        rows=TrainedRows(
            train=len(train.labels),
            train_positives=int(np.sum(train.labels)),
            validation=len(validation.labels),
            validation_positives=int(np.sum(validation.labels)),
        ),
        train=measure(train.labels, train.scores, threshold),
        validation=measure(validation.labels, validation.scores, threshold),
        cross_validation=cross_validation(tuning.winner),
        curve=curve,
        groups=group_table(groups, group_order(request.contract), gate.segment_positives),
        grouped_precision=_grouped_precision(validation.labels == 1, flagged, clusters),
        made_until=fitted.until,
        weighted_by=request.contract.weight.name if request.contract.weight else UNSET,
    )


def _grouped_precision(
    positive: np.ndarray, flagged: np.ndarray, clusters: np.ndarray | None
) -> GroupedPrecision | UnsetType:
    """How surely the validation precision is known where rows belong together."""
    if clusters is None:
        return UNSET
    design = of_share(positive, flagged, clusters)
    return GroupedPrecision(design.factor, design.freedom, alike(clusters))


def _class_metrics(request: "Request", fitted: _Fitted, tuning: Tuning) -> TrainedClassMetrics:
    """The same of several classes, which are answered by the weights of the policy."""
    classes = request.contract.target.classes
    gate = load_policy(request.policy_text).gate
    weights = weights_of(read_toml(request.policy_text, "the policy"), classes, "the policy")
    train, validation = (
        Part(part.labels, part.scores) for part in (fitted.train, fitted.validation)
    )
    ships = Ships(request.model, classes, weights, two_sided(gate.level))
    return trained_metrics(ships, train, validation, tuning.winner, fitted.clusters, fitted.until)


def _number_metrics(request: "Request", fitted: _Fitted, tuning: Tuning) -> TrainedNumberMetrics:
    """The same of a number."""
    train, validation = (
        NumberPart(part.labels, part.scores) for part in (fitted.train, fitted.validation)
    )
    ships = number_ships(request.model, request.contract.target, request.policy)
    winner, clusters = tuning.winner, fitted.clusters
    return trained_number_metrics(ships, train, validation, winner, clusters, fitted.until)


def _card(
    request: "Request",
    split: "Result[SplitRows]",
    metrics: TrainedMetrics | TrainedClassMetrics | TrainedNumberMetrics,
    tuning: Tuning,
) -> str:
    lineage = {
        "training rows (SHA-256)": split.hash(TRAIN_ROWS),
        "validation rows (SHA-256)": split.hash(VALIDATION_ROWS),
        "contract (SHA-256)": request.contract_sha256,
        "policy (SHA-256)": request.policy_sha256,
    }
    tables = {name: value for name, value in vars(request.policy).items() if name != "reviewed"}
    policy = {name: vars(value) for name, value in tables.items() if value is not None}
    return model_card(request.contract, metrics, tuning, policy, lineage)


TRAIN = Step("train", "Train", Trained, (f"{MODEL}/",), _inputs, _work)
