"""The report of the monitor as one self-contained page: the verdict, what was found, and the weeks
in pictures.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.views.live.monitor import (
    class_in_words,
    labels_in_words,
    live_in_words,
    promised_in_words,
)
from flows.views.wording import count
from sluice.monitor.report import Happened, Report, Week
from sluice.percent import percent
from sluice.served.page_text import on_page

_WIDTH, _HEIGHT = 960, 220  # of a picture, with its margins
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 14, 26
_LABELS = 210  # of the heat map, for the names of the columns
_CELL = 18  # the height of a row of it
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # between two lines of the grid
_LINES = 6
_ROOM = 0.02  # above and below what is drawn
_FEWEST = 10  # positives of a week whose recall is drawn
_NAME = 30  # characters of the name of a column
_MARK = 120  # the width that the words of a mark may need
_ROW, _ROWS = 13, 3  # words of marks that are near each other stand below each other
# Effect sizes from which a cell is darker, and what they are called.
_SHADES = ((0.0, "none"), (0.02, "little"), (0.1, "some"), (0.25, "strong"))


@dataclass(frozen=True)
class Lines:
    """A picture over the weeks, in the units of its view box: the heights and labels of its grid,
    the points of each week with their words, the path through them, the height of what was
    promised, and the path of a bound, empty where there is none.
    """

    height: int
    grid: tuple[tuple[float, str], ...]
    points: tuple[tuple[float, float, str], ...]
    path: str
    promised: float
    bound: str


@dataclass(frozen=True)
class Mark:
    """A line across a picture where something moved what is live: its place, the height of its few
    words and on which side of the line they are, and a sentence.
    """

    x: float
    y: float
    anchor: str
    kind: str
    words: str
    title: str


@dataclass(frozen=True)
class Cell:
    """A column in a week of the heat map."""

    x: float
    y: float
    width: float
    shade: str
    title: str


@dataclass(frozen=True)
class Heat:
    """The heat map: a cell for each column and week, and the height and name of each column."""

    height: int
    cells: tuple[Cell, ...]
    names: tuple[tuple[float, str], ...]


def render(report: Report) -> str:
    """The page: no script, nothing fetched from anywhere."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        finalize=on_page,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    weeks = report.weeks
    page: str = environment.get_template("monitor.html").render(
        r=report,
        width=_WIDTH,
        left=_LEFT,
        right=_RIGHT,
        facts={
            "Live since": report.since,
            "Log": f"{count(report.rows, 'answer')} on {count(report.days, 'day')}",
            "Labels": labels_in_words(report),
            "Now": live_in_words(report),
            "Promised": promised_in_words(report),
            **{f"Class {at}": class_in_words(one) for at, one in enumerate(report.classes, 1)},
        },
        first=weeks[0].start if weeks else "",
        last=weeks[-1].start if weeks else "",
        measure="skill" if report.number else "recall",
        recall=_quality(report),
        counted="rows with a label" if report.classes or report.number else "positives",
        flagged=flagged_lines(weeks, report.promised.flagged) if report.promised else None,
        heat=heat(weeks),
        shades=_SHADES,
        marks=marks(report, _LEFT),
        heat_marks=marks(report, _LABELS),
    )
    return page


def marks(report: Report, left: int) -> tuple[Mark, ...]:
    """When the release became live, and what moved it since, in a picture that begins at `left`."""
    weeks = report.weeks
    if not weeks:
        return ()
    title = f"release {report.release} became live, {report.since}"
    began = Happened(report.since, title, "release", f"release {report.release}")
    later = [
        one
        for one in report.story
        if one.kind and one.day >= report.since and one.mark != began.mark
    ]
    found = []
    for at, one in enumerate([began, *later]):
        x = _place(one.day, weeks, left)
        anchor = "end" if x > _WIDTH - _MARK else "start"
        y = _TOP + _ROW * (at % _ROWS)
        title = one.what if one is began else f"{one.day}: {one.what}"
        found.append(Mark(x, y, anchor, one.kind, one.mark, title))
    return tuple(found)


def _place(day: str, weeks: Sequence[Week], left: int) -> float:
    """Where a day lies among the weeks: between the beginnings of its own and of the next."""
    step = (_WIDTH - left - _RIGHT) / len(weeks)
    before = [at for at, week in enumerate(weeks) if week.start <= day]
    if not before:
        return float(left)
    start = datetime.date.fromisoformat(weeks[before[-1]].start)
    into = min((datetime.date.fromisoformat(day) - start).days / 7, 1.0)
    return round(left + step * (before[-1] + into), 1)


