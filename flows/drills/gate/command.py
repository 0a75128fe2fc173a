"""`sluice drill`: what is tried, what was seen of it, and the line that matters."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.drills.gate.baseline import prepare
from flows.drills.gate.drill import CAUGHT, MISSED, Drill, drills, planned
from flows.engine.run import begin
from flows.project.settings import Settings
from flows.views import terminal
from flows.views.escape import escape
from flows.views.progress import say


def drill_gate(settings: Settings, model: str, data: Path | None, as_json: bool) -> int:
    """Try every fault on the gate; 0 where all are caught, else 1. Nothing is kept and nothing is
    released.
    """
    started = time.monotonic()
    run = begin(settings, model, data)
    with tempfile.TemporaryDirectory(prefix="sluice-drill-") as scratch:
        ground = prepare(run, Path(scratch), say)
        with _progress(len(planned(ground))) as seen:
            found = [seen(drill) for drill in drills(ground)]
    return told(found, time.monotonic() - started, as_json)


def told(found: Sequence[Drill], seconds: float, as_json: bool) -> int:
    """All of it as JSON, or as a table; 0 where all were caught, else 1."""
    if as_json:
        print(json.dumps({"drills": [drill.document() for drill in found]}, indent=1))
    else:
        show(found, seconds)
    return 0 if all(drill.state == CAUGHT for drill in found) else 1


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Drill], Drill]]:
    """A bar over the faults that are tried, with the last of them; silent where nobody watches."""
    columns = (
        TextColumn(" "),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=total)

        def seen(drill: Drill) -> Drill:
            progress.update(task, advance=1, description=escape(drill.name))
            return drill

        yield seen


def show(found: Sequence[Drill], seconds: float) -> None:
    """The table, what was not caught with its reason, and how many were."""
    out = terminal.console(stderr=False)
    out.print(_table(found))
    for drill in found:
        if drill.state != CAUGHT:
            out.print(
                f"[{_colour(drill)}]{drill.state}[/]  {drill.rule}: {escape(drill.name)}\n "
                f" {escape(drill.reason)}"
            )
    caught = sum(drill.state == CAUGHT for drill in found)
    colour = "green" if caught == len(found) else "red"
    out.print(f"[bold {colour}]{caught} of {len(found)} faults caught in {seconds:.0f} s[/]")


def _table(found: Sequence[Drill]) -> Table:
    """A rule a line: how many of its faults were caught, and what they were."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Rule", no_wrap=True)
    table.add_column("Caught", no_wrap=True, justify="right")
    table.add_column("What was tried", ratio=1)
    for rule in dict.fromkeys(drill.rule for drill in found):
        tried = [drill for drill in found if drill.rule == rule]
        caught = sum(drill.state == CAUGHT for drill in tried)
        colour = "green" if caught == len(tried) else "bold red"
        names = "; ".join(f"[{_colour(drill)}]{escape(drill.name)}[/]" for drill in tried)
        table.add_row(rule.replace("_", " "), f"[{colour}]{caught} of {len(tried)}[/]", names)
    return table


def _colour(drill: Drill) -> str:
    return {CAUGHT: "dim", MISSED: "bold red"}.get(drill.state, "bold yellow")
