"""scores.parquet: what is written is read again, in the columns that it always had."""

import io
from dataclasses import fields

import numpy as np
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.decision.scores_file import Scores, read_scores, write_scores
from sluice.model.data.table import to_parquet
from sluice.model.json_file import Unreadable


def scores(rows: int, *, champion: bool = True, anchor: bool = True, segments: int = 1) -> Scores:
    random = np.random.default_rng(rows)
    return Scores(
        row_hash=random.integers(0, 2**63, rows).astype(np.uint64),
        labels=random.integers(0, 2, rows).astype(np.int8),
        candidate=random.random(rows),
        alone=random.random(rows),
        champion=random.random(rows) if champion else None,
        anchor=np.full(rows, np.nan) if anchor else None,
        segments={
            f"segment {number}": np.array(["a", "ä"] * rows, dtype=object)[:rows]
            for number in range(segments)
        },
    )


@given(
    rows=st.integers(1, 40),
    champion=st.booleans(),
    anchor=st.booleans(),
    segments=st.integers(0, 3),
)
def test_what_is_written_is_read_again(
    rows: int, champion: bool, anchor: bool, segments: int
) -> None:
    written = scores(rows, champion=champion, anchor=anchor, segments=segments)
    read = read_scores(write_scores(written))
    for field in fields(Scores):
        np.testing.assert_equal(getattr(read, field.name), getattr(written, field.name))
    assert write_scores(read) == write_scores(written)


def test_the_columns_keep_their_order_and_names() -> None:
    table = parquet.read_table(io.BytesIO(write_scores(scores(3))))
    assert table.column_names == [
        "row_hash",
        "label",
        "candidate",
        "alone",
        "champion",
        "anchor",
        "segment segment 0",
    ]


@pytest.mark.parametrize("name", ["row_hash", "label", "candidate", "alone"])
def test_a_missing_column_is_named(name: str) -> None:
    columns = {
        each: np.zeros(3) for each in ("row_hash", "label", "candidate", "alone") if each != name
    }
    with pytest.raises(Unreadable) as caught:
        read_scores(to_parquet(columns))
    assert caught.value.what == f"scores.parquet lacks {name}; a column of each name is required"
    assert caught.value.fix
