"""The rows of a replay that nobody named: of the log, or of the holdout of this machine."""

from flows.canary.done_here import last
from flows.canary.loaded import Both
from flows.canary.replayed_rows import Rows, features, is_place, logged, stored
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import HOLDOUT_ROWS
from flows.project.settings import Settings
from sluice.errors import UsageError

_HOLDOUT = "the holdout of the last release here, without labels, because no log has rows of"


def found(settings: Settings, both: Both, place: str) -> Rows:
    """The rows of the log at a place, where it has any, or else of the holdout, and it says so.

    Raises UsageError where there is neither.
    """
    rows = logged(both, place) if is_place(place) else None
    if rows is not None:
        return rows
    split = last(settings.home, both.name, "split", SplitRows)
    if split is None:
        raise UsageError(
            f"there is no log of {both.name} at {place}, and this machine has no holdout of it",
            "Name a log with --log, or rows with --file.",
        )
    path = split.folder / HOLDOUT_ROWS
    return Rows(f"{_HOLDOUT} {both.running.name}", stored(path, features(both)), served=False)
