"""Data docs: what was checked, what was found and what the table looks like, as one page.

The data docs of Great Expectations load scripts, fonts and a logo from elsewhere; this page has its
results, and needs no network.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from gx.advice import expression_of
from gx.page import PAGE, STYLE
from gx.profile import FEW, Bar, ColumnProfile, Link, Profile, profile
from gx.report import Finding, Report
from sluice.served.contract import Contract, Target
from sluice.served.days import written
from sluice.served.page_text import on_page

_FAINT = 0.05  # a weaker correlation is coloured, and not written
_UNTOLD = "–"
_TICK = 8  # how high the mark of a share is drawn
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Part:
    """A part of a bar in percent of the longest bar, `y` from the top; `sort` is its style."""

    sort: str
    y: str
    height: str


@dataclass(frozen=True)
class ClassShown:
    """A class: its name, its colour in CSS, and its rows."""

    name: str
    colour: str
    rows: int


@dataclass(frozen=True)
class HeatCell:
    """A cell of the table of correlations: its colour, what it says when pointed at, its text."""

    style: str
    title: str
    text: str


@dataclass(frozen=True)
class HeatRow:
    """A row of the table of correlations, up to the column that is its own."""

    name: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class Source:
    """The table that was looked at: how it is called, the SHA-256 of its bytes, and the day on
    which it was, in ISO 8601.
    """

    name: str
    sha256: str
    day: str


def write_docs(
    contract: Contract, frame: pd.DataFrame, report: Report, folder: Path, source: Source
) -> Path:
    """Write `index.html` for a frame of texts and its report; return its path.

    The folder is made where it is missing. The file is whole or not there.
    """
    page = render(contract, profile(contract, frame), report, source)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    partial = folder / f".index.html.{os.getpid()}"
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


def render(contract: Contract, summary: Profile, report: Report, source: Source) -> str:
    """The page: counts and histograms, without a value or an id of any row."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, finalize=on_page, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    target = _halves(contract.target, summary.median)
    environment.filters |= _filters(contract, target, report)
    outcome, mood = _outcome(report)
    return environment.from_string(PAGE).render(
        style=STYLE,
        title=contract.title,
        outcome=outcome,
        mood=mood,
        sentence=_sentence(report),
        report=report,
        source=source,
        profile=summary,
        target=target,
        number=contract.role("target")[0].name if contract.target.quantity else "",
        classes=[
            ClassShown(name, colour, count)
            for name, colour, count in zip(
                contract.target.classes, _colours(summary), summary.classes, strict=True
            )
        ],
        few=FEW,
        middle=_line(summary),
        heat=_heat(summary.correlations),
        loop_x=_left,
        widest=max((abs(link.value) for link in summary.links), default=1.0),
    )


def _halves(target: Target, median: float | None) -> Target:
    """The target as the page speaks of it: of a number what lies above its median stands for the
    positives.
    """
    if target.quantity is None or median is None:
        return target
    middle = "the median"
    if math.isfinite(median):
        middle = f"{median:,.6g} {target.quantity.unit or ''}".rstrip()
    return replace(target, positive=f"above {middle}", negative=f"up to {middle}")


def _outcome(report: Report) -> tuple[str, str]:
    """The heading of the page, and the style that goes with it."""
    if report.refused:
        return "Refused", "refused"
    if report.warnings:
        return "Valid, with warnings", "warned"
    return "Valid", "valid"


def _filters(
    contract: Contract, target: Target, report: Report
) -> Mapping[str, Callable[..., object]]:
    """What the page calls to put a value into words."""
    return {
        "count": "{:,}".format,
        "percent": _percent,
        "share_of": lambda finding: _percent(finding.count, report.rows),
        "wanted": lambda finding: _wanted(contract, report, finding),
        "kind": _kind,
        "facts": _facts,
        "positives_in": _positives_in,
        "mostly": lambda bar: _mostly(bar, contract.target.classes),
        "spread": _spread,
        "tick": _tick,
        "spoken": lambda bar: _spoken(bar, target),
        "parts": _parts,
        "direction": _direction,
        "place": _place,
        "strength": _strength,
    }


