"""The rows of a fleet: each part of the split by key, and encoded a shard at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flows.engine.request import Request
from flows.engine.store import Result
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import HOLDOUT_ROWS, TRAIN_ROWS, VALIDATION_ROWS
from sluice.errors import Refused
from sluice.fleet.keys import by_key, loaded, too_few
from sluice.model.data.split import HASH
from sluice.model.data.table import from_parquet
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Layout, as_numbers, assemble, feature_names, layout

SHARD = 50  # models: a task of some seconds
_FILES = {"train": TRAIN_ROWS, "validation": VALIDATION_ROWS, "holdout": HOLDOUT_ROWS}


@dataclass(frozen=True)
class Part:
    """A part of the split: its columns, and the numbers of the rows of each key."""

    columns: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]

    def of(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The columns of the rows of these keys, one key after the other."""
        none = np.zeros(0, dtype=np.intp)
        chosen = np.concatenate([self.rows.get(key, none) for key in keys])
        return {name: values[chosen] for name, values in self.columns.items()}

    def starts(self, keys: Sequence[str]) -> np.ndarray:
        """Where the rows of each of these keys begin there, and where the last ends."""
        sizes = [len(self.rows.get(key, ())) for key in keys]
        return np.append(0, np.cumsum(sizes)).astype(np.int64)


@dataclass(frozen=True)
class FleetRows:
    """The rows of every model of a fleet.

    `column` names the models and `keys` are those that can be taught, ascending; `untaught` says
    of each other key why it cannot. `contract` takes these keys and no other, `text` is it as TOML,
    and `at` is the column of its matrix with the place of the key.
    """

    column: Column
    keys: tuple[str, ...]
    untaught: dict[str, str]
    contract: Contract
    layout: Layout
    at: int
    parts: dict[str, Part]
    target: str

    def under(self, keys: Sequence[str], request: Request) -> "FleetRows":
        """The same rows for these keys, ascending, whether they can be taught or not."""
        contract = _contract(request, self.column, keys)
        return replace(
            self,
            keys=tuple(keys),
            contract=contract,
            layout=layout(contract),
            at=feature_names(contract).index(self.column.key),
        )

    @property
    def shards(self) -> Iterator[tuple[str, ...]]:
        """The keys of each shard, in order."""
        for start in range(0, len(self.keys), SHARD):
            yield self.keys[start : start + SHARD]

    def numbers(self, part: str, keys: Sequence[str]) -> np.ndarray:
        """The features of the rows of these keys as numbers, shape (rows, features)."""
        return as_numbers(self.contract, self.parts[part].of(keys))

    def matrix(self, part: str, keys: Sequence[str]) -> np.ndarray:
        """The feature matrix of the rows of these keys, float32."""
        return assemble(self.layout, self.numbers(part, keys))

    def labels(self, part: str, keys: Sequence[str]) -> np.ndarray:
        """Their labels, 0 and 1, shape (rows,)."""
        return self.parts[part].of(keys)[self.target].astype(np.int64)

    def hashes(self, part: str, keys: Sequence[str]) -> np.ndarray:
        """Their salted hashes, uint64, shape (rows,)."""
        return self.parts[part].of(keys)[HASH]


def opened(request: Request, split: Result[SplitRows], column: Column) -> FleetRows:
    """The rows of a fleet whose models are named by this column. Raises Refused where none can be
    taught.
    """
    parts = {}
    for name, file in _FILES.items():
        columns = from_parquet(split.read(file))
        parts[name] = Part(columns, by_key(columns[column.key]))
    target, folds = request.contract.target.column, request.policy.search.folds
    keys: list[str] = []
    untaught: dict[str, str] = {}
    for key in sorted(set().union(*(part.rows for part in parts.values()))):
        none = np.zeros(0, dtype=np.intp)
        labels = {
            name: part.columns[target][part.rows.get(key, none)] for name, part in parts.items()
        }
        why = too_few(labels, folds)
        if why:
            untaught[key] = why
        else:
            keys.append(key)
    if not keys:
        key, why = next(iter(sorted(untaught.items())))
        raise Refused(
            f"none of {len(untaught):,} models can be taught; of {key!r} {why}",
            "Bring more rows of each, or release them as one model, without --each.",
        )
    contract = _contract(request, column, keys)
    return FleetRows(
        column=column,
        keys=tuple(keys),
        untaught=untaught,
        contract=contract,
        layout=layout(contract),
        at=feature_names(contract).index(column.key),
        parts=parts,
        target=target,
    )


def _contract(request: Request, column: Column, keys: Sequence[str]) -> Contract:
    return loaded(request.contract_text, column, keys, f"models/{request.model}/contract.toml")
