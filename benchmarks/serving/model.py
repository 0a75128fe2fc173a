"""The model that every server of the comparison answers with: trained here, of the shipped family
and shape.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.attrition import sample
from sluice.model.artifact import model_artifact
from sluice.model.artifact.reference import histogram
from sluice.model.data.table import read_table, typed
from sluice.model.fit.conversion import check_agreement, convert
from sluice.model.fit.training import fit
from sluice.model.quality.metrics import measure
from sluice.model.quality.metrics_file import CrossValidation, Spread, TrainedMetrics, TrainedRows
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode, numeric_features

FOLDER = Path(__file__).resolve().parents[2] / "models" / "attrition"
_ROWS = 20_000
_THRESHOLD = 0.5
_PARAMETERS = {"bins": 24, "inverse_penalty": 0.1}


@cache
def contract() -> Contract:
    """The contract of the shipped model."""
    return load_contract((FOLDER / "contract.toml").read_text(encoding="utf-8"))


@cache
def trained() -> tuple[Any, dict[str, np.ndarray]]:
    """The fitted scikit-learn estimator, the same in every process, and the columns that it was
    fitted to.
    """
    given = contract()
    columns = typed(read_table(sample.to_csv(sample.generate(_ROWS)), given, "sample"), given)
    features = encode(given, columns)
    labels = columns[given.target.column]
    return fit(
        "logistic_regression", _PARAMETERS, features, labels, numeric_features(given)
    ), columns


def write(folder: Path) -> None:
    """Write the model artifact of it into a folder that is not there yet."""
    estimator, columns = trained()
    features = encode(contract(), columns)
    model = convert(estimator, features.shape[1])
    check_agreement(estimator, model, features)
    folder.mkdir(parents=True)
    parts = model_artifact.Parts(
        model=model,
        contract=(FOLDER / "contract.toml").read_text(encoding="utf-8"),
        policy=(FOLDER / "policy.toml").read_text(encoding="utf-8"),
        threshold=_THRESHOLD,
        reference=histogram(contract(), columns),
        metrics=_metrics(estimator, features, columns[contract().target.column]),
        card="# Of the comparison\n",
    )
    model_artifact.write(folder, parts)


def _metrics(estimator: Any, features: np.ndarray, labels: np.ndarray) -> TrainedMetrics:
    """What the model is worth on the rows that it learnt from; nothing is chosen by it."""
    scores = estimator.predict_proba(features)[:, 1]
    measured = measure(labels, scores, _THRESHOLD)
    rows, positives = len(labels), int(labels.sum())
    area = Spread(mean=measured.roc_auc, std=0.0, folds=(measured.roc_auc,))
    precision = Spread(
        mean=measured.average_precision, std=0.0, folds=(measured.average_precision,)
    )
    return TrainedMetrics(
        model="attrition",
        threshold=_THRESHOLD,
        rows=TrainedRows(rows, positives, rows, positives),
        train=measured,
        validation=measured,
        cross_validation=CrossValidation(roc_auc=area, average_precision=precision),
    )


def prepare(frame: pd.DataFrame) -> np.ndarray:
    """Features from a frame by column key, with pandas, as a tutorial engineers them."""
    table = pd.DataFrame(index=frame.index)
    places = {
        c.key: {value: place for place, value in enumerate(c.values)} for c in contract().features
    }
    for column in contract().features:
        if column.kind == "category":
            for value in column.values:
                table[f"{column.key}={value}"] = (frame[column.key] == value).astype(float)
        else:
            table[column.key] = (
                frame[column.key] if column.numeric else frame[column.key].map(places[column.key])
            )
    table["role_stagnation"] = frame["years_at_company"] / (frame["company_tenure"] + 1)
    table["tenure_gap"] = frame["company_tenure"] - frame["years_at_company"]
    table["early_tenure_risk"] = (frame["years_at_company"] <= 2).astype(float)
    low = frame["job_level"].map(places["job_level"]) <= places["job_level"]["Mid"]
    table["long_tenure_low_role"] = ((frame["company_tenure"] > 5) & low).astype(float)
    return table.to_numpy(dtype=np.float32)
