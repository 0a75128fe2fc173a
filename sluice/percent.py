"""Shares and numbers as people read them."""

import math


def percent(share: float, digits: int = 0) -> str:
    """0.7631 -> `76 %`, or with so many digits after the point."""
    return f"{100 * share:.{digits}f} %"


def four_digits(number: float) -> str:
    """A number to four digits, never as a power of ten: 48234.9 -> `48,230`, 0.012345 -> `0.01235`.

    What is no number is written as Python does.
    """
    if not math.isfinite(number) or number == 0:
        return f"{number:g}"
    after = 3 - math.floor(math.log10(abs(number)))
    text = f"{round(number, after):,.{max(after, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
