"""The evidence of a canary as one self-contained page: how the bounds closed in, look by look,
between which lines they had to come, and where it was decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.canary.following import Found
from sluice.canary.looks import Look
from sluice.canary.verdict import Measure, way
from sluice.moment import when
from sluice.served.page_text import on_page

_WIDTH, _HEIGHT = 960, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 34, 30
_ROOM = 1.15  # times the farthest line
_LEAST = 0.05  # of a difference, up or down
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # between two lines of the grid
_LINES = 7
_TITLES = {
    "healthy": ("Passed", "fine"),
    "unproven": ("Not judged", "watch"),
    "promoted": ("Promoted by a person", "watch"),
    "harmful": ("Harmful", "act"),
    "unfit": ("Not run, or not measured", "act"),
    "aborted": ("Aborted by a person", "act"),
    "waits": ("Going on", "watch"),
}


@dataclass(frozen=True)
class Point:
    """A look in the picture: where its bounds and its difference lie, in the units of the view box.
    A bound that is open lies at the edge; `difference` is None where nothing was seen.
    """

    x: float
    low: float
    high: float
    difference: float | None
    title: str
    word: str


@dataclass(frozen=True)
class Stretch:
    """The looks at one weight."""

    left: float
    right: float
    name: str


@dataclass(frozen=True)
class Picture:
    """The bounds of the difference in the share that passes a step, over the looks; `rows` says
    which rows it is of. Heights are in the units of the view box. `tolerated` and `alarming` are
    the lines around what is `expected`; `decided` is the look at which the canary was taken back or
    the last step passed, None while it goes on.
    """

    height: int
    grid: tuple[tuple[float, str], ...]
    points: tuple[Point, ...]
    stretches: tuple[Stretch, ...]
    band: str
    expected: float
    tolerated: tuple[float, float]
    alarming: tuple[float, float]
    decided: Point | None
    rows: str


@dataclass(frozen=True)
class Row:
    """A measure at its last look: how far the evidence against it is on the way to taking the
    canary back, from 0 to 1.
    """

    measure: Measure
    way: float


def render(found: Found) -> str:
    """The page: no script, nothing fetched from anywhere."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        finalize=on_page,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    title, word = _TITLES[found.ending.word]
    page: str = environment.get_template("canary.html").render(
        f=found,
        at=found.progress,
        title=title,
        word=word,
        when=when,
        width=_WIDTH,
        left=_LEFT,
        right=_RIGHT,
        picture=picture(found.progress.looks, over=found.is_over),
        looks=found.progress.looks,
        rows=rows(found.progress.measures),
    )
    return page


def rows(measures: Sequence[Measure]) -> tuple[Row, ...]:
    """Each measure with how far it is on the way to taking the canary back."""
    return tuple(Row(one, way(one)) for one in measures)


def picture(looks: Sequence[Look], *, over: bool) -> Picture | None:
    """The bounds over the looks; None where no look has any."""
    seen = [(look, look.flagged) for look in looks]
    drawn = [(look, one) for look, one in seen if one is not None and one.expected is not None]
    if not drawn:
        return None
    newest = drawn[-1][1]
    expected = newest.expected or 0.0
    tolerated, alarming = newest.tolerated or 0.0, newest.alarming or 0.0
    ends = [expected - alarming, expected + alarming]
    ends += [value for _, one in drawn for value in (one.low, one.high) if value is not None]
    reach = max(_LEAST, *(abs(value) for value in ends)) * _ROOM
    points = tuple(_point(at, len(drawn), look, one, reach) for at, (look, one) in enumerate(drawn))
    decided = next((point for point in points if point.word == "fail"), None)
    if decided is None and over:
        decided = points[-1]
    return Picture(
        height=_HEIGHT,
        grid=_grid(reach),
        points=points,
        stretches=_stretches([look for look, _ in drawn], points),
        band=_band(points),
        expected=_y(expected, reach),
        tolerated=(_y(expected + tolerated, reach), _y(expected - tolerated, reach)),
        alarming=(_y(expected + alarming, reach), _y(expected - alarming, reach)),
        decided=decided,
        rows=newest.rows or "flagged",  # judges before it said which rows
    )


def _point(at: int, many: int, look: Look, one: Measure, reach: float) -> Point:
    low, high = one.low, one.high
    both = one.canary is not None and one.stable is not None
    difference = (one.canary or 0.0) - (one.stable or 0.0) if both else None
    words = f"{when(look.at)}, {look.weight} %: {_signed(low)} to {_signed(high)}"
    return Point(
        x=_x(at, many),
        low=_y(-reach if low is None else low, reach),
        high=_y(reach if high is None else high, reach),
        difference=None if difference is None else _y(difference, reach),
        title=f"{words}; {look.verdict.sentence}",
        word=look.verdict.verdict,
    )


def _signed(value: float | None) -> str:
    return "open" if value is None else f"{100 * value:+.1f}"


def _x(at: int, many: int) -> float:
    return round(_LEFT + (at + 0.5) * (_WIDTH - _LEFT - _RIGHT) / many, 1)


def _y(value: float, reach: float) -> float:
    """The height of a difference between -reach and reach."""
    inside = min(max(value, -reach), reach)
    return round(_TOP + (reach - inside) / (2 * reach) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _grid(reach: float) -> tuple[tuple[float, str], ...]:
    """The heights of the lines of the grid, with their labels in points."""
    step = next((one for one in _STEPS if 2 * reach / one <= _LINES), _STEPS[-1])
    most = int(reach / step)
    return tuple((_y(at * step, reach), _label(100 * at * step)) for at in range(-most, most + 1))


def _label(points: float) -> str:
    return "0" if abs(points) < 0.5 else f"{points:+.0f}"


def _band(points: Sequence[Point]) -> str:
    """The path around what lies between the bounds."""
    forth = [f"{point.x},{point.high}" for point in points]
    back = [f"{point.x},{point.low}" for point in reversed(points)]
    return f"M{' L'.join(forth + back)} Z"


def _stretches(looks: Sequence[Look], points: Sequence[Point]) -> tuple[Stretch, ...]:
    """The looks of each weight, from the first to the last."""
    half = (_WIDTH - _LEFT - _RIGHT) / len(looks) / 2
    found: list[Stretch] = []
    for look, point in zip(looks, points, strict=True):
        name = f"{look.weight} %"
        if found and found[-1].name == name:
            found[-1] = Stretch(found[-1].left, round(point.x + half, 1), name)
        else:
            found.append(Stretch(round(point.x - half, 1), round(point.x + half, 1), name))
    return tuple(found)
