"""A step as a plan shows it."""

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True)
class Planned:
    """One step of a plan: HIT with its facts, or MISS with its cause."""

    step: str
    title: str
    hit: bool
    cause: str = ""
    facts: msgspec.Struct | None = None
