"""Evidently: how far are new data from those that a model was trained on?

Effect sizes, not p-values. This module measures, and `sluice.drift.verdict` judges. The training
rows are not kept, so the reference rows are made from the histograms that travel with the model.
"""

import html
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsFloat

import msgspec
import numpy as np
from msgspec import Struct

from sluice.drift.verdict import Distance
from sluice.model.artifact.reference import OTHER, Numbers, Reference, Texts, rows_from
from sluice.policy import DriftPolicy
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns
from sluice.served.page_text import on_page

if TYPE_CHECKING:
    from evidently import Dataset
    from evidently.core.report import Snapshot

_METHOD = "psi"
_ROWS = 5_000  # compared at most: more make the page slower and the distances hardly different
_MISSING = "(missing)"
# Evidently writes texts into a script of its page as they are, and `</script>` would end it.
_NO_MARKUP = str.maketrans({"<": "‹", ">": "›", "&": "＆"})
# What Evidently numbers the parts of its page by, anew each time.
_NUMBERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=metric_)[0-9a-f]{32}"
)
_LINE = '<p style="font: 1rem/1.5 system-ui, sans-serif; margin: 1rem 1.5rem">{title}.{back}</p>'
_BACK = ' <a href="evidence.html">Evidence of the decision</a>'


class _Config(Struct, frozen=True):
    """What a metric of Evidently is about; a metric of the whole table names no column."""

    column: str | None = None


class _Metric(Struct, frozen=True):
    """A metric of Evidently: for a column its value is one number, of numpy."""

    value: object
    config: _Config = _Config()


class _Measured(Struct, frozen=True):
    """What is read of Evidently's report."""

    metrics: tuple[_Metric, ...]


@dataclass(frozen=True)
class _Compared:
    """What is compared: the columns, and the rows before and after by the name of the column on
    the page.
    """

    columns: Mapping[str, Column]
    before: Columns
    after: Columns


def measure(
    reference: Reference,
    current: Columns,
    contract: Contract,
    policy: DriftPolicy,
    rows: int = _ROWS,
) -> tuple[list[Distance], str]:
    """How far each feature of `current`, arrays of shape (rows,), is from the reference.

    Returns the distances in the order of the contract and Evidently's report as one HTML file
    (about 4 MB), the same for the same rows; the limits of `policy` colour that report and change
    no distance. A feature without counts in the reference is left out. At most `rows` rows are
    compared, always the same ones.
    """
    compared = _compared(reference, current, contract, rows)
    distances, page = _report(compared, policy)
    title = f"{contract.title}: drift from the training data of the champion"
    return [
        Distance(column.name, column.kind, distances[name])
        for name, column in compared.columns.items()
    ], titled(page, title, _BACK)


def page_of_days(
    reference: Reference, live: Reference, contract: Contract, policy: DriftPolicy, when: str
) -> str:
    """Evidently's page on the counts of some days, called `when`, beside the training data.

    Both sides are rows made of counts: nobody's row is on the page. How columns go together is not
    compared. Raises ValueError where no column was counted on both sides.
    """
    rows = rows_from(live, _ROWS)
    known = {key: cell for key, cell in reference.items() if key in live}
    compared = _compared(known, rows, contract, _ROWS)
    if not compared.columns:
        raise ValueError("no column was counted both in training and in these days")
    _, page = _report(compared, policy)
    return titled(page, f"{contract.title}: {when} beside the training data, from counts")


def _compared(reference: Reference, current: Columns, contract: Contract, rows: int) -> _Compared:
    counted = {key for key, cell in reference.items() if cell.counted}
    columns = _by_shown_name(
        column for column in contract.features if column.key in counted and column.key in current
    )
    size = len(next(iter(current.values())))
    chosen = np.random.default_rng(size).permutation(size)[:rows]
    expected = rows_from(reference, rows)
    before, after = {}, {}
    for name, column in columns.items():
        cell = reference[column.key]
        before[name] = _shown(cell, expected[column.key])
        after[name] = _shown(cell, np.asarray(current[column.key])[chosen])
    return _Compared(columns, before, after)