def _quality(report: Report) -> Lines | None:
    """The picture of what is judged: recall, or the skill of a number."""
    if report.number:
        return skill_lines(report.weeks, report.number.promised.skill)
    if report.promised is None:
        return None
    what = "rows" if report.classes else "positives"
    return recall_lines(report.weeks, report.promised.recall, what)


def skill_lines(weeks: Sequence[Week], promised: float) -> Lines | None:
    """The skill by week, and what it is surely below; None where no week has labels enough."""
    shown = [week for week in weeks if week.positives >= _FEWEST]
    # A week that is worse than the median saves nothing of its error.
    values = [(week, max(week.skill, 0.0)) for week in shown if week.skill is not None]
    if not values:
        return None
    bounds = [(week, week.below) for week in shown if week.below < 1]

    def words(week: Week) -> str:
        return f"the error of the median is saved, {week.positives:,} rows"

    return _lines(weeks, values, bounds, max(promised, 0.0), words)


def recall_lines(weeks: Sequence[Week], promised: float, what: str = "positives") -> Lines | None:
    """Recall by week, and what it is surely below; None where no week has labels enough. `what` are
    the rows that it is of.
    """
    shown = [week for week in weeks if week.positives >= _FEWEST]
    if not shown:
        return None
    values = [(week, week.recall) for week in shown if week.recall is not None]
    bounds = [(week, week.below) for week in shown if week.below < 1]
    return _lines(weeks, values, bounds, promised, lambda week: f"{week.positives} {what}")


def flagged_lines(weeks: Sequence[Week], promised: float | None) -> Lines | None:
    """The share flagged by week; None without a week, or where nothing is flagged."""
    if promised is None:
        return None
    values = [(week, week.flagged) for week in weeks if week.flagged is not None]
    return _lines(weeks, values, [], promised, lambda week: f"{week.rows} rows") if values else None


def heat(weeks: Sequence[Week]) -> Heat | None:
    """The drift of each column by week; those that drifted most come first. None without a week."""
    names = {name for week in weeks for name in week.drift}
    if not names:
        return None
    order = sorted(
        names, key=lambda name: (-max(week.drift.get(name, 0.0) for week in weeks), name)
    )
    width = (_WIDTH - _LABELS - _RIGHT) / len(weeks)
    cells = []
    for row, name in enumerate(order):
        for place, week in enumerate(weeks):
            effect = week.drift.get(name, 0.0)
            shade = [word for least, word in _SHADES if effect >= least][-1]
            title = f"{name}, week of {week.start}: {effect:.2f}"
            x = round(_LABELS + width * place, 1)
            cells.append(Cell(x, row * _CELL, round(width, 1), shade, title))
    shown = tuple((row * _CELL + 13.0, _short(name)) for row, name in enumerate(order))
    return Heat(len(order) * _CELL + _BOTTOM, tuple(cells), shown)


def _lines(
    weeks: Sequence[Week],
    values: Sequence[tuple[Week, float]],
    bounds: Sequence[tuple[Week, float]],
    promised: float,
    words: Callable[[Week], str],
) -> Lines:
    all_values = [promised, *(value for _, value in [*values, *bounds])]
    low = max(min(all_values) - _ROOM, 0.0)
    high = min(max(all_values) + _ROOM, 1.0)
    step = (_WIDTH - _LEFT - _RIGHT) / len(weeks)
    places = {week.start: round(_LEFT + step * (at + 0.5), 1) for at, week in enumerate(weeks)}

    def y(value: float) -> float:
        share = (value - low) / max(high - low, _ROOM)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    points = tuple(
        (
            places[week.start],
            y(value),
            f"week of {week.start}: {percent(value, 1)} of {words(week)}",
        )
        for week, value in values
    )
    return Lines(
        height=_HEIGHT,
        grid=tuple((y(value), f"{percent(value)}") for value in _round_values(low, high)),
        points=points,
        path=_path([(x, height) for x, height, _ in points]),
        promised=y(promised),
        bound=_path([(places[week.start], y(value)) for week, value in bounds]),
    )


def _round_values(low: float, high: float) -> list[float]:
    """Round shares between two others, at most six of them."""
    fitting = [size for size in _STEPS if (high - low) / size <= _LINES]
    step = fitting[0] if fitting else _STEPS[-1]
    return [number * step for number in range(int(low / step) + 1, int(high / step) + 1)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if at else 'M'}{x} {y}" for at, (x, y) in enumerate(points))


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
