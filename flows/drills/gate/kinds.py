"""What drills differ in by the kind of target: one positive class, several classes, a number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flows.drills.gate import bad_rows, candidates, paired_candidates
from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase
from flows.drills.gate.classes import candidates as class_candidates
from flows.drills.gate.classes import opponents as class_opponents
from flows.drills.gate.fault import Fault
from flows.drills.gate.number import candidates as number_candidates
from flows.drills.gate.number import opponents as number_opponents
from sluice.served.contract import Target


@dataclass(frozen=True)
class Kind:
    """All candidates with a fault, in the order in which the gate would meet them, and three cases
    without one: a truly better model, the model beside itself, and the model under a floor that it
    does not clear.
    """

    faults: Callable[[], Iterator[Fault]]
    better: Callable[[Ground], MadeCase]
    held: Callable[[Ground], MadeCase]
    refused: MadeCase


def kind_of(target: Target) -> Kind:
    """The kind of a target."""
    if target.quantity:
        return Kind(
            _of_number,
            number_opponents.better,
            number_opponents.held,
            MadeCase(own={"skill_floor": 0.999}),
        )
    refused = MadeCase(limits={"recall_floor": 0.999})
    if target.several:
        return Kind(_of_classes, class_opponents.better, class_opponents.held, refused)
    return Kind(_of_one_class, paired_candidates.better, paired_candidates.held, refused)


def _of_one_class() -> Iterator[Fault]:
    yield from bad_rows.rows()
    yield from candidates.candidates()
    yield from paired_candidates.opponents()


def _of_classes() -> Iterator[Fault]:
    yield from class_candidates.candidates()
    yield from class_opponents.opponents()


def _of_number() -> Iterator[Fault]:
    yield from number_candidates.candidates()
    yield from number_opponents.opponents()
