"""The history of a model as one self-contained page: what is live, a picture over time, and what
happened.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flows.facts.decided import NOT_PROMOTED
from flows.views.wording import short, when
from sluice.percent import percent
from sluice.served.page_text import on_page

if TYPE_CHECKING:
    from flows.audit.history import History, Row

_SHOWN = 300  # events in the table
_DRAWN = 60  # candidates and changes in the picture
_WIDTH, _HEIGHT = 960, 250  # of the picture, with its margins
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 16, 26
_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # between two lines of the grid
_LINES = 5
_ROUNDING = 1e-9  # what sums of shares are off by
_WORDS = {
    "release": "Released",
    "rollback": "Rolled back",
    "quarantine": "Quarantined",
    "lift": "Quarantine lifted",
    "anchor": "Anchor moved",
    "edit": "Changed by hand",
    "start": "Began",
    "reserved": "No verdict",
}
_CANARY = {
    "healthy": "Canary passed",
    "unproven": "No canary",
    "promoted": "Promoted by hand",
}
_ENDED = {
    "HOLD": "Held",
    "REJECT": "Rejected",
    "INSUFFICIENT": "Too little data",
    "PROMOTE": "Not delivered",
    NOT_PROMOTED: "Not promoted",
}


@dataclass(frozen=True)
class Point:
    """A measured candidate in the picture: where it stands, the ends of its interval, its mark and
    its words.

    `beyond` is "above" or "below" where its recall lies outside the axis, empty where it does not;
    it then stands at that edge, and `label` is its recall. `cut_high` and `cut_low` say that an end
    of its interval lies outside.
    """

    x: float
    y: float
    low: float
    high: float
    mark: str
    title: str
    beyond: str = ""
    label: str = ""
    cut_high: bool = False
    cut_low: bool = False


@dataclass(frozen=True)
class Chart:
    """The picture, in the units of its view box.

    grid      height and label of each line
    points    the measured candidates
    live      the SVG path of what was live
    backs     place and words of each rollback and each edit
    canaries  the same of the end of each canary
    first     the date at the left, `last` the one at the right
    left_out  how many earlier ones are not drawn
    """

    width: int
    height: int
    left: int
    right: int
    grid: tuple[tuple[float, str], ...]
    points: tuple[Point, ...]
    live: str
    backs: tuple[tuple[float, str], ...]
    canaries: tuple[tuple[float, str], ...]
    first: str
    last: str
    left_out: int


@dataclass(frozen=True)
class _Scale:
    """Where a place in the order and a recall are drawn; recall between `low` and `high`, with the
    room `pad` above and below.
    """

    step: float
    low: float
    high: float
    pad: float

    def x(self, place: int) -> float:
        return round(_LEFT + self.step * (place + 0.5), 1)

    def y(self, value: float) -> float:
        inside = min(1.0, max(0.0, self._share(value)))
        return round(_HEIGHT - _BOTTOM - inside * (_HEIGHT - _TOP - _BOTTOM), 1)

    def is_above(self, value: float) -> bool:
        """Whether a recall lies above what the axis shows."""
        return self._share(value) > 1.0 + _ROUNDING

    def is_below(self, value: float) -> bool:
        """Whether a recall lies below what the axis shows."""
        return self._share(value) < -_ROUNDING

    def beyond(self, value: float) -> str:
        """On which side of the axis a recall lies; empty where it is on it."""
        if self.is_above(value):
            return "above"
        return "below" if self.is_below(value) else ""

    def _share(self, value: float) -> float:
        """Where a recall lies: 0 is the lower end of the axis, 1 the upper one."""
        return (value - self.low + self.pad) / (self.high - self.low + 2 * self.pad)


def render(history: "History") -> str:
    """The page: no script, nothing fetched from anywhere."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        finalize=on_page,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"when": when, "short": short, "share": _share}
    newest = list(reversed(history.events))[:_SHOWN]
    page: str = environment.get_template("history.html").render(
        h=history,
        rows=[_shown(row) for row in newest],
        left_out=len(history.events) - len(newest),
        chart=chart(history.events),
    )
    return page


def _shown(row: "Row") -> dict[str, object]:
    """A row of the table, with its word and what its mark is drawn by."""
    return {**msgspec.structs.asdict(row), "word": _word(row), "name": _name(row)}


