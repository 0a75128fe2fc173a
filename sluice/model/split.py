"""The split: a hash of its id decides the part of a row, so no row moves as the data grows.

Where the contract has a column of role group, the hash of its value decides: rows of one group are
in one part.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

from sluice.errors import Refused
from sluice.policy import SplitPolicy
from sluice.served.contract import Contract
from sluice.served.encoding import Columns

PARTS = ("train", "validation", "holdout")
HASH = "row_hash"  # the column of a part that has the hashes in place of the ids
GROUP = "group_hash"  # the same in place of the groups, where the contract has them
_FEWEST = 5  # rows of each class without which a part can neither teach nor judge


def row_hashes(salt: str, ids: Iterable[object]) -> np.ndarray:
    """The first 64 bits of the salted SHA-256 of each id, uint64, shape (rows,), in order.

    It decides the part, breaks ties between equal scores, and names the row where ids must not go.
    """
    digests = (hashlib.sha256(f"{salt}\0{value}".encode()).digest()[:8] for value in ids)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def deciding(contract: Contract, columns: Columns) -> np.ndarray:
    """The values whose hashes decide the part of each row, shape (rows,): groups, or else ids."""
    return columns[(contract.group or contract.id).key]


def parts(policy: SplitPolicy, hashes: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Row numbers of each of PARTS, ascending.

    `hashes` are those of `row_hashes` of what decides, and `labels` 0 or 1, both of shape (rows,).
    Raises Refused where a part has fewer than five rows of one class.
    """
    edges = (policy.train, policy.train + policy.validation)
    numbers = np.searchsorted(edges, _shares(hashes), side="right")
    rows = {part: np.flatnonzero(numbers == number) for number, part in enumerate(PARTS)}
    for part, members in rows.items():
        positives = int(labels[members].sum())
        negatives = len(members) - positives
        if min(positives, negatives) < _FEWEST:
            what = (
                f"the {part} part has {positives} positive and {negatives} negative rows; at least"
                f" {_FEWEST} of each are required"
            )
            raise Refused(what, "Bring more rows.")
    return rows


def _shares(hashes: np.ndarray) -> np.ndarray:
    """Hashes as numbers from 0 to 1, evenly spread, shape (rows,)."""
    return np.asarray(hashes.astype(np.float64) / 2.0**64)


def unseen(policy: SplitPolicy, values: Iterable[object]) -> np.ndarray:
    """Which rows lie in the holdout of this split, so that no model of it was fitted or tuned on
    them; boolean, shape (rows,). `values` are what decides: groups or ids.
    """
    shares = _shares(row_hashes(policy.salt, values))
    return np.asarray(shares >= policy.train + policy.validation)
