"""A step: what it takes, what it puts out, and the work between.

This module stays small: its code is part of the key of every step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar

import msgspec

P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)


@dataclass(frozen=True)
class Step(Generic[P, F]):
    """One step of a release, done once for equal inputs.

    `inputs` names everything that its result depends on, by hash. `work` writes `files` into the
    empty folder that it is given, and returns the facts that are remembered with them.
    """

    name: str
    title: str
    facts: type[F]
    files: tuple[str, ...]
    inputs: Callable[P, dict[str, str]]
    work: Callable[Concatenate[Path, P], F]

    @property
    def module(self) -> str:
        """The module whose code, with all that it imports, is part of the key."""
        return self.work.__module__