def _word(row: "Row") -> str:
    if row.kind == "verdict":
        return _ENDED.get(row.verdict, "Ended")
    if row.kind == "canary":
        return _CANARY.get(row.outcome, "Canary ended")
    return _WORDS[row.kind]


def _name(row: "Row") -> str:
    """What its mark is drawn by."""
    if row.kind != "verdict":
        return row.kind
    return {"REJECT": "reject", "INSUFFICIENT": "insufficient"}.get(row.verdict, "hold")


def _share(value: float) -> str:
    return percent(value, 1)


def chart(events: Sequence["Row"]) -> Chart | None:
    """Recall of each candidate in order, with its interval, and what was live; None where there are
    not two of them.
    """
    drawn = [row for row in events if row.recall or row.moves or row.kind == "canary"]
    shown = drawn[-_DRAWN:]
    measured = [row for row in shown if row.recall]
    if len(measured) < 2:
        return None
    scale = _scale(measured, len(shown))
    return Chart(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        grid=_grid(scale),
        points=_points(shown, scale),
        live=_live(events, shown, scale),
        backs=_of_kinds(("rollback", "edit"), shown, scale),
        canaries=_of_kinds(("canary",), shown, scale),
        first=when(shown[0].date)[:10],
        last=when(shown[-1].date)[:10],
        left_out=len(drawn) - len(shown),
    )


def _scale(measured: Sequence["Row"], places: int) -> _Scale:
    """The scale in which the candidates can be told apart: what was rejected may lie far above or
    below, and is drawn at the edge, with an arrow and its value.
    """
    near = [row for row in measured if row.verdict != "REJECT"] or measured
    spans = [row.recall for row in near if row.recall]
    low = min(lower for _, lower, _ in spans)
    high = max(upper for _, _, upper in spans)
    step = (_WIDTH - _LEFT - _RIGHT) / places
    return _Scale(step, low, high, max(0.05 * (high - low), 0.002))


def _points(shown: Sequence["Row"], scale: _Scale) -> tuple[Point, ...]:
    points = []
    for place, row in enumerate(shown):
        if row.recall:
            points.append(_point(row, row.recall, scale.x(place), scale))
    return tuple(points)


def _point(row: "Row", recall: tuple[float, float, float], x: float, scale: _Scale) -> Point:
    value, low, high = recall
    beyond = scale.beyond(value)
    return Point(
        x=x,
        y=scale.y(value),
        low=scale.y(low),
        high=scale.y(high),
        mark=_name(row),
        title=_title(row),
        beyond=beyond,
        label=_share(value) if beyond else "",
        cut_high=scale.is_above(high),
        cut_low=scale.is_below(low),
    )


def _of_kinds(
    kinds: Collection[str], shown: Sequence["Row"], scale: _Scale
) -> tuple[tuple[float, str], ...]:
    """Place and words of what is of one of these kinds."""
    return tuple(
        (scale.x(place), _title(row)) for place, row in enumerate(shown) if row.kind in kinds
    )


def _title(row: "Row") -> str:
    words = [when(row.date), _word(row)]
    if row.release:
        words.append(f"release {row.release}")
    if row.recall:
        words.append(f"{row.measure} {_share(row.recall[0])}")
    return ", ".join(words)


def _grid(scale: _Scale) -> tuple[tuple[float, str], ...]:
    """Lines at round percentages, at most five of them."""
    low, high = scale.low, scale.high
    fitting = [size for size in _STEPS if (high - low) / size <= _LINES]
    step = fitting[0] if fitting else _STEPS[-1]
    digits = 1 if step < 0.01 else 0
    numbers = range(int(low / step) + 1, int(high / step) + 1)
    values = [number * step for number in numbers]
    return tuple((scale.y(value), percent(value, digits)) for value in values)


def _live(events: Sequence["Row"], shown: Sequence["Row"], scale: _Scale) -> str:
    """The path of what was live: level while it was, and a step where another one came."""
    levels = {
        row.digest: scale.y(row.recall[0]) for row in events if row.kind == "release" and row.recall
    }
    path, drawing = "", False
    for place, row in enumerate(shown):
        if not row.moves:
            continue
        level = levels.get(row.digest)
        if level is None:
            drawing = False  # a person set an image that was not measured
            continue
        x = scale.x(place)
        path += f"H{x}V{level}" if drawing else f"M{x} {level}"
        drawing = True
    return f"{path}H{_WIDTH - _RIGHT}" if drawing else path
