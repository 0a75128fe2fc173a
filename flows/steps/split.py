"""Split the rows by a hash of their id."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.gate.ledger import Use, sketch
from sluice.identity import sha256, value_hash
from sluice.model.split import PARTS, parts, row_hashes
from sluice.model.table import from_parquet, to_parquet

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "split", "Split rows"
HASH = "row_hash"


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The validated table, the contract, and the policy on the split."""
    return {
        "table": done["validate"].hash("table.parquet"),
        "contract": sha256(run.contract_text.encode()),
        "policy": value_hash(vars(run.policy.split)),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write one Parquet file a part; ids are replaced by their salted hashes."""
    columns = from_parquet((done["validate"].folder / "table.parquet").read_bytes())
    hashes = row_hashes(run.policy.split.salt, columns.pop(run.contract.id.key))
    columns[HASH] = hashes
    rows = parts(run.policy.split, hashes, columns[run.contract.target.column])
    for part in PARTS:
        chosen = {name: values[rows[part]] for name, values in columns.items()}
        (folder / f"{part}.parquet").write_bytes(to_parquet(chosen))
    return {part: len(rows[part]) for part in PARTS}


def use(run: "Run", done: "Done", candidate: str) -> Use:
    """What a release reserves in the ledger: a holdout is known by its split policy and its
    positives.
    """
    holdout = from_parquet((done["split"].folder / "holdout.parquet").read_bytes())
    positives = holdout[HASH][holdout[run.contract.target.column] == 1]
    again = done["train"].facts["model"] == run.champion.get("model")
    return Use(
        candidate, value_hash(vars(run.policy.split))[:16], sketch(positives), spends=not again
    )
