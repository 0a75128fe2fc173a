"""`sluice release`, a month from now: `python -m benchmarks.tables.later MODEL FILE`.

Newer rows replace a champion that is old enough, and nobody waits two weeks for a benchmark. The
flow of Prefect has the clock of the machine, so this one goes without it.
"""

import dataclasses
import datetime
import sys
from pathlib import Path

from flows.engine.outcome import record
from flows.engine.perform import Plainly
from flows.engine.request import begin
from flows.orchestration.real_tools import real_tools, today
from flows.project.homes import load_for_data
from flows.release import carry_out
from flows.views import terminal

_MONTH = datetime.timedelta(days=31)


def later() -> datetime.date:
    """The day, a month from now."""
    return today() + _MONTH


def main(model: str, file: str) -> int:
    """Release the file, and print the end as the command does; its exit code."""
    tools = dataclasses.replace(real_tools(), today=later)
    settings = load_for_data(model, Path(file))
    request = begin(settings, tools, model, Path(file), cache=True)
    outcome = carry_out(request, Plainly(settings.home, model))
    record(settings.home, outcome)
    terminal.summary(outcome)
    return outcome.exit_code


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
