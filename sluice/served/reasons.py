"""Why this score, in words: what the columns add to the mean score of others.

How the numbers are worked out is in `shapley.py`. They say nothing about causes.
"""

from dataclasses import dataclass

import numpy as np

from sluice.served.contract import Column, Contract
from sluice.served.days import written
from sluice.served.quantity import Quantity
from sluice.served.shapley import BACKGROUND, Contributions

METHOD = (
    f"The baseline is the mean score of {BACKGROUND} made-up rows, spread like the training rows. A"
    " column adds its sampled Shapley value: how much the score changes on average when its value"
    " takes the place of theirs. All of it adds up to the probability. This describes the model,"
    " not causes."
)
METHOD_OF_NUMBER = METHOD.replace("probability", "answer").replace("score", "answer")
_FEWEST = 3  # reasons of a row, where so many columns move its score
_LEAST = 0.001  # of probability; a smaller change is no reason
# What all columns together that are not shown may add: a fifth of the distance from the baseline,
# or where that is less, one point.
_REST = 0.2
_REST_LEAST = 0.01
_REST_DIGITS = 10  # of a number the same is so many times its last digit, and a reason half of it


@dataclass(frozen=True, slots=True)
class Reason:
    """What one column adds to a score, in probability or in the unit of the number that is
    answered, with the standard error of that.
    """

    field: str
    name: str
    value: int | float | str | None
    change: float
    error: float
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a score is what it is: `baseline`, the changes of `reasons`, and `others`, what all other
    columns add, sum up to the probability. The strongest reason is the first.
    """

    baseline: float
    reasons: list[Reason]
    others: float


def method_of(contract: Contract) -> str:
    """How the reasons of a model come about, in words."""
    return METHOD_OF_NUMBER if contract.target.quantity else METHOD


def in_words(
    contract: Contract, numbers: np.ndarray, found: Contributions, baseline: float
) -> list[Explanation]:
    """For each row the strongest reasons, as many as make up most of its distance from the
    baseline.

    `numbers` and both parts of `found` have the shape (rows, features).
    """
    # A stable sort: of two equal changes the one of the earlier column comes first.
    strongest = np.argsort(-np.abs(found.values), axis=1, kind="stable").tolist()
    values, errors = found.values.tolist(), found.errors.tolist()
    quantity = contract.target.quantity
    explanations = []
    for row, places in enumerate(strongest):
        kept = _kept(values[row], places, quantity)
        reasons: list[Reason] = []
        for place in kept:
            column = contract.features[place]
            value = shown(column, numbers[row, place])
            change = values[row][place]
            reasons.append(_reason(column, value, change, errors[row][place], quantity))
        others = sum(values[row]) - sum(values[row][place] for place in kept)
        explanations.append(Explanation(baseline, reasons, others))
    return explanations


def _kept(values: list[float], places: list[int], quantity: Quantity | None) -> list[int]:
    """The first of these places, as many as are shown of a row with these values."""
    rest, least, rest_least = sum(values), _LEAST, _REST_LEAST
    if quantity:
        digit = 10.0**-quantity.decimals
        least, rest_least = digit / 2, digit * _REST_DIGITS
    most = max(_REST * abs(rest), rest_least)
    kept: list[int] = []
    for place in places:
        enough = len(kept) >= _FEWEST and abs(rest) <= most
        if enough or abs(values[place]) < least:
            break
        kept.append(place)
        rest -= values[place]
    return kept


def shown(column: Column, number: float) -> int | float | str | None:
    """The number that stands for a value, back to the value; None where it is missing."""
    if np.isnan(number):
        return None
    if column.kind == "date":
        return written(number)
    if not column.numeric:
        return column.values[int(number)]
    return int(number) if float(number).is_integer() else float(number)


def _reason(
    column: Column,
    value: int | float | str | None,
    change: float,
    error: float,
    quantity: Quantity | None,
) -> Reason:
    """One reason: the value of a row, what it adds to what is answered, and the error of that."""
    by = quantity.written(abs(change)) if quantity else f"{abs(change) * 100:.1f} points"
    what = "answer" if quantity else "probability"
    way = "raises" if change > 0 else "lowers"
    said = "not known" if value is None else _in_text(value)
    text = f"{column.name} is {said}: {way} the {what} by {by}."
    return Reason(column.key, column.name, value, change, error, text)


def _in_text(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
