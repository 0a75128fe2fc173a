"""An answer as a person reads it."""

from dataclasses import dataclass

from bento.http.answer import Answer
from sluice.served import reasons
from sluice.served.contract import Contract

_WIDTH = 320  # of the scale, in units of the drawing
_BAR = 64  # of the longest bar of a reason, in the same units
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


def view(contract: Contract, answer: Answer) -> View:
    """The view of an answer of the service."""
    given = answer.reasons or []
    largest = max((abs(reason.change) for reason in given), default=0.0)
    tiers = contract.tiers.names
    return View(
        id=answer.id,
        tier=answer.tier.capitalize(),
        step=tiers.index(answer.tier) + 1,
        tiers=len(tiers),
        label=answer.label,
        prediction=answer.prediction,
        probability=f"{answer.probability:.4f}",
        threshold=f"{answer.threshold:.4f}",
        sentence=f"By the model’s estimate, of 100 {contract.rows} with values like these about "
        f"{100 * answer.probability:.0f} have the outcome “{contract.target.positive}”.",
        mark=round(_WIDTH * answer.probability, 1),
        cut=round(_WIDTH * answer.threshold, 1),
        reasons=tuple(_reason(reason, largest) for reason in given),
        model=answer.model,
    )


def _reason(reason: reasons.Reason, largest: float) -> Reason:
    """A reason as it is drawn, its bar in proportion to the largest change of its answer."""
    width = round(_BAR * abs(reason.change) / largest, 1) if largest else 0.0
    change = f"{reason.change:+.4f}".replace("-", "−")
    return Reason(reason.text, change, reason.change > 0, width)
