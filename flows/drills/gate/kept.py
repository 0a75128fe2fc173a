"""Results that a drill makes in the place of a step, kept where a release keeps its own."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

from flows.engine import store
from flows.engine.step import Step
from flows.engine.store import Record, Result
from sluice.identity import value_hash

P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)


def kept(home: Path, step: Step[P, F], drill: str, work: Callable[[Path], F]) -> Result[F]:
    """What `work` makes in the place of a step, or what the same drill made before.

    `work` fills an empty folder and returns the facts, as the step does. The key is the drill's.
    """
    key = value_hash([drill, step.name])[:32]
    result = store.find(home, step.name, key, step.facts)
    if result is None:
        store.keep(home, Record(step.name, key, {"drill": drill}, {}, {}, 0.0), work)
        result = store.find(home, step.name, key, step.facts)
    if result is None:
        raise RuntimeError(f"the result of {step.name} vanished after it was kept")
    return result
