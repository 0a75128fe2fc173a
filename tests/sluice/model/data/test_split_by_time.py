"""The split by time: train on the past, decide on the newest; ties, missing times, groups."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import Refused
from sluice.model.data.extension import extended
from sluice.model.data.split import PARTS, later_than, parts_by_time
from sluice.model.data.times import times_of
from sluice.model.fit.training import forward_folds
from sluice.policy import SplitPolicy
from sluice.served.contract import load_contract

POLICY = SplitPolicy("salt", 0.6, 0.2, 0.2, by="time")
FIRST = np.datetime64("2025-01-01", "us")


def on_days(days: np.ndarray) -> np.ndarray:
    return FIRST + days.astype("timedelta64[D]")


def alternating(count: int) -> np.ndarray:
    return np.arange(count) % 2


@given(st.integers(0, 2**32 - 1), st.integers(200, 600), st.integers(20, 700))
@settings(max_examples=40, deadline=None)
def test_every_row_is_in_one_part_and_no_row_learns_from_its_future(
    seed: int, rows: int, days: int
) -> None:
    chance = np.random.default_rng(seed)
    times = on_days(chance.integers(0, days, rows))
    labels = chance.permutation(alternating(rows))
    found = parts_by_time(POLICY, times, None, labels)
    assert sorted(np.concatenate(list(found.values()))) == list(range(rows))
    train, validation, holdout = (times[found[part]] for part in PARTS)
    assert train.max() < validation.min() <= validation.max() < holdout.min()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    chance = np.random.default_rng(seed)
    times, labels = on_days(chance.integers(0, 90, 400)), alternating(400)
    order = chance.permutation(400)
    first = parts_by_time(POLICY, times, None, labels)
    other = parts_by_time(POLICY, times[order], None, labels[order])
    for part in PARTS:
        assert set(order[other[part]]) == set(first[part])


def test_the_shares_are_those_of_the_policy_where_no_times_are_equal() -> None:
    found = parts_by_time(POLICY, on_days(np.arange(1_000)), None, alternating(1_000))
    assert [len(found[part]) for part in PARTS] == [600, 200, 200]


def test_rows_of_one_time_stay_together_in_the_later_part() -> None:
    days = np.array([*range(55), *[55] * 30, *range(56, 71)])
    found = parts_by_time(POLICY, on_days(days), None, alternating(100))
    assert days[found["train"]].max() == 54
    assert sorted(set(days[found["validation"]])) == [55]
    assert days[found["holdout"]].min() == 56


def test_newer_rows_move_the_holdout_on_and_older_ones_never_return_to_it() -> None:
    days = np.arange(1_000)
    before = parts_by_time(POLICY, on_days(days[:800]), None, alternating(800))
    after = parts_by_time(POLICY, on_days(days), None, alternating(1_000))
    assert after["holdout"].min() > before["holdout"].min()
    assert set(before["train"]) <= set(after["train"])
    assert set(after["holdout"]).isdisjoint([*before["train"], *before["validation"]])


def test_of_a_group_the_rows_in_its_last_part_stay_and_the_others_are_in_none() -> None:
    groups = np.arange(300).astype(np.uint64)
    groups[[10, 200, 290]] = 7  # in train, validation and holdout
    groups[[20, 30]] = 8  # twice in train
    found = parts_by_time(POLICY, on_days(np.arange(300)), groups, alternating(300))
    held = np.concatenate(list(found.values()))
    assert set(range(300)) - set(held) == {7, 10, 200}
    assert 290 in found["holdout"]
    assert {20, 30} <= set(found["train"])
    owners = [set(groups[found[part]]) for part in PARTS]
    assert not owners[0] & owners[1] | owners[1] & owners[2] | owners[0] & owners[2]


def test_groups_that_are_always_there_leave_nothing_to_learn_from() -> None:
    groups = (np.arange(600) % 20).astype(np.uint64)
    with pytest.raises(Refused) as refused:
        parts_by_time(POLICY, on_days(np.arange(600)), groups, np.arange(600) % 3 % 2)
    assert "the train part has 0 positive and 0 negative rows" in refused.value.what
    assert refused.value.fix == (
        "480 rows are left out, because their group is there later too: bring older rows of other"
        ' groups, or write by = "hash" in [split].'
    )


def test_a_row_without_a_time_is_refused_and_counted() -> None:
    times = on_days(np.arange(100))
    times[[3, 4]] = np.datetime64("NaT")
    with pytest.raises(Refused, match="2 rows have no time that can be read; none may lack one"):
        parts_by_time(POLICY, times, None, alternating(100))


def test_two_different_times_make_no_three_parts() -> None:
    with pytest.raises(Refused) as refused:
        parts_by_time(POLICY, on_days(alternating(100)), None, alternating(100))
    assert refused.value.fix == "Its rows have 2 different times; at least 3 are required."


def test_times_are_read_as_days_and_times_with_their_zones() -> None:
    cells = pd.Categorical(
        ["2026-01-02", "2026-01-02 03:04:05", "2026-01-02T03:04:05+02:00", None, "soon", "2026"]
    )
    assert [str(one) for one in times_of(cells)] == [
        "2026-01-02T00:00:00.000000",
        "2026-01-02T03:04:05.000000",
        "2026-01-02T01:04:05.000000",
        "NaT",
        "NaT",
        "NaT",
    ]


def test_only_what_is_later_was_surely_not_seen() -> None:
    times = np.array(["2026-01-01", "2026-01-02", "NaT", "2026-01-03"], dtype="datetime64[us]")
    assert later_than("2026-01-02T00:00:00.000000", times).tolist() == [False, False, False, True]


def test_folds_go_forward_and_share_no_group() -> None:
    times, labels = on_days(np.arange(600) // 3), alternating(600)
    groups = np.arange(600) // 2
    folds = forward_folds(labels, groups, times, 5)
    assert len(folds) == 5
    for learnt, judged in folds:
        assert times[learnt].max() < times[judged].min()
        assert not set(groups[learnt]) & set(groups[judged])
    assert [len(judged) for _, judged in folds] == pytest.approx([100] * 5, abs=3)
    with pytest.raises(Refused, match="fold 1 of 5 by time lacks one of the two classes"):
        forward_folds(labels, None, on_days(np.zeros(600, dtype=int)), 5)


def test_a_holdout_that_moves_on_is_not_extended() -> None:
    contract = load_contract(
        'schema = 2\n[target]\ncolumn = "y"\npositive = "1"\nnegative = "0"\n'
        '[columns.id]\nrole = "id"\nkind = "category"\n'
        '[columns.y]\nrole = "target"\nkind = "boolean"\nvalues = ["0", "1"]\n'
        '[columns.x]\nrole = "feature"\nkind = "number"\nminimum = 0\nmaximum = 9\n'
    )
    table = pd.DataFrame({"id": ["a"], "y": ["1"], "x": ["2"]})
    with pytest.raises(Refused, match="newer rows move its holdout on"):
        extended(table, table, contract, POLICY)
