"""What the search for family and parameters found."""

from msgspec import Struct

from sluice.model.fit.tuning_file import OBJECTIVE, Parameters


class Tuned(Struct, frozen=True, omit_defaults=True):
    """Trials by family; the winner, its parameters, and its average precision, or what else the
    objective is.
    """

    trials: dict[str, int]
    winner: str
    parameters: Parameters
    score: float
    objective: str = OBJECTIVE
