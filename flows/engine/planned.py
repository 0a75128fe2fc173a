"""A step as a plan shows it."""

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True)
class Planned:
    """One step of a plan: HIT with its facts, or MISS with its cause.

    A HIT without facts is a step that refused these inputs before; its sentence is the cause.
    """

    step: str
    title: str
    hit: bool
    cause: str = ""
    facts: msgspec.Struct | None = None
