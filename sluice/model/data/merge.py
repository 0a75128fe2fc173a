"""New labelled rows for a training table, each as it was known at its own moment.

Rows bring their target and the day they are of. What else was known of them may lie in records that
have a time each: a row takes the newest record that was known by then, and never one written later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import Refused, UsageError
from sluice.model.data.table import made_ids, numbers
from sluice.model.data.times import last_moments_of, times_of
from sluice.served.contract import Column, Contract

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 3  # rows that a message names


@dataclass(frozen=True)
class Merged:
    """A training table with new rows below the ones that were there.

    `added` are new ids; `repeated` were there with the same values; `corrected` were there with the
    other target; `unlabelled` have no target yet and are left out. `columns` are those that the
    table did not have before.
    """

    frame: "pd.DataFrame"
    added: int
    repeated: int
    corrected: int
    unlabelled: int
    columns: tuple[str, ...]


def as_it_was(
    rows: "pd.DataFrame", records: "pd.DataFrame", contract: Contract, on: str, source: str
) -> "pd.DataFrame":
    """Rows with the columns of the newest record of each that was known by its moment.

    `on` is the published name of the column that both have; records have `known_at` besides, and
    the rows `as_of`. A row without such a record has nothing in the new columns. Where rows have a
    known_at themselves, the later of the two stays. `source` names the records in messages. Raises
    Refused where a time cannot be read, or where two records of one key are of the same time.
    """
    import pandas as pd

    brought = [str(name) for name in records if name not in (on, contract.known_at)]
    _require_apart(brought, rows, on, source)
    moments = _moments(rows, contract.as_of, "the rows", ends=True)
    known = _moments(records, contract.known_at, source, ends=False)
    twice = pd.DataFrame({"key": records[on].astype("str"), "known": known}).duplicated()
    if twice.any():
        what = (
            f"{source} has {int(twice.sum()):,} records more than one of the same {on} at the same"
            f" time ({_places(records, twice.to_numpy())}); at most one is required"
        )
        raise Refused(what, f"Keep one of them, or write {contract.known_at} to the second.")
    places = _newest(rows[on], moments, records[on], known)
    found = {name: _taken(records[name], places) for name in brought}
    joined = rows.reset_index(drop=True).assign(**found)
    since = _taken(records[contract.known_at], places)
    if contract.known_at not in rows:
        joined[contract.known_at] = since
        return joined
    own = _moments(rows, contract.known_at, "the rows", ends=False)
    later = (places >= 0) & ~(own >= np.append(known, np.datetime64("NaT"))[places])
    kept = np.where(later, since.astype(object), rows[contract.known_at].astype(object))
    joined[contract.known_at] = pd.Series(kept, index=joined.index)
    return joined


def _require_apart(brought: Sequence[str], rows: "pd.DataFrame", on: str, source: str) -> None:
    both = [name for name in brought if name in rows]
    if both:
        what = f"{source} and the rows both have {', '.join(both)}; only {on} may be in both"
        raise UsageError(what, "Leave these columns out of one of the two files.")
    if not brought:
        what = f"{source} has 0 columns besides {on} and the time"
        raise UsageError(what, "Name a file with what was known of the rows.")


def _newest(
    keys: "pd.Series[Any]",
    moments: np.ndarray,
    known_keys: "pd.Series[Any]",
    known: np.ndarray,
) -> np.ndarray:
    """For each row the place of the newest record of its key by its moment; -1 where none is."""
    import pandas as pd

    left = pd.DataFrame({"key": keys.astype("str").to_numpy(), "at": moments})
    left["row"] = np.arange(len(left))
    right = pd.DataFrame({"key": known_keys.astype("str").to_numpy(), "at": known})
    right["place"] = np.arange(len(right))
    pairs = pd.merge_asof(left.sort_values("at"), right.sort_values("at"), on="at", by="key")
    found = pairs.sort_values("row")["place"].fillna(-1)
    return np.asarray(found.to_numpy(dtype=np.int64))


def _taken(values: "pd.Series[Any]", places: np.ndarray) -> "pd.Series[Any]":
    import pandas as pd

    texts = np.array([*values.astype(object), None], dtype=object)  # the last is for place -1
    return pd.Series(texts[places], dtype="category")


def require_known_in_time(rows: "pd.DataFrame", contract: Contract, source: str) -> None:
    """Raise Refused where a row was written later than the day it is of: it may tell the outcome.

    Rows without a `known_at` are let through where the contract names none, and where the file of
    rows has no such column: then nothing is known of it.
    """
    if not contract.known_at or contract.known_at not in rows:
        return
    late = known_too_late(rows, contract)
    if late.any():
        what = (
            f"{source}: {contract.known_at} is later than {contract.as_of} in {int(late.sum()):,}"
            f" rows ({_places(rows, late)}); what is written after the day of a row may tell its"
            " outcome"
        )
        raise Refused(what, "Bring the values as they were on that day, with --features.")


def known_too_late(rows: "pd.DataFrame", contract: Contract) -> np.ndarray:
    """Which rows were known only after the day they are of; boolean, shape (rows,)."""
    moments = _moments(rows, contract.as_of, "the table", ends=True)
    known = _moments(rows, contract.known_at, "the table", ends=False, empty=True)
    return np.asarray(known > moments)


def _moments(
    rows: "pd.DataFrame", name: str, source: str, *, ends: bool, empty: bool = False
) -> np.ndarray:
    """The times in a column as datetime64, shape (rows,). Raises Refused where it is missing, and
    for cells that are no time; empty ones are NaT where that is allowed.
    """
    import pandas as pd

    if name not in rows:
        raise Refused(f"{source} has no column {name}", "The contract names it: export it too.")
    cells = pd.Categorical(rows[name])
    times = last_moments_of(cells) if ends else times_of(cells)
    wrong = np.isnat(times) & ((cells.codes >= 0) | (not empty))
    if wrong.any():
        places = _places(rows, wrong)
        what = f"{source}: {name} is no day or time in {int(wrong.sum()):,} rows ({places})"
        raise Refused(what, "Write a day or a time, as 2026-11-20.")
    return times


def merge(held: "pd.DataFrame", rows: "pd.DataFrame", contract: Contract, source: str) -> Merged:
    """The held table with new rows below it, in the order of the contract.

    Both are as `sluice.model.data.table` reads them. A row whose id is held already changes nothing
    where it says the same, and corrects the target where it says the same but for that. Raises
    Refused where it says something else, and where an id is empty or twice among the new rows.
    """
    import pandas as pd

    name, target = contract.id.name, contract.role("target")[0].name
    _require_columns(rows, contract, source)
    labelled = rows[rows[target].notna()]
    if contract.id.made and name not in labelled:
        labelled = labelled.assign(**{name: made_ids(labelled, contract)})
    _require_ids(rows, labelled, contract.id, source)
    ids = pd.Index(_values(held, contract.id))
    if not ids.is_unique:
        what = f"the table has {int(ids.duplicated().sum()):,} rows with an id that it has already"
        raise Refused(what, "Mend it first: `sluice validate` names them.")
    places = ids.get_indexer(pd.Index(_values(labelled, contract.id)))
    known = labelled[places >= 0]
    there = held.iloc[places[places >= 0]]
    _require_same(known, there, contract, source)
    differs = known[target].astype(object).to_numpy() != there[target].astype(object).to_numpy()
    corrected = held.astype(object)
    column = list(corrected).index(target)
    corrected.iloc[places[places >= 0], column] = known[target].to_numpy(dtype=object)
    new = labelled[places < 0].astype(object)
    together = pd.concat([corrected, new], ignore_index=True)
    order = [c.name for c in contract.columns if c.name in together]
    return Merged(
        frame=together[order].astype("category"),
        added=len(new),
        repeated=int(np.count_nonzero(~differs)),
        corrected=int(np.count_nonzero(differs)),
        unlabelled=len(rows) - len(labelled),
        columns=tuple(column for column in order if column not in held),
    )


def _require_columns(rows: "pd.DataFrame", contract: Contract, source: str) -> None:
    """Refuse rows without a column that the contract needs."""
    needed = [c.name for c in contract.columns if c.role != "ignored" and not c.made]
    if contract.as_of:
        needed.append(contract.as_of)
    missing = [name for name in needed if name not in rows]
    if missing:
        what = f"{source} lacks {len(missing)} columns: {', '.join(missing)}"
        raise Refused(what, "Export them too, or bring them from another file with --features.")


def _require_ids(
    rows: "pd.DataFrame", labelled: "pd.DataFrame", column: Column, source: str
) -> None:
    import pandas as pd

    name = column.name
    if not len(labelled):
        what = f"{source} has {len(rows):,} rows and a target in 0 of them"
        raise Refused(what, "Merge them when the outcomes are known.")
    wrong = labelled[name].isna().to_numpy()
    if wrong.any():
        what = f"{source}: {name} is empty in {int(wrong.sum()):,} rows"
        raise Refused(what, "Give each row its id: it decides its part of the split.")
    twice = pd.Series(_values(labelled, column)).duplicated().to_numpy()
    if twice.any():
        places = _places(labelled, twice)
        what = f"{source}: {name} is there twice in {int(twice.sum()):,} rows ({places})"
        raise Refused(what, "Keep one row for each id.")


def _require_same(
    known: "pd.DataFrame", there: "pd.DataFrame", contract: Contract, source: str
) -> None:
    """Refuse rows that are held with other values: which of them are right, nobody here knows."""
    target = contract.role("target")[0].name
    for column in contract.columns:
        if column.name in (target, contract.known_at) or column.role == "ignored":
            continue
        if column.name not in known or column.name not in there:
            continue
        other = _values(there, column) != _values(known, column)
        if other.any():
            what = (
                f"{source}: {int(other.sum()):,} rows have an id that the table has with another"
                f" {column.name}; only the target of a row may change"
            )
            raise Refused(what, "Is it another row? Give it another id. Otherwise leave it out.")


def _values(frame: "pd.DataFrame", column: Column) -> np.ndarray:
    """A column as it is compared, shape (rows,): numbers by value, however they are written."""
    texts = frame[column.name]
    plain = np.asarray(texts.astype(object).where(texts.notna(), ""), dtype=object)
    if not column.numeric:
        return plain
    values = numbers(column, texts)
    return np.where(np.isnan(values), plain, values.astype(object))


def _places(frame: "pd.DataFrame", wrong: np.ndarray) -> str:
    """The first rows that are meant, from 1: a person's id stays out of messages."""
    rows = [f"{number + 1:,}" for number in frame.index[wrong][:_SHOWN]]
    return f"row {rows[0]}" if len(rows) == 1 else f"rows {', '.join(rows)}"
