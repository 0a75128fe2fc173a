"""Shares as people read them."""


def percent(share: float, digits: int = 0) -> str:
    """0.7631 -> `76 %`, or with so many digits after the point."""
    return f"{100 * share:.{digits}f} %"
