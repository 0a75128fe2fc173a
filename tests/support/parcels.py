"""Parcels that come on time, late or damaged: a table of three classes that is nobody's, with its
contract, its policy and a small artifact.
"""

import csv
import io
from pathlib import Path

import numpy as np
from msgspec import UNSET
from sklearn.linear_model import LogisticRegression

from sluice.model.artifact import model_artifact
from sluice.model.artifact.reference import histogram
from sluice.model.classes.trained import Part, Ships, trained_metrics
from sluice.model.data.table import read_table, typed
from sluice.model.fit.conversion import convert
from sluice.model.fit.tuning_file import Trial
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode, feature_names

CLASSES = ("damaged", "late", "on time")
WEIGHTS = (3.0, 1.0, 1.0)
CONTRACT = """\
schema = 2
title = "Parcels"
row = "parcel"
rows = "parcels"

[target]
column = "Outcome"

[columns."Parcel"]
role = "id"
kind = "category"
[columns."Weight kg"]
role = "feature"
kind = "number"
minimum = 0.0
maximum = 60.0
example = 4.3
[columns."Distance km"]
role = "feature"
kind = "integer"
minimum = 0
maximum = 2000
example = 450
[columns."Fragile"]
role = "feature"
kind = "boolean"
values = ["no", "yes"]
example = "no"
[columns."Zone"]
role = "feature"
kind = "category"
values = ["city", "island", "rural", "suburb"]
example = "city"
[columns."Outcome"]
role = "target"
kind = "category"
values = ["damaged", "late", "on time"]

[segments]
zone = { column = "Zone" }
"""
POLICY = """\
schema = 1

[data]
minimum_rows = 500

[split]
salt = "parcels-1"
train = 0.5
validation = 0.2

[search]
trials = 2
families = ["logistic_regression", "gradient_boosting"]
folds = 3
seed = 1

[classes]
[classes.floors]
"on time" = 0.3
[classes.weights]
"damaged" = 3.0

[gate]
recall_floor = 0.4
calibration_ceiling = 0.2
stability_ceiling = 0.2
one_column_ceiling = 0.95
duplicate_ceiling = 0.5
comparable_share = 0.9
least_positives = 10
level = 0.05
margin = 0.1
brier_margin = 0.1
segment_margin = 0.3
anchor_segment_margin = 0.5
segment_positives = 30
segments_required = []
refresh_days = 14
"""


def to_csv(rows: int, seed: int = 1, telling: bool = True) -> bytes:
    """So many rows; where they are not `telling`, distance says nothing, so that a model of them is
    a worse one.
    """
    chance = np.random.default_rng(seed)
    weight = np.round(chance.gamma(2.0, 2.5, rows) + 0.1, 2)
    distance = chance.integers(1, 900, rows)
    fragile = chance.random(rows) < 0.3
    zone = chance.choice(["city", "suburb", "rural", "island"], rows, p=[0.45, 0.3, 0.2, 0.05])
    lean = np.zeros((rows, 3))
    lean[:, 0] = -0.8 + 2.6 * fragile + weight / 4
    lean[:, 1] = distance / 150 + 1.5 * (zone == "rural")
    lean[:, 2] = 3.0 + 1.5 * (zone == "city")
    shares = np.exp(lean) / np.exp(lean).sum(axis=1, keepdims=True)
    places = (shares.cumsum(axis=1) > chance.random(rows)[:, None]).argmax(axis=1)
    shown = distance if telling else chance.permutation(distance)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["Parcel", "Weight kg", "Distance km", "Fragile", "Zone", "Outcome"])
    for row in range(rows):
        writer.writerow(
            [
                f"P{row:06d}",
                weight[row],
                shown[row],
                "yes" if fragile[row] else "no",
                zone[row],
                CLASSES[places[row]],
            ]
        )
    return table.getvalue().encode()


def contract() -> Contract:
    """The contract of these rows."""
    return load_contract(CONTRACT)


def columns(rows: int, seed: int = 1) -> dict[str, np.ndarray]:
    """So many rows as typed columns."""
    return typed(read_table(to_csv(rows, seed), contract(), "parcels.csv"), contract())


def artifact(folder: Path, rows: int = 1_500) -> Path:
    """Write a small but real artifact into `folder`: scikit-learn through ONNX."""
    known, read = contract(), columns(rows)
    features, labels = encode(known, read), read["outcome"]
    estimator = LogisticRegression(max_iter=2_000).fit(features, labels)
    part = Part(labels, estimator.predict_proba(features))
    trial = Trial(0, "logistic_regression", {}, 0.7, 0.01, (0.7, 0.7), (0.8, 0.8))
    ships = Ships("parcels", CLASSES, WEIGHTS, 0.9)
    folder.mkdir(parents=True)
    parts = model_artifact.Parts(
        convert(estimator, len(feature_names(known))),
        CONTRACT,
        POLICY,
        None,
        histogram(known, read),
        trained_metrics(ships, part, part, trial, None, UNSET),
        "# Parcels\n",
    )
    model_artifact.write(folder, parts)
    return folder
