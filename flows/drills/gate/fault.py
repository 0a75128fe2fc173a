"""One fault: what is wrong, which rule has to see it, and which verdicts are right."""

from collections.abc import Callable
from dataclasses import dataclass

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase
from flows.engine.phases import Decision

REJECT = ("REJECT",)
STOPPED = (*REJECT, "INSUFFICIENT")
KEPT = (*STOPPED, "HOLD")  # the champion stays
Look = Callable[[Ground, Decision], bool]


class NotHere(LookupError):
    """The rows have nothing in which this fault could be."""


@dataclass(frozen=True)
class Fault:
    """A bad candidate.

    `happened` looks whether the fault is in what was judged: one that is not proves nothing. Where
    REJECT alone is right and the rule that has to see it is open, because rows are few, the
    candidate has been stopped as it should be.
    """

    name: str
    rule: str
    right: tuple[str, ...]
    make: Callable[[Ground], MadeCase]
    happened: Look
