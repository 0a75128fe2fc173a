"""How surely a release is shown to find more than its best column, beside trying it out."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from sluice.draft.beyond import (
    SURELY,
    Answered,
    Beyond,
    Column,
    Guessed,
    Ranked,
    beyond,
    beyond_in_classes,
    beyond_in_skill,
    labels_needed,
)
from sluice.gate.classes.paired import difference_of, tables_of
from sluice.gate.paired import at_equal_counts, recall_difference, top
from sluice.model.number.resampled import limits_of

LEVEL, FLAGGED = 0.05, 0.3


@cache
def ranked(knows: float, rows: int = 4_000, seed: int = 1) -> Ranked:
    """Rows of which a column sees one half of what makes them positive, and a model so much of the
    other half.
    """
    chance = np.random.default_rng(seed)
    one, other = chance.normal(size=(2, rows))
    labels = (chance.random(rows) < 1 / (1 + np.exp(1.2 - one - other))).astype(np.int64)
    return Ranked(labels, one + knows * other, Column("Age", one))


def shown(rows: Ranked, holdout: int, draws: int = 300) -> float:
    """How often new holdouts of so many rows show it."""
    found = []
    for seed in range(draws):
        one = ranked.__wrapped__(0.4, holdout, seed=100 + seed)
        hashes = np.arange(holdout).astype(np.uint64)
        count = round(FLAGGED * holdout)
        mine, theirs = (top(scores, hashes, count) for scores in (one.scores, one.column.scores))
        pairs = at_equal_counts(one.labels, mine, theirs)
        found.append(recall_difference(pairs, LEVEL).low > 0)
    return float(np.mean(found))


@pytest.mark.parametrize("holdout", [200, 500])
def test_it_is_shown_as_often_as_in_holdouts_of_new_rows(holdout: int) -> None:
    found = beyond(ranked(0.4), holdout, FLAGGED, LEVEL)
    # Three standard errors of both are 0.13; the rows that are drawn from are chance too.
    assert found.shown == pytest.approx(shown(ranked(0.4), holdout), abs=0.16)


def test_with_the_rows_that_it_asks_for_it_is_shown_nine_times_in_ten() -> None:
    found = beyond(ranked(0.4), 200, FLAGGED, LEVEL)
    assert found.times is not None
    assert found.shown < SURELY < 1 < found.times
    more = beyond(ranked(0.4), round(200 * found.times), FLAGGED, LEVEL)
    assert more.shown == pytest.approx(SURELY, abs=0.06)


def test_where_it_is_shown_these_rows_are_enough() -> None:
    found = beyond(ranked(1.0), 1_000, FLAGGED, LEVEL)
    assert (found.column, found.times) == ("Age", 1.0)
    assert found.shown >= SURELY


def test_a_model_that_knows_no_more_is_helped_by_no_rows() -> None:
    rows = ranked(0.4)
    less = Ranked(rows.labels, -rows.scores, rows.column)
    assert beyond(less, 400, FLAGGED, LEVEL) == Beyond("Age", 0.0, None)


def test_rows_that_belong_together_say_less() -> None:
    rows = ranked(0.4, 1_500)
    repeated = Ranked(
        np.repeat(rows.labels, 8),
        np.repeat(rows.scores, 8),
        Column("Age", np.repeat(rows.column.scores, 8)),
        np.repeat(np.arange(1_500), 8),
    )
    found = beyond(repeated, 8 * 300, FLAGGED, LEVEL)
    assert found.shown == pytest.approx(beyond(rows, 300, FLAGGED, LEVEL).shown, abs=0.15)


@pytest.mark.parametrize(
    ("times", "rows", "needed"),
    [(3.3527, 4_800, 17_000), (1.0, 4_800, 4_800), (2.0, 7, 14), (None, 4_800, None)],
)
def test_labels_are_asked_for_to_two_digits(
    times: float | None, rows: int, needed: int | None
) -> None:
    assert labels_needed(Beyond("Age", 0.4, times), rows) == needed


def answered(rows: int = 4_000, seed: int = 1) -> Answered:
    """Rows of three classes, which a column tells apart by half of what makes them and a model by
    a little more.
    """
    chance = np.random.default_rng(seed)
    one, other = chance.normal(size=(2, rows))
    labels, mine, theirs = (
        np.digitize(seen + chance.normal(0, noise, rows), [-0.7, 0.7])
        for seen, noise in ((one + other, 0.5), (one + 0.06 * other, 0.0), (one, 0.0))
    )
    return Answered(labels, mine, "Age", theirs)


@pytest.mark.parametrize("holdout", [300, 900])
def test_of_classes_it_is_shown_as_often_as_in_holdouts_of_new_rows(holdout: int) -> None:
    found = beyond_in_classes(answered(), holdout, LEVEL)
    new = [answered(holdout, seed=100 + seed) for seed in range(300)]
    gains = [
        difference_of(tables_of(one.labels, one.answers, one.of_column), LEVEL).low > 0
        for one in new
    ]
    assert 0.05 < np.mean(gains) < 0.999
    assert found.shown == pytest.approx(float(np.mean(gains)), abs=0.16)


def test_of_classes_more_rows_show_it_where_the_model_knows_more() -> None:
    found = beyond_in_classes(answered(), 300, LEVEL)
    assert found.times is not None
    assert found.shown < SURELY < 1 < found.times
    more = beyond_in_classes(answered(), round(300 * found.times), LEVEL)
    assert more.shown == pytest.approx(SURELY, abs=0.1)
    same = answered()
    knows_no_more = Answered(same.labels, same.of_column, "Age", same.of_column)
    assert beyond_in_classes(knows_no_more, 300, LEVEL) == Beyond("Age", 0.0, None)


def guessed(rows: int = 4_000, seed: int = 1) -> Guessed:
    """Rows whose number a column says by half, and a model by a little more."""
    chance = np.random.default_rng(seed)
    one, other, left, noise = chance.normal(size=(4, rows))
    number = one + other + left
    model = np.abs(number - one - 0.3 * other - 0.5 * noise)
    return Guessed(np.abs(number), model, "Age", np.abs(number - one))


@pytest.mark.parametrize("holdout", [150, 400])
def test_of_a_number_it_is_shown_as_often_as_the_gate_shows_it_of_new_rows(holdout: int) -> None:
    found = beyond_in_skill(guessed(40_000), holdout, LEVEL)
    new = [guessed(holdout, seed=100 + seed) for seed in range(200)]
    gains = [limits_of(one.of_column - one.off, one.nothing, LEVEL).low > 0 for one in new]
    assert 0.05 < np.mean(gains) < 0.999
    assert found.shown == pytest.approx(float(np.mean(gains)), abs=0.16)


def test_of_a_number_whose_rows_belong_together_less_is_shown() -> None:
    rows = guessed()
    together = replace(rows, clusters=np.arange(4_000) // 20)
    alone = beyond_in_skill(rows, 400, LEVEL)
    # Rows of a group are alike: the whole of it gains, or loses.
    order = np.argsort(rows.of_column - rows.off)
    alike = replace(
        together,
        **{name: getattr(rows, name)[order] for name in ("nothing", "off", "of_column")},
    )
    assert beyond_in_skill(alike, 400, LEVEL).shown < alone.shown - 0.2
