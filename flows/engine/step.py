"""Steps and their keys: what a step takes, whether it was done before, and doing it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from flows.engine import store
from flows.engine.run import Run
from flows.engine.store import Result
from flows.project.settings import ROOT
from sluice.identity import code_hash, file_sha256, interpreter, key, machine

Done = dict[str, Result]


@dataclass(frozen=True)
class Planned:
    """One step of a plan: HIT, or MISS with its cause."""

    step: str
    title: str
    hit: bool
    cause: str


def inputs_of(step: Any, run: Run, done: Done) -> dict[str, str]:
    """All that the key of a step takes: what it names, its code, the lock, the interpreter and the
    platform.
    """
    return {
        **step.inputs(run, done),
        "code": _code(step.__name__),
        "lock": _lock(),
        "interpreter": interpreter(),
        "platform": machine(),
    }


@cache
def _code(module: str) -> str:
    return code_hash(ROOT, [module])


@cache
def _lock() -> str:
    return file_sha256(ROOT / "uv.lock")


def key_of(step: Any, run: Run, done: Done) -> str:
    """The key of a step."""
    return key(step.NAME, inputs_of(step, run, done))


def lookup(step: Any, run: Run, done: Done) -> Result | None:
    """What the step put out before, from equal inputs; None where there is nothing or the cache is
    off.
    """
    return store.find(run.settings.home, step.NAME, key_of(step, run, done)) if run.cache else None


def perform(step: Any, run: Run, done: Done) -> Result:
    """Do the step, or take what it put out before; adds to `done`."""
    inputs = inputs_of(step, run, done)
    result = lookup(step, run, done)
    if result is None:
        result = store.keep(
            run.settings.home,
            step.NAME,
            inputs,
            key(step.NAME, inputs),
            lambda folder: step.work(run, done, folder),
            replace=not run.cache,
        )
    store.remember(run.settings.home, run.model, step.NAME, inputs)
    done[step.NAME] = result
    return result


def plan(steps: Sequence[ModuleType], run: Run, done: Done, blocked: str = "") -> Iterator[Planned]:
    """HIT or MISS for each step, as far as that is known without doing any; fills `done` with the
    HITs.

    `blocked` names an earlier step that is a MISS.
    """
    for step in steps:
        if blocked:
            yield Planned(step.NAME, step.TITLE, False, f"waits for what {blocked} puts out")
            continue
        result = lookup(step, run, done)
        if result:
            done[step.NAME] = result
            yield Planned(step.NAME, step.TITLE, True, "")
            continue
        blocked = step.NAME
        yield Planned(step.NAME, step.TITLE, False, _cause(step, run, done))


def _cause(step: Any, run: Run, done: Done) -> str:
    if not run.cache:
        return "--no-cache"
    changed = store.changes(run.settings.home, run.model, step.NAME, inputs_of(step, run, done))
    return f"changed: {', '.join(changed)}" if changed else "never done before with these inputs"
