"""The steps without Prefect, with the same lines on the terminal and the same second tries."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import msgspec

from flows.engine.perform import Plainly, lookup
from flows.engine.runs import State, StepLine
from flows.engine.step import Step
from flows.engine.store import Result
from flows.orchestration.step_sentences import sentence
from flows.steps.order import AnyStep
from flows.views import terminal
from flows.views.progress import working
from sluice.errors import Refused, Retryable

P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)
T = TypeVar("T")
DELAYS = (2.0, 10.0)  # seconds before the second and the third try


def unnoted(_line: StepLine) -> None:
    """Note a step nowhere."""


@dataclass(frozen=True)
class Shown:
    """Carries out steps in this process, one after the other, shows a line for each, and notes
    it.
    """

    place: Plainly
    wait: Callable[[float], None] = time.sleep
    note: Callable[[StepLine], None] = unnoted

    def do(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step. Raises what the step raises."""
        return self._run(self.place, step, *args, **kwargs)

    def again(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step that is done anew."""
        anew = Plainly(self.place.home, self.place.model, cache=False)
        return self._run(anew, step, *args, **kwargs)

    def call(self, title: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an action; where it may succeed later it is tried three times."""
        with working(title):
            return self._tried(lambda: action(*args, **kwargs))

    def _run(
        self, place: Plainly, step: Step[P, F], *args: P.args, **kwargs: P.kwargs
    ) -> Result[F]:
        started = time.monotonic()
        try:
            hit = lookup(place, step, *args, **kwargs) is not None
            with working(step.title):
                result = self._tried(lambda: place.do(step, *args, **kwargs))
        except Refused:
            self._show(step, "refused", time.monotonic() - started, None)
            raise
        self._show(step, "hit" if hit else "done", time.monotonic() - started, result.facts)
        return result

    def _show(
        self, step: AnyStep, state: State, seconds: float, facts: msgspec.Struct | None
    ) -> None:
        show(step, state, seconds, facts)
        self.note(StepLine(step.title, state, round(seconds, 1)))

    def _tried(self, action: Callable[[], T]) -> T:
        for delay in DELAYS:
            try:
                return action()
            except Retryable:
                self.wait(delay)
        return action()


def show(step: AnyStep, state: str, seconds: float, facts: msgspec.Struct | None) -> str:
    """Print the line of a step; its facts as a sentence, which is returned."""
    text = sentence(facts) if facts else ""
    terminal.step(step.title, state, seconds, text)
    return text
