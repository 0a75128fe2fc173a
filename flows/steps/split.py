"""Split the rows by a hash of their id, or of their group."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.engine.step import Step
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import TABLE
from sluice.identity import value_hash
from sluice.model.split import GROUP, HASH, PARTS, deciding, parts, row_hashes
from sluice.model.table import from_parquet, to_parquet

if TYPE_CHECKING:
    from flows.engine.request import Request
    from flows.engine.store import Result
    from flows.facts.validated import Validated


def _inputs(request: "Request", validated: "Result[Validated]") -> dict[str, str]:
    return {
        "table": validated.hash(TABLE),
        "contract": request.contract_sha256,
        "policy": value_hash(vars(request.policy.split)),
    }


def _work(folder: Path, request: "Request", validated: "Result[Validated]") -> SplitRows:
    """Write one Parquet file a part; ids and groups are replaced by their salted hashes."""
    columns = from_parquet(validated.read(TABLE))
    policy, contract = request.policy.split, request.contract
    hashes = row_hashes(policy.salt, deciding(contract, columns))
    columns[HASH] = row_hashes(policy.salt, columns.pop(contract.id.key))
    if contract.group:
        del columns[contract.group.key]
        columns[GROUP] = hashes
    rows = parts(policy, hashes, columns[contract.target.column])
    for part in PARTS:
        chosen = {name: values[rows[part]] for name, values in columns.items()}
        (folder / f"{part}.parquet").write_bytes(to_parquet(chosen))
    return SplitRows(len(rows["train"]), len(rows["validation"]), len(rows["holdout"]))


SPLIT = Step(
    "split",
    "Split rows",
    SplitRows,
    tuple(f"{part}.parquet" for part in PARTS),
    _inputs,
    _work,
)
