"""Answers of a model of several classes: the class, and the probability of each.

The reasons are those of the class that is answered: what each column adds to its probability, as if
it were the one positive class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bento.http.answer import ClassAnswer
from sluice.served.classes import OneAgainstRest
from sluice.served.histograms import Histogram
from sluice.served.reasons import Explanation, in_words
from sluice.served.scoring import Model
from sluice.served.shapley import Background, background, contributions


@dataclass(frozen=True)
class OneClass:
    """A class against all others: what gives its probability, and what rows are compared with."""

    session: OneAgainstRest
    background: Background


def backgrounds(model: Model, reference: Mapping[str, Histogram]) -> tuple[OneClass, ...]:
    """One for each class, in the order of the contract."""
    found = []
    for place in range(len(model.contract.target.classes)):
        session = OneAgainstRest(model.session, place)
        found.append(
            OneClass(session, background(model.contract, reference, session, model.layout))
        )
    return tuple(found)


def explain(
    model: Model, of_classes: Sequence[OneClass], numbers: np.ndarray, scores: np.ndarray
) -> list[Explanation]:
    """Why each of these rows is answered with its class.

    `numbers` is float64, shape (rows, features), `scores` float64, shape (rows, classes).
    """
    places = model.answers(scores)
    explained: dict[int, Explanation] = {}
    for place in np.unique(places).tolist():
        rows = np.flatnonzero(places == place)
        one, own = of_classes[place], scores[rows, place]
        found = contributions(one.session, model.layout, one.background, numbers[rows], own)
        words = in_words(model.contract, numbers[rows], found, one.background.baseline)
        explained |= dict(zip(rows.tolist(), words, strict=True))
    return [explained[row] for row in range(len(numbers))]


def answers(
    model: Model, scores: np.ndarray, ids: Sequence[str], name: str, image: str | None
) -> list[ClassAnswer]:
    """The answers to rows with these probabilities, shape (rows, classes), under these ids."""
    classes, found = model.contract.target.classes, []
    for own, place, shares in zip(
        ids, model.answers(scores).tolist(), scores.tolist(), strict=True
    ):
        found.append(
            ClassAnswer(
                id=own,
                prediction=classes[place],
                probability=shares[place],
                probabilities=dict(zip(classes, shares, strict=True)),
                model=name,
                image=image,
            )
        )
    return found


def shares_of(answer: ClassAnswer) -> list[float]:
    """The probability of each class, in the order of the contract."""
    return list(answer.probabilities.values())
