"""How every picture is drawn: one style, one width, and SVG that is the same bytes for the same
input.

Text stays text. Colours are CSS variables with a fallback, so one picture serves a light page, a
dark one and a file of its own.
"""

import io
import re
from collections.abc import Callable
from functools import wraps
from html import escape
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

INK, MUTED, GRID = "#1d2733", "#5d6977", "#dfe4ea"
# candidate and champion; blue and orange stay apart for every kind of sight
FIRST, SECOND = "#0b66a8", "#c2500a"
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", FIRST: "first", SECOND: "second"}
SMALL = 9.0  # points
_WIDTH = 4.4  # inches; one width for all, so that text is equally large on the page
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sluice",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": MUTED,
    "axes.labelsize": SMALL,
    "axes.titlesize": SMALL,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "lines.linewidth": 1.8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.parse_math": False,
}
_drawing = Lock()  # matplotlib keeps its style in one place for the whole process


def picture(title: str) -> Callable[[Callable[P, "Figure"]], Callable[P, str]]:
    """Make a function that paints a figure return SVG with this accessible title."""

    def decorate(paint: Callable[P, "Figure"]) -> Callable[P, str]:
        @wraps(paint)
        def draw(*args: P.args, **kwargs: P.kwargs) -> str:
            import matplotlib

            with _drawing, matplotlib.rc_context(_STYLE):
                stream = io.StringIO()
                nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
                paint(*args, **kwargs).savefig(
                    stream, format="svg", metadata=nothing, transparent=True
                )
            return _tidy(stream.getvalue(), paint.__name__, title)

        return draw

    return decorate


def _tidy(svg: str, name: str, title: str) -> str:
    """The bare <svg> element, scalable, titled, its ids its own, its colours variables, and no
    style that leaks out.
    """
    extras = r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*|<!--.*?-->\s*"
    svg = re.sub(extras, "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    heading = (
        f' role="img" aria-label="{escape(title)}" stroke-linejoin="round">\n'
        f" <title>{escape(title)}</title>"
    )
    svg = svg.replace(">", heading, 1)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), svg)
    svg = re.sub(
        r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, 'DejaVu Sans', sans-serif", svg
    )
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    return svg


def blank(height: float) -> "Figure":
    """A figure of the common width, `height` inches high, outside any global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(_WIDTH, height), layout="constrained")


def canvas(height: float, x: str = "", y: str = "") -> tuple["Figure", "Axes"]:
    """A figure with one pair of axes; the name of the upright axis stands above it, where it reads
    level.
    """
    figure = blank(height)
    axes = figure.subplots()
    axes.set_xlabel(x, loc="left")
    axes.set_title(y)
    return figure, axes


def percent(axis: Any) -> None:
    """Write the ticks of this axis as percentages."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def few_ticks(count: int) -> Any:
    """A locator of at most `count` ticks, at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, integer=True)


def short(text: object, most: int = 30) -> str:
    """Text for a picture: on one line and not longer than it can be read."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"
