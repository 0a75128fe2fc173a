"""Search for the best family and parameters by cross-validation on the training rows."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.engine.step import Step
from flows.facts.step_files import TRAIN_ROWS, TUNING
from flows.facts.tuned import Tuned
from sluice.identity import value_hash
from sluice.model.coding import coding_of
from sluice.model.split import GROUP
from sluice.model.table import from_parquet
from sluice.model.times import TIME
from sluice.model.training import tune, weights_of
from sluice.model.tuning_file import Tuning, write_tuning
from sluice.served.encoding import encode, numeric_features

if TYPE_CHECKING:
    from flows.engine.request import Request
    from flows.engine.store import Result
    from flows.facts.split_rows import SplitRows


def _inputs(request: "Request", split: "Result[SplitRows]") -> dict[str, str]:
    search = request.policy.search
    return {
        "train": split.hash(TRAIN_ROWS),
        "contract": request.contract_sha256,
        "policy": value_hash({**vars(search), "families": list(search.families)}),
    }


def _work(folder: Path, request: "Request", split: "Result[SplitRows]") -> Tuned:
    """Write tuning.json: every trial, and the winner."""
    search = request.policy.search
    columns = from_parquet(split.read(TRAIN_ROWS))
    with request.tools.progress.trials(search.trials) as progress:
        tuning = tune(
            encode(request.contract, columns),
            columns[request.contract.target.column],
            numeric_features(request.contract),
            search,
            progress,
            request.settings.workers,
            groups=columns.get(GROUP),
            times=columns.get(TIME),
            coding=coding_of(request.contract),
            weights=weights_of(request.contract, columns),
        )
    (folder / TUNING).write_text(write_tuning(tuning), encoding="utf-8")
    return told(request, tuning)


def told(request: "Request", tuning: Tuning) -> Tuned:
    """The facts of a search: they follow from tuning.json."""
    counts = dict.fromkeys(request.policy.search.families, 0)
    for trial in tuning.trials:
        counts[trial.family] += 1
    winner = tuning.winner
    return Tuned(counts, winner.family, winner.parameters, winner.score)


TUNE = Step("tune", "Tune", Tuned, (TUNING,), _inputs, _work)
