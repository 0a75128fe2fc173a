"""What is worked out for the page after the verdict: curves, importance, learning, drift.

Each part is a function from a `Material` to a typed result. A material holds paths and plain
values, so it can be handed to another process. The parts are worked out side by side; one fit
serves two of them, the learning curve and the cost of protection.
"""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from msgspec import structs

from flows.adapters import drift
from flows.decision.scores_file import Scores, read_scores
from flows.facts.step_files import MODEL, ON_VALIDATION, SCORES
from sluice.drift.verdict import Distance, Verdict, judge
from sluice.gate.paired import top
from sluice.gitops.evidence import ColumnDrift, Drift
from sluice.model.artifact.reference import read_reference
from sluice.model.data.split import HASH
from sluice.model.data.table import from_parquet
from sluice.model.fit.coding import coding_of
from sluice.model.fit.monotone import directions
from sluice.model.fit.training import Recipe, one_thread_each, row_weights
from sluice.model.fit.tuning_file import Parameters
from sluice.model.quality.clusters import numbered
from sluice.model.quality.diagnostics import (
    Learnt,
    Part,
    Shuffling,
    curve_points,
    learn,
    learning_sets,
    permutation_importance,
    protected_cost,
    with_protected,
)
from sluice.model.quality.diagnostics_file import (
    Curves,
    Diagnostics,
    Importance,
    ProtectedCost,
)
from sluice.model.quality.metrics import at_threshold, confusion, measure, two_sided
from sluice.model.quality.metrics_file import Measures
from sluice.policy import DriftPolicy
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import as_numbers, encode, numeric_features
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
    `scores` is a scores.parquet, of the rows of the part `judged`. `family` and `parameters` are
    those of the winner, `level` is the confidence of all intervals.
    """

    artifact: Path
    champion: Path | None
    split: Path
    scores: Path
    judged: str
    family: str
    parameters: Parameters
    seed: int
    drift: DriftPolicy
    level: float


@dataclass(frozen=True)
class Diagnosed:
    """What was worked out; what is of the champion is None where there is none."""

    diagnostics: Diagnostics
    protected_cost: ProtectedCost | None
    champion_metrics: Measures | None
    champion_equal: Measures | None
    drift: Drift | None


@dataclass(frozen=True)
class DriftReport:
    """The verdict on drift, and Evidently's report as one HTML file."""

    drift: Drift
    page: str


def material(decision: "Decision") -> Material:
    """What the diagnostics of this decision are worked out from: the rows that decided, or those of
    validation where no part of the holdout is told.
    """
    request, candidate = decision.request, decision.candidate
    scored, judged = decision.scored.folder, "holdout"
    if request.policy.gate.worded:
        scored, judged = scored / ON_VALIDATION, "validation"
    champion = decision.case.champion
    winner = candidate.tuned.facts
    return Material(
        artifact=candidate.trained.folder / MODEL,
        champion=request.model_of(champion.model) if champion else None,
        split=candidate.split.folder,
        scores=scored / SCORES,
        judged=judged,
        family=winner.winner,
        parameters=winner.parameters,
        seed=request.policy.search.seed,
        drift=request.policy.drift,
        level=two_sided(request.policy.gate.level),
    )


@dataclass(frozen=True)
class Underway:
    """The parts that take seconds, while they are worked out side by side."""

    learnt: Sequence["Future[Learnt]"]
    opened: "Future[np.ndarray] | None"
    importance: "Future[tuple[Importance, ...]]"
    drift: "Future[DriftReport] | None"


@contextmanager
def underway(given: Material, workers: int) -> Iterator[Underway]:
    """Start the parts that take seconds: fits in `workers` threads, drift in a process of its own.

    Fits and scores are computed outside the interpreter's lock, and in one thread each, so that the
    number of cores does not show in the sums. Evidently and pandas hold that lock. With one worker
    there is no process either.
    """
    with one_thread_each(), ThreadPoolExecutor(workers) as threads:
        if given.champion is None or workers == 1:
            yield _start(given, threads, threads)
            return
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawning) as process:
            yield _start(given, threads, process)


def _start(given: Material, threads: Executor, process: Executor) -> Underway:
    """The largest fits first: a small one fills what is left of the time."""
    drift_report = process.submit(measure_drift, given) if given.champion else None
    contract = _contract(given)
    columns, judged = _part(given, "train"), _part(given, "validation")
    train, validation = _encoded(contract, columns), _encoded(contract, judged)
    recipe = _recipe(given, contract)
    sets = learning_sets(train.labels, _SHARES, given.seed)
    whole = threads.submit(_learn, recipe, train, validation, sets[-1])
    opened: Future[np.ndarray] | None = None
    if contract.role("protected"):
        opened = threads.submit(_refitted, given, with_protected(contract), columns, judged)
    smaller = [threads.submit(_learn, recipe, train, validation, chosen) for chosen in sets[-2::-1]]
    return Underway(
        learnt=[*reversed(smaller), whole],
        opened=opened,
        importance=threads.submit(importance, given),
        drift=drift_report,
    )


