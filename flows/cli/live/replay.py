"""`sluice replay`: what a candidate would have said to the requests that were answered."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import as_json as as_plain_json
from flows.adapters.plain_text import say
from flows.cli.options import AsJson, Model
from sluice.errors import Refused, UsageError

if TYPE_CHECKING:
    from flows.canary.loaded import Both
    from flows.canary.replayed_rows import Rows
    from flows.project.settings import Settings

_LARGEST = 256 * 2**20  # bytes of a file, which is read whole; a log is not


@dataclass(frozen=True)
class Wanted:
    """What is asked for: the release that is the candidate, the log and the file of the rows, and
    the file for what is expected; empty for what is not given.
    """

    candidate: str = ""
    log: str = ""
    file: Path | None = None
    expect: Path | None = None


def replay(
    model: Model = "",
    candidate: Annotated[
        str, typer.Option("--candidate", help="tag of a release; the model trained last if not set")
    ] = "",
    log: Annotated[
        str, typer.Option("--log", help="folder or URL, instead of SLUICE_PREDICTION_LOG")
    ] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="CSV, Parquet or JSON lines, not the log")
    ] = None,
    expect: Annotated[
        Path | None, typer.Option("--expect", help="write here what the judge is to expect")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send logged requests through a candidate and what is live.

    It lists agreement, tiers, columns and latency, and says what it foretells of the canary. Where
    there is no log, the holdout is replayed, and it says so. The exit code is 3 where more flags
    change than the policy allows.

    Example: sluice replay --expect expected.json
    """
    from flows.project.homes import load_for_releases

    wanted = Wanted(candidate, log, file, expect)
    raise typer.Exit(run_replay(load_for_releases(), model, wanted, as_json=as_json))


def run_replay(settings: "Settings", model: str, wanted: Wanted, *, as_json: bool) -> int:
    """Print what the replay found, and write what is expected; the exit code is 3 where more flags
    change than the policy allows.
    """
    import msgspec

    from flows.adapters.files import write_atomic
    from flows.canary.both_models import load_both
    from flows.canary.replay import replay
    from flows.views.live import replay as view
    from flows.views.progress import working

    _check(wanted)
    with working("Load both models"):
        both = load_both(settings, model, wanted.candidate)
    rows = _rows(settings, both, wanted)
    with working("Replay the rows"):
        found = replay(both, rows)
    if as_json:
        say(as_plain_json(msgspec.to_builtins(found)), sys.stdout)
    else:
        view.show(found)
    if wanted.expect and found.within:
        write_atomic(wanted.expect, msgspec.json.format(msgspec.json.encode(found.expected)))
        say(f"What the judge is to expect is in {wanted.expect}")
    elif wanted.expect:
        say(f"Nothing was written to {wanted.expect}")
    return 0 if found.within else Refused.exit_code


def _rows(settings: "Settings", both: "Both", wanted: Wanted) -> "Rows":
    """The rows that are asked for. Raises UsageError where there are none."""
    from flows.canary import replayed_rows, rows_here
    from flows.predict.rows_file import read_rows
    from flows.project.log_place import place_of
    from flows.views.serving import predictions

    if wanted.file:
        contract = both.running.model.contract
        sheet = read_rows(wanted.file, contract)
        predictions.problems(sheet)
        return replayed_rows.from_sheet(wanted.file.name, contract, sheet)
    if wanted.log:
        return replayed_rows.from_log(both, wanted.log)
    return rows_here.found(settings, both, place_of(settings))


def _check(wanted: Wanted) -> None:
    """Raise UsageError for what cannot be done, before anything is loaded."""
    if wanted.log and wanted.file:
        raise UsageError("--log and --file are both given; one is required", "Leave one out.")
    if wanted.file and not wanted.file.is_file():
        raise UsageError(f"--file {wanted.file} is no file", "Name a file with rows.")
    if wanted.file and wanted.file.stat().st_size > _LARGEST:
        size = wanted.file.stat().st_size
        raise UsageError(
            f"--file {wanted.file} has {size / 2**20:,.0f} MB; at most {_LARGEST // 2**20} is"
            " required",
            "Draw fewer rows from it, or replay a log.",
        )
    if wanted.expect and not wanted.expect.resolve().parent.is_dir():
        raise UsageError(
            f"--expect {wanted.expect}: there is no folder {wanted.expect.parent}",
            "Create it, or name a file in one that is there.",
        )
