"""What is worked out for the page after the verdict: curves, importance, learning, drift."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.adapters import drift
from sluice.drift.verdict import judge
from sluice.model.diagnostics import (
    curve_points,
    learning_curve,
    permutation_importance,
    protected_cost,
)
from sluice.model.metrics import measure
from sluice.model.table import from_parquet
from sluice.model.training import fit
from sluice.policy import DriftPolicy
from sluice.served.contract import Contract
from sluice.served.encoding import encode, numeric_features
from sluice.served.scoring import Model, load_model

if TYPE_CHECKING:
    from flows.engine.phases import Decision
    from flows.facts.tuned import Tuned

_SHARES = (0.1, 0.25, 0.5, 1.0)
_REPEATS = 3
Columns = Mapping[str, np.ndarray]
Scorer = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Rows:
    """The columns of each part by key, every array of shape (rows,); `scores` is of the holdout."""

    train: Columns
    validation: Columns
    holdout: Columns
    scores: Columns


def diagnose(decision: "Decision", folder: Path) -> dict[str, Any]:
    """The diagnostics of a decision, as evidence.json has them.

    Writes drift.html into `folder` where there is a champion to compare with.
    """
    request, candidate = decision.request, decision.candidate
    rows = _Rows(
        from_parquet(candidate.split.read("train.parquet")),
        from_parquet(candidate.split.read("validation.parquet")),
        from_parquet(candidate.split.read("holdout.parquet")),
        from_parquet(decision.scored.read("scores.parquet")),
    )
    model = load_model(candidate.trained.folder / "model")
    winner = candidate.tuned.facts
    diagnostics = _of_candidate(request.contract, model, winner, rows, request.policy.search.seed)
    flagged = float((rows.scores["candidate"] >= model.threshold).mean())
    evidence: dict[str, Any] = {
        "protected_cost": _protected(request.contract, winner, rows, flagged),
        "diagnostics": diagnostics,
    }
    champion = decision.case.champion
    if champion:
        diagnostics["champion"] = curve_points(rows.scores["label"], rows.scores["champion"])
        artifact = request.model_of(champion.model)
        policy = request.policy.drift
        evidence |= _of_champion(request.contract, policy, artifact, rows, folder)
    return evidence


def _of_candidate(
    contract: Contract, model: Model, winner: "Tuned", rows: _Rows, seed: int
) -> dict[str, Any]:
    labels = rows.scores["label"]
    return {
        "candidate": curve_points(labels, rows.scores["candidate"]),
        "importance": permutation_importance(
            model.score, rows.holdout, labels, contract, seed, _REPEATS
        ),
        "learning": _learning(contract, winner, rows, seed),
    }


def _of_champion(
    contract: Contract, policy: DriftPolicy, artifact: Path, rows: _Rows, folder: Path
) -> dict[str, Any]:
    champion = load_model(artifact)
    reference = json.loads((artifact / "reference.json").read_text(encoding="utf-8"))
    distances, page = drift.measure(reference, rows.train, contract, policy)
    (folder / "drift.html").write_text(page, encoding="utf-8")
    labels, scores = rows.scores["label"], rows.scores["champion"]
    return {
        "champion_metrics": measure(labels, scores, champion.threshold),
        "drift": judge(distances, policy).document(),
    }


def _fitted(
    contract: Contract, winner: "Tuned", features: np.ndarray, labels: np.ndarray
) -> Scorer:
    """The winner fitted to other rows; scores a matrix, shape (rows,)."""
    numeric = numeric_features(contract)
    estimator = fit(winner.winner, winner.parameters, features, labels, numeric)

    def score(matrix: np.ndarray) -> np.ndarray:
        return np.asarray(estimator.predict_proba(matrix)[:, 1])

    return score


def _learning(contract: Contract, winner: "Tuned", rows: _Rows, seed: int) -> list[dict[str, Any]]:
    target = contract.target.column

    def fitted(features: np.ndarray, labels: np.ndarray) -> Scorer:
        return _fitted(contract, winner, features, labels)

    points = learning_curve(
        fitted,
        encode(contract, rows.train),
        rows.train[target],
        encode(contract, rows.validation),
        rows.validation[target],
        _SHARES,
        seed,
    )
    return list(points)


def _protected(
    contract: Contract, winner: "Tuned", rows: _Rows, flagged: float
) -> dict[str, Any] | None:
    """What it costs that protected columns are not fed; None where there are none."""
    if not contract.role("protected"):
        return None
    labels = rows.train[contract.target.column]

    def fitted(other: Contract, features: np.ndarray) -> Scorer:
        return _fitted(other, winner, features, labels)

    return protected_cost(contract, fitted, encode, (rows.train, rows.validation), flagged)