def early(given: Material) -> Diagnosed:
    """What is known at once: the curves, and the worth of the champion."""
    return Diagnosed(
        diagnostics=Diagnostics(
            candidate=candidate_curves(given),
            importance=(),
            learning=(),
            champion=champion_curves(given),
        ),
        protected_cost=None,
        champion_metrics=champion_metrics(given),
        champion_equal=champion_equal(given),
        drift=None,
    )


def drift_alone(given: Material) -> tuple[Drift | None, str]:
    """What is worked out without a row of the holdout, and the page about it; None and empty
    without a champion.
    """
    if given.champion is None:
        return None, ""
    report = measure_drift(given)
    return report.drift, report.page


def finished(given: Material, known: Diagnosed, parts: Underway) -> tuple[Diagnosed, str]:
    """Everything that was worked out, and the page about drift; empty without a champion."""
    learnt = [part.result() for part in parts.learnt]
    cost: ProtectedCost | None = None
    if parts.opened:
        # The fit to all training rows is the one without the protected columns.
        cost = _cost_of_protection(given, learnt[-1].scores, parts.opened.result())
    report = parts.drift.result() if parts.drift else None
    diagnostics = structs.replace(
        known.diagnostics,
        importance=parts.importance.result(),
        learning=tuple(one.point for one in learnt),
    )
    whole = replace(
        known,
        diagnostics=diagnostics,
        protected_cost=cost,
        drift=report.drift if report else None,
    )
    return whole, report.page if report else ""


def candidate_curves(given: Material) -> Curves:
    """The curves of the candidate on the rows that are judged."""
    scores = _scores(given)
    return curve_points(
        scores.labels, scores.candidate, given.level, clusters=numbered(scores.group_hash)
    )


def champion_curves(given: Material) -> Curves | None:
    """The curves of the champion on the same rows; None where there is none to compare with."""
    scores = _scores(given)
    if not _comparable(scores.champion):
        return None
    return curve_points(
        scores.labels, scores.champion, given.level, clusters=numbered(scores.group_hash)
    )


def champion_metrics(given: Material) -> Measures | None:
    """What the champion is worth on the same rows, at its own threshold; None where there is
    none to compare with.
    """
    scores = _scores(given)
    if given.champion is None or not _comparable(scores.champion):
        return None
    threshold = load_model(given.champion).threshold
    return measure(scores.labels, scores.champion, threshold)


def champion_equal(given: Material) -> Measures | None:
    """What the champion is worth where it flags as many of these rows as the candidate does, so
    that a moved threshold shows no difference; None where there is none to compare with.
    """
    scores = _scores(given)
    own = champion_metrics(given)
    if own is None or scores.champion is None:
        return None
    count = int((scores.candidate >= load_model(given.artifact).threshold).sum())
    shares = at_threshold(confusion(scores.labels, top(scores.champion, scores.row_hash, count)))
    return structs.replace(own, **structs.asdict(shares))


def importance(given: Material) -> tuple[Importance, ...]:
    """How much the candidate loses on the rows that are judged when one column is shuffled."""
    model = load_model(given.artifact)
    names = [column.name for column in model.contract.features]
    scores, part = _scores(given), _part(given, given.judged)
    # Rows that a compared model has seen are not judged; those that are have the order of the part.
    kept = np.isin(part[HASH], scores.row_hash)
    numbers = as_numbers(model.contract, {name: values[kept] for name, values in part.items()})
    labels = scores.labels
    shuffling = Shuffling(given.seed, _REPEATS)
    return permutation_importance(model.score_numbers, numbers, labels, names, shuffling)


def _learn(recipe: Recipe, train: Part, validation: Part, chosen: np.ndarray) -> Learnt:
    with one_thread_each():
        return learn(recipe.fit, train, validation, chosen)


def _cost_of_protection(
    given: Material, without: np.ndarray, with_them: np.ndarray
) -> ProtectedCost:
    """What it costs that protected columns are not fed; the scores are of the validation rows.

    Recall is compared where as many are flagged as the candidate flags of the rows that are judged.
    """
    contract = _contract(given)
    threshold = load_model(given.artifact).threshold
    flagged = float((_scores(given).candidate >= threshold).mean())
    return protected_cost(
        [column.name for column in contract.role("protected")],
        without,
        with_them,
        _part(given, "validation")[contract.target.column],
        flagged,
    )


def measure_drift(given: Material) -> DriftReport:
    """How far the training rows are from those of the champion, which there has to be."""
    if given.champion is None:
        raise ValueError("without a champion there is nothing to measure drift from")
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
    numeric, monotone = tuple(numeric_features(contract)), directions(contract)
    return Recipe(given.family, given.parameters, numeric, coding_of(contract), monotone)


def _encoded(contract: Contract, columns: Columns) -> Part:
    labels, weights = columns[contract.target.column], row_weights(contract, columns)
    return Part(encode(contract, columns), labels, weights)


def _refitted(
    given: Material, contract: Contract, train: Columns, validation: Columns
) -> np.ndarray:
    """The scores of the validation rows, shape (rows,), by the recipe fitted under a contract."""
    learnt = _encoded(contract, train)
    with one_thread_each():
        fitted = _recipe(given, contract).fit(learnt.features, learnt.labels, learnt.weights)
        return fitted.score(encode(contract, validation))
