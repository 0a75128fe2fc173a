"""What the tests of the rules share: the contract and policy of the repository, a small world, and
models of it.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from models.attrition import sample
from sluice.model.data.table import read_table, typed
from sluice.model.fit.conversion import convert
from sluice.model.fit.training import fit, tune
from sluice.model.fit.tuning_file import Tuning
from sluice.policy import FAMILIES, Policy, SearchPolicy, load_policy
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode, feature_names, numeric_features
from support.model_artifacts import MODEL

CONTRACT = (MODEL / "contract.toml").read_text(encoding="utf-8")
# With figures, so that a HOLD may replace its champion, which words do not let it.
POLICY = (
    (MODEL / "policy.toml")
    .read_text(encoding="utf-8")
    .replace('told = "promoted" ', 'told = "figures" ')
)
SEARCH = SearchPolicy(trials=5, families=FAMILIES, folds=3, seed=1)

# Every kind of column, every way of missing, and numbers that are not whole.
SMALL = """
schema = 1
title = "Small"
target = { column = "Churn", positive = "Yes", negative = "No", positive_label = "Leaves" }

[columns]
"Customer ID" = { kind = "category", role = "id" }
"Age" = { kind = "integer", role = "feature", minimum = -5, maximum = 90, unit = "years", example = 40 }
"Weight" = { kind = "number", role = "feature", minimum = -1.5, maximum = 250 }
"Spend" = { kind = "number", role = "feature", minimum = 0, maximum = 1e6, missing = "impute", fill = 12.5 }
"Visits" = { kind = "integer", role = "feature", minimum = 0, maximum = 9, missing = "impute", fill = 3 }
"Tier" = { kind = "ordinal", role = "feature", values = ["Low", "Mid", "High"], missing = "impute", fill = "Mid" }
"Region" = { kind = "category", role = "feature", values = ["N", "Süd"], missing = "impute", fill = "N", example = "N" }
"Pays-Late?" = { kind = "boolean", role = "feature", values = ["No", "Yes"], key = "late" }
"Sex" = { kind = "category", role = "protected", values = ["F", "M"] }
"Note" = { kind = "category", role = "ignored", values = ["a", "b"] }
"Churn" = { kind = "boolean", role = "target", values = ["No", "Yes"] }

[derived.density]
expression = "weight / (age + 100)"
unit = "kilograms a year"

[derived.risky]
expression = "tier <= 'Mid' and late == 'Yes'"

[rules.plausible]
expression = "weight < 200 or age > 10"
severity = "warning"

[segments]
sex = { column = "Sex" }
tier = { column = "Tier" }
spend = { column = "Spend", edges = [10, 100.5] }
"""


@cache
def contract() -> Contract:
    """The contract of the repository."""
    return load_contract(CONTRACT)


@cache
def small() -> Contract:
    """The small contract."""
    return load_contract(SMALL, "small.toml")


@cache
def policy() -> Policy:
    """The policy of the repository."""
    return load_policy(POLICY)


@cache
def columns() -> dict[str, np.ndarray]:
    """Two thousand rows of the sample, typed."""
    return typed(
        read_table(sample.to_csv(sample.generate(2_000)), contract(), "sample.csv"), contract()
    )


@cache
def matrix() -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of these rows."""
    return encode(contract(), columns()), columns()["attrition"]


@cache
def tuned() -> Tuning:
    """A small search over all families."""
    return tune(*matrix(), numeric_features(contract()), SEARCH)


@dataclass(frozen=True)
class Trained:
    """A fitted estimator and the ONNX model made of it."""

    estimator: Any
    model: bytes


def train(family: str) -> Trained:
    """The first setting that the small search tried for a family, fitted and converted."""
    parameters = next(trial.parameters for trial in tuned().trials if trial.family == family)
    estimator = fit(family, parameters, *matrix(), numeric_features(contract()))
    return Trained(estimator, convert(estimator, len(feature_names(contract()))))


@cache
def trained(family: str) -> Trained:
    """The same, made once."""
    return train(family)
