"""Search for the best family and parameters by cross-validation on the training rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.identity import sha256, value_hash
from sluice.model.table import from_parquet
from sluice.model.training import tune
from sluice.served.encoding import encode, numeric_features

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "tune", "Tune"


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The training rows, the contract, and the policy on the search."""
    return {
        "train": done["split"].hash("train.parquet"),
        "contract": sha256(run.contract_text.encode()),
        "policy": value_hash(
            {**vars(run.policy.search), "families": list(run.policy.search.families)}
        ),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write tuning.json: every trial, and the winner."""
    from flows.views.progress import trials

    columns = from_parquet((done["split"].folder / "train.parquet").read_bytes())
    with trials(run.policy.search.trials) as progress:
        tuning = tune(
            encode(run.contract, columns),
            columns[run.contract.target.column],
            numeric_features(run.contract),
            run.policy.search,
            progress,
            run.settings.workers,
        )
    (folder / "tuning.json").write_text(json.dumps(tuning.document(), indent=1), encoding="utf-8")
    winner = tuning.winner
    families = {
        family: sum(trial.family == family for trial in tuning.trials)
        for family in run.policy.search.families
    }
    return {
        "trials": families,
        "winner": winner.family,
        "parameters": winner.parameters,
        "score": winner.score,
    }
