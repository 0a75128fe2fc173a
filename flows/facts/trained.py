"""What the training of the winner found."""

from msgspec import Struct


class Trained(Struct, frozen=True):
    """The hash of the model artifact, the threshold that it ships with, and its family."""

    model: str
    threshold: float
    family: str
