"""Answers of a model of a number: the value in its unit, and whether it is plausible."""

from collections.abc import Sequence

import numpy as np

from bento.http.answer import NumberAnswer
from sluice.served.quantity import Quantity, binned
from sluice.served.quantity_cells import outside
from sluice.served.scoring import Model


def answers(
    model: Model,
    quantity: Quantity,
    scores: np.ndarray,
    ids: Sequence[str],
    name: str,
    image: str | None,
) -> list[NumberAnswer]:
    """The answers to rows with these numbers, shape (rows,), under these ids."""
    parts = zip(
        ids,
        scores.tolist(),
        outside(scores, quantity).tolist(),
        binned(scores, model.bins).tolist(),
        strict=True,
    )
    return [
        NumberAnswer(
            id=own,
            value=value,
            unit=quantity.unit,
            label=quantity.written(value),
            outside=beyond,
            bin=place + 1,
            model=name,
            image=image,
        )
        for own, value, beyond, place in parts
    ]
