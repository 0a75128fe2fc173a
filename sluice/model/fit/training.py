"""Tuning and fitting. The objective, average precision, does not depend on any threshold.

Features are float32, shape (rows, columns); labels are 0 or 1, shape (rows,), or the place of the
class where there are more than two. Where the target is a number they are floats, its share of the
range of the contract, and the objective is the skill of `sluice.model.number.skill`.
"""

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from sluice.errors import Refused
from sluice.model.classes.ranking import of_each_class, ranked
from sluice.model.fit.coding import PLAIN, Coding, behind, look_up
from sluice.model.fit.tuning_file import Parameters, Trial, Tuning, whole
from sluice.model.number.skill import skill_of
from sluice.policy import SearchPolicy
from sluice.served.contract import Contract
from sluice.served.encoding import Columns

if TYPE_CHECKING:
    import optuna
    from joblib import Parallel
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline

    Estimator: TypeAlias = (
        Pipeline
        | HistGradientBoostingClassifier
        | HistGradientBoostingRegressor
        | RandomForestClassifier
        | RandomForestRegressor
    )

Progress = Callable[[Trial], None]
Fold = tuple[np.ndarray, np.ndarray]  # the places of the rows learnt from, and of those left out
_EXPECTED = "Bins whose width are too small|Feature [0-9]+ is constant"
WEIGHT = "positive_weight"  # the parameter of every family that is not searched
MOST_LEAVES = 1024  # of a tree of a forest: a hundred such trees are 5 MB of ONNX
_RULED_OUT = 1e-6  # the least probability that a class counts with
_FIRST_AT_RANDOM = 4  # trials of a family before the sampler follows what it has seen


def _silent(_: Trial) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True)
class Rows:
    """What is learnt from: features, labels, and of each column of the features whether it is a
    quantity.

    `coding` is what it needs before it is learnt from, `weights`, of shape (rows,), what each row
    counts for where it is learnt from, and `drawn_from` how many rows each one stands for, there
    and where it judges. `monotone` has 1 for each column that may only raise a score as it grows,
    -1 for one that may only lower it, 0 for the others; it is empty where there are none, and has
    to be for a family that is not in `monotone.KEEPING`.
    """

    features: np.ndarray
    labels: np.ndarray
    numeric: Sequence[bool]
    coding: Coding = PLAIN
    weights: np.ndarray | None = None
    monotone: Sequence[int] = ()
    drawn_from: np.ndarray | None = None

    @property
    def of_number(self) -> bool:
        """Whether labels are shares of a range, and not classes."""
        return self.labels.dtype.kind == "f"


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator that scores rows."""

    estimator: "Estimator"

    def score(self, features: np.ndarray) -> np.ndarray:
        """The probability of the positive class, float64, shape (rows,)."""
        return np.asarray(self.estimator.predict_proba(features)[:, 1])


@dataclass(frozen=True)
class Recipe:
    """A family with its parameters, which can be fitted to any rows of these columns."""

    family: str
    parameters: Parameters
    numeric: tuple[bool, ...]
    coding: Coding = PLAIN
    monotone: tuple[int, ...] = ()

    def fit(
        self, features: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> Fitted:
        """The recipe fitted to these rows; bit-equal for equal rows."""
        rows = Rows(features, labels, self.numeric, self.coding, weights, self.monotone)
        return Fitted(fit_rows(self.family, self.parameters, rows))


def tune(
    features: np.ndarray,
    labels: np.ndarray,
    numeric: Sequence[bool],
    policy: SearchPolicy,
    progress: Progress = _silent,
    workers: int = 2,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
    coding: Coding = PLAIN,
    weights: np.ndarray | None = None,
    monotone: Sequence[int] = (),
) -> Tuning:
    """Search each family with its share of the trials, by stratified cross-validation.

    Rows of one group, where `groups` gives a number for each row, are in one fold. Where `times`
    (datetime64) are given, each fold is judged on rows that are newer than those it learns from.
    `coding` is what the matrix needs before it is learnt from, `weights` what each row counts for
    there; rows that judge count alike.

    The trials of a family follow one another, so that the same inputs give the same trials; only
    folds run side by side, in `workers` threads. `progress` is called after each trial.
    """
    import optuna
    from joblib import Parallel

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folds = all_folds(labels, groups, times, policy)
    rows = Rows(features, labels, numeric, coding, weights, monotone)
    trials: list[Trial] = []
    with Parallel(n_jobs=workers, prefer="threads") as parallel, one_thread_each():
        for place, family in enumerate(policy.families):
            study = _study(policy.seed + place)
            for _ in range(_trials_of(place, policy)):
                proposal = study.ask()
                parameters = weighted(suggest(family, proposal), policy)
                scores = _cross_validate(parallel, family, parameters, rows, folds)
                trial = trial_of(len(trials), family, parameters, scores)
                study.tell(proposal, trial.score)
                trials.append(trial)
                progress(trial)
    return tuning_of(trials)


def all_folds(
    labels: np.ndarray,
    groups: np.ndarray | None,
    times: np.ndarray | None,
    policy: SearchPolicy,
) -> list[Fold]:
    """The folds of a search: by time where `times` are given. Raises as the two ways do."""
    if times is None:
        return folds_of(labels, groups, policy.folds, policy.seed)
    return forward_folds(labels, groups, times, policy.folds)


def folds_of(labels: np.ndarray, groups: np.ndarray | None, count: int, seed: int) -> list[Fold]:
    """So many folds with equal shares of positives; the rows of a group are in one of them. Of a
    number, whose labels are floats, chance alone shares them out.

    Raises ValueError where there are fewer positives or groups than folds.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if labels.dtype.kind == "f":
        plain = KFold if groups is None else GroupKFold
        parts = plain(count, shuffle=True, random_state=seed % 2**32)
        return list(parts.split(np.zeros(len(labels)), labels, groups))
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    shuffled = kind(count, shuffle=True, random_state=seed % 2**32)
    return list(shuffled.split(np.zeros(len(labels)), labels, groups))


