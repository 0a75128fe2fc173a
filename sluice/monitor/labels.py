"""Labels that come late: what became of a row that was predicted, and since when that is known.

They come again, corrected and in conflict, and in any order. What holds in the end follows from all
of them together, so the order in which they were added changes nothing.
"""

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import Struct

from sluice.errors import Refused
from sluice.served.contract import Target

COLUMNS = ("id", "outcome", "known_at")
ACTED = "acted"  # a column that may be there: whether somebody acted upon the row
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")
UNCLEAR = math.inf  # the outcome of an id whose labels contradict each other
_LONGEST = 200  # characters of an id
_SHOWN = 40  # characters of a wrong value that an error shows
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_CLOCKS = datetime.timedelta(minutes=10)  # by which two clocks may differ


class Label(Struct, frozen=True, omit_defaults=True):
    """What became of the row that an answer of the service was about.

    `id` is that of the answer, `outcome` 1 for a positive and 0 for a negative, or the place of the
    class where there are several, or the number that came true, `known_at` the second since 1970
    from which it was known. `acted` says that somebody acted upon the row because of what the model
    said: its outcome is then also that of the action.
    """

    id: str
    outcome: float
    known_at: int
    acted: bool = False


@dataclass(frozen=True)
class Settled:
    """What holds: by id the outcome, as a `Label` has it or UNCLEAR, and the second since 1970 from
    which it was known.

    `repeated` labels say what another one says, `corrected` ids have an older label that says
    otherwise, `conflicting` ids have two of the same second that contradict each other: they are
    left out. `acted` are the ids of which any label says that somebody acted.
    """

    outcomes: Mapping[str, tuple[float, int]]
    repeated: int = 0
    corrected: int = 0
    conflicting: int = 0
    acted: frozenset[str] = frozenset()

    @property
    def newest(self) -> int:
        """The second from which the newest label was known; 0 where there is none."""
        return max((known for _, known in self.outcomes.values()), default=0)


NO_LABELS = Settled({})


def read_labels(
    rows: Iterable[tuple[int, Mapping[str, str | None]]],
    target: Target,
    now: datetime.datetime,
    source: str,
) -> list[Label]:
    """The labels in the rows of a table, each with the number of its line.

    An outcome is one of the values of the target, or a number of its plausible range with a point
    before its decimals; a time without a zone is UTC. Raises Refused, naming line and column, for
    the first that is wrong: a file is taken whole or not at all.
    """
    outcomes = _Outcomes(target)
    labels = []
    for line, row in rows:
        where = f"{source}, line {line}"
        name = (row.get("id") or "").strip()
        if not 0 < len(name) <= _LONGEST:
            raise _refused(where, "id", name, f"a text of 1 to {_LONGEST} characters")
        outcome = (row.get("outcome") or "").strip()
        number = outcomes.number(outcome)
        if number is None:
            raise _refused(where, "outcome", outcome, outcomes.needed)
        known = _moment((row.get("known_at") or "").strip(), where)
        if known > now + _CLOCKS:
            raise _refused(where, "known_at", known.isoformat(), "a time that has been")
        acted = (row.get(ACTED) or "").strip().lower()
        if acted not in (*_YES, *_NO):
            raise _refused(where, ACTED, acted, "yes or no")
        labels.append(Label(name, number, int(known.timestamp()), acted in _YES))
    if not labels:
        raise Refused(f"{source} has 0 labels; at least 1 is required", "Export it again.")
    return labels


class _Outcomes:
    """What a row can turn out to be, as a table says it."""

    def __init__(self, target: Target) -> None:
        self._quantity = target.quantity
        self._places = {name: place for place, name in enumerate(target.outcomes)}
        named = target.classes or (target.positive, target.negative)
        self.needed = " or ".join(named)
        if target.quantity:
            unit = f" {target.quantity.unit}" if target.quantity.unit else ""
            low, high = f"{target.quantity.low:.12g}", f"{target.quantity.high:.12g}"
            self.needed = f"a number from {low} to {high}{unit}, with a point before decimals,"

    def number(self, text: str) -> float | None:
        """The number that stands for an outcome; None where it is none."""
        quantity = self._quantity
        if quantity is None:
            return self._places.get(text)
        if not _NUMBER.fullmatch(text):
            return None
        number = float(text)
        return number if quantity.low <= number <= quantity.high else None


def settle(labels: Iterable[Label]) -> Settled:
    """What holds after all labels: of each id the one that was known last."""
    outcomes: dict[str, tuple[float, int]] = {}
    several: dict[str, Counter[tuple[int, float]]] = {}  # of the few ids that have more than one
    acted = set()
    for label in labels:
        if label.acted:
            acted.add(label.id)
        held = outcomes.get(label.id)
        if held is None:
            outcomes[label.id] = (label.outcome, label.known_at)
            continue
        seen = several.setdefault(label.id, Counter({(held[1], held[0]): 1}))
        seen[label.known_at, label.outcome] += 1
    repeated = corrected = conflicting = 0
    for name, seen in several.items():
        outcome, known, again, changed = _last(seen)
        outcomes[name] = (outcome, known)
        repeated += again
        corrected += changed and outcome != UNCLEAR
        conflicting += outcome == UNCLEAR
    return Settled(outcomes, repeated, corrected, conflicting, frozenset(acted))


def _last(seen: Counter[tuple[int, float]]) -> tuple[float, int, int, bool]:
    """Of the labels of one id, (known, outcome) with how often each came: the outcome that holds,
    since when, how many say nothing new, and whether an earlier one said otherwise.
    """
    repeated, corrected = seen.total() - len(seen), False
    (known, outcome), *others = sorted(seen)
    for later, other in others:
        if other == outcome:
            repeated += 1
        elif later == known:
            outcome = UNCLEAR
        else:
            outcome, known, corrected = other, later, True
    return outcome, known, repeated, corrected


def _moment(text: str, where: str) -> datetime.datetime:
    """A day or a time in ISO 8601."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise _refused(where, "known_at", text, "a day or a time, as 2026-11-20") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _refused(where: str, column: str, value: str, needed: str) -> Refused:
    what = f"{where}: {column} is {value[:_SHOWN]!r}; {needed} is required"
    return Refused(what, "Correct it and add the file again; nothing of it was kept.")
