"""The fits of a release without Sluice, as short as can be: `python -m benchmarks.bare DATA.csv
TUNING.json`.
"""

import hashlib
import json
import sys
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn import (
    compose,
    ensemble,
    linear_model,
    metrics,
    model_selection,
    pipeline,
    preprocessing,
)
from threadpoolctl import threadpool_limits

contract, policy = (
    tomllib.loads(Path(f"models/attrition/{name}.toml").read_text())
    for name in ("contract", "policy")
)
frame, tuning = pd.read_csv(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
fed = {name: spec for name, spec in contract["columns"].items() if spec["role"] == "feature"}
parts = [
    pd.get_dummies(frame[n])
    if s["kind"] == "category"
    else frame[n].map(s["values"].index)
    if "values" in s
    else frame[n].fillna(s.get("fill", 0))
    for n, s in fed.items()
]
years, tenure, level = frame["Years at Company"], frame["Company Tenure"], frame["Job Level"]
parts += [
    years / (tenure + 1),
    tenure - years,
    years <= 2,
    (tenure > 5) & level.isin(["Entry", "Mid"]),
]
features = pd.concat(parts, axis=1).to_numpy(np.float32)
labels = frame["Attrition"].eq("Left").to_numpy().astype(np.int64)
words = (
    hashlib.sha256(f"{policy['split']['salt']}\0{value}".encode()).digest()[:8]
    for value in frame["Employee ID"]
)
place = np.frombuffer(b"".join(words), ">u8").astype(np.uint64) / 2.0**64
train, holdout = place < 0.6, place >= 0.8
widths = [len(s["values"]) if s["kind"] == "category" else 1 for s in fed.values()] + [1, 1, 1, 1]
kinds = [s["kind"] == "integer" for s in fed.values()] + [True, True, False, False]
numeric, others = (
    np.flatnonzero(np.repeat(kinds, widths) == flag).tolist() for flag in (True, False)
)
x, y = features[train], labels[train]


def fit(
    family: str, p: dict[str, float], rows: np.ndarray, answers: np.ndarray
) -> pipeline.Pipeline:
    if family == "gradient_boosting":
        names = {
            "iterations": "max_iter",
            "leaves": "max_leaf_nodes",
            "smallest_leaf": "min_samples_leaf",
        }
        given = {
            names.get(name, name.replace("l2", "l2_regularization")): value
            for name, value in p.items()
        }
        return ensemble.HistGradientBoostingClassifier(
            **given, early_stopping=False, random_state=0
        ).fit(rows, answers)
    bins = preprocessing.KBinsDiscretizer(
        p["bins"], quantile_method="averaged_inverted_cdf", subsample=None
    )
    split = [
        ("bins", bins, numeric),
        ("rest", preprocessing.OneHotEncoder(handle_unknown="ignore"), others),
    ]
    model = linear_model.LogisticRegression(C=p["inverse_penalty"], max_iter=500)
    return pipeline.make_pipeline(compose.ColumnTransformer(split, sparse_threshold=1), model).fit(
        rows, answers
    )


def fold(
    family: str, p: dict[str, float], inside: np.ndarray, outside: np.ndarray
) -> tuple[float, float]:
    scores = fit(family, p, x[inside], y[inside]).predict_proba(x[outside])[:, 1]
    return metrics.average_precision_score(y[outside], scores), metrics.roc_auc_score(
        y[outside], scores
    )


warnings.filterwarnings("ignore", message="Bins whose width are too small")
folds = list(model_selection.StratifiedKFold(5, shuffle=True, random_state=20_260_101).split(x, y))
with threadpool_limits(1), Parallel(n_jobs=2, prefer="threads") as parallel:
    tried = [(t["family"], t["parameters"]) for t in tuning["trials"]]
    trials = [parallel(delayed(fold)(*one, *parts) for parts in folds) for one in tried]
    means = [float(np.mean([precision for precision, _ in trial])) for trial in trials]
    best = int(np.argmax(means))
    model = fit(*tried[best], x, y)
area = metrics.roc_auc_score(labels[holdout], model.predict_proba(features[holdout])[:, 1])
print(json.dumps({"winner": best, "scores": means, "roc_auc": area}))
