"""A plan in a terminal: each step with its cause, the change, and the line that matters."""

from collections.abc import Sequence

from rich.table import Table

from flows.engine.outcome import Outcome
from flows.engine.planned import Planned
from flows.gitops.writer import Written
from flows.views.escape import escape
from flows.views.terminal import console, diff_line
from flows.views.wording import count, upper_first

_WORDS = {"held": "Held", "parked": "Parked", "held for approval": "Held"}


def show(
    steps: Sequence[Planned], diff: str, outcome: Outcome | None, barred: Written | None = None
) -> None:
    """The steps, the change to the manifest repo where it is known, how many would run, and why
    nothing would be committed then.
    """
    out = console(stderr=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for step in steps:
        hit = "[green]HIT[/] " if step.hit else "[yellow]MISS[/]"
        table.add_row(hit, escape(step.title), f"[dim]{escape(step.cause)}[/]")
    for line in diff.splitlines():
        table.add_row("", diff_line(line))
    out.print(table)
    if outcome and outcome.compared:
        out.print(f"[bold yellow]{escape(upper_first(outcome.compared))}[/]")
    if barred:
        out.print(f"[bold yellow]{upper_first(barred.outcome)}: {escape(barred.sentence)}.[/]")
    out.print(f"[bold]{escape(_last(steps, outcome))}[/]")


def _last(steps: Sequence[Planned], outcome: Outcome | None) -> str:
    if outcome is None:
        misses = sum(not step.hit for step in steps)
        return f"{count(misses, 'step')} would run."
    word = "Refused" if outcome.exit_code else _WORDS.get(outcome.outcome, "Nothing to do")
    return f"{word}: {outcome.sentence}."
