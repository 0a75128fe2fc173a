"""Fit the winner, choose the operating point on the validation rows, and write the model
artifact.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.identity import folder_hash, sha256
from sluice.model import model_artifact
from sluice.model.conversion import check_agreement, convert
from sluice.model.metrics import cross_validation, measure
from sluice.model.model_card import model_card
from sluice.model.operating_point import choose_threshold
from sluice.model.reference import histogram
from sluice.model.table import from_parquet
from sluice.model.training import fit
from sluice.served.encoding import encode, feature_names, numeric_features
from sluice.served.scoring import open_session, score_matrix

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "train", "Train"
MODEL = "model"


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """Training and validation rows, the winner of the search, the contract and the whole policy (it
    ships).
    """
    return {
        "train": done["split"].hash("train.parquet"),
        "validation": done["split"].hash("validation.parquet"),
        "tuning": done["tune"].hash("tuning.json"),
        "contract": sha256(run.contract_text.encode()),
        "policy": sha256(run.policy_text.encode()),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write the artifact folder; raise SluiceError where ONNX and scikit-learn do not agree."""
    tuning = json.loads((done["tune"].folder / "tuning.json").read_text(encoding="utf-8"))
    target = run.contract.target.column
    train, validation = (
        from_parquet((done["split"].folder / f"{part}.parquet").read_bytes())
        for part in ("train", "validation")
    )
    features = encode(run.contract, train)
    winner = tuning["winner"]
    estimator = fit(
        winner["family"],
        winner["parameters"],
        features,
        train[target],
        numeric_features(run.contract),
    )
    model = convert(estimator, len(feature_names(run.contract)))
    matrices = {
        "train": (features, train[target]),
        "validation": (encode(run.contract, validation), validation[target]),
    }
    for matrix, _ in matrices.values():
        check_agreement(estimator, model, matrix)
    session = open_session(model)
    scores = {part: score_matrix(session, matrix) for part, (matrix, _) in matrices.items()}
    gate = run.policy.gate
    threshold = choose_threshold(
        matrices["validation"][1],
        scores["validation"],
        gate.precision_floor + run.policy.operating_point.precision_slack,
    )
    metrics = {
        "schema": 1,
        "model": run.model,
        "threshold": threshold,
        "rows": {part: len(labels) for part, (_, labels) in matrices.items()}
        | {f"{part}_positives": int(np.sum(labels)) for part, (_, labels) in matrices.items()},
        **{
            part: measure(labels, scores[part], threshold) for part, (_, labels) in matrices.items()
        },
        "cross_validation": cross_validation(tuning),
    }
    _write(
        run, done, folder / MODEL, model, threshold, metrics, tuning, histogram(run.contract, train)
    )
    return {
        "model": folder_hash(folder / MODEL),
        "threshold": threshold,
        "family": winner["family"],
    }


def _write(
    run: "Run",
    done: "Done",
    place: Path,
    model: bytes,
    threshold: float,
    metrics: dict[str, Any],
    tuning: Mapping[str, Any],
    reference: Mapping[str, Any],
) -> None:
    place.mkdir()
    lineage = {
        "training rows (SHA-256)": done["split"].hash("train.parquet"),
        "validation rows (SHA-256)": done["split"].hash("validation.parquet"),
        "contract (SHA-256)": sha256(run.contract_text.encode()),
        "policy (SHA-256)": sha256(run.policy_text.encode()),
    }
    policy = {name: vars(value) for name, value in vars(run.policy).items()}
    card = model_card(run.contract, metrics, tuning, policy, lineage)
    model_artifact.write(
        place,
        model_artifact.Parts(
            model, run.contract_text, run.policy_text, threshold, reference, metrics, card
        ),
    )
