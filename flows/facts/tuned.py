"""What the search for family and parameters found."""

from msgspec import Struct

from sluice.model.fit.tuning_file import Parameters


class Tuned(Struct, frozen=True):
    """Trials by family; the winner, its parameters, and its average precision."""

    trials: dict[str, int]
    winner: str
    parameters: Parameters
    score: float
