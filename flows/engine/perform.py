"""Carrying out steps: their keys, whether one was done before, and doing it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import msgspec

from flows.engine import store
from flows.engine.code_identity import code_of, lock
from flows.engine.memory import give_back
from flows.engine.step import Step
from flows.engine.store import Record, Result
from sluice.identity import interpreter, key, machine

P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)
T = TypeVar("T")


class Runner(Protocol):
    """Something that carries out steps: plainly, as Prefect tasks, or only by looking them up."""

    def do(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step. Raises what the step raises."""
        ...

    def again(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step that is done anew, whatever it put out before."""
        ...

    def call(self, title: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an action that is no step: its result is not kept."""
        ...


@dataclass(frozen=True)
class Plainly:
    """Carries out steps in this process, one after the other, and shows nothing."""

    home: Path
    model: str
    cache: bool = True

    def do(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step, from the store or done now."""
        return perform(self, step, *args, **kwargs)

    def again(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step that is done anew."""
        return perform(Plainly(self.home, self.model, cache=False), step, *args, **kwargs)

    def call(self, title: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an action."""
        del title
        return action(*args, **kwargs)


def inputs_of(step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> dict[str, str]:
    """Everything in the key of a step: its inputs, code, lock, interpreter and platform."""
    return {
        **step.inputs(*args, **kwargs),
        "code": code_of(step.module),
        "lock": lock(),
        "interpreter": interpreter(),
        "platform": machine(),
    }


def key_of(step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> str:
    """The key of a step: equal inputs have equal keys."""
    return key(step.name, inputs_of(step, *args, **kwargs))


def lookup(place: Plainly, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F] | None:
    """What the step put out before, from equal inputs; None for none, or with the cache off.

    Raises Altered where that is not as the step left it.
    """
    if not place.cache:
        return None
    return store.find(place.home, step.name, key_of(step, *args, **kwargs), step.facts)


def perform(place: Plainly, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
    """Do the step, or take what it put out before. Raises Altered where that was changed since."""
    inputs = inputs_of(step, *args, **kwargs)
    step_key = key(step.name, inputs)
    result = None
    if place.cache:
        result = store.find(place.home, step.name, step_key, step.facts)
    if result is None:
        record = Record(step.name, step_key, inputs, {}, {}, 0.0)
        store.keep(
            place.home,
            record,
            lambda folder: step.work(folder, *args, **kwargs),
            replace=not place.cache,
        )
        give_back()
        result = store.find(place.home, step.name, step_key, step.facts)
    if result is None:
        raise RuntimeError(f"the result of {step.name} vanished after it was kept")
    store.remember(place.home, place.model, step.name, inputs)
    return result