def forward_folds(
    labels: np.ndarray, groups: np.ndarray | None, times: np.ndarray, count: int
) -> list[Fold]:
    """So many folds, each judged on the rows that follow those it learns from.

    Rows are cut by time into one block more than there are folds, about equally large; rows of one
    time are in one block. A fold learns from all blocks before its own, without rows whose group is
    in that. Raises Refused where a fold lacks a class on either side.
    """
    classes = 1 if labels.dtype.kind == "f" else max(len(np.unique(labels)), 2)
    ordered = np.sort(times)
    edges = [ordered[len(ordered) * number // (count + 1)] for number in range(1, count + 1)]
    blocks = np.searchsorted(np.array(edges), times, side="right")
    folds = []
    for number in range(1, count + 1):
        judged, learnt = blocks == number, blocks < number
        if groups is not None:
            learnt &= ~np.isin(groups, groups[judged])
        if any(len(np.unique(labels[rows])) < classes for rows in (judged, learnt)):
            named = "one of the two classes" if classes == 2 else "a class"
            what = f"fold {number} of {count} by time lacks {named} on one side"
            fix = "Write fewer folds in [search], or bring times that tell more rows apart."
            raise Refused(what, fix)
        folds.append((np.flatnonzero(learnt), np.flatnonzero(judged)))
    return folds


def learnt_labels(contract: Contract, columns: Columns) -> np.ndarray:
    """What is learnt of each row, shape (rows,): its class, or its share of the range."""
    labels, quantity = columns[contract.target.column], contract.target.quantity
    return quantity.shares(labels) if quantity else labels


def row_weights(contract: Contract, columns: Columns) -> np.ndarray | None:
    """What each row counts for in training, shape (rows,); None where all count alike."""
    return columns[contract.weight.key] if contract.weight else None


def preload() -> None:
    """Import what searching and fitting import when they begin."""
    import optuna  # noqa: F401
    from sklearn import compose, ensemble, linear_model, pipeline, preprocessing  # noqa: F401


def _study(seed: int) -> "optuna.Study":
    import optuna

    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=_FIRST_AT_RANDOM)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _trials_of(place: int, policy: SearchPolicy) -> int:
    """The number of trials of the family at this place; the first families take the remainder."""
    each, remainder = divmod(policy.trials, len(policy.families))
    if place < remainder:
        return each + 1
    return each


class FoldScores(NamedTuple):
    """How a setting did on a fold: average precision, ROC-AUC, and the log loss of its
    probabilities, NaN where it has none.
    """

    average_precision: float
    roc_auc: float
    log_loss: float


def trial_of(
    number: int, family: str, parameters: Parameters, scores: Sequence[Sequence[float]]
) -> Trial:
    """A trial, from the average precision and the ROC-AUC of each fold."""
    folds = tuple(one[0] for one in scores)
    areas = tuple(one[1] for one in scores)
    return Trial(
        number=number,
        family=family,
        parameters=parameters,
        score=float(np.mean(folds)),
        std=float(np.std(folds)),
        folds=folds,
        roc_auc=areas,
    )


def tuning_of(trials: Sequence[Trial]) -> Tuning:
    """A search with its winner: the best mean score over all folds, the earliest among equals."""
    winner = max(whole(trials), key=lambda trial: (trial.score, -trial.number))
    return Tuning(winner=winner, trials=tuple(trials))


def suggest(family: str, trial: "optuna.Trial") -> Parameters:
    """The next parameters of a family, which Optuna chooses within these limits."""
    if family == "linear_regression":
        return {
            "bins": trial.suggest_int("bins", 12, 40, step=4),
            "penalty": trial.suggest_float("penalty", 0.1, 100.0, log=True),
        }
    if family == "logistic_regression":
        return {
            "bins": trial.suggest_int("bins", 12, 40, step=4),
            "inverse_penalty": trial.suggest_float("inverse_penalty", 0.01, 10.0, log=True),
        }
    if family == "random_forest":
        return {
            "trees": 100,
            "columns_tried": trial.suggest_float("columns_tried", 0.1, 0.8),
            "smallest_leaf": trial.suggest_int("smallest_leaf", 2, 40, log=True),
            "leaves": trial.suggest_int("leaves", 64, MOST_LEAVES, log=True),
        }
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.2, log=True),
        "iterations": trial.suggest_int("iterations", 80, 200, step=20),
        "leaves": trial.suggest_int("leaves", 4, 16),
        "smallest_leaf": trial.suggest_int("smallest_leaf", 10, 100, step=10),
        "l2": trial.suggest_float("l2", 0.01, 10.0, log=True),
    }


