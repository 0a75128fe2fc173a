"""Two trainings of one model compared: their predictions row by row, and what went into them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice.gitops.evidence import Provenance
from sluice.model.fit.conversion import TOLERANCE
from sluice.served.classes import chosen

# Input -> the step that has its hash, and the name there. The first ones are changed on
# purpose.
_INPUTS = {
    "data": ("validate", "data"),
    "policy": ("train", "policy"),
    "contract": ("train", "contract"),
    "training rows": ("train", "train"),
    "validation rows": ("train", "validation"),
    "search": ("train", "tuning"),
}
_TRAINED_BY = ("validate", "split", "tune", "train")


@dataclass(frozen=True)
class Agreement:
    """How the predictions of two models agree.

    rows       how many rows were scored
    differing  rows whose scores differ by more than 1e-6, of a number than its tolerance
    largest    the largest difference of two scores
    answers    rows that one model flags and the other does not
    """

    rows: int
    differing: int
    largest: float
    answers: int

    @property
    def equal(self) -> bool:
        """Whether every row agrees."""
        return self.differing == 0 and self.answers == 0


@dataclass(frozen=True)
class Difference:
    """An input of two trainings, in words; empty where it is not on record."""

    name: str
    recorded: str
    now: str

    @property
    def differs(self) -> bool:
        """Whether both are on record and are not the same."""
        return bool(self.recorded and self.now) and self.recorded != self.now


def agree(
    recorded: np.ndarray,
    now: np.ndarray,
    thresholds: tuple[float, float],
    weights: tuple[tuple[float, ...], tuple[float, ...]] = ((), ()),
    allowed: float = TOLERANCE,
) -> Agreement:
    """Compare two vectors of scores, shape (rows,); `thresholds` are those of the two models. Of
    several classes they have the shape (rows, classes), and `weights` take the place of thresholds.
    Of a number thresholds are no numbers. Scores may differ by what is `allowed`.
    """
    apart = np.abs(recorded - now)
    if apart.ndim > 1:
        otherwise = chosen(recorded, weights[0]) != chosen(now, weights[1])
        apart = apart.max(axis=1)
    else:
        otherwise = (recorded >= thresholds[0]) != (now >= thresholds[1])
    differing = ~(apart <= allowed)  # also where one is not a number
    return Agreement(
        rows=len(apart),
        differing=int(differing.sum()),
        largest=float(apart.max(initial=0.0)),
        answers=int(otherwise.sum()),
    )


def differences(recorded: Provenance, now: Provenance) -> list[Difference]:
    """The inputs in which two provenances differ, those first that are changed on purpose.

    An input that is on record in one of them alone is not compared.
    """
    pairs = [
        Difference(name, recorded.input(*place), now.input(*place))
        for name, place in _INPUTS.items()
    ]
    pairs.append(_code(recorded, now))
    before, after = _surroundings(recorded), _surroundings(now)
    pairs += [Difference(name, before[name], after[name]) for name in before]
    return [pair for pair in pairs if pair.differs]


def _code(recorded: Provenance, now: Provenance) -> Difference:
    """The code of the first step in which it differs; empty hashes where it differs in none."""
    for step in _TRAINED_BY:
        pair = Difference("code", recorded.input(step, "code"), now.input(step, "code"))
        if pair.differs:
            return pair
    return Difference("code", "", "")


def _surroundings(provenance: Provenance) -> dict[str, str]:
    """What a training ran on, in words, by name."""
    return {
        "lock": provenance.lock,
        "interpreter": provenance.interpreter,
        "platform": provenance.platform,
        "blas": ", ".join(provenance.blas),
        "versions": _listed(provenance.versions),
        "seeds": _listed(provenance.seeds),
        "hardware": provenance.hardware,
    }


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in sorted(values))