def _by_shown_name(columns: Iterable[Column]) -> dict[str, Column]:
    """The columns by what the page calls them, which is another name for each."""
    found: dict[str, Column] = {}
    for column in columns:
        name = _harmless(column.name)
        while name in found:
            name += "'"
        found[name] = column
    return found


def _harmless(text: str) -> str:
    """A text that no page takes for markup, and that is read as it is written."""
    return on_page(text).translate(_NO_MARKUP)


def _shown(cell: Numbers | Texts, values: np.ndarray) -> np.ndarray:
    """Values at the resolution of the histogram, so that nothing but a change of the counts is seen
    as drift.
    """
    if isinstance(cell, Numbers):
        return _binned(np.asarray(cell.edges, dtype=np.float64), values)
    named = [_named(value, cell.values) for value in values.tolist()]
    return np.array([_harmless(name) for name in named], dtype=object)


def _named(value: str | None, counted: Mapping[str, int]) -> str:
    """A text as the histogram counts it: rare values are pooled where it has pooled some."""
    if value is None:
        return _MISSING
    if value in counted or OTHER not in counted:
        return value
    return OTHER


def _binned(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The middle of the bin that each number lies in.

    What lies outside goes to a bin of its own at either end. Without edges nothing is binned.
    """
    if not len(edges):
        return values
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    wide = np.concatenate([[edges[0] - width], edges, [edges[-1] + width]])
    bins = np.clip(np.searchsorted(edges, values, side="right"), 0, len(edges))
    bins[values == edges[-1]] = len(edges) - 1
    return np.where(np.isnan(values), np.nan, (wide[bins] + wide[bins + 1]) / 2)


def _report(compared: _Compared, policy: DriftPolicy) -> tuple[dict[str, float], str]:
    """Evidently's distance for each column, by its published name, and its page."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's own use of what its dependencies deprecate
        snapshot = _snapshot(compared, policy)
        page = _numbered(str(snapshot.get_html_str(as_iframe=False)))
        measured = msgspec.convert(snapshot.dict(), _Measured)
    distances = {}
    for metric in measured.metrics:
        if metric.config.column is not None and isinstance(metric.value, SupportsFloat):
            distances[metric.config.column] = round(float(metric.value), 5)
    return distances, page


def titled(page: str, title: str, back: str = "") -> str:
    """A page of Evidently with a title in its head, and a line that says what it is; `back` is the
    link behind it.
    """
    text = html.escape(title)
    page = page.replace("<head>", f"<head><title>{text}</title>", 1)
    return page.replace("<body>", f"<body>{_LINE.format(title=text, back=back)}", 1)


def _numbered(page: str) -> str:
    """A page of Evidently whose parts are numbered in their order, and not by chance: equal data
    give equal bytes.
    """
    known: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return known.setdefault(found[0], f"{len(known):032x}")

    return _NUMBERS.sub(number, page)


def _snapshot(compared: _Compared, policy: DriftPolicy) -> "Snapshot":
    from evidently import Report
    from evidently.presets import DataDriftPreset

    preset = DataDriftPreset(
        num_method=_METHOD,
        cat_method=_METHOD,
        num_threshold=policy.drifted,
        cat_threshold=policy.drifted,
        drift_share=policy.strong_share,
    )
    return Report([preset]).run(
        current_data=_data_set(compared.columns, compared.after),
        reference_data=_data_set(compared.columns, compared.before),
    )


def _data_set(columns: Mapping[str, Column], rows: Columns) -> "Dataset":
    import pandas
    from evidently import DataDefinition, Dataset

    definition = DataDefinition(
        numerical_columns=[name for name, column in columns.items() if column.numeric],
        categorical_columns=[name for name, column in columns.items() if not column.numeric],
    )
    return Dataset.from_pandas(pandas.DataFrame(dict(rows)), data_definition=definition)
