"""The histograms of the training rows, as the service reads them from `reference.json`."""

import msgspec
import numpy as np
from support.model_artifacts import MODEL

from sluice.model.artifact.reference import histogram
from sluice.served.contract import load_contract
from sluice.served.histograms import Histogram, read_histograms

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))


def test_what_training_writes_is_what_serving_reads() -> None:
    rows = 40
    columns = {}
    for column in CONTRACT.features:
        if column.numeric:
            low, high = float(column.minimum or 0), float(column.maximum or 0)
            columns[column.key] = np.floor(np.linspace(low, high, rows))
        else:
            columns[column.key] = np.array([column.values[0]] * rows, dtype=object)
    histograms = read_histograms(msgspec.to_builtins(histogram(CONTRACT, columns)))
    assert list(histograms) == [column.key for column in CONTRACT.features]
    for column in CONTRACT.features:
        found = histograms[column.key]
        if column.numeric:
            assert found.values is None
            assert len(found.edges) == len(found.counts) + 1
            assert sum(found.counts) == rows
        else:
            assert found == Histogram(values={column.values[0]: rows})


def test_a_column_without_rows_has_an_empty_histogram() -> None:
    cell = {"kind": "number", "whole": True, "edges": [], "counts": [], "missing": 9}
    assert read_histograms({"age": cell}) == {"age": Histogram(missing=9)}
