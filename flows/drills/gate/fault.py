"""One fault: what is wrong, which rule has to see it, which verdicts are right, and whether it
really happened.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import Case, Stage

STOPPED = ("REJECT", "INSUFFICIENT")
KEPT = (*STOPPED, "HOLD")  # the champion stays


class NotHere(LookupError):
    """The contract has no column in which this fault could be."""


@dataclass(frozen=True)
class Fault:
    """A bad candidate. `happened` looks at what was scored: a fault that is not in there proves
    nothing.
    """

    name: str
    rule: str
    right: tuple[str, ...]
    make: Callable[[Ground], Case]
    happened: Callable[[Ground, Stage], bool]
