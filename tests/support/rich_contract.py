"""A contract with all that the language has for missing numbers, dates, categories and weights."""

import io
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sluice.model.artifact import model_artifact
from sluice.model.artifact.reference import histogram
from sluice.model.data.table import read_table, typed
from sluice.model.fit.coding import coding_of
from sluice.model.fit.conversion import convert
from sluice.model.fit.training import fit
from sluice.served.contract import Contract, load_contract
from sluice.served.days import number_of, written
from sluice.served.encoding import encode, feature_names, numeric_features
from support.model_artifacts import MODEL, trained_metrics

PLACES = tuple(f"place {number}" for number in range(80))
SHOPS = ("north", "south", "airport", "other")
_LISTED = ", ".join(f'"{place}"' for place in (*PLACES, "other"))

RICH = f"""
schema = 2
title = "Rich"

[target]
column = "Ends"
positive = "yes"
negative = "no"

[reading]
missing = ["?", "NA"]

[columns."Customer"]
kind = "category"
role = "id"

[columns."Charges"]
kind = "number"
role = "feature"
minimum = -5.0
maximum = 1000.0
missing = "keep"

[columns."Calls"]
kind = "integer"
role = "feature"
minimum = 0
maximum = 90
missing = "keep"

[columns."Months"]
kind = "integer"
role = "feature"
minimum = 0
maximum = 90

[columns."Shop"]
kind = "category"
role = "feature"
values = ["north", "south", "airport", "other"]
other = "other"
minimum_count = 20

[columns."Place"]
kind = "category"
role = "feature"
values = [{_LISTED}]
other = "other"
encoding = "target"
minimum_count = 5

[columns."Maker"]
kind = "category"
role = "feature"
values = ["a", "b", "c", "rest"]
other = "rest"
encoding = "frequency"
missing = "impute"
fill = "rest"

[columns."Plan"]
kind = "category"
role = "feature"
values = ["s", "m", "l", "?other"]
other = "?other"

[columns."Begins"]
kind = "date"
role = "feature"
minimum = 1999-12-31
maximum = 2030-02-28
example = 2020-02-29

[columns."Last seen"]
kind = "date"
role = "feature"
minimum = 2000-01-01
maximum = 2030-12-31
missing = "keep"

[columns."Weight"]
kind = "number"
role = "weight"
minimum = 0
maximum = 100

[columns."Ends"]
kind = "category"
role = "target"
values = ["no", "yes"]

[derived.begins_year]
expression = "year(begins)"

[derived.begins_month]
expression = "month(begins)"

[derived.begins_weekday]
expression = "weekday(begins)"

[derived.stayed]
expression = "days_between(begins, last_seen)"
unit = "days"

[derived.since]
expression = "days_between('2020-01-31', begins)"

[derived.unseen]
expression = "is_missing(last_seen)"

[derived.silent]
expression = "is_missing(calls) and months > 3"

[derived.each]
expression = "charges / (months + 1)"

[derived.far]
expression = "place == 'place 3' or shop in ('airport', 'other')"

[rules.seen]
expression = "is_missing(last_seen) or days_between(begins, last_seen) >= -10000"

[rules.paying]
expression = "charges < 900"
severity = "warning"
"""


@cache
def rich() -> Contract:
    """The contract."""
    return load_contract(RICH, "rich.toml")


def rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows by published name, as JSON has them, whose outcome depends on what is new here: on a
    missing number, on the place, on the day.
    """
    random = np.random.default_rng(seed)
    effects = np.random.default_rng(99).normal(size=len(PLACES))
    found = []
    for number in range(count):
        place = int(random.integers(len(PLACES) + 3))
        begins = number_of_begin(random)
        gone = random.random() < 0.3
        charge = None if random.random() < 0.2 else round(float(random.gamma(2, 60)), 2)
        months = int(random.integers(0, 60))
        score = (effects[place] if place < len(PLACES) else 0.0) + 1.5 * gone
        score += 1.0 * (charge is None) + 0.8 * ((begins // 30) % 12 < 4) - 1.4
        found.append(
            {
                "Customer": f"c{number}",
                "Charges": min(charge, 999.0) if charge is not None else None,
                "Calls": None if random.random() < 0.1 else int(random.integers(0, 20)),
                "Months": months,
                "Shop": str(random.choice([*SHOPS, "kiosk"], p=[0.5, 0.3, 0.005, 0.1, 0.095])),
                "Place": PLACES[place] if place < len(PLACES) else f"new place {place}",
                "Maker": [None, "a", "b", "c", "z"][int(random.integers(5))],
                "Plan": ["s", "m", "l", "xl"][int(random.integers(4))],
                "Begins": written(begins),
                "Last seen": None if gone else written(begins + int(random.integers(0, 400))),
                "Weight": round(float(random.random()) * 2, 2),
                "Ends": "yes" if random.random() < 1 / (1 + np.exp(-2 * score)) else "no",
            }
        )
    return found


def number_of_begin(random: np.random.Generator) -> int:
    """A day from 2015 to 2024."""
    return number_of(date(2015, 1, 1)) + int(random.integers(0, 3650))


def rich_artifact(folder: Path) -> Path:
    """Write the artifact of a boosted model of some of these rows into `folder`."""
    contract = rich()
    sheet = io.BytesIO()
    pd.DataFrame(rows(2_000)).to_csv(sheet, index=False)
    columns = typed(read_table(sheet.getvalue(), contract, "rows.csv"), contract)
    parameters = {
        "learning_rate": 0.1,
        "iterations": 40,
        "leaves": 8,
        "smallest_leaf": 20,
        "l2": 1.0,
    }
    features, numeric = encode(contract, columns), numeric_features(contract)
    labels, coding = columns["ends"], coding_of(contract)
    fitted = fit("gradient_boosting", parameters, features, labels, numeric, coding)
    folder.mkdir(parents=True)
    parts = model_artifact.Parts(
        convert(fitted, len(feature_names(contract))),
        RICH,
        (MODEL / "policy.toml").read_text(encoding="utf-8"),
        0.5,
        histogram(contract, columns),
        trained_metrics(0.5),
        "# A model of made-up rows\n",
    )
    model_artifact.write(folder, parts)
    return folder
