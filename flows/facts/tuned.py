"""What the search for family and parameters found."""

from typing import Any

from msgspec import Struct


class Tuned(Struct, frozen=True):
    """Trials by family; the winner, its parameters, and its average precision."""

    trials: dict[str, int]
    winner: str
    parameters: dict[str, Any]
    score: float
