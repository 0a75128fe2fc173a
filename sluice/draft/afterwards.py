"""Columns that are known only after the answer is, by their names and by arithmetic."""

import itertools
import re
from collections.abc import Callable, Collection, Mapping

import numpy as np

from sluice.draft.column_words import (
    AFTER_A_CONTACT,
    AFTERWARDS,
    CONTACTS,
    EARLIER,
    ENDS,
    GENERAL_TARGETS,
    OF_AN_END,
)

_LINKS = {"of", "for", "the", "de", "la", "du", "der", "des", "del"}
_NEARLY_ALL = 0.995  # of the rows, for which two columns give the answer
_FIRST = 1_000  # rows that pairs are tried on before all are
_EXACT = 1e-6  # of the largest outcome: how far a result may lie off
_WAYS: tuple[tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]], ...] = (
    ("plus", np.add),
    ("minus", np.subtract),
    ("times", np.multiply),
)


def named_afterwards(key: str, target: str, keys: Collection[str]) -> bool:
    """Whether a column of this key is one that is filled in once the answer is known: the day or
    the reason of an end, a date or a score of the target itself, what a loan paid back. `keys` are
    those of all columns. A word such as `previous` says that it is of an earlier time.
    """
    words = _words(key)
    if any(_holds(words, _words(phrase)) for phrase in AFTERWARDS):
        return not set(words) & EARLIER - {"last"}
    if set(words) & EARLIER:
        return False
    if key in AFTER_A_CONTACT and set(keys) & CONTACTS:
        return True
    wanted = _words(re.sub(r"^(is|has|was)_", "", target))
    told = set(words) & OF_AN_END - set(wanted)
    of_target = target not in GENERAL_TARGETS and _holds(words, wanted)
    return bool(told) and (of_target or bool(set(words) & ENDS))


def adding_up(columns: Mapping[str, np.ndarray], outcomes: np.ndarray) -> dict[str, str]:
    """The columns of numbers of which two make the outcome in nearly all rows, by one step of
    arithmetic: what each is told to make, by its name. `columns` and `outcomes` have the shape
    (rows,); a missing number makes nothing.
    """
    room = _EXACT * max(float(np.abs(outcomes).max(initial=0.0)), 1.0)
    found: dict[str, str] = {}
    for one, other in itertools.permutations(columns, 2):
        if one in found and other in found:
            continue
        for word, way in _WAYS:
            if word != "minus" and one > other:
                continue  # the same the other way round
            first = slice(_FIRST)
            tried = way(columns[one][first], columns[other][first])
            if not _makes(tried, outcomes[first], room):
                continue
            if _makes(way(columns[one], columns[other]), outcomes, room):
                told = f"{one} {word} {other} is the answer"
                found |= {one: told, other: told}
    return found


def _makes(results: np.ndarray, outcomes: np.ndarray, room: float) -> bool:
    near = np.abs(results - outcomes) <= room
    return bool(len(near)) and float(near.mean()) >= _NEARLY_ALL


def _words(key: str) -> tuple[str, ...]:
    """The words of a key that say something."""
    return tuple(word for word in key.split("_") if word and word not in _LINKS)


def _holds(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    """Whether the words of a phrase stand there, one behind the other."""
    starts = range(len(words) - len(phrase) + 1)
    return bool(phrase) and any(words[at : at + len(phrase)] == phrase for at in starts)
