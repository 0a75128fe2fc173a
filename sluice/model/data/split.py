"""The split: a hash of its id decides the part of a row, so no row moves as the data grows.

Where the contract has a column of role group, the hash of its value decides: rows of one group are
in one part. Where the policy says so, the time of a row decides: the newest rows are the holdout,
those before them validation, and the parts move on as newer rows come.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from sluice.errors import Refused
from sluice.policy import SplitPolicy
from sluice.served.contract import Contract
from sluice.served.encoding import Columns

PARTS = ("train", "validation", "holdout")
HASH = "row_hash"  # the column of a part that has the hashes in place of the ids
GROUP = "group_hash"  # the same in place of the groups, where the contract has them
_BOTH = ("negative", "positive")
_FEWEST = 5  # rows of each class without which a part can neither teach nor judge
_FEWEST_NUMBERS = 20  # rows of a part where the target is a number


def row_hashes(salt: str, ids: Iterable[object]) -> np.ndarray:
    """The first 64 bits of the salted SHA-256 of each id, uint64, shape (rows,), in order.

    It decides the part, breaks ties between equal scores, and names the row where ids must not go.
    """
    digests = (hashlib.sha256(f"{salt}\0{value}".encode()).digest()[:8] for value in ids)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def deciding(contract: Contract, columns: Columns) -> np.ndarray:
    """The values whose hashes decide the part of each row, shape (rows,): groups, or else ids."""
    return columns[(contract.group or contract.id).key]


def parts(
    policy: SplitPolicy, hashes: np.ndarray, labels: np.ndarray, outcomes: Sequence[str] = _BOTH
) -> dict[str, np.ndarray]:
    """Row numbers of each of PARTS, ascending.

    `hashes` are those of `row_hashes` of what decides, and `labels` the places of each row's
    outcome in `outcomes`, both of shape (rows,); of a number `outcomes` is empty. Raises Refused
    where a part has fewer than five rows of one class, or of a number fewer than twenty rows.
    """
    edges = (policy.train, policy.train + policy.validation)
    numbers = np.searchsorted(edges, _shares(hashes), side="right")
    rows = {part: np.flatnonzero(numbers == number) for number, part in enumerate(PARTS)}
    _require_each_class(rows, labels, outcomes, "Bring more rows.")
    return rows


def parts_by_time(
    policy: SplitPolicy,
    times: np.ndarray,
    groups: np.ndarray | None,
    labels: np.ndarray,
    outcomes: Sequence[str] = _BOTH,
) -> dict[str, np.ndarray]:
    """Row numbers of each of PARTS, ascending: every training row is older than every validation
    row, and these than every holdout row.

    `times` are datetime64, `groups` their hashes or None, `labels` the places of each row's
    outcome in `outcomes`; all of shape (rows,).
    Rows of one time are in one part, so the parts have about their shares of the rows where times
    are equal. Of a group that is in several parts only the rows in the last of these stay; the
    others are in no part, because a model that learnt from them would be judged on what it knows.
    Raises Refused where a row has no time, or a part has fewer than five rows of one class.
    """
    unknown = int(np.isnat(times).sum())
    if unknown:
        what = f"{unknown:,} rows have no time that can be read; none may lack one"
        raise Refused(what, "Write a day or a time in each row, as 2026-11-20.")
    numbers = np.searchsorted(_edges(policy, times), times, side="right")
    if groups is not None:
        numbers = np.where(numbers == _last_part(numbers, groups), numbers, -1)
    rows = {part: np.flatnonzero(numbers == number) for number, part in enumerate(PARTS)}
    _require_each_class(rows, labels, outcomes, _to_have_more(times, numbers))
    return rows


def _edges(policy: SplitPolicy, times: np.ndarray) -> np.ndarray:
    """The times at which validation and holdout begin: those with the number of older rows that is
    nearest to what the shares ask for, so that each part has one time at least.
    """
    different, counts = np.unique(times, return_counts=True)
    if len(different) < len(PARTS):
        return different[[0, 0]]  # all rows are then in the last part, which is refused
    older = np.cumsum(counts)[:-1]  # than the second of them, the third, and so on
    validation = 1 + int(np.argmin(np.abs(older[:-1] - policy.train * len(times))))
    wanted = (policy.train + policy.validation) * len(times)
    holdout = validation + 1 + int(np.argmin(np.abs(older[validation:] - wanted)))
    return different[[validation, holdout]]


def _last_part(numbers: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """For each row the number of the last part in which its group has rows."""
    _, owners = np.unique(groups, return_inverse=True)
    last = np.zeros(int(owners.max()) + 1, dtype=numbers.dtype)
    np.maximum.at(last, owners, numbers)
    return last[owners]


def _to_have_more(times: np.ndarray, numbers: np.ndarray) -> str:
    different = len(np.unique(times))
    if different < len(PARTS):
        return f"Its rows have {different} different times; at least {len(PARTS)} are required."
    left_out = int((numbers < 0).sum())
    if left_out:
        return (
            f"{left_out:,} rows are left out, because their group is there later too: bring older"
            ' rows of other groups, or write by = "hash" in [split].'
        )
    return "Bring more rows, or times that tell more rows apart."


def later_than(until: str, times: np.ndarray) -> np.ndarray:
    """Which rows are later than a time in ISO 8601; boolean, shape (rows,). A row without one is
    not.
    """
    return np.asarray(times > np.datetime64(until))


def _require_each_class(
    rows: dict[str, np.ndarray], labels: np.ndarray, outcomes: Sequence[str], fix: str
) -> None:
    if not outcomes:
        _require_rows(rows, fix)
        return
    if len(outcomes) > len(_BOTH):
        _require_classes(rows, labels, outcomes, fix)
        return
    for part, members in rows.items():
        positives = int(labels[members].sum())
        negatives = len(members) - positives
        if min(positives, negatives) < _FEWEST:
            what = (
                f"the {part} part has {positives} positive and {negatives} negative rows; at least"
                f" {_FEWEST} of each are required"
            )
            raise Refused(what, fix)


def _require_rows(rows: dict[str, np.ndarray], fix: str) -> None:
    """Of a number there are no classes: each part has rows enough to teach or judge."""
    for part, members in rows.items():
        if len(members) < _FEWEST_NUMBERS:
            what = (
                f"the {part} part has {len(members)} rows; at least {_FEWEST_NUMBERS} are required"
            )
            raise Refused(what, fix)


def _require_classes(
    rows: dict[str, np.ndarray], labels: np.ndarray, classes: Sequence[str], fix: str
) -> None:
    for part, members in rows.items():
        counts = np.bincount(labels[members], minlength=len(classes))
        rarest = int(counts.argmin())
        if counts[rarest] < _FEWEST:
            what = (
                f"the {part} part has {counts[rarest]} rows of {classes[rarest]!r}; at least"
                f" {_FEWEST} of each class are required"
            )
            raise Refused(what, f"{fix} Or join rare classes in the table.")


def _shares(hashes: np.ndarray) -> np.ndarray:
    """Hashes as numbers from 0 to 1, evenly spread, shape (rows,)."""
    return np.asarray(hashes.astype(np.float64) / 2.0**64)


def unseen(policy: SplitPolicy, values: Iterable[object]) -> np.ndarray:
    """Which rows lie in the holdout of this split, so that no model of it was fitted or tuned on
    them; boolean, shape (rows,). `values` are what decides: groups or ids.
    """
    shares = _shares(row_hashes(policy.salt, values))
    return np.asarray(shares >= policy.train + policy.validation)
