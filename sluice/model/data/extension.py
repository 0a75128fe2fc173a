"""A table with more rows for the holdout alone: what trained a model stays as it is.

A hash of its id decides the part of a row, so the rows of a newer table that fall into the holdout
can be taken alone. From the result the same model is trained, byte for byte, and judged on more.
"""

from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import Refused
from sluice.model.data.split import deciding, row_hashes, unseen
from sluice.model.data.table import typed

if TYPE_CHECKING:
    import pandas as pd

    from sluice.policy import SplitPolicy
    from sluice.served.contract import Contract


def extended(
    known: "pd.DataFrame", newer: "pd.DataFrame", contract: "Contract", split: "SplitPolicy"
) -> "pd.DataFrame":
    """The rows of `known`, and after them those of `newer` that are new and fall into the holdout.

    Both are frames of `sluice.model.data.table.read_table`; a row whose id `known` has is as it is
    there. Raises Refused where a value cannot be read, where no row comes, or where the split is by
    time: newer rows then move all parts on.
    """
    if split.by_time:
        what = 'the split is by time (`by = "time"`), so newer rows move its holdout on'
        raise Refused(what, "Release the newer table: that is a use of its own.")
    import pandas as pd

    mine, theirs = _ids(known, contract), _ids(newer, contract)
    fresh = ~np.isin(row_hashes(split.salt, theirs), row_hashes(split.salt, mine))
    chosen = fresh & unseen(split, deciding(contract, typed(newer, contract)))
    if not chosen.any():
        what = (
            f"{int(fresh.sum()):,} of its rows are new, and none of them falls into the holdout; at"
            " least 1 is required"
        )
        raise Refused(what, "Name a table with newer rows.")
    # As texts: the categories of two tables differ.
    return pd.concat([known.astype(object), newer[chosen].astype(object)], ignore_index=True)


def _ids(frame: "pd.DataFrame", contract: "Contract") -> np.ndarray:
    return typed(frame, contract)[contract.id.key]
