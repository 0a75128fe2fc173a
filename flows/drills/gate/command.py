"""`sluice drill`: what is tried, what was seen of it, and the line that matters."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.drills.gate.drill import CAUGHT, MISSED, NOT_HERE, Drill, drills, planned
from flows.drills.gate.floors import prepare
from flows.engine.request import begin
from flows.orchestration.real_tools import real_tools
from flows.project.settings import Settings
from flows.views import terminal
from flows.views.escape import escape
from flows.views.progress import say


def drill_gate(settings: Settings, model: str, data: Path | None, *, as_json: bool) -> int:
    """Try every fault on the gate; 0 where all are caught, else 1.

    Nothing is kept and nothing is released.
    """
    started = time.monotonic()
    request = begin(settings, real_tools(), model, data)
    with tempfile.TemporaryDirectory(prefix="sluice-drill-") as scratch:
        ground = prepare(request, Path(scratch), say)
        with _progress(len(planned(ground))) as advance:
            tried = [advance(drill) for drill in drills(ground)]
    return told(tried, time.monotonic() - started, as_json=as_json)


def told(tried: Sequence[Drill], seconds: float, *, as_json: bool) -> int:
    """Print all drills as JSON or as a table; 0 where all that could be made were caught, else
    1.
    """
    if as_json:
        print(json.dumps({"drills": [drill.document() for drill in tried]}, indent=1))
    else:
        show(tried, seconds)
    return 0 if all(drill.state in (CAUGHT, NOT_HERE) for drill in tried) else 1


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Drill], Drill]]:
    """A bar over the faults that are tried, with the last one; silent without a terminal."""
    columns = (
        TextColumn(" "),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    console = terminal.console()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=total)

        def advance(drill: Drill) -> Drill:
            progress.update(task, advance=1, description=escape(drill.name))
            return drill

        yield advance


def show(tried: Sequence[Drill], seconds: float) -> None:
    """Print the table, each fault that was not caught with its reason, and how many were."""
    out = terminal.console(stderr=False)
    made = [drill for drill in tried if drill.state != NOT_HERE]
    out.print(_table(made))
    for drill in made:
        if drill.state != CAUGHT:
            out.print(f"[{_colour(drill)}]{drill.state}[/]  {drill.rule}: {escape(drill.name)}")
            out.print(f"  {escape(drill.reason)}")
    _show_not_here([drill for drill in tried if drill.state == NOT_HERE])
    caught = _caught(made)
    colour = "green" if caught == len(made) else "red"
    out.print(f"[bold {colour}]{caught} of {len(made)} faults caught in {seconds:.0f} s[/]")


def _show_not_here(tried: Sequence[Drill]) -> None:
    """The faults that these rows cannot have, by the reason why."""
    out = terminal.console(stderr=False)
    if tried:
        out.print(f"{len(tried)} more cannot be made of these rows:")
    for reason in dict.fromkeys(drill.reason for drill in tried):
        names = "; ".join(drill.name for drill in tried if drill.reason == reason)
        out.print(f"[dim]  {escape(names)}: {escape(reason)}[/]")


def _caught(tried: Sequence[Drill]) -> int:
    return sum(1 for drill in tried if drill.state == CAUGHT)


def _table(tried: Sequence[Drill]) -> Table:
    """A line for each rule: how many of its faults were caught, and what they were."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Rule", no_wrap=True)
    table.add_column("Caught", no_wrap=True, justify="right")
    table.add_column("What was tried", ratio=1)
    for rule in dict.fromkeys(drill.rule for drill in tried):
        of_rule = [drill for drill in tried if drill.rule == rule]
        caught = _caught(of_rule)
        colour = "green" if caught == len(of_rule) else "bold red"
        names = "; ".join(f"[{_colour(drill)}]{escape(drill.name)}[/]" for drill in of_rule)
        table.add_row(rule.replace("_", " "), f"[{colour}]{caught} of {len(of_rule)}[/]", names)
    return table


def _colour(drill: Drill) -> str:
    colours = {CAUGHT: "dim", MISSED: "bold red"}
    return colours.get(drill.state, "bold yellow")
