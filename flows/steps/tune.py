"""Search for the best family and parameters by cross-validation on the training rows."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from flows.engine.step import Step
from flows.facts.step_files import TRAIN_ROWS, TUNING
from flows.facts.tuned import Tuned
from sluice.identity import value_hash
from sluice.model.data.split import GROUP, HASH
from sluice.model.data.table import from_parquet
from sluice.model.data.times import TIME
from sluice.model.fit.adaptive_search import fits_of, rows_looked_at, searched
from sluice.model.fit.coding import coding_of
from sluice.model.fit.monotone import allowed, directions
from sluice.model.fit.training import Rows, learnt_labels, row_weights
from sluice.model.fit.tuning_file import OBJECTIVE, OBJECTIVE_OF_NUMBER, Tuning, write_tuning
from sluice.policy import ADAPTIVE
from sluice.served.contract import Contract
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
        "policy": value_hash(search.named),
    }


def _work(folder: Path, request: "Request", split: "Result[SplitRows]") -> Tuned:
    """Write tuning.json: every trial, and the winner."""
    columns = from_parquet(split.read(TRAIN_ROWS))
    monotone = directions(request.contract)
    search = request.policy.search
    tried = allowed(search.families, monotone, search.positive_weight)
    search = replace(search, families=tried.families)
    drawn = None
    if search.method == ADAPTIVE:
        positive = _positive(request.contract, columns)
        drawn = rows_looked_at(len(columns[HASH]), search.seed, positive)
        columns = columns if drawn is None else _rows(columns, drawn.places)
    rows = Rows(
        encode(request.contract, columns),
        learnt_labels(request.contract, columns),
        numeric_features(request.contract),
        coding_of(request.contract),
        row_weights(request.contract, columns),
        monotone,
        None if drawn is None else drawn.counted,
    )
    groups, times = columns.get(GROUP), columns.get(TIME)
    del columns  # the matrix has what is needed of them
    with request.tools.progress.trials(fits_of(search)) as progress:
        tuning = searched(rows, search, progress, request.settings.workers, groups, times)
    if request.contract.target.quantity:
        tuning = msgspec.structs.replace(tuning, objective=OBJECTIVE_OF_NUMBER)
    if tried.left_out:
        tuning = msgspec.structs.replace(tuning, left_out=tried.left_out)
    if drawn is not None:
        looked_at = len(drawn.places)
        tuning = msgspec.structs.replace(tuning, looked_at=looked_at, of_rare=drawn.of_rare)
    (folder / TUNING).write_text(write_tuning(tuning), encoding="utf-8")
    return told(request, tuning)


def _positive(contract: Contract, columns: dict[str, np.ndarray]) -> np.ndarray | None:
    """Which rows are positive; None where there are not two classes."""
    if contract.target.several or contract.target.quantity:
        return None
    return learnt_labels(contract, columns) == 1


def _rows(columns: dict[str, np.ndarray], places: np.ndarray) -> dict[str, np.ndarray]:
    return {key: values[places] for key, values in columns.items()}


def told(request: "Request", tuning: Tuning) -> Tuned:
    """The facts of a search: they follow from tuning.json."""
    left_out = tuning.left_out or {}
    tried = [name for name in request.policy.search.families if name not in left_out]
    counts = dict.fromkeys(tried, 0)
    for trial in tuning.trials:
        counts[trial.family] += 1
    winner = tuning.winner
    # The default itself and not an equal text: by that alone msgspec knows what to leave out.
    objective = OBJECTIVE if tuning.objective == OBJECTIVE else tuning.objective
    return Tuned(counts, winner.family, winner.parameters, winner.score, objective)


TUNE = Step("tune", "Tune", Tuned, (TUNING,), _inputs, _work)
