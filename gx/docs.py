"""Data docs: what was checked, what was found and what the table looks like, as one page that needs
no network.

The data docs of Great Expectations load scripts, fonts and a logo from elsewhere; this page has its
results without.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from gx.advice import expression_of
from gx.page import PAGE, STYLE
from gx.profile import FEW, Bar, ColumnProfile, Link, Profile, profile
from gx.report import Finding, Report
from sluice.served.contract import Contract


def write_docs(contract: Contract, frame: pd.DataFrame, report: Report, folder: Path) -> Path:
    """Write `index.html` for a frame of texts and its report into a folder, made if need be; return
    its path.
    """
    page = render(contract, profile(contract, frame), report)
    folder.mkdir(parents=True, exist_ok=True)
    path, partial = folder / "index.html", folder / f".index.html.{os.getpid()}"
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


def render(contract: Contract, found: Profile, report: Report) -> str:
    """The page: counts and histograms, without a value or an id of any row."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= _filters(contract, report)
    outcome = (
        "Refused" if report.refused else "Valid, with warnings" if report.warnings else "Valid"
    )
    mood = "refused" if report.refused else "warned" if report.warnings else "valid"
    return environment.from_string(PAGE).render(
        style=STYLE,
        title=contract.title,
        outcome=outcome,
        mood=mood,
        sentence=_sentence(report),
        report=report,
        profile=found,
        target=contract.target,
        few=FEW,
        heat=_heat(found.correlations),
        loop_x=_left,
        widest=max((abs(link.value) for link in found.links), default=1.0),
    )


def _filters(contract: Contract, report: Report) -> dict[str, Any]:
    return {
        "count": "{:,}".format,
        "percent": _percent,
        "share_of": lambda finding: _percent(finding.count, report.rows),
        "wanted": lambda finding: _wanted(contract, report, finding),
        "kind": _kind,
        "facts": _facts,
        "spoken": lambda bar: _spoken(bar, contract.target.positive),
        "parts": _parts,
        "direction": lambda link: (
            "none" if not link.ordered else "plus" if link.value > 0 else "minus"
        ),
        "place": _place,
        "strength": lambda link: f"{link.value:{'+' if link.ordered else ''}.2f}".replace(
            "-", "\N{MINUS SIGN}"
        ),
    }


def _wanted(contract: Contract, report: Report, finding: Finding) -> str:
    """What the rule asks for, from the contract alone."""
    column = contract.find(finding.column)
    if column is not None:
        return column.allowed
    if finding.rule == "too few rows":
        return next(
            f"at least {check.limit:,.0f} rows"
            for check in report.checks
            if check.rule == finding.rule
        )
    return expression_of(contract, finding.rule).source


def _sentence(report: Report) -> str:
    failed = len(report.findings) - len(report.warnings)
    warned = len(report.warnings)
    found = f"{failed} failed" if failed else "none failed"
    also = f", {warned} gave a warning" if warned else ""
    return f"{report.rows:,} rows, {len(report.checks)} checks: {found}{also}."


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole if whole else 0.0
    return f"{share:.0f} %" if share >= 1 or not part else "under 1 %"


def _kind(found: ColumnProfile) -> str:
    column = found.column
    if not column.numeric:
        return {"ordinal": "ordered values", "boolean": "yes or no"}.get(
            column.kind, "values without an order"
        )
    sort = "whole number" if column.kind == "integer" else "number"
    return f"{sort}, {column.minimum:,.12g} to {column.maximum:,.12g}" + (
        f" {column.unit}" if column.unit else ""
    )


def _facts(found: ColumnProfile) -> str:
    if found.middle is None:
        return f"{found.distinct:,} different values." if found.column.role == "id" else ""
    low, median, high = found.middle
    return f"Median {median:,.6g}; nine in ten from {low:,.6g} to {high:,.6g}."


def _spoken(bar: Bar, positive: str) -> str:
    told = "" if bar.positives is None else f", {_percent(bar.positives, bar.count)} {positive}"
    return f"{bar.label}: {bar.count:,} row{'s' * (bar.count != 1)}{told}"


def _parts(bar: Bar, found: ColumnProfile) -> list[Mapping[str, Any]]:
    """The stacked parts of a bar in percent of the longest one, from the base up (`y` counts from
    the top).
    """
    scale = 100 / max(1, *(other.count for other in found.bars))
    if bar.positives is None:
        return [_part("untold", 0.0, bar.count * scale)]
    dark = bar.positives * scale
    return [_part("left", 0.0, dark), _part("stayed", dark, bar.count * scale - dark)]


def _part(sort: str, base: float, height: float) -> Mapping[str, Any]:
    return {"sort": sort, "y": f"{100 - base - height:.2f}", "height": f"{height:.2f}"}


def _left(found: ColumnProfile, bar: Bar) -> str:
    return f"{10 * found.bars.index(bar) + 0.7:.1f}"


def _place(link: Link, widest: float) -> str:
    """Where the bar of a link lies on an axis with zero in the middle; one without direction lies
    around it.
    """
    half = 50 * abs(link.value) / max(widest, 0.1)
    start = 50 - half / 2 if not link.ordered else 50 if link.value > 0 else 50 - half
    return f"left:{start:.2f}%;width:{half:.2f}%"


def _heat(correlations: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The lower triangle of the correlations, row by row."""
    names = list(correlations.columns)
    values = correlations.to_numpy()
    cells = [
        [_cell(names, row, left, values[row, left]) for left in range(row + 1)]
        for row in range(len(names))
    ]
    return [{"name": name, "cells": line} for name, line in zip(names, cells, strict=True)]


def _cell(names: list[str], row: int, left: int, value: float) -> Mapping[str, str]:
    if row == left:
        return {"style": "background:var(--line)", "title": names[row], "text": ""}
    side = "second" if value > 0 else "first"
    shade = (
        f"background:color-mix(in srgb, var(--{side}) {min(85, 120 * abs(value)):.0f}%,"
        " var(--soft))"
    )
    text = (
        f"{value:+.2f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}")
        if abs(value) >= 0.05
        else ""
    )
    return {"style": shade, "title": f"{names[row]} and {names[left]}: {value:+.3f}", "text": text}