def fit(
    family: str,
    parameters: Parameters,
    features: np.ndarray,
    labels: np.ndarray,
    numeric: Sequence[bool],
    coding: Coding = PLAIN,
    weights: np.ndarray | None = None,
    monotone: Sequence[int] = (),
) -> "Estimator":
    """A fitted scikit-learn estimator; bit-equal for equal inputs.

    The arguments are the fields of `Rows`. Raises KeyError for an unknown family.
    """
    rows = Rows(features, labels, numeric, coding, weights, monotone)
    return fit_rows(family, parameters, rows)


def fit_rows(family: str, parameters: Parameters, rows: Rows) -> "Estimator":
    """As `fit`."""
    with one_thread_each():
        return _fit(family, parameters, rows)


def _fit(family: str, parameters: Parameters, rows: Rows) -> "Estimator":
    estimator = _unfitted(family, parameters, rows)
    weight = float(parameters.get(WEIGHT, 1.0))
    weights = rows.weights
    if rows.drawn_from is not None:
        weights = rows.drawn_from if weights is None else rows.drawn_from * weights
    if weight != 1.0:
        of_positives = np.where(rows.labels == 1, weight, 1.0)
        weights = of_positives if weights is None else of_positives * weights
    if weights is None:
        return estimator.fit(rows.features, rows.labels)
    estimator.fit(rows.features, rows.labels, **{_weight_of(estimator): weights})
    if weight != 1.0:
        _RIGHTED[family](_of_family(estimator, rows), math.log(weight))
    return estimator


