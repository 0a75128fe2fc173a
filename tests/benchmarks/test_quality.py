"""The benchmark of what `init` proposes: what each side is given, and what it calls good."""

from functools import cache

import msgspec
import numpy as np
import pandas as pd
import pytest
from support import checked_pumps, strange_tables

from benchmarks.tables import quality

GOOD = quality.Compared("churn", 4_000, 15_000, "gradient_boosting", 0.80, 0.809, 0.001, 9.0)


@cache
def churn() -> quality.Given:
    return quality.given("churn", strange_tables.churn(1_500))


def test_a_hundredth_below_is_good_and_more_is_not() -> None:
    assert GOOD.good
    assert not msgspec.structs.replace(GOOD, reference=0.811).good
    assert "| churn | 4,000 | 15,000 | gradient boosting | 0.8000 | 0.8090 | -0.0090 ±" in (
        quality.table([GOOD])
    )


def test_a_fifth_of_the_rows_teach_and_none_of_these_judge() -> None:
    of = churn()
    assert len(of.teach) / len(of.labels) == pytest.approx(0.2, abs=0.03)
    assert len(of.judge) / len(of.labels) == pytest.approx(0.75, abs=0.03)
    assert not set(of.teach) & set(of.judge)


def test_the_other_side_has_neither_ids_nor_the_answer_and_cells_without_a_contract() -> None:
    of = quality.given("incomes", strange_tables.incomes(1_500))
    features, categories = quality.plain(of)
    kept = [column for column in of.contract.columns if column.role == "feature"]
    assert features.shape == (len(of.labels), len(kept))
    numbers = [place for place, column in enumerate(kept) if column.kind in ("integer", "number")]
    assert categories
    assert set(categories).isdisjoint(numbers)
    for place in numbers:
        assert len(np.unique(features[:, place])) >= 2
    assert np.isnan(features[:, categories]).mean() < 0.5


def test_days_are_numbers_and_what_is_none_is_missing() -> None:
    for text in ("1970-01-03", "03.01.1970"):
        found = quality.days(pd.Series([text, "", "never"], dtype="category"))
        assert found[0] == 2
        assert np.isnan(found[1:]).all()


def test_several_classes_are_judged_by_the_mean_of_their_areas() -> None:
    of = quality.given("pumps", checked_pumps.table(1_500))
    labels = of.labels[of.judge]
    sure = np.eye(3)[labels]
    assert quality.area(labels, quality.scores(of, sure)) == 1.0
    assert quality.area(labels, quality.scores(of, np.full((len(labels), 3), 1 / 3))) == 0.5
    assert "Parts ordered" in {look.name for look in of.drafted.looks if look.leak}
    assert quality.plain(of)[0].shape[1] == 6
