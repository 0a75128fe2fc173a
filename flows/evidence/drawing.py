"""How every picture is drawn: one style, one width, and the same bytes for the same input.

A picture is SVG. Text stays text. Colours are CSS variables with a fallback, so one picture serves
a light page, a dark one and a file of its own.
"""

import io
import re
from collections.abc import Callable
from functools import wraps
from html import escape
from threading import Lock
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

P = ParamSpec("P")

INK, MUTED, GRID = "#1d2733", "#5d6977", "#dfe4ea"
# Candidate and champion; blue and orange stay apart for every kind of sight.
FIRST, SECOND = "#0b66a8", "#c2500a"
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", FIRST: "first", SECOND: "second"}
SMALL = 9.0  # points
_WIDTH = 4.4  # inches; one width for all, so that text is equally large on the page
_STYLE: dict[str, str | float | bool] = {
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
_EXTRAS = re.compile(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*|<!--.*?-->\s*", re.DOTALL)
_SIZES = (re.compile(r'(<svg[^>]*?) width="[^"]*"'), re.compile(r'(<svg[^>]*?) height="[^"]*"'))
_ID = re.compile(r'(\bid="|url\(#|href="#)')
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")
_drawing = Lock()  # matplotlib keeps its style in one place for the whole process


def picture(title: str) -> Callable[[Callable[P, "Figure"]], Callable[P, str]]:
    """Make a function that paints a figure return SVG with this accessible title.

    The ids in the SVG begin with the name of the function, so that two pictures on one page do not
    share any.
    """

    def decorate(paint: Callable[P, "Figure"]) -> Callable[P, str]:
        @wraps(paint)
        def draw(*args: P.args, **kwargs: P.kwargs) -> str:
            import matplotlib

            with _drawing, matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]  # names are literals there
                svg = _svg(paint(*args, **kwargs))
            return _tidy(svg, paint.__name__, title)

        return draw

    return decorate


def _svg(figure: "Figure") -> str:
    """The figure as matplotlib writes it, without date and program."""
    stream = io.StringIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", metadata=metadata, transparent=True)
    return stream.getvalue()


def _tidy(svg: str, name: str, title: str) -> str:
    """The bare <svg> element, ready to stand in a page.

    It scales, has a title, its ids are its own and its colours are variables; no style leaks out.
    """
    svg = _EXTRAS.sub("", svg[svg.index("<svg") :])
    for size in _SIZES:
        svg = size.sub(r"\1", svg, count=1)
    heading = (
        f' role="img" aria-label="{escape(title)}" stroke-linejoin="round">\n'
        f" <title>{escape(title)}</title>"
    )
    svg = svg.replace(">", heading, 1)
    svg = _ID.sub(rf"\g<1>{name}-", svg)
    svg = _TAG.sub(_with_short_numbers, svg)
    svg = _FONT.sub(r"font: \1px system-ui, 'DejaVu Sans', sans-serif", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    return svg


def _with_short_numbers(tag: re.Match[str]) -> str:
    """A tag with two digits behind each point: more cannot be seen."""
    return _LONG_NUMBER.sub(r"\1", tag[0])


def blank(height: float) -> "Figure":
    """A figure of the common width, `height` inches high, outside any global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(_WIDTH, height), layout="constrained")


def canvas(height: float, x: str = "", y: str = "") -> tuple["Figure", "Axes"]:
    """A figure of this height, in inches, with one pair of axes named `x` and `y`.

    The name of the upright axis stands above it, where it reads level.
    """
    figure = blank(height)
    axes = figure.subplots()
    axes.set_xlabel(x, loc="left")
    axes.set_title(y)
    return figure, axes


def percent(axis: "Axis") -> None:
    """Write the ticks of this axis as percentages."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def few_ticks(count: int) -> "Locator":
    """A locator of at most `count` ticks, at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, integer=True)


def short(text: object, most: int = 30) -> str:
    """Text for a picture: on one line, and of at most so many characters."""
    line = " ".join(str(text).split())
    if len(line) <= most:
        return line
    return f"{line[: most - 1]}…"