def _unfitted(family: str, parameters: Parameters, rows: Rows) -> "Estimator":
    """The estimator of a family, behind the look-ups that the matrix needs."""
    from sklearn.pipeline import Pipeline

    from sluice.model.fit.lookups import Single

    make = _FAMILIES[family]
    if not rows.coding:
        return make(parameters, rows)
    filled = family not in _TAKE_MISSING
    numeric = behind(rows.coding, rows.numeric, filled=filled, number=True, flag=False)
    monotone: Sequence[int] = ()
    if any(rows.monotone):
        monotone = behind(rows.coding, rows.monotone, filled=filled, number=0, flag=0)
    return Pipeline(
        [
            ("look_up", look_up(rows.coding, filled=filled)),
            ("single", Single(len(numeric))),
            ("model", make(parameters, replace(rows, numeric=numeric, monotone=monotone))),
        ]
    )


def _of_family(estimator: "Estimator", rows: Rows) -> "Estimator":
    """The estimator of the family itself, without the look-ups before it."""
    return estimator.named_steps["model"] if rows.coding else estimator


def _weight_of(estimator: "Estimator") -> str:
    """What the weights are called where an estimator is fitted: its last step takes them."""
    name = "sample_weight"
    step: object = estimator
    prefix = ""
    while hasattr(step, "steps"):
        last, step = step.steps[-1]
        prefix += f"{last}__"
    return prefix + name


def _right_logistic(estimator: "Estimator", log_weight: float) -> None:
    """A weight of the positives adds its logarithm to all log-odds; that is taken off again, so
    that scores are probabilities.
    """
    estimator.named_steps["model"].intercept_ -= log_weight


def _right_boosting(estimator: "Estimator", log_weight: float) -> None:
    """The same: log-odds begin at the baseline, to which each tree adds."""
    estimator._baseline_prediction -= log_weight


_RIGHTED = {"logistic_regression": _right_logistic, "gradient_boosting": _right_boosting}


def weighted(parameters: Parameters, policy: SearchPolicy) -> Parameters:
    """Parameters with the weight of positives that a policy states."""
    if policy.positive_weight == 1.0:
        return parameters
    return {**parameters, WEIGHT: policy.positive_weight}


def _logistic_regression(parameters: Parameters, rows: Rows) -> "Estimator":
    """Quantities in bins of equally many rows, everything else one-hot; then a logistic model."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=parameters["inverse_penalty"], max_iter=500)
    return _behind_bins(parameters, rows, model)


def _linear_regression(parameters: Parameters, rows: Rows) -> "Estimator":
    """The same bins; then a linear model whose weights are held small (ridge)."""
    from sklearn.linear_model import Ridge

    return _behind_bins(parameters, rows, Ridge(alpha=parameters["penalty"], solver="lsqr"))


def _behind_bins(
    parameters: Parameters, rows: Rows, model: "LogisticRegression | Ridge"
) -> "Estimator":
    """A model of bins of equally many rows, and of one column for each other value."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

    quantities = [place for place, quantity in enumerate(rows.numeric) if quantity]
    levels = [place for place, quantity in enumerate(rows.numeric) if not quantity]
    bins = KBinsDiscretizer(
        n_bins=int(parameters["bins"]),
        encode="onehot",
        quantile_method="averaged_inverted_cdf",
        subsample=None,
    )
    steps = []
    if quantities:
        steps.append(("bins", bins, quantities))
    if levels:
        steps.append(("levels", OneHotEncoder(handle_unknown="ignore"), levels))
    prepare = ColumnTransformer(steps, sparse_threshold=1.0)
    return Pipeline([("prepare", prepare), ("model", model)])


def _gradient_boosting(parameters: Parameters, rows: Rows) -> "Estimator":
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make = HistGradientBoostingRegressor if rows.of_number else HistGradientBoostingClassifier
    return make(
        learning_rate=parameters["learning_rate"],
        max_iter=int(parameters["iterations"]),
        max_leaf_nodes=int(parameters["leaves"]),
        min_samples_leaf=int(parameters["smallest_leaf"]),
        l2_regularization=parameters["l2"],
        early_stopping=False,
        random_state=0,
        monotonic_cst=tuple(rows.monotone) or None,
    )


