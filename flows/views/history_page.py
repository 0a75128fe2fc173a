"""The history of a model as one self-contained page: what is live, a picture over time, and what
happened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.views.lineage import short, when

Json = Mapping[str, Any]
_SHOWN, _DRAWN = 300, 60
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 250, 46, 14, 16, 26
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
_ENDED = {
    "HOLD": "Held",
    "REJECT": "Rejected",
    "INSUFFICIENT": "Too little data",
    "PROMOTE": "Not delivered",
}


@dataclass(frozen=True)
class Point:
    """A measured candidate in the picture: where it stands, its whisker, its mark and its words."""

    x: float
    y: float
    low: float
    high: float
    mark: str
    title: str


@dataclass(frozen=True)
class Chart:
    """The picture, in the units of its view box."""

    width: int
    height: int
    left: int
    right: int
    grid: tuple[tuple[float, str], ...]
    points: tuple[Point, ...]
    live: str
    backs: tuple[tuple[float, str], ...]
    first: str
    last: str
    left_out: int


def render(told: Json) -> str:
    """The page: no script, nothing fetched from anywhere."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"when": when, "short": short, "share": _share}
    rows = list(reversed(told["events"]))
    page: str = environment.get_template("history.html").render(
        h=told,
        rows=[{**row, "word": _word(row), "name": _name(row)} for row in rows[:_SHOWN]],
        left_out=max(0, len(rows) - _SHOWN),
        chart=chart(told["events"]),
    )
    return page


def _word(row: Json) -> str:
    return _ENDED.get(row["verdict"], "Ended") if row["kind"] == "verdict" else _WORDS[row["kind"]]


def _name(row: Json) -> str:
    """What its mark is drawn by."""
    if row["kind"] != "verdict":
        return str(row["kind"])
    return {"REJECT": "reject", "INSUFFICIENT": "insufficient"}.get(row["verdict"], "hold")


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def chart(events: Sequence[Json]) -> Chart | None:
    """Recall of each candidate in order, with its interval, and what was live; None where there are
    not two of them.
    """
    drawn = [row for row in events if row["measured"].get("recall") or row["moves"]]
    shown = drawn[-_DRAWN:]
    spans = [row["measured"]["recall"] for row in shown if row["measured"].get("recall")]
    if len(spans) < 2:
        return None
    # What was rejected may lie far below: it is drawn at the edge, or nobody could tell the others
    # apart.
    near = [
        row["measured"]["recall"]
        for row in shown
        if row["measured"].get("recall") and row["verdict"] != "REJECT"
    ]
    low, high = min(span[1] for span in near or spans), max(span[2] for span in near or spans)
    pad = max(0.05 * (high - low), 0.002)
    step = (_WIDTH - _LEFT - _RIGHT) / len(shown)

    def x(place: int) -> float:
        return round(_LEFT + step * (place + 0.5), 1)

    def y(value: float) -> float:
        share = min(1.0, max(0.0, (value - low + pad) / (high - low + 2 * pad)))
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    points = tuple(
        Point(x(place), y(span[0]), y(span[1]), y(span[2]), _name(row), _title(row))
        for place, row in enumerate(shown)
        if (span := row["measured"].get("recall"))
    )
    return Chart(
        _WIDTH,
        _HEIGHT,
        _LEFT,
        _RIGHT,
        _grid(low, high, y),
        points,
        _live(events, shown, x, y),
        tuple(
            (x(place), _title(row))
            for place, row in enumerate(shown)
            if row["kind"] in ("rollback", "edit")
        ),
        when(shown[0]["date"])[:10],
        when(shown[-1]["date"])[:10],
        len(drawn) - len(shown),
    )


def _title(row: Json) -> str:
    recall = row["measured"].get("recall")
    words = [
        when(row["date"]),
        _word(row),
        f"release {row['release']}" if row["release"] else "",
        f"recall {_share(recall[0])}" if recall else "",
    ]
    return ", ".join(word for word in words if word)


def _grid(low: float, high: float, y: Any) -> tuple[tuple[float, str], ...]:
    """Lines at round percentages, four or five of them."""
    step = next(
        (size for size in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / size <= 5), 0.5
    )
    digits = 1 if step < 0.01 else 0
    first = int(low / step) + 1
    values = [number * step for number in range(first, int(high / step) + 1)]
    return tuple((y(value), f"{100 * value:.{digits}f} %") for value in values)


def _live(events: Sequence[Json], shown: Sequence[Json], x: Any, y: Any) -> str:
    """The path of what was live: level while it was, and a step where another came."""
    level = {
        row["digest"]: row["measured"]["recall"][0]
        for row in events
        if row["kind"] == "release" and row["measured"].get("recall")
    }
    path, there = "", None
    for place, row in enumerate(shown):
        if row["moves"]:
            here = level.get(row["digest"])
            if here is None:
                there = None
                continue
            path += f"M{x(place)} {y(here)}" if there is None else f"H{x(place)}V{y(here)}"
            there = here
    return f"{path}H{_WIDTH - _RIGHT}" if path and there is not None else path
