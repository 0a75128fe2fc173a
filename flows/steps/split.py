"""Split the rows by a hash of their id or group, or by their time."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.engine.step import Step
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import TABLE
from sluice.errors import Refused
from sluice.identity import value_hash
from sluice.model.data.split import (
    GROUP,
    HASH,
    PARTS,
    deciding,
    parts,
    parts_by_time,
    row_hashes,
)
from sluice.model.data.table import from_parquet, to_parquet
from sluice.model.data.times import TIME

if TYPE_CHECKING:
    from flows.engine.request import Request
    from flows.engine.store import Result
    from flows.facts.validated import Validated


def _inputs(request: "Request", validated: "Result[Validated]") -> dict[str, str]:
    return {
        "table": validated.hash(TABLE),
        "contract": request.contract_sha256,
        "policy": value_hash(request.policy.split.named),
    }


def _work(folder: Path, request: "Request", validated: "Result[Validated]") -> SplitRows:
    """Write one Parquet file a part; ids and groups are replaced by their salted hashes."""
    contract, policy = request.contract, request.policy.split
    columns = from_parquet(validated.read(TABLE))
    times = columns.pop(TIME, None)
    hashes = row_hashes(policy.salt, deciding(contract, columns))
    columns[HASH] = row_hashes(policy.salt, columns.pop(contract.id.key))
    if contract.group:
        del columns[contract.group.key]
        columns[GROUP] = hashes
    labels, outcomes = columns[contract.target.column], contract.target.outcomes
    if policy.by_time:
        if times is None:
            what = f"the table has no column {contract.as_of!r}, and [split] is by time"
            raise Refused(what, "Export it with the day or time of each row.")
        columns[TIME] = times
        rows = parts_by_time(policy, times, columns.get(GROUP), labels, outcomes)
    else:
        rows = parts(policy, hashes, labels, outcomes)
    for part in PARTS:
        chosen = {name: values[rows[part]] for name, values in columns.items()}
        (folder / f"{part}.parquet").write_bytes(to_parquet(chosen))
    train, validation, holdout = (len(rows[part]) for part in PARTS)
    return SplitRows(train, validation, holdout, len(labels) - train - validation - holdout)


SPLIT = Step(
    "split",
    "Split rows",
    SplitRows,
    tuple(f"{part}.parquet" for part in PARTS),
    _inputs,
    _work,
)
