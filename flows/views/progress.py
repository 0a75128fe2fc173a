"""Progress of what takes longer than two seconds; a bar is shown on a terminal alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.adapters import plain_text
from flows.views import terminal

if TYPE_CHECKING:
    from sluice.model.tuning_file import Trial


@contextmanager
def trials(total: int) -> Iterator[Callable[["Trial"], None]]:
    """A bar over the trials of a search, with the best score so far."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = terminal.console()
    best = 0.0
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("trials", total=total)

        def seen(trial: "Trial") -> None:
            nonlocal best
            best = max(best, trial.score)
            progress.update(
                task, advance=1, description=f"{trial.family.replace('_', ' ')}, best {best:.4f}"
            )

        yield seen


def say(text: str) -> None:
    """Print a line about something that takes a while, on standard error."""
    plain_text.say(f"  {text}")
