"""A plan in a terminal: each step with its cause, the change, and the line that matters."""

from collections.abc import Sequence

from rich.table import Table

from flows.engine.outcome import Outcome
from flows.engine.planned import Planned
from flows.views.escape import escape
from flows.views.terminal import console, diff_line
from flows.views.wording import count


def show(steps: Sequence[Planned], diff: str, outcome: Outcome | None) -> None:
    """The steps, the change to the manifest repo where it is known, and how many would run."""
    out = console(stderr=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for step in steps:
        hit = "[green]HIT[/] " if step.hit else "[yellow]MISS[/]"
        table.add_row(hit, escape(step.title), f"[dim]{escape(step.cause)}[/]")
    for line in diff.splitlines():
        table.add_row("", diff_line(line))
    out.print(table)
    out.print(f"[bold]{escape(_last(steps, outcome))}[/]")


def _last(steps: Sequence[Planned], outcome: Outcome | None) -> str:
    if outcome is None:
        misses = sum(not step.hit for step in steps)
        return f"{count(misses, 'step')} would run."
    word = "Refused" if outcome.exit_code else "Nothing to do"
    return f"{word}: {outcome.sentence}."
