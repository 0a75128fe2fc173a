"""What the training of the winner found."""

from msgspec import Struct


class Trained(Struct, frozen=True):
    """The hash of the model artifact, the threshold that it ships with, and its family; there is no
    threshold where there are several classes.
    """

    model: str
    threshold: float | None
    family: str
