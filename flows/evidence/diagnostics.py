"""What is worked out for the page after the verdict: curves, importance, learning, drift.

Each part is a function of this module from a `Material` to a typed result. A material holds paths
and plain values, so it can be handed to another process, and no part depends on another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from flows.adapters import drift
from flows.decision import scores_file
from flows.decision.scores_file import Scores, read_scores
from sluice.drift.verdict import Distance, Verdict, judge
from sluice.gitops.evidence import ColumnDrift, Drift
from sluice.model.diagnostics import (
    Part,
    Shuffling,
    curve_points,
    learning_curve,
    permutation_importance,
    protected_cost,
    with_protected,
)
from sluice.model.diagnostics_file import (
    Curves,
    Diagnostics,
    Importance,
    LearningPoint,
    ProtectedCost,
)
from sluice.model.metrics import measure
from sluice.model.metrics_file import Measures
from sluice.model.reference import read_reference
from sluice.model.table import from_parquet
from sluice.model.training import Recipe
from sluice.model.tuning_file import Parameters
from sluice.policy import DriftPolicy
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode, numeric_features
from sluice.served.scoring import load_model

if TYPE_CHECKING:
    from flows.engine.phases import Decision

DRIFT_PAGE = "drift.html"
_SHARES = (0.1, 0.25, 0.5, 1.0)  # of the training rows, for the learning curve
_REPEATS = 3  # times that each column is shuffled
Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Material:
    """Everything that the diagnostics of a decision are worked out from.

    `artifact` and `champion` are folders of model artifacts, `split` is the folder of the parts,
    `scores` is a scores.parquet. `family` and `parameters` are those of the winner.
    """

    artifact: Path
    champion: Path | None
    split: Path
    scores: Path
    family: str
    parameters: Parameters
    seed: int
    drift: DriftPolicy


@dataclass(frozen=True)
class Diagnosed:
    """What was worked out; what is of the champion is None where there is none."""

    diagnostics: Diagnostics
    protected_cost: ProtectedCost | None
    champion_metrics: Measures | None
    drift: Drift | None


@dataclass(frozen=True)
class DriftReport:
    """The verdict on drift, and Evidently's report as one HTML file."""

    drift: Drift
    page: str


def material(decision: "Decision") -> Material:
    """What the diagnostics of this decision are worked out from."""
    request, candidate = decision.request, decision.candidate
    champion = decision.case.champion
    winner = candidate.tuned.facts
    return Material(
        artifact=candidate.trained.folder / "model",
        champion=request.model_of(champion.model) if champion else None,
        split=candidate.split.folder,
        scores=decision.scored.folder / scores_file.NAME,
        family=winner.winner,
        parameters=winner.parameters,
        seed=request.policy.search.seed,
        drift=request.policy.drift,
    )


def diagnose(given: Material, folder: Path) -> Diagnosed:
    """Work out every part, one after the other.

    Writes drift.html into `folder` where there is a champion to compare with.
    """
    report = measure_drift(given)
    if report:
        (folder / DRIFT_PAGE).write_text(report.page, encoding="utf-8")
    return Diagnosed(
        diagnostics=Diagnostics(
            candidate=candidate_curves(given),
            importance=importance(given),
            learning=learning(given),
            champion=champion_curves(given),
        ),
        protected_cost=cost_of_protection(given),
        champion_metrics=champion_metrics(given),
        drift=report.drift if report else None,
    )


def candidate_curves(given: Material) -> Curves:
    """The curves of the candidate on the holdout rows."""
    scores = _scores(given)
    return curve_points(scores.labels, scores.candidate)


def champion_curves(given: Material) -> Curves | None:
    """The curves of the champion on the same rows; None where there is none to compare with."""
    scores = _scores(given)
    if not _comparable(scores.champion):
        return None
    return curve_points(scores.labels, scores.champion)


