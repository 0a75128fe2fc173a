"""The steps as Prefect tasks: named for people, cached by our own keys, retried only where retrying
can help.
"""

import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from prefect.states import Completed
from prefect.utilities.annotations import quote

from flows.engine import step as engine
from flows.engine import store
from flows.engine.run import Run
from flows.engine.step import Done
from flows.gitops.writer import Written
from flows.steps import (
    evidence,
    gate,
    image,
    package,
    promote,
    score,
    smoke,
    split,
    train,
    tune,
    validate,
)
from flows.views import terminal
from sluice.errors import Refused, Retryable

_STEPS: tuple[ModuleType, ...] = (
    validate,
    split,
    tune,
    train,
    score,
    gate,
    evidence,
    package,
    image,
    smoke,
)


def shown(value: Any) -> Any:
    """An argument of a task that Prefect hands over as it is: it would look into every value of
    ours otherwise.
    """
    return quote(value)


def _worth_retrying(task: Any, run: Any, state: Any) -> bool:
    return isinstance(state.result(raise_on_failure=False), Retryable)


def _as_task(step: ModuleType) -> Task[Any, Any]:
    @task(
        name=step.TITLE,
        task_run_name=step.TITLE,
        cache_policy=CacheKeyFnPolicy(
            cache_key_fn=lambda context, parameters: str(parameters["key"])
        ),
        persist_result=True,
        result_serializer="json",
        retries=2,
        retry_delay_seconds=[2, 10],
        retry_condition_fn=_worth_retrying,
    )
    def body(run: Run, done: Done, caught: list[Refused], key: str) -> Any:
        try:
            return dict(engine.perform(step, run, done).facts)
        except Refused as refused:
            caught.append(refused)
            return Completed(name="Refused", message=validate.public(refused))

    return body


_TASKS = {step.NAME: _as_task(step) for step in _STEPS}


def do(step: ModuleType, run: Run, done: Done) -> None:
    """Do one step as a task and add what it put out to `done`. Raises what the step raises."""
    key, started = engine.key_of(step, run, done), time.monotonic()
    hit = engine.lookup(step, run, done) is not None
    caught: list[Refused] = []
    # Prefect's own cache may know a key whose files are gone, or be empty while they are there: the
    # files decide.
    body = _TASKS[step.NAME].with_options(refresh_cache=not hit)
    state: Any = body(shown(run), shown(done), shown(caught), key, return_state=True)
    if caught:
        _tell(step, "refused", time.monotonic() - started, {})
        raise caught[0]
    state.result()
    result = store.find(run.settings.home, step.NAME, key)
    assert result is not None
    done[step.NAME] = result
    _tell(step, "hit" if hit else "done", time.monotonic() - started, result.facts)


def _tell(step: ModuleType, state: str, seconds: float, facts: Mapping[str, Any]) -> None:
    """One line on the terminal and on the page of the run."""
    terminal.step(step.TITLE, state, seconds, facts)
    get_run_logger().info("%s: %s, %.1f s. %s", step.TITLE, state, seconds, terminal.told(facts))


@task(
    name=promote.TITLE,
    task_run_name=promote.TITLE,
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[2, 10],
    retry_condition_fn=_worth_retrying,
)
def commit(run: Run, done: Done, number: int, prefect_run: str) -> Written:
    """Write the promotion to the manifest repo."""
    return promote.promote(run, done, number, prefect_run)


@task(name="Serve Bento", task_run_name="Serve Bento", cache_policy=NO_CACHE, persist_result=False)
def serve_bento(run: Run, done: Done) -> None:
    """Start the Bento itself, where no image can be built, and ask it the golden records."""
    smoke.ask_bento(run, done)


@task(name="Track", task_run_name="Track", cache_policy=NO_CACHE, persist_result=False)
def track(run: Run, done: Done, promoted: bool) -> str:
    """Log the release to MLflow; never fails for its sake."""
    from flows.evidence.tracking import log

    return log(run, done, promoted)
