"""Two trainings of one model held against each other: their predictions row by row, and what went
into them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.model.conversion import TOLERANCE

# What predictions may depend on -> where a provenance has it; the first are the ones that are
# changed on purpose.
_STEPS = {
    "data": ("validate", "data"),
    "policy": ("train", "policy"),
    "contract": ("train", "contract"),
    "training rows": ("train", "train"),
    "validation rows": ("train", "validation"),
    "search": ("train", "tuning"),
}
_PLAIN = ("lock", "interpreter", "platform", "blas", "versions", "seeds", "hardware")
_TRAINED_BY = ("validate", "split", "tune", "train")


@dataclass(frozen=True)
class Agreement:
    """How the predictions of two models agree: rows, those that differ by more than 1e-6, the
    largest difference, and rows that one would flag and the other not.
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
    """An input that is not what it was."""

    name: str
    recorded: str
    now: str


def agree(recorded: np.ndarray, now: np.ndarray, thresholds: tuple[float, float]) -> Agreement:
    """Compare two vectors of scores, shape (rows,); `thresholds` are those of the two models."""
    apart = np.abs(recorded - now)
    flagged = (recorded >= thresholds[0]) != (now >= thresholds[1])
    wrong = ~(apart <= TOLERANCE)  # also where one is not a number
    return Agreement(
        len(apart), int(wrong.sum()), float(apart.max(initial=0.0)), int(flagged.sum())
    )


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """The inputs in which two provenances differ; one that either does not tell is not compared."""
    pairs = [
        (name, _input(recorded, *place), _input(now, *place)) for name, place in _STEPS.items()
    ]
    codes = [(_input(recorded, step, "code"), _input(now, step, "code")) for step in _TRAINED_BY]
    changed = [(before, after) for before, after in codes if before and after and before != after]
    pairs += [("code", *(changed[0] if changed else ("", "")))]
    pairs += [(name, _text(recorded.get(name)), _text(now.get(name))) for name in _PLAIN]
    return [
        Difference(name, before, after)
        for name, before, after in pairs
        if before and after and before != after
    ]


def _input(provenance: Mapping[str, Any], step: str, name: str) -> str:
    return str((provenance.get("inputs") or {}).get(step, {}).get(name, ""))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {value[name]}" for name in sorted(value))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
