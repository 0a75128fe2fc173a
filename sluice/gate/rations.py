"""Rations of looks: one in so many days, for the best candidate by validation.

Candidates of a ration are collected by what their validation rows say, of which none decides. When
the ration ends, the best of them has the look. Nothing of the holdout is known of the others, and
they spend nothing: a choice by other rows than those that decide is no choice by luck there.

Days are counted from the last look. A day that lies further ahead than a whole ration was written
by a clock that was wrong, and is passed over, so that nobody waits longer than two rations.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Struct

_KEPT = 8  # candidates that wait: the best has the look, and others where that one is gone


class Waiting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A candidate that waits: the hash of its artifact, its ROC-AUC on the validation rows, the day
    in ISO 8601, and the SHA-256 of its data.
    """

    model: str
    validation: float
    day: str
    data: str


@dataclass(frozen=True)
class Turn:
    """Whose look it is. `until` is the day from which on a candidate is looked at, None where that
    is now; `last` the day of the last look. `better` are those that wait and are better by
    validation, the best first.
    """

    until: datetime.date | None = None
    last: datetime.date | None = None
    better: tuple[Waiting, ...] = ()

    @property
    def mine(self) -> bool:
        """Whether the candidate that asks has the look."""
        return self.until is None and not self.better


MINE = Turn()


def turn(one: Waiting, waiting: Iterable[Waiting], last: datetime.date | None, days: int) -> Turn:
    """Whose look it is on the day of a candidate, `days` days being a ration."""
    better = tuple(other for other in _sorted(waiting) if _is_better(other, one))
    today = datetime.date.fromisoformat(one.day)
    if last is None:
        return Turn(better=better)
    until = last + datetime.timedelta(days=days)
    if today < until:
        return Turn(until, last, better)
    return Turn(None, last, better)


def collected(one: Waiting, waiting: Iterable[Waiting]) -> tuple[Waiting, ...]:
    """Those that wait with this one among them, the best first; one that waits already keeps its
    day.
    """
    before = tuple(waiting)
    if any(other.model == one.model for other in before):
        return before
    return tuple(_sorted((one, *before))[:_KEPT])


def last_of(
    days: Iterable[datetime.date], today: datetime.date, ration: int
) -> datetime.date | None:
    """The last of the days that a clock can have written that was right; None where there is
    none.
    """
    ahead = today + datetime.timedelta(days=ration)
    return max((day for day in days if day <= ahead), default=None)


def _is_better(other: Waiting, one: Waiting) -> bool:
    return other.model != one.model and other.validation > one.validation


def _sorted(waiting: Iterable[Waiting]) -> list[Waiting]:
    """The best first; of equal ones the one that came last, which knows most rows."""
    return sorted(waiting, key=lambda one: (one.validation, one.day), reverse=True)
