"""Evidently: do new data look like the data that a model was trained on? Effect sizes, not
p-values; it informs.

The training rows are not kept, so the reference rows are made from the histograms that travel with
the model.
"""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from sluice.model.reference import OTHER, rows_from
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns

_METHOD = "psi"
DRIFTED, STRONG = 0.1, 0.25  # the usual reading of the population stability index
_STRONG_SHARE = 0.3  # of all columns


def drift(
    reference: Mapping[str, Mapping[str, Any]],
    current: Columns,
    contract: Contract,
    rows: int = 5_000,
) -> tuple[dict[str, Any], str]:
    """How far `current` is from the reference, and Evidently's report as one HTML file (about 4
    MB).

    Returns {"verdict": "none", "some" or "strong", "share" of columns that drifted, "columns":
    [{"column", "kind", "distance", "drifted"}] (largest first), "sentence"}. At most `rows` rows
    are compared, always the same ones.
    """
    counted = {key for key, cell in reference.items() if cell.get("counts") or cell.get("values")}
    columns = [
        column for column in contract.features if column.key in counted and column.key in current
    ]
    size = len(next(iter(current.values())))
    chosen = np.random.default_rng(size).permutation(size)[:rows]
    made = rows_from(reference, rows)
    before = {column.name: _shown(column, made[column.key], reference) for column in columns}
    after = {
        column.name: _shown(column, np.asarray(current[column.key])[chosen], reference)
        for column in columns
    }
    distances, html = _report(columns, before, after)
    found = [
        {
            "column": c.name,
            "kind": c.kind,
            "distance": distances[c.name],
            "drifted": distances[c.name] >= DRIFTED,
        }
        for c in columns
    ]
    found.sort(key=lambda entry: -distances[str(entry["column"])])
    return _verdict(found), html


def _shown(
    column: Column, values: np.ndarray, reference: Mapping[str, Mapping[str, Any]]
) -> np.ndarray:
    """Values at the resolution of the histogram, so that nothing but a change of the counts is seen
    as drift.
    """
    if column.numeric:
        return _binned(np.asarray(reference[column.key]["edges"], dtype=np.float64), values)
    counted = reference[column.key]["values"]
    pooled = OTHER in counted
    named = [
        "(missing)" if v is None else v if v in counted or not pooled else OTHER
        for v in values.tolist()
    ]
    return np.array(named, dtype=object)


def _binned(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The middle of the bin each number lies in; what lies outside goes to a bin of its own at
    either end.
    """
    if not len(edges):
        return values
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    wide = np.concatenate([[edges[0] - width], edges, [edges[-1] + width]])
    place = np.clip(np.searchsorted(edges, values, side="right"), 0, len(edges))
    place[values == edges[-1]] = len(edges) - 1
    return np.where(np.isnan(values), np.nan, (wide[place] + wide[place + 1]) / 2)


def _report(columns: list[Column], before: Columns, after: Columns) -> tuple[dict[str, float], str]:
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
            num_threshold=DRIFTED,
            cat_threshold=DRIFTED,
            drift_share=_STRONG_SHARE,
        )
        snapshot = Report([preset]).run(current_data=now, reference_data=then)
        metrics, html = snapshot.dict()["metrics"], str(snapshot.get_html_str(as_iframe=False))
    named = ((metric.get("config", {}).get("column"), metric["value"]) for metric in metrics)
    return {column: round(float(value), 5) for column, value in named if column is not None}, html


def _verdict(columns: list[dict[str, Any]]) -> dict[str, Any]:
    drifted = [entry for entry in columns if entry["drifted"]]
    share = len(drifted) / len(columns) if columns else 0.0
    strong = share >= _STRONG_SHARE or any(entry["distance"] >= STRONG for entry in drifted)
    verdict = "strong" if strong else "some" if drifted else "none"
    named = ", ".join(f"{entry['column']} (PSI {entry['distance']:.2f})" for entry in drifted[:3])
    more = f" and {len(drifted) - 3} more" if len(drifted) > 3 else ""
    if not drifted:
        sentence = f"None of {len(columns)} columns has drifted (PSI below {DRIFTED:g} in each)."
    else:
        has = "has" if len(drifted) == 1 else "have"
        sentence = (
            f"{len(drifted)} of {len(columns)} columns {has} drifted ({verdict}): {named}{more}."
        )
    return {"verdict": verdict, "share": round(share, 4), "columns": columns, "sentence": sentence}
