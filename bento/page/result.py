"""An answer as a person reads it."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UnsetType

from bento.http.answer import Answer
from sluice.served import reasons
from sluice.served.contract import Contract
from sluice.served.quantity import Quantity

_WIDTH = 320  # of the scale, in units of the drawing
_BAR = 64  # of the longest bar of a reason, in the same units
_SHADES = 4  # colours of tiers in style.css


@dataclass(frozen=True)
class Reason:
    """One reason: its sentence, how much it changes the score, and how far that may be off, both in
    points, or with their unit where a number is answered, and the width of its bar.
    """

    sentence: str
    change: str
    error: str
    raises: bool
    width: float


@dataclass(frozen=True)
class View:
    """An answer in words.

    `step` is the place of the tier among `tiers`, from 1; `mark` and `cut` are where probability
    and threshold are on the scale. `baseline` and `total` are where the reasons begin and end, in
    percent, and `others` what all other columns add, in points; empty without reasons.
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
    baseline: str
    others: str
    total: str
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
        reasons=reasons_of(answer.reasons or []),
        baseline=percent(answer.baseline),
        others=points(answer.others),
        total=percent(answer.probability),
        model=answer.model,
    )


def reasons_of(given: Sequence[reasons.Reason]) -> tuple[Reason, ...]:
    """The reasons of an answer as they are drawn."""
    largest = max((abs(reason.change) for reason in given), default=0.0)
    return tuple(_reason(reason, largest) for reason in given)


def numbers_of(given: Sequence[reasons.Reason], quantity: Quantity) -> tuple[Reason, ...]:
    """The same of an answer that is a number: changes and errors are in its unit."""
    largest = max((abs(reason.change) for reason in given), default=0.0)
    return tuple(
        Reason(
            reason.text,
            f"{'+' if reason.change > 0 else '−'}{quantity.written(abs(reason.change))}",
            quantity.written(reason.error),
            reason.change > 0,
            _bar(reason, largest),
        )
        for reason in given
    )


def percent(share: float | UnsetType) -> str:
    """A share in percent; empty for none."""
    return "" if isinstance(share, UnsetType) else f"{100 * share:.1f}"


def points(change: float | UnsetType) -> str:
    """A change in points, with its sign; empty for none."""
    return "" if isinstance(change, UnsetType) else f"{100 * change:+.1f}".replace("-", "−")


def _reason(reason: reasons.Reason, largest: float) -> Reason:
    """A reason as it is drawn, its bar in proportion to the largest change of its answer."""
    error, width = f"{100 * reason.error:.1f}", _bar(reason, largest)
    return Reason(reason.text, points(reason.change), error, reason.change > 0, width)


def _bar(reason: reasons.Reason, largest: float) -> float:
    return round(_BAR * abs(reason.change) / largest, 1) if largest else 0.0
