"""What the training of the winner found."""

from msgspec import Struct


class Trained(Struct, frozen=True, omit_defaults=True):
    """The hash of the model artifact, the threshold that it ships with, and its family; there is no
    threshold where there are several classes, or a number is predicted; of that `unit` is its unit,
    None where there are classes.
    """

    model: str
    threshold: float | None
    family: str
    unit: str | None = None
