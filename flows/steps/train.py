"""Fit the winner, choose the operating point on the validation rows, write the model artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.engine.step import Step
from flows.facts.trained import Trained
from sluice.identity import folder_hash
from sluice.model import model_artifact
from sluice.model.conversion import check_agreement, convert
from sluice.model.metrics import cross_validation, measure
from sluice.model.model_card import model_card
from sluice.model.operating_point import choose_threshold
from sluice.model.reference import histogram
from sluice.model.table import from_parquet
from sluice.model.training import fit
from sluice.served.contract import Contract
from sluice.served.encoding import encode, feature_names, numeric_features
from sluice.served.scoring import open_session, score_matrix

if TYPE_CHECKING:
    from flows.engine.request import Request
    from flows.engine.store import Result
    from flows.facts.split_rows import SplitRows
    from flows.facts.tuned import Tuned

MODEL = "model"
_PARTS = ("train", "validation")


@dataclass(frozen=True)
class _Part:
    """One part of the rows: features (rows, features), labels (rows,), scores (rows,)."""

    features: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


def _inputs(
    request: "Request", split: "Result[SplitRows]", tuned: "Result[Tuned]"
) -> dict[str, str]:
    return {
        "train": split.hash("train.parquet"),
        "validation": split.hash("validation.parquet"),
        "tuning": tuned.hash("tuning.json"),
        "contract": request.contract_sha256,
        "policy": request.policy_sha256,  # the whole of it ships
    }


def _work(
    folder: Path, request: "Request", split: "Result[SplitRows]", tuned: "Result[Tuned]"
) -> Trained:
    """Write the artifact folder. Raises SluiceError where ONNX and scikit-learn do not agree."""
    contract = request.contract
    rows = {part: from_parquet(split.read(f"{part}.parquet")) for part in _PARTS}
    tuning = tuned.document("tuning.json")
    model, parts = _fit(contract, rows, tuned.facts)
    threshold = choose_threshold(
        parts["validation"].labels,
        parts["validation"].scores,
        request.policy.gate.precision_floor + request.policy.operating_point.precision_slack,
    )
    metrics = _metrics(request.model, threshold, parts, tuning)
    card = _card(request, split, metrics, tuning)
    (folder / MODEL).mkdir()
    model_artifact.write(
        folder / MODEL,
        model_artifact.Parts(
            model,
            request.contract_text,
            request.policy_text,
            threshold,
            histogram(contract, rows["train"]),
            metrics,
            card,
        ),
    )
    return Trained(folder_hash(folder / MODEL), threshold, tuned.facts.winner)


def _fit(
    contract: Contract, rows: Mapping[str, Mapping[str, np.ndarray]], tuned: "Tuned"
) -> tuple[bytes, dict[str, _Part]]:
    """The ONNX model of the winner, checked against scikit-learn, and the parts it scored."""
    features = {part: encode(contract, columns) for part, columns in rows.items()}
    labels = {part: columns[contract.target.column] for part, columns in rows.items()}
    numeric = numeric_features(contract)
    estimator = fit(tuned.winner, tuned.parameters, features["train"], labels["train"], numeric)
    model = convert(estimator, len(feature_names(contract)))
    for matrix in features.values():
        check_agreement(estimator, model, matrix)
    session = open_session(model)
    parts = {
        part: _Part(matrix, labels[part], score_matrix(session, matrix))
        for part, matrix in features.items()
    }
    return model, parts


def _metrics(
    model: str, threshold: float, parts: Mapping[str, _Part], tuning: Mapping[str, Any]
) -> dict[str, Any]:
    """The metrics of training and validation, schema 1."""
    rows: dict[str, int] = {}
    for part, values in parts.items():
        rows[part] = len(values.labels)
        rows[f"{part}_positives"] = int(np.sum(values.labels))
    measured = {
        part: measure(values.labels, values.scores, threshold) for part, values in parts.items()
    }
    return {
        "schema": 1,
        "model": model,
        "threshold": threshold,
        "rows": rows,
        **measured,
        "cross_validation": cross_validation(tuning),
    }


def _card(
    request: "Request",
    split: "Result[SplitRows]",
    metrics: Mapping[str, Any],
    tuning: Mapping[str, Any],
) -> str:
    lineage = {
        "training rows (SHA-256)": split.hash("train.parquet"),
        "validation rows (SHA-256)": split.hash("validation.parquet"),
        "contract (SHA-256)": request.contract_sha256,
        "policy (SHA-256)": request.policy_sha256,
    }
    policy = {name: vars(value) for name, value in vars(request.policy).items()}
    return model_card(request.contract, metrics, tuning, policy, lineage)


TRAIN = Step("train", "Train", Trained, (f"{MODEL}/",), _inputs, _work)
