"""After the verdict: what the canary of the candidate will say, beside the model that runs.

The log is no part of the key, or every day would be a change. What was read of it is days that are
over, so the same can be read again before anything is built.
"""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.canary.loaded import Both, loaded
from flows.canary.replay import replay
from flows.canary.replayed_rows import Rows, features, is_place, newest, stored
from flows.engine.step import Step
from flows.facts.replayed import Forecast, Foretold, Origin
from flows.facts.step_files import FORECAST, HOLDOUT_ROWS, MODEL, VALIDATION_ROWS
from sluice.errors import SluiceError, cause
from sluice.identity import value_hash
from sluice.model.json_file import write_json

if TYPE_CHECKING:
    from flows.engine.phases import Case

_NO_MODEL = "nothing is live to be replayed beside"
_OTHER_KIND = "the two models have targets of two kinds, so nothing is foretold"
_NO_ROWS = "no rows can be given to both models, so nothing is foretold"
_WORDS = {
    HOLDOUT_ROWS: "the holdout, without labels, because no log has whole days of",
    VALIDATION_ROWS: "the validation rows, without labels, because no log has whole days of",
}


def _inputs(case: "Case") -> dict[str, str]:
    limits = case.request.policy.canary
    return {
        "rows": case.candidate.split.hash(_file(case)),
        "candidate": case.candidate.trained.facts.model,
        "champion": case.champion.model if case.champion else "none",
        "running": case.champion.digest if case.champion else "none",
        "limits": value_hash([limits.refusing, limits.replay_changed]),
    }


def _file(case: "Case") -> str:
    """The rows where there is no log: those of the holdout, unless its figures are told nobody."""
    return VALIDATION_ROWS if case.request.policy.gate.worded else HOLDOUT_ROWS


def _work(folder: Path, case: "Case") -> Foretold:
    """Write forecast.json, where a model runs that the candidate can be replayed beside."""
    return work_as_of(folder, case, case.request.tools.today())


def work_as_of(folder: Path, case: "Case", today: datetime.date) -> Foretold:
    """The same with the days of the log that were over at a day.

    Raises SluiceError where there is a log that cannot be read.
    """
    if case.champion is None:
        return Foretold("none", 0, True, _NO_MODEL)
    both = Both(
        case.request.model,
        loaded(case.request.model_of(case.champion.model), case.champion.tag),
        loaded(case.candidate.trained.folder / MODEL, "the candidate"),
        case.request.policy.canary,
    )
    if not both.of_one_kind:
        return Foretold("none", 0, True, _OTHER_KIND)
    origin, rows = _rows(case, both, today)
    if rows is None:
        return Foretold("none", 0, True, _NO_ROWS)
    found = replay(both, rows, clock=lambda: 0.0)  # how long a row took is not the same again
    if origin != "log" and not found.rows + found.refused:
        return Foretold("none", 0, True, _NO_ROWS)  # what runs takes none of these rows
    day = today.isoformat() if origin == "log" else ""
    forecast = Forecast(origin=origin, running=case.champion.digest, day=day, found=found)
    (folder / FORECAST).write_text(write_json(forecast), encoding="utf-8")
    return Foretold(origin, found.rows, found.within, found.sentence)


def _rows(case: "Case", both: Both, today: datetime.date) -> tuple[Origin, Rows | None]:
    """The rows of the log, or else those that were held out; None where they lack a column."""
    rows = _logged(case.request.log, both, today)
    if rows is not None:
        return "log", rows
    file = _file(case)
    stored_rows = stored(case.candidate.split.folder / file, features(both))
    known = {column.key for column in case.request.contract.features}
    if not set(features(both)) <= known:
        return "none", None
    origin: Origin = "holdout" if file == HOLDOUT_ROWS else "validation"
    return origin, Rows(f"{_WORDS[file]} {both.running.name}", stored_rows, served=False)


def _logged(place: str, both: Both, today: datetime.date) -> Rows | None:
    """The rows of the log; None where there is none, or where it lacks a column of the candidate,
    as the log of a model has what that model is fed.
    """
    sent = {column.key for column in both.running.model.contract.features}
    if not is_place(place) or not set(features(both)) <= sent:
        return None
    try:
        return newest(both, place, today)
    except OSError as error:
        raise SluiceError(
            f"the prediction log in {place} cannot be read ({cause(error)})",
            "Set SLUICE_PREDICTION_LOG to a log that can be read, or to an empty folder.",
        ) from None


REPLAY = Step(
    "replay",
    "Replay",
    Foretold,
    (FORECAST,),
    _inputs,
    _work,
)
