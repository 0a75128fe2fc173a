"""What the evidence says in short."""

from msgspec import Struct


class Evidenced(Struct, frozen=True):
    """The verdict on drift against the champion's training rows, or why there is none."""

    drift: str
