"""An answer as a person reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.served.contract import Contract

# In units of the drawing: the width of the scale, and of the longest bar of a reason.
_WIDTH, _BAR = 320, 64
_SHADES = 4  # colours of tiers in style.css


@dataclass(frozen=True)
class Reason:
    """One reason: its sentence, how much it changes the score, and the width of its bar."""

    sentence: str
    change: str
    raises: bool
    width: float


@dataclass(frozen=True)
class View:
    """An answer in words.

    `step` is the place of the tier among `tiers`, from 1; `mark` and `cut` are where probability
    and threshold are on the scale.
    """

    id: str
    tier: str
    step: int
    tiers: int
    label: str
    prediction: int
    probability: str
    threshold: str
    sentence: str
    mark: float
    cut: float
    reasons: tuple[Reason, ...]
    model: str

    @property
    def steps(self) -> tuple[bool, ...]:
        """For each tier whether the answer reaches it."""
        return tuple(place <= self.step for place in range(1, self.tiers + 1))

    @property
    def shade(self) -> int:
        """The colour of the tier, from 1 to 4: the highest tier has the strongest."""
        return _SHADES - (self.tiers - self.step) * _SHADES // self.tiers


def view(contract: Contract, answer: Mapping[str, Any]) -> View:
    """The view of an answer of the service."""
    probability, threshold = float(answer["probability"]), float(answer["threshold"])
    target, reasons = contract.target, answer.get("reasons") or ()
    tiers = contract.tiers.names
    return View(
        id=str(answer.get("id", "")),
        tier=str(answer["tier"]).capitalize(),
        step=tiers.index(answer["tier"]) + 1,
        tiers=len(tiers),
        label=str(answer["label"]),
        prediction=int(answer["prediction"]),
        probability=f"{probability:.4f}",
        threshold=f"{threshold:.4f}",
        sentence=f"By the model’s estimate, of 100 {contract.rows} with values like these about "
        f"{100 * probability:.0f} have the outcome “{target.positive}”.",
        mark=round(_WIDTH * probability, 1),
        cut=round(_WIDTH * threshold, 1),
        reasons=tuple(_reason(reason, max(map(_size, reasons))) for reason in reasons),
        model=str(answer.get("model", "")),
    )


def _reason(reason: Mapping[str, Any], largest: float) -> Reason:
    change = float(reason["change"])
    width = round(_BAR * _size(reason) / largest, 1) if largest else 0.0
    return Reason(str(reason["text"]), f"{change:+.4f}".replace("-", "−"), change > 0, width)


def _size(reason: Mapping[str, Any]) -> float:
    return abs(float(reason["change"]))
