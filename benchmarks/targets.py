"""A line of a table of measured shares, each with the target that it is held to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A line of the table: what was done, how often, the share found, and the target it is held
    to.
    """

    name: str
    of: int
    share: float
    target: str = ""
    met: bool = True

    @property
    def shown(self) -> str:
        """As it is printed."""
        mark = "" if not self.target else "met" if self.met else "MISSED"
        return f"{self.name:<88} {self.of:>5}  {self.share:>7.1%}  {self.target:<16} {mark}"


def at_most(name: str, of: int, count: int, limit: float) -> Line:
    """A line whose share may not be larger."""
    return _line(name, of, count, f"at most {limit:.0%}", count <= limit * of)


def at_least(name: str, of: int, count: float, limit: float) -> Line:
    """A line whose share may not be smaller."""
    return _line(name, of, count, f"at least {limit:.0%}", count >= limit * of)


def _line(name: str, of: int, count: float, target: str, met: bool) -> Line:
    """A line of plain values, also where NumPy counted: it is printed as JSON."""
    return Line(name, of, float(count) / of, target, bool(met))
