"""Rows that were seen before, but for one value."""

from collections.abc import Sequence

import numpy as np

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd, and its bits look like chance
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def near_duplicates(known: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> int:
    """How many of `rows` equal one of `known` in all columns but one, and none in all of them.

    Both are lists of the same columns in the same order, each of shape (rows,); values of a column
    are numbers or texts, and a missing one equals a missing one. A row is the sum of a hash of each
    of its values, so without a column it is that sum less one hash: one look for each column.
    """
    if not known:
        return 0
    mine, theirs = [], []
    for place, (old, new) in enumerate(zip(known, rows, strict=True)):
        _, codes = np.unique(np.concatenate([_told(old), _told(new)]), return_inverse=True)
        hashes = _hashed(codes.ravel().astype(np.uint64), place)
        mine.append(hashes[: len(old)])
        theirs.append(hashes[len(old) :])
    seen, asked = _added_up(mine), _added_up(theirs)
    near = np.zeros(len(asked), dtype=np.bool_)
    for old, new in zip(mine, theirs, strict=True):
        near = near | np.isin(asked - new, seen - old)
    return int((near & ~np.isin(asked, seen)).sum())


def _added_up(hashes: list[np.ndarray]) -> np.ndarray:
    """The hash of each row from those of its columns; it wraps around."""
    total: np.ndarray = np.add.reduce(hashes)
    return total


def _told(values: np.ndarray) -> np.ndarray:
    """The values as numbers, or as texts where they are none."""
    return values if values.dtype.kind in "biuf" else values.astype(str)


def _hashed(codes: np.ndarray, place: int) -> np.ndarray:
    """A number for each code of the column at this place, as if drawn by chance (splitmix64)."""
    start = np.full(len(codes), place + 1, dtype=np.uint64) * _MIX
    mixed = (codes + np.uint64(1)) * _SPREAD + start
    for shift, factor in ((30, _MIX), (27, np.uint64(0x94D049BB133111EB))):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
    return mixed ^ (mixed >> np.uint64(31))
