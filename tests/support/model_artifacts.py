"""A small but real model artifact: scikit-learn through ONNX, over the contract of the
repository.
"""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from sluice.model.artifact import model_artifact
from sluice.model.fit.conversion import convert
from sluice.model.quality.metrics_file import (
    CrossValidation,
    Group,
    GroupMeasured,
    GroupTable,
    Measures,
    OperatingCurve,
    Segment,
    Spread,
    TrainedMetrics,
    TrainedRows,
)
from sluice.served.contract import load_contract
from sluice.served.encoding import feature_names

PROJECT = Path(__file__).parents[2]
MODEL = PROJECT / "models" / "attrition"
IMAGE_TAG = "0123456789abcdef"
IMAGE_LABELS = {"dev.sluice.model": "attrition", "dev.sluice.contract": "sha256:" + "1" * 64}


def trained_metrics(threshold: float = 0.5) -> TrainedMetrics:
    """The metrics of a model of noise: half of the rows are positive, and half of those that any
    threshold flags.
    """
    measured = Measures(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25)
    spread = Spread(mean=0.5, std=0.1, folds=(0.4, 0.6))
    return TrainedMetrics(
        model="attrition",
        threshold=threshold,
        rows=TrainedRows(100, 50, 100, 50),
        train=measured,
        validation=measured,
        cross_validation=CrossValidation(roc_auc=spread, average_precision=spread),
        curve=OperatingCurve(
            thresholds=tuple(round(1 - 0.1 * step, 1) for step in range(1, 11)),
            flagged=tuple(10 * step for step in range(1, 11)),
            found=tuple(5 * step for step in range(1, 11)),
        ),
        groups=GroupTable(
            least=30,
            segments=(
                Segment(
                    "gender",
                    (
                        GroupMeasured("Female", Group(80, 40, 0.5, 0.5, 0.5, (0.35, 0.65))),
                        GroupMeasured("Male", None),
                    ),
                ),
            ),
        ),
    )


def small_artifact(folder: Path, seed: int = 1, threshold: float = 0.5, a_year: int = 0) -> Path:
    """Write an artifact of a model fitted to noise into `folder`; another seed gives another
    model.

    With `a_year` it is fitted to rows whose outcome depends on the years at the company, where a
    year is written as this number: 1 in years, 12 in months.
    """
    contract = (MODEL / "contract.toml").read_text(encoding="utf-8")
    names = feature_names(load_contract(contract))
    width = len(names)
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(200, width)).astype(np.float32)
    outcomes = generator.integers(0, 2, 200)
    if a_year:
        years = generator.uniform(0, 40, 200)
        features[:, names.index("years_at_company")] = years * a_year
        outcomes = generator.random(200) < 1 / (1 + np.exp((years - 20) / 6))
    fitted = LogisticRegression(max_iter=1000).fit(features, outcomes)
    # An income counts in thousands; of noise, nothing else counts either.
    small = [name != "years_at_company" or not a_year for name in names]
    fitted.coef_[:, small] *= 1e-3
    policy = (MODEL / "policy.toml").read_text(encoding="utf-8")
    folder.mkdir(parents=True)
    parts = model_artifact.Parts(
        convert(fitted, width),
        contract,
        policy,
        threshold,
        {},
        trained_metrics(threshold),
        "# A model of noise\n",
    )
    model_artifact.write(folder, parts)
    return folder


def scores(answers: list[dict[str, Any]]) -> np.ndarray:
    """The probabilities of a list of answers of the service."""
    return np.array([answer["probability"] for answer in answers])