def champion_metrics(given: Material) -> Measures | None:
    """What the champion is worth on the same rows, at its own threshold; None where there is
    none to compare with.
    """
    scores = _scores(given)
    if given.champion is None or not _comparable(scores.champion):
        return None
    threshold = load_model(given.champion).threshold
    return measure(scores.labels, scores.champion, threshold)


def importance(given: Material) -> tuple[Importance, ...]:
    """How much the candidate loses on the holdout when one column is shuffled."""
    model = load_model(given.artifact)
    labels = _scores(given).labels
    holdout = _part(given, "holdout")
    return permutation_importance(
        model.score, holdout, labels, model.contract, Shuffling(given.seed, _REPEATS)
    )


def learning(given: Material) -> tuple[LearningPoint, ...]:
    """What the winner's recipe learns from fewer training rows."""
    contract = _contract(given)
    train = _encoded(contract, _part(given, "train"))
    validation = _encoded(contract, _part(given, "validation"))
    return learning_curve(_recipe(given, contract).fit, train, validation, _SHARES, given.seed)


def cost_of_protection(given: Material) -> ProtectedCost | None:
    """What it costs that protected columns are not fed; None where there are none.

    Recall is compared where as many rows are flagged as the candidate flags on the holdout.
    """
    contract = _contract(given)
    protected = [column.name for column in contract.role("protected")]
    if not protected:
        return None
    train, validation = _part(given, "train"), _part(given, "validation")
    threshold = load_model(given.artifact).threshold
    flagged = float((_scores(given).candidate >= threshold).mean())
    return protected_cost(
        protected,
        _refitted(given, contract, train, validation),
        _refitted(given, with_protected(contract), train, validation),
        validation[contract.target.column],
        flagged,
    )


def measure_drift(given: Material) -> DriftReport | None:
    """How far the training rows are from those of the champion; None where there is none."""
    if given.champion is None:
        return None
    reference = read_reference((given.champion / "reference.json").read_bytes())
    train = _part(given, "train")
    distances, page = drift.measure(reference, train, _contract(given), given.drift)
    return DriftReport(_drift(judge(distances, given.drift)), page)


def _drift(verdict: Verdict) -> Drift:
    """The verdict on drift as evidence.json has it."""
    drifted = [_column(distance, drifted=True) for distance in verdict.drifted]
    steady = [_column(distance, drifted=False) for distance in verdict.steady]
    return Drift(
        verdict=verdict.verdict,
        share=verdict.share,
        columns=(*drifted, *steady),
        sentence=verdict.sentence,
    )


def _column(distance: Distance, *, drifted: bool) -> ColumnDrift:
    return ColumnDrift(
        column=distance.column,
        kind=distance.kind,
        distance=distance.distance,
        drifted=drifted,
    )


def _comparable(scores: np.ndarray | None) -> TypeGuard[np.ndarray]:
    """Whether there is a champion whose contract takes enough of the rows: its scores are NaN
    where it does not.
    """
    return scores is not None and bool(np.isfinite(scores).all())


def _scores(given: Material) -> Scores:
    return read_scores(given.scores.read_bytes())


def _part(given: Material, name: str) -> Columns:
    """The columns of one part by key, every array of shape (rows,)."""
    return from_parquet((given.split / f"{name}.parquet").read_bytes())


def _contract(given: Material) -> Contract:
    """The contract that the candidate was trained by: it travels with the artifact."""
    path = given.artifact / "contract.toml"
    return load_contract(path.read_text(encoding="utf-8"), str(path))


def _recipe(given: Material, contract: Contract) -> Recipe:
    return Recipe(given.family, given.parameters, tuple(numeric_features(contract)))


def _encoded(contract: Contract, columns: Columns) -> Part:
    return Part(encode(contract, columns), columns[contract.target.column])


def _refitted(
    given: Material, contract: Contract, train: Columns, validation: Columns
) -> np.ndarray:
    """The scores of the validation rows, shape (rows,), by the recipe fitted under a contract."""
    learnt = _encoded(contract, train)
    fitted = _recipe(given, contract).fit(learnt.features, learnt.labels)
    return fitted.score(encode(contract, validation))
