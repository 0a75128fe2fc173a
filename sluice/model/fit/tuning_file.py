"""tuning.json: its schema, version 1."""

import json
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

SCHEMA = 1
OBJECTIVE = "average_precision"
OBJECTIVE_OF_NUMBER = "skill"
Parameters = dict[str, int | float]


class Trial(Struct, frozen=True):
    """One setting of one family, with its score on each fold.

    `score` and `std` are mean and standard deviation of the objective over `folds`; `roc_auc` is
    the area of each fold, and of a number the skill again. `log_loss` is how far probabilities are
    off on each fold, where the search looks at that. A trial that fell behind has its first folds
    alone. There is no duration: it would make every run another one.
    """

    number: int
    family: str
    parameters: Parameters
    score: float
    std: float
    folds: tuple[float, ...]
    roc_auc: tuple[float, ...]
    log_loss: tuple[float, ...] | UnsetType = UNSET


class Tuning(Struct, frozen=True, kw_only=True):
    """Every trial of a search, in the order in which they were tried, and the best of them.

    `left_out` says of families that were not tried why, `looked_at` how many training rows the
    trials saw where these were not all, and `of_rare` how many of these are of a rare class, which
    is looked at first; each is unset where there is nothing to say.
    """

    schema: int = SCHEMA
    objective: str = OBJECTIVE
    winner: Trial
    trials: tuple[Trial, ...]
    left_out: dict[str, str] | UnsetType = UNSET
    looked_at: int | UnsetType = UNSET
    of_rare: int | UnsetType = UNSET

    @property
    def fits(self) -> int:
        """How many models were fitted."""
        return sum(len(trial.folds) for trial in self.trials)


def whole(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that were judged on all folds, in their order."""
    most = max(len(trial.folds) for trial in trials)
    return [trial for trial in trials if len(trial.folds) == most]


def write_tuning(tuning: Tuning) -> str:
    """The text of tuning.json, with its keys in the order of the schema."""
    return json.dumps(msgspec.to_builtins(tuning), indent=1)
