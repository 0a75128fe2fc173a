"""tuning.json: its schema, version 1."""

import json

import msgspec
from msgspec import Struct

SCHEMA = 1
OBJECTIVE = "average_precision"
Parameters = dict[str, int | float]


class Trial(Struct, frozen=True):
    """One setting of one family, with its score on each fold.

    `score` and `std` are mean and standard deviation of the objective over `folds`; `roc_auc` is
    the area of each fold. There is no duration: it would make every run another one.
    """

    number: int
    family: str
    parameters: Parameters
    score: float
    std: float
    folds: tuple[float, ...]
    roc_auc: tuple[float, ...]


class Tuning(Struct, frozen=True, kw_only=True):
    """Every trial of a search, in the order in which they were tried, and the best of them."""

    schema: int = SCHEMA
    objective: str = OBJECTIVE
    winner: Trial
    trials: tuple[Trial, ...]


def write_tuning(tuning: Tuning) -> str:
    """The text of tuning.json, with its keys in the order of the schema."""
    return json.dumps(msgspec.to_builtins(tuning), indent=1)
