"""The features of rows as a table: what is published, and what the contract derives from it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import Refused
from sluice.model.data.table import read_columns, typed
from sluice.model.data.times import TIME
from sluice.served.contract import Contract
from sluice.served.encoding import encode, feature_names

if TYPE_CHECKING:
    import pandas as pd

AS_OF = "as_of"  # the name of the column of times
_GIVEN = ("id", "group", "feature")


def feature_table(content: bytes, contract: Contract, source: str) -> dict[str, np.ndarray]:
    """Typed columns by key, each of shape (rows,), from the bytes of a CSV or Parquet file.

    They are id and group where the file has them, AS_OF in UTC where the contract names it, the
    features as they are published, and the derived ones as the model gets them (float32). Neither
    the target nor a protected column is among them, and the file needs none. Raises TableRefused as
    `read_table` does, InvalidFields where a value is not allowed, and Refused where a feature is
    missing or a value cannot be read.
    """
    frame = read_columns(content, contract, source)
    _require_features(frame, contract, source)
    kept = [column for column in contract.columns if column.name in frame]
    given = tuple(column for column in kept if column.role in _GIVEN)
    values = typed(frame, replace(contract, columns=given))
    found = {column.key: values[column.key] for column in given}
    if TIME in values:
        found[AS_OF] = values[TIME]
    matrix = encode(contract, values)
    places = {name: place for place, name in enumerate(feature_names(contract))}
    for derived in contract.derived:
        found[derived.name] = matrix[:, places[derived.name]]
    return found


def _require_features(frame: "pd.DataFrame", contract: Contract, source: str) -> None:
    missing = [column.name for column in contract.features if column.name not in frame]
    if missing:
        what = f"{source} lacks {len(missing)} features: {', '.join(missing)}"
        raise Refused(what, "Export them too: a derived feature is made of them.")
