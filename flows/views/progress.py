"""Signs of life of what takes longer than two seconds.

On a terminal a spinner turns beside the name of the step, with its seconds and what it is at. Where
there is no terminal there is no spinner.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from flows.adapters import plain_text
from flows.views import terminal
from flows.views.escape import escape
from sluice.percent import percent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from sluice.model.fit.tuning_file import Trial


@dataclass(frozen=True)
class _Spinner:
    """What turns on the terminal now, and the task of it that carries the detail."""

    shown: "Progress"
    task: "TaskID"

    def detail(self, text: str) -> None:
        """What the step is at."""
        self.shown.update(self.task, detail=escape(text))


# A terminal has one place that moves: what begins within a step is told there.
_spinner: ContextVar[_Spinner | None] = ContextVar("spinner", default=None)


@contextmanager
def working(title: str) -> Iterator[None]:
    """A spinner with the title and its seconds while the block runs; on a terminal alone."""
    from rich.progress import Progress, SpinnerColumn, TextColumn
    from rich.table import Column

    console = terminal.console()
    if not console.is_terminal or _spinner.get():
        yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("[dim]{task.elapsed:.0f} s[/]"),
        # What does not fit beside the title is cut: a second line would move what is above.
        TextColumn(
            "[dim]{task.fields[detail]}[/]",
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(escape(title), total=None, detail="")
        before = _spinner.set(_Spinner(shown, task))
        try:
            yield
        finally:
            _spinner.reset(before)


@contextmanager
def trials(
    total: int, clock: Callable[[], float] = monotonic
) -> Iterator[Callable[["Trial"], None]]:
    """How many fits of a search are done, of so many at most, with the best score so far and the
    seconds that are left at this pace. `clock` gives seconds.
    """
    seen: list[Trial] = []
    began = clock()

    def tell(trial: "Trial") -> None:
        seen.append(trial)
        spinner = _spinner.get()
        if spinner:
            spinner.detail(found_by(seen, total, clock() - began))

    with working("Tune"):
        yield tell


def found_by(trials: Sequence["Trial"], total: int, spent: float) -> str:
    """What a search has found by its last trial, after so many seconds."""
    fits = sum(len(trial.folds) for trial in trials)
    most = max(len(trial.folds) for trial in trials)  # those of fewer folds were ended early
    best = max(trial.score for trial in trials if len(trial.folds) == most)
    family = trials[-1].family.replace("_", " ")
    return f"{done_of(f'fit {fits} of {total}', fits / total, spent)}, {family}, best {best:.4f}"


def share(clock: Callable[[], float] = monotonic) -> Callable[[str, float], None]:
    """Tell what is done and which share of it, from 0 to 1, with the seconds that are left at this
    pace; beside the spinner alone. `clock` gives seconds.
    """
    began: dict[str, float] = {}

    def seen(what: str, done: float) -> None:
        spinner = _spinner.get()
        if not spinner:
            return
        spinner.detail(done_of(what, done, clock() - began.setdefault(what, clock())))

    return seen


def done_of(what: str, done: float, spent: float) -> str:
    """How much is done, and the seconds that are left where it goes on as in those `spent`."""
    left = f", {spent / done - spent:.0f} s left" if done and spent else ""
    return f"{what}, {percent(done)}{left}"


def say(text: str) -> None:
    """Tell what something that takes a while is at: beside the spinner, or as a line on standard
    error.
    """
    spinner = _spinner.get()
    if spinner:
        spinner.detail(text)
        return
    plain_text.say(f"  {text}")
