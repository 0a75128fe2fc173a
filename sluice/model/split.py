"""The split: which part a row falls into is a hash of its id, so a row never moves as the data
grows.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

from sluice.errors import Refused
from sluice.policy import SplitPolicy

PARTS = ("train", "validation", "holdout")


def row_hashes(salt: str, ids: Iterable[object]) -> np.ndarray:
    """A salted 64-bit hash of each id, uint64, shape (rows,): decides the part, breaks ties, stands
    for the row.
    """
    words = (hashlib.sha256(f"{salt}\0{value}".encode()).digest()[:8] for value in ids)
    return np.frombuffer(b"".join(words), dtype=">u8").astype(np.uint64)


def parts(policy: SplitPolicy, hashes: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Row numbers of each part, in order. Raises Refused where a part is left without both
    classes.
    """
    place = hashes.astype(np.float64) / 2.0**64
    edges = (policy.train, policy.train + policy.validation)
    code = np.searchsorted(edges, place, side="right")
    rows = {part: np.flatnonzero(code == number) for number, part in enumerate(PARTS)}
    for part, members in rows.items():
        positives = int(labels[members].sum())
        if not 5 <= positives <= len(members) - 5:
            raise Refused(
                f"the {part} part has {len(members)} rows, {positives} of them positive: too few to"
                " learn or to judge",
                "Bring more rows; each part needs at least five of both classes.",
            )
    return rows


def unseen(policy: SplitPolicy, ids: Iterable[object]) -> np.ndarray:
    """Which rows lie in the holdout of this split, so that its models have not fitted or tuned on
    them; boolean.
    """
    place = row_hashes(policy.salt, ids).astype(np.float64) / 2.0**64
    return np.asarray(place >= policy.train + policy.validation)
