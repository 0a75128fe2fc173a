"""Deliveries and the minutes that they take: a table of a number that is nobody's, with its
contract, its policy and a small artifact.
"""

import csv
import io
from pathlib import Path

import numpy as np
from msgspec import UNSET

from sluice.model.artifact import model_artifact
from sluice.model.artifact.reference import histogram
from sluice.model.data.table import read_table, typed
from sluice.model.fit.conversion import convert, scores_of
from sluice.model.fit.training import fit
from sluice.model.fit.tuning_file import Trial
from sluice.model.number.trained import NumberPart, NumberShips, trained_metrics
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode, feature_names, numeric_features
from sluice.served.quantity import Quantity, bins_of

QUANTITY = Quantity("min", 0.0, 240.0, 1)
CONTRACT = """\
schema = 2
title = "Deliveries"
row = "delivery"
rows = "deliveries"

[target]
column = "Minutes"
decimals = 1

[columns."Delivery"]
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
maximum = 60
example = 12
[columns."Lift"]
role = "feature"
kind = "boolean"
values = ["no", "yes"]
example = "no"
[columns."Zone"]
role = "feature"
kind = "category"
values = ["city", "rural", "suburb"]
example = "city"
[columns."Minutes"]
role = "target"
kind = "number"
unit = "min"
minimum = 0.0
maximum = 240.0

[segments]
zone = { column = "Zone" }
"""
POLICY = """\
schema = 1

[data]
minimum_rows = 500

[split]
salt = "deliveries-1"
train = 0.5
validation = 0.2

[search]
trials = 3
families = ["linear_regression", "gradient_boosting", "random_forest"]
folds = 3
seed = 1

[number]
skill_floor = 0.2
bias_ceiling = 0.2
band = 10.0

[gate]
stability_ceiling = 0.2
one_column_ceiling = 0.95
duplicate_ceiling = 0.5
comparable_share = 0.9
least_positives = 100
level = 0.05
margin = 0.1
segment_margin = 0.3
anchor_segment_margin = 0.5
segment_positives = 30
segments_required = []
refresh_days = 14
"""


def to_csv(rows: int, seed: int = 1, telling: bool = True) -> bytes:
    """So many rows; where they are not `telling`, the weight says nothing, so that a model of them
    is a worse one.
    """
    chance = np.random.default_rng(seed)
    weight = np.round(np.minimum(chance.gamma(2.0, 4.0, rows) + 0.1, 59.0), 2)
    distance = chance.integers(1, 50, rows)
    lift = chance.random(rows) < 0.5
    zone = chance.choice(["city", "rural", "suburb"], rows, p=[0.5, 0.2, 0.3])
    lean = 10 + 1.1 * distance + 2.4 * weight - 0.8 * weight * lift + 15 * (zone == "city")
    minutes = np.clip(np.round(lean * chance.lognormal(0.0, 0.15, rows), 1), 1.0, 240.0)
    shown = weight if telling else chance.permutation(weight)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["Delivery", "Weight kg", "Distance km", "Lift", "Zone", "Minutes"])
    for row in range(rows):
        writer.writerow(
            [
                f"D{row:06d}",
                shown[row],
                distance[row],
                "yes" if lift[row] else "no",
                zone[row],
                minutes[row],
            ]
        )
    return table.getvalue().encode()


def contract() -> Contract:
    """The contract of these rows."""
    return load_contract(CONTRACT)


def columns(rows: int, seed: int = 1) -> dict[str, np.ndarray]:
    """So many rows as typed columns."""
    return typed(read_table(to_csv(rows, seed), contract(), "deliveries.csv"), contract())


def artifact(folder: Path, rows: int = 1_500) -> Path:
    """Write a small but real artifact into `folder`: scikit-learn through ONNX."""
    known, read = contract(), columns(rows)
    features, labels = encode(known, read), read["minutes"]
    parameters = {"bins": 12, "penalty": 1.0}
    shares = QUANTITY.shares(labels)
    estimator = fit("linear_regression", parameters, features, shares, numeric_features(known))
    model = convert(estimator, len(feature_names(known)), QUANTITY)
    answers = scores_of(model, features, QUANTITY)
    part = NumberPart(labels, answers)
    trial = Trial(0, "linear_regression", parameters, 0.6, 0.01, (0.6, 0.6), ())
    ships = NumberShips("deliveries", QUANTITY, 10.0, 0.9)
    folder.mkdir(parents=True)
    parts = model_artifact.Parts(
        model,
        CONTRACT,
        POLICY,
        None,
        histogram(known, read),
        trained_metrics(ships, part, part, trial, None, UNSET),
        "# Deliveries\n",
        bins_of(answers),
    )
    model_artifact.write(folder, parts)
    return folder
