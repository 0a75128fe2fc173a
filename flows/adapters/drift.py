"""Evidently: how far are new data from those that a model was trained on? Effect sizes, not
p-values; it measures, and `sluice.drift.verdict` judges.

The training rows are not kept, so the reference rows are made from the histograms that travel with
the model.
"""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from sluice.drift.verdict import Distance
from sluice.model.reference import OTHER, rows_from
from sluice.policy import DriftPolicy
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns

_METHOD = "psi"
_ROWS = 5_000  # compared at most: more make the page slower and the distances hardly different


def measure(
    reference: Mapping[str, Mapping[str, Any]],
    current: Columns,
    contract: Contract,
    policy: DriftPolicy,
    rows: int = _ROWS,
) -> tuple[list[Distance], str]:
    """How far each feature of `current`, arrays of shape (rows,), is from the reference.

    Returns the distances in the order of the contract and Evidently's report as one HTML file
    (about 4 MB); the limits of `policy` colour that report and change no distance. A feature
    without counts in the reference is left out. At most `rows` rows are compared, always the same
    ones.
    """
    counted = {key for key, cell in reference.items() if cell.get("counts") or cell.get("values")}
    columns = [
        column for column in contract.features if column.key in counted and column.key in current
    ]
    size = len(next(iter(current.values())))
    chosen = np.random.default_rng(size).permutation(size)[:rows]
    expected = rows_from(reference, rows)
    before = {column.name: _shown(column, expected[column.key], reference) for column in columns}
    after = {
        column.name: _shown(column, np.asarray(current[column.key])[chosen], reference)
        for column in columns
    }
    distances, html = _report(columns, before, after, policy)
    return [Distance(c.name, c.kind, distances[c.name]) for c in columns], html


def _shown(
    column: Column, values: np.ndarray, reference: Mapping[str, Mapping[str, Any]]
) -> np.ndarray:
    """Values at the resolution of the histogram, so that nothing but a change of the counts is seen
    as drift.
    """
    if column.numeric:
        return _binned(np.asarray(reference[column.key]["edges"], dtype=np.float64), values)
    counted = reference[column.key]["values"]
    return np.array([_named(value, counted) for value in values.tolist()], dtype=object)


def _named(value: str | None, counted: Mapping[str, int]) -> str:
    """A text as the histogram counts it: rare values are pooled where it has pooled some."""
    if value is None:
        return "(missing)"
    if value in counted or OTHER not in counted:
        return value
    return OTHER


def _binned(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The middle of the bin each number lies in; what lies outside goes to a bin of its own at
    either end.
    """
    if not len(edges):
        return values
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    wide = np.concatenate([[edges[0] - width], edges, [edges[-1] + width]])
    bins = np.clip(np.searchsorted(edges, values, side="right"), 0, len(edges))
    bins[values == edges[-1]] = len(edges) - 1
    return np.where(np.isnan(values), np.nan, (wide[bins] + wide[bins + 1]) / 2)


def _report(
    columns: list[Column], before: Columns, after: Columns, policy: DriftPolicy
) -> tuple[dict[str, float], str]:
    """Evidently's distance for each column, by its published name, and its page."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's own use of what its dependencies deprecate
        import pandas
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(
            numerical_columns=[column.name for column in columns if column.numeric],
            categorical_columns=[column.name for column in columns if not column.numeric],
        )
        now, then = (
            Dataset.from_pandas(pandas.DataFrame(dict(rows)), data_definition=definition)
            for rows in (after, before)
        )
        preset = DataDriftPreset(
            num_method=_METHOD,
            cat_method=_METHOD,
            num_threshold=policy.drifted,
            cat_threshold=policy.drifted,
            drift_share=policy.strong_share,
        )
        snapshot = Report([preset]).run(current_data=now, reference_data=then)
        metrics, html = snapshot.dict()["metrics"], str(snapshot.get_html_str(as_iframe=False))
    named = ((metric.get("config", {}).get("column"), metric["value"]) for metric in metrics)
    return {column: round(float(value), 5) for column, value in named if column is not None}, html