def _direction(link: Link) -> str:
    """The style of the bar of a link."""
    if not link.ordered:
        return "none"
    return "plus" if link.value > 0 else "minus"


def _strength(link: Link) -> str:
    """The value of a link, with its sign where it has a direction."""
    text = f"{link.value:+.2f}" if link.ordered else f"{link.value:.2f}"
    return text.replace("-", _MINUS)


def _wanted(contract: Contract, report: Report, finding: Finding) -> str:
    """What the rule asks for, from the contract alone."""
    column = contract.find(finding.column)
    if column is not None:
        return column.allowed
    if finding.rule == "too few rows":
        limit = next(check.limit for check in report.checks if check.rule == finding.rule)
        return f"at least {limit:,.0f} rows"
    return expression_of(contract, finding.rule).source


def _sentence(report: Report) -> str:
    """The report in one sentence."""
    warned = len(report.warnings)
    failed = len(report.findings) - warned
    sentence = f"{report.rows:,} rows, {len(report.checks)} checks: {failed or 'none'} failed"
    if warned:
        sentence += f", {warned} gave a warning"
    return f"{sentence}."


def _percent(part: int, whole: int) -> str:
    """A part in percent; what is less than one percent and not nothing is said to be so."""
    share = 100 * part / whole if whole else 0.0
    if part and share < 1:
        return "under 1 %"
    return f"{share:.0f} %"


_KINDS = {
    "integer": "whole number",
    "number": "number",
    "ordinal": "ordered values",
    "boolean": "yes or no",
    "category": "values without an order",
    "date": "date",
}


def _kind(summary: ColumnProfile) -> str:
    """What a column holds, in words, with the limits of a number."""
    column = summary.column
    kind = _KINDS[column.kind]
    if not column.numeric:
        return kind
    if column.kind == "date" and column.minimum is not None and column.maximum is not None:
        return f"{kind}, {written(column.minimum)} to {written(column.maximum)}"
    limits = f"{kind}, {column.minimum:,.12g} to {column.maximum:,.12g}"
    return f"{limits} {column.unit}" if column.unit else limits


def _facts(summary: ColumnProfile) -> str:
    """What there is to say of the values of a column; empty for texts, whose bars say it."""
    if summary.column.role in ("id", "group"):
        return f"{summary.distinct:,} different values."
    if summary.middle is None:
        return ""
    low, median, high = summary.middle
    if summary.column.kind == "date":
        return f"Median {written(median)}; nine in ten from {written(low)} to {written(high)}."
    return f"Median {median:,.6g}; nine in ten from {low:,.6g} to {high:,.6g}."


def _spoken(bar: Bar, target: Target) -> str:
    """A bar in words: its rows, and the share of the positives or of each class where told."""
    rows = "row" if bar.count == 1 else "rows"
    words = f"{bar.label}: {bar.count:,} {rows}"
    if bar.classes is not None:
        shares = zip(target.classes, bar.classes, strict=True)
        return ", ".join([words, *(f"{name} {_percent(of, bar.count)}" for name, of in shares)])
    if bar.positives is None:
        return words
    return f"{words}, {_percent(bar.positives, bar.count)} {target.positive}"


def _mostly(bar: Bar, classes: Sequence[str]) -> str:
    """The most frequent class among the rows of a bar, with its share; a dash where it is not
    told.
    """
    if not bar.classes or not bar.count:
        return _UNTOLD
    most = max(range(len(classes)), key=bar.classes.__getitem__)
    return f"{classes[most]}, {_percent(bar.classes[most], bar.count)}"


def _colours(summary: Profile) -> list[str]:
    """A colour for each class, as far apart as they go."""
    count = len(summary.classes)
    return [f"oklch(0.62 0.13 {240 + 360 * place / count:.0f})" for place in range(count)]