def _random_forest(parameters: Parameters, rows: Rows) -> "Estimator":
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    make = RandomForestRegressor if rows.of_number else RandomForestClassifier
    return make(
        n_estimators=int(parameters["trees"]),
        max_features=parameters["columns_tried"],
        min_samples_leaf=int(parameters["smallest_leaf"]),
        max_leaf_nodes=int(parameters["leaves"]),
        random_state=0,
        monotonic_cst=tuple(rows.monotone) or None,
    )


_FAMILIES = {
    "linear_regression": _linear_regression,
    "logistic_regression": _logistic_regression,
    "gradient_boosting": _gradient_boosting,
    "random_forest": _random_forest,
}
_TAKE_MISSING = ("gradient_boosting",)  # families that learn where a missing number belongs


def _cross_validate(
    parallel: "Parallel",
    family: str,
    parameters: Parameters,
    rows: Rows,
    folds: Sequence[Fold],
) -> list[FoldScores]:
    """The scores of each fold, in their order; of several classes their means."""
    from joblib import delayed

    jobs = [delayed(judge_fold)(family, parameters, rows, fold) for fold in folds]
    return list(parallel(jobs))


def _of(rows: Rows, places: np.ndarray) -> Rows:
    """Some of the rows: all that is fitted, look-ups too, is fitted on these."""
    return replace(
        rows,
        features=rows.features[places],
        labels=rows.labels[places],
        weights=None if rows.weights is None else rows.weights[places],
        drawn_from=None if rows.drawn_from is None else rows.drawn_from[places],
    )


def judge_fold(family: str, parameters: Parameters, rows: Rows, fold: Fold) -> FoldScores:
    """How a setting does on the rows of a fold that were not learnt from; where the target is a
    number its skill in place of both ranks. It is to be called within `one_thread_each`.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    learnt, left_out = fold
    estimator = _fit(family, parameters, _of(rows, learnt))
    if rows.of_number:
        found = np.clip(estimator.predict(rows.features[left_out]), 0.0, 1.0)
        middle = float(np.median(rows.labels[learnt]))
        skill = skill_of(rows.labels[left_out], found, middle)
        return FoldScores(skill, skill, math.nan)
    probabilities, labels = estimator.predict_proba(rows.features[left_out]), rows.labels[left_out]
    classes = max(int(rows.labels.max()) + 1, 2)
    shares = of_each_class(probabilities, estimator.classes_, classes)
    counted = None if rows.drawn_from is None else rows.drawn_from[left_out]
    loss = _log_loss(labels, shares, counted)
    if classes > 2:
        return FoldScores(*ranked(labels, shares), loss)
    scores = probabilities[:, 1]
    precision = float(average_precision_score(labels, scores, sample_weight=counted))
    area = float(roc_auc_score(labels, scores, sample_weight=counted))
    return FoldScores(precision, area, loss)


def _log_loss(labels: np.ndarray, shares: np.ndarray, counted: np.ndarray | None) -> float:
    """The mean of minus the logarithm of what the true classes were given, `shares` of shape (rows,
    classes), each row as often as it is counted. One that was ruled out counts as one in a million.
    """
    given = shares[np.arange(len(labels)), labels.astype(np.int64)]
    losses = -np.log(np.maximum(given, _RULED_OUT))
    return float(losses.mean() if counted is None else np.average(losses, weights=counted))


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Fit with one BLAS and OpenMP thread, as long as this lasts.

    The number of cores must not show in the sums, and fits that run side by side fill the cores.
    """
    from threadpoolctl import threadpool_limits

    _ignore_expected()
    with threadpool_limits(1):
        yield


def _ignore_expected() -> None:
    """Quantile bins of a column with few values fall together, which is what is wanted, and a
    column that is constant in the rows of a fold says nothing there.

    Ignored from now on in the whole process: `catch_warnings` would be set back by one thread while
    another one fits.
    """
    known = [text.pattern for _, text, *_ in warnings.filters if isinstance(text, re.Pattern)]
    if _EXPECTED not in known:
        warnings.filterwarnings("ignore", message=_EXPECTED)
