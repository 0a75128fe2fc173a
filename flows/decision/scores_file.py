"""scores.parquet: the holdout rows as they are judged. It never leaves the machine.

The columns are `row_hash`, `label`, `candidate`, `alone`, then `champion` and `anchor` where there
are such models, `group_hash` where the contract has groups of rows that belong together, then
`segment <name>` for each segment of the contract. Where the target has several classes, a model has
a column for each of them, such as `candidate 0`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flows.facts.step_files import SCORES
from sluice.model.data.split import GROUP
from sluice.model.data.table import from_parquet, to_parquet
from sluice.model.json_file import Unreadable

_REQUIRED = ("row_hash", "label", "candidate", "alone")
_MODELS = ("candidate", "alone", "champion", "anchor")
_SEGMENT = "segment "


@dataclass(frozen=True)
class Scores:
    """Every array has the shape (rows,), in the same order of the rows.

    `row_hash` is uint64, `labels` are 0 or 1. Scores are probabilities: `alone` are those of the
    best single column. `champion` and `anchor` are None where there is no such model, and NaN where
    it cannot score these rows. `segments` has, by name, the group of every row as a text.
    `group_hash` is uint64, equal in rows that belong together; None where each is independent. Of
    several classes a label is the place of one, and scores have the shape (rows, classes).
    """

    row_hash: np.ndarray
    labels: np.ndarray
    candidate: np.ndarray
    alone: np.ndarray
    champion: np.ndarray | None
    anchor: np.ndarray | None
    segments: Mapping[str, np.ndarray]
    group_hash: np.ndarray | None = None

    def of(self, opponent: str) -> np.ndarray | None:
        """The scores of `champion` or `anchor`."""
        return {"champion": self.champion, "anchor": self.anchor}[opponent]


def write_scores(scores: Scores) -> bytes:
    """The content of scores.parquet; equal scores give equal bytes."""
    columns = {
        "row_hash": scores.row_hash,
        "label": scores.labels,
        **_columns_of("candidate", scores.candidate),
        **_columns_of("alone", scores.alone),
    }
    if scores.champion is not None:
        columns |= _columns_of("champion", scores.champion)
    if scores.anchor is not None:
        columns |= _columns_of("anchor", scores.anchor)
    if scores.group_hash is not None:
        columns[GROUP] = scores.group_hash
    for name, groups in scores.segments.items():
        columns[f"{_SEGMENT}{name}"] = groups
    return to_parquet(columns)


def _columns_of(name: str, scores: np.ndarray) -> dict[str, np.ndarray]:
    """The column of a model, or one for each class."""
    if scores.ndim == 1:
        return {name: scores}
    return {f"{name} {place}": scores[:, place] for place in range(scores.shape[1])}


def _joined(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with the columns of the classes of a model as one array."""
    found = dict(columns)
    for name in _MODELS:
        places: list[np.ndarray] = []
        while f"{name} {len(places)}" in found:
            places.append(found.pop(f"{name} {len(places)}"))
        if places:
            found[name] = np.column_stack(places)
    return found


def read_scores(content: bytes) -> Scores:
    """Read scores.parquet. Raises Unreadable where a column is missing."""
    columns = _joined(from_parquet(content))
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise Unreadable(
            f"{SCORES} lacks {', '.join(missing)}; a column of each name is required",
            "Run the release again with --no-cache: it writes the file anew.",
        )
    row_hash, labels, candidate, alone = (columns[name] for name in _REQUIRED)
    segments = {
        name.removeprefix(_SEGMENT): groups
        for name, groups in columns.items()
        if name.startswith(_SEGMENT)
    }
    return Scores(
        row_hash,
        labels,
        candidate,
        alone,
        columns.get("champion"),
        columns.get("anchor"),
        segments,
        columns.get(GROUP),
    )
