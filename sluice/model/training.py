"""Tuning and fitting. The objective, average precision, does not depend on any threshold."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.policy import SearchPolicy

OBJECTIVE = "average_precision"
Progress = Callable[["Trial"], None]


@dataclass(frozen=True)
class Trial:
    """One setting of one family, with its score on each fold."""

    number: int
    family: str
    parameters: dict[str, float | int]
    folds: tuple[float, ...]
    roc_auc: tuple[float, ...]

    @property
    def score(self) -> float:
        """The mean of the objective over the folds."""
        return float(np.mean(self.folds))


@dataclass(frozen=True)
class Tuning:
    """Every trial of a search, and the one with the best mean score (the earliest among equals)."""

    trials: tuple[Trial, ...]

    @property
    def winner(self) -> Trial:
        """The best trial."""
        return max(self.trials, key=lambda trial: (trial.score, -trial.number))

    def document(self) -> dict[str, Any]:
        """As JSON-able values."""
        shown = [
            {
                "number": trial.number,
                "family": trial.family,
                "parameters": trial.parameters,
                "score": trial.score,
                "std": float(np.std(trial.folds)),
                "folds": list(trial.folds),
                "roc_auc": list(trial.roc_auc),
            }
            for trial in self.trials
        ]
        return {
            "schema": 1,
            "objective": OBJECTIVE,
            "winner": shown[self.winner.number],
            "trials": shown,
        }


def tune(
    features: np.ndarray,
    labels: np.ndarray,
    numeric: Sequence[bool],
    policy: SearchPolicy,
    progress: Progress = lambda _: None,
    workers: int = 2,
) -> Tuning:
    """Search each family with its share of the trials, stratified cross-validation, folds in
    parallel.

    `features` float32 (rows, columns), `labels` 0/1 (rows,). The trials of a family follow one
    another, so that the same inputs give the same trials; only folds run side by side.
    """
    import optuna
    from joblib import Parallel, delayed
    from sklearn.model_selection import StratifiedKFold

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shuffled = StratifiedKFold(policy.folds, shuffle=True, random_state=policy.seed % 2**32)
    folds = list(shuffled.split(features, labels))
    trials: list[Trial] = []
    with Parallel(n_jobs=workers, prefer="threads") as parallel, _one_thread_each():
        for place, family in enumerate(policy.families):
            study = optuna.create_study(
                direction="maximize",
                sampler=optuna.samplers.TPESampler(
                    seed=(policy.seed + place) % 2**32, n_startup_trials=4
                ),
            )
            count = policy.trials // len(policy.families) + (
                place < policy.trials % len(policy.families)
            )
            for _ in range(count):
                asked = study.ask()
                parameters = suggest(family, asked)
                scores = parallel(
                    delayed(_fold)(family, parameters, features, labels, numeric, f) for f in folds
                )
                trial = Trial(len(trials), family, parameters, *zip(*scores, strict=True))
                study.tell(asked, trial.score)
                trials.append(trial)
                progress(trial)
    return Tuning(tuple(trials))


def suggest(family: str, trial: Any) -> dict[str, float | int]:
    """The next parameters of a family, from an Optuna trial."""
    if family == "logistic_regression":
        return {
            "bins": trial.suggest_int("bins", 12, 40, step=4),
            "inverse_penalty": trial.suggest_float("inverse_penalty", 0.01, 10.0, log=True),
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
    parameters: dict[str, float | int],
    features: np.ndarray,
    labels: np.ndarray,
    numeric: Sequence[bool],
) -> Any:
    """A fitted scikit-learn estimator; bit-equal for equal inputs."""
    with _one_thread_each():
        return _fit(family, parameters, features, labels, numeric)


def _fit(
    family: str,
    parameters: dict[str, float | int],
    features: np.ndarray,
    labels: np.ndarray,
    numeric: Sequence[bool],
) -> Any:
    build = {"logistic_regression": _logistic_regression, "gradient_boosting": _gradient_boosting}[
        family
    ]
    return build(parameters, numeric).fit(features, labels)


def _logistic_regression(parameters: dict[str, float | int], numeric: Sequence[bool]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

    quantities = [place for place, flag in enumerate(numeric) if flag]
    levels = [place for place, flag in enumerate(numeric) if not flag]
    bins = KBinsDiscretizer(
        n_bins=int(parameters["bins"]),
        encode="onehot",
        quantile_method="averaged_inverted_cdf",
        subsample=None,
    )
    steps = [("bins", bins, quantities), ("levels", OneHotEncoder(handle_unknown="ignore"), levels)]
    prepare = ColumnTransformer([step for step in steps if step[2]], sparse_threshold=1.0)
    return Pipeline(
        [
            ("prepare", prepare),
            ("model", LogisticRegression(C=parameters["inverse_penalty"], max_iter=500)),
        ]
    )


def _gradient_boosting(parameters: dict[str, float | int], _: Sequence[bool]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=parameters["learning_rate"],
        max_iter=int(parameters["iterations"]),
        max_leaf_nodes=int(parameters["leaves"]),
        min_samples_leaf=int(parameters["smallest_leaf"]),
        l2_regularization=parameters["l2"],
        early_stopping=False,
        random_state=0,
    )


def _fold(
    family: str,
    parameters: dict[str, float | int],
    features: np.ndarray,
    labels: np.ndarray,
    numeric: Sequence[bool],
    fold: tuple[np.ndarray, np.ndarray],
) -> tuple[float, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    train, test = fold
    scores = _fit(family, parameters, features[train], labels[train], numeric).predict_proba(
        features[test]
    )[:, 1]
    return float(average_precision_score(labels[test], scores)), float(
        roc_auc_score(labels[test], scores)
    )


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """One BLAS and OpenMP thread a fit: the number of cores must not show in the sums, and folds
    fill the cores.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        # Quantile bins of a column with few values fall together; that is what is wanted.
        warnings.filterwarnings("ignore", message="Bins whose width are too small")
        yield
