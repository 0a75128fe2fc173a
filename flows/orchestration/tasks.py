"""The steps as Prefect tasks: named for people, cached by our keys, retried where it can help."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import msgspec
from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from prefect.states import Failed
from prefect.utilities.annotations import quote

from flows.engine.perform import Plainly, key_of, lookup, perform
from flows.engine.runs import State, StepLine
from flows.engine.step import Step
from flows.engine.store import Result
from flows.orchestration.shown import DELAYS, show, unnoted
from flows.steps.order import AnyStep
from flows.steps.validate import public
from flows.views.progress import working
from sluice.errors import Refused, Retryable

P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)
T = TypeVar("T")
_DELAYS = list(DELAYS)


@dataclass
class _Attempt:
    """One step with its arguments, and what came of it.

    It is handed to a task as a whole: Prefect would look into every value of ours otherwise.
    """

    perform: Callable[[], Result[Any]]
    result: Result[Any] | None = None
    refused: Refused | None = None


def _worth_retrying(task: Any, run: Any, state: Any) -> bool:
    return isinstance(state.result(raise_on_failure=False), Retryable)


def _key(_context: Any, parameters: dict[str, Any]) -> str:
    return str(parameters["key"])


@functools.cache
def _as_task(step: AnyStep) -> Task[Any, Any]:
    """The task of a step; its work is `perform`, which knows the step."""

    @task(
        name=step.title,
        task_run_name=step.title,
        cache_policy=CacheKeyFnPolicy(cache_key_fn=_key),
        persist_result=True,
        result_serializer="json",
        retries=len(_DELAYS),
        retry_delay_seconds=_DELAYS,
        retry_condition_fn=_worth_retrying,
    )
    def body(attempt: _Attempt, key: str) -> Any:
        try:
            with working(step.title):
                attempt.result = attempt.perform()
        except Refused as refused:
            attempt.refused = refused
            return Failed(name="Refused", message=public(refused))
        return msgspec.to_builtins(attempt.result.facts)

    return body


@dataclass(frozen=True)
class AsTasks:
    """Carries out steps as tasks of the flow run that is going on, shows a line for each, and notes
    it.
    """

    place: Plainly
    note: Callable[[StepLine], None] = unnoted

    def do(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step. Raises what the step raises."""
        return self._run(self.place, step, *args, **kwargs)

    def again(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step that is done anew."""
        anew = Plainly(self.place.home, self.place.model, cache=False)
        return self._run(anew, step, *args, **kwargs)

    def call(self, title: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an action as a task whose result is not kept. Raises what it raises."""
        results: list[T] = []

        @task(
            name=title,
            task_run_name=title,
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=len(_DELAYS),
            retry_delay_seconds=_DELAYS,
            retry_condition_fn=_worth_retrying,
        )
        def body() -> None:
            with working(title):
                results.append(action(*args, **kwargs))

        body()
        return results[0]

    def _run(
        self, place: Plainly, step: Step[P, F], *args: P.args, **kwargs: P.kwargs
    ) -> Result[F]:
        key, started = key_of(step, *args, **kwargs), time.monotonic()
        hit = self._is_hit(place, step, *args, **kwargs)
        attempt = _Attempt(lambda: perform(place, step, *args, **kwargs))
        # Prefect's own cache may know a key whose files are gone, or be empty while they are there:
        # the files decide.
        body = _as_task(step).with_options(refresh_cache=not hit)
        state: Any = body(quote(attempt), key, return_state=True)
        if attempt.refused:
            self._show(step, "refused", time.monotonic() - started, None)
            raise attempt.refused
        state.result()
        # A task that Prefect knew from its cache has not run here.
        result = attempt.result or perform(place, step, *args, **kwargs)
        self._show(step, "hit" if hit else "done", time.monotonic() - started, result.facts)
        return result

    def _is_hit(self, place: Plainly, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether the step was done before. Raises Altered, after a line that says so."""
        try:
            return lookup(place, step, *args, **kwargs) is not None
        except Refused:
            self._show(step, "refused", 0.0, None)
            raise

    def _show(
        self, step: AnyStep, state: State, seconds: float, facts: msgspec.Struct | None
    ) -> None:
        """One line on the terminal and on the page of the run."""
        text = show(step, state, seconds, facts)
        self.note(StepLine(step.title, state, round(seconds, 1)))
        get_run_logger().info("%s: %s, %.1f s. %s", step.title, state, seconds, text)