def _positives_in(bar: Bar) -> str:
    """The share of the positives among the rows of a bar; a dash where it is not told."""
    if bar.positives is None or not bar.count:
        return _UNTOLD
    return _percent(bar.positives, bar.count)


def _spread(summary: ColumnProfile) -> str:
    """From which to which share of positives the bars of a column go; a dash where none is told."""
    shares = [
        (bar.positives / bar.count, _positives_in(bar))
        for bar in summary.bars
        if bar.positives is not None and bar.count
    ]
    if not shares:
        return _UNTOLD
    return f"{min(shares)[1].removesuffix(' %')} to {max(shares)[1]}"


def _tick(bar: Bar) -> str:
    """Where the share of the positives of a bar is drawn, from the top of a drawing 100 high;
    empty where it is not told.
    """
    if bar.positives is None or not bar.count:
        return ""
    return f"{(100 - 2 * _TICK) * (1 - bar.positives / bar.count) + _TICK - _TICK / 2:.2f}"


def _line(summary: Profile) -> str:
    """Where the share of the positives of all rows is drawn, as `_tick` draws that of a bar."""
    share = summary.positives / max(summary.rows, 1)
    return f"{(100 - 2 * _TICK) * (1 - share) + _TICK:.2f}"


def _parts(bar: Bar, summary: ColumnProfile) -> list[Part]:
    """The stacked parts of a bar of a column, from the base up."""
    scale = 100 / max(1, *(other.count for other in summary.bars))
    if bar.classes:
        return _parts_of_classes(bar, scale)
    if bar.positives is None:
        return [_part("untold", 0.0, bar.count * scale)]
    dark = bar.positives * scale
    return [_part("left", 0.0, dark), _part("stayed", dark, bar.count * scale - dark)]


def _parts_of_classes(bar: Bar, scale: float) -> list[Part]:
    """A part for each class, and one of what is no class."""
    counts = bar.classes or ()
    parts, base = [], 0.0
    for place, count in enumerate(counts):
        sort = f"class class-{place}"
        parts.append(_part(sort, base, count * scale))
        base += count * scale
    rest = bar.count - sum(counts)
    return [*parts, _part("untold", base, rest * scale)] if rest else parts


def _part(sort: str, base: float, height: float) -> Part:
    return Part(sort, f"{100 - base - height:.2f}", f"{height:.2f}")


def _left(summary: ColumnProfile, bar: Bar) -> str:
    """Where a bar begins, in units of the drawing, of which each bar has ten."""
    return f"{10 * summary.bars.index(bar) + 0.7:.1f}"


def _place(link: Link, widest: float) -> str:
    """Where the bar of a link lies on an axis with zero in the middle.

    One without a direction lies around zero. The longest takes half of the axis.
    """
    width = 50 * abs(link.value) / max(widest, 0.1)
    if not link.ordered:
        start = 50 - width / 2
    elif link.value > 0:
        start = 50.0
    else:
        start = 50 - width
    return f"left:{start:.2f}%;width:{width:.2f}%"


def _heat(correlations: pd.DataFrame) -> list[HeatRow]:
    """The lower triangle of the correlations, row by row."""
    names = list(correlations.columns)
    values = correlations.to_numpy()
    rows: list[HeatRow] = []
    for row, name in enumerate(names):
        cells = [_cell(name, names[left], float(values[row, left])) for left in range(row)]
        own = HeatCell("background:var(--line)", name, "")
        rows.append(HeatRow(name, (*cells, own)))
    return rows


def _cell(name: str, other: str, value: float) -> HeatCell:
    """The correlation of two columns, the stronger the deeper its colour."""
    side = "second" if value > 0 else "first"
    depth = min(85, 120 * abs(value))
    shade = f"background:color-mix(in srgb, var(--{side}) {depth:.0f}%, var(--soft))"
    text = ""
    if abs(value) >= _FAINT:
        text = f"{value:+.2f}".replace("0.", ".").replace("-", _MINUS)
    return HeatCell(shade, f"{name} and {other}: {value:+.3f}", text)
