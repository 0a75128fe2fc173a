"""What two models say of the same rows, against counts that are made another way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sluice.canary.replay import SHARES, Opinion, OtherUnit, Tally, judged
from sluice.canary.verdict import AS_BEFORE
from sluice.model.artifact.reference import Numbers, Reference
from sluice.policy import CanaryPolicy
from sluice.served.contract import load_contract
from sluice.served.encoding import Columns
from sluice.served.tiers import Tiers

PROJECT = Path(__file__).parents[3]
CONTRACT = load_contract((PROJECT / "models/attrition/contract.toml").read_text(encoding="utf-8"))
TIERS = CONTRACT.tiers
AGES: Reference = {"age": Numbers(True, (18.0, 30.0, 40.0, 50.0, 65.0), (5, 5, 5, 5))}


def rows(many: int, seed: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for column in CONTRACT.features:
        if column.numeric:
            low, high = float(column.minimum or 0), float(column.maximum or 0)
            columns[column.key] = np.floor(random.uniform(low, high, many))
        else:
            columns[column.key] = random.choice(np.array(column.values, dtype=object), many)
    return columns


def opinion(scores: np.ndarray, tiers: Tiers = TIERS) -> Opinion:
    return Opinion(scores, 0.45, tiers)


def counted(columns: Columns, before: np.ndarray, after: np.ndarray, chunk: int) -> Tally:
    tally = Tally(CONTRACT, AGES, CONTRACT)
    for start in range(0, len(before), chunk):
        part = slice(start, start + chunk)
        some = {key: values[part] for key, values in columns.items()}
        tally.add(some, opinion(before[part]), opinion(after[part]))
    return tally


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    before = random.uniform(0, 1, 4_000)
    return before, np.clip(before + random.normal(0.03, 0.1, 4_000), 0, 1)


def test_shares_and_changes_are_those_of_the_rows(scores: tuple[np.ndarray, np.ndarray]) -> None:
    before, after = scores
    tally = counted(rows(4_000), before, after, 700)
    running, candidate = tally.sides()
    for side, one in ((running, before), (candidate, after)):
        assert side.flagged.value == pytest.approx(np.mean(one >= 0.45))
        assert side.flagged.low < side.flagged.value < side.flagged.high
        assert sum(share.value for share in side.tiers.values()) == pytest.approx(1)
        found = [share.value for share in side.at_most]
        assert found == pytest.approx([np.mean(one <= limit) for limit in SHARES])
    expected = tally.expected()
    wanted = np.mean(after >= 0.45) - np.mean(before >= 0.45)
    assert expected.flagged.change == pytest.approx(wanted, abs=1e-6)
    assert len(expected.at_most) == 19
    assert sum(change.change for change in expected.tiers.values()) == pytest.approx(0, abs=1e-5)
    same = np.mean((after >= 0.45) == (before >= 0.45))
    assert tally.agreement().value == pytest.approx(same)


def test_the_size_of_the_chunks_changes_nothing(scores: tuple[np.ndarray, np.ndarray]) -> None:
    columns = rows(4_000)
    whole, parts = (counted(columns, *scores, chunk) for chunk in (4_000, 77))
    assert whole.expected() == parts.expected()
    assert whole.migration() == parts.migration()
    assert [one.column for one in whole.largest()] == [one.column for one in parts.largest()]


def test_the_margin_covers_the_true_change_as_often_as_it_says() -> None:
    random, columns = np.random.default_rng(9), rows(300)
    # newly flagged, no longer, both, neither
    kinds, before, after = (0.05, 0.02, 0.3, 0.63), (0.2, 0.8, 0.8, 0.2), (0.8, 0.2, 0.8, 0.2)
    covered = 0
    for _ in range(400):
        counts = random.multinomial(300, kinds)
        tally = counted(columns, np.repeat(before, counts), np.repeat(after, counts), 300)
        change = tally.expected().flagged
        covered += abs(change.change - 0.03) <= change.margin
    assert covered / 400 >= 0.97


def test_models_that_never_differed_may_still_differ_a_little() -> None:
    same = np.linspace(0, 1, 200)
    change = counted(rows(200), same, same, 200).expected().flagged
    assert change.change == 0
    assert 0 < change.margin < 0.05


def test_rows_move_between_tiers_of_other_names() -> None:
    other = replace(TIERS, names=("calm", "low", "medium", "high"))
    tally = Tally(CONTRACT, AGES, replace(CONTRACT, tiers=other))
    tally.add(
        rows(3), opinion(np.array([0.1, 0.3, 0.9])), opinion(np.array([0.1, 0.1, 0.9]), other)
    )
    assert tally.migration()["low"] == {"calm": 1, "low": 0, "medium": 0, "high": 0}
    expected = tally.expected()
    assert expected.tiers["very low"].change == pytest.approx(-1 / 3, abs=1e-6)
    assert expected.tiers["calm"].change == pytest.approx(2 / 3, abs=1e-6)


def test_the_column_whose_values_changed_is_first_with_those_values() -> None:
    columns = rows(4_000)
    before = np.full(4_000, 0.4)
    after = np.where(columns["age"] >= 50, 0.6, before)
    first = counted(columns, before, after, 500).largest()[0]
    assert first.column == "Age"
    assert first.values[0].value == "50 and over"
    assert first.values[0].flagged == first.values[0].rows == np.sum(columns["age"] >= 50)
    assert first.values[0].change == pytest.approx(0.2)
    assert first.values[1].change == 0


def test_the_limit_is_the_share_of_flags_that_change() -> None:
    before = np.full(100, 0.4)
    for changed, within in ((15, True), (16, False)):
        after = np.where(np.arange(100) < changed, 0.5, 0.4)
        found = judged(counted(rows(100), before, after, 100), CanaryPolicy(replay_changed=0.15))
        assert found[0] is within
        assert (
            f"changes is {changed}.0 % ({changed} of 100); at most 15.0 % is required" in found[1]
        )


def test_a_candidate_that_refuses_what_is_served_is_refused() -> None:
    same = np.full(94, 0.4)
    tally = counted(rows(94), same, same, 94)
    tally.refused = 6
    within, sentence = judged(tally, CanaryPolicy())
    assert not within
    assert "the candidate alone refuses is 6.0 %; at most 5.0 % is required" in sentence


def test_a_column_in_another_unit_is_refused_however_few_flags_change() -> None:
    same = np.full(94, 0.4)
    unit = OtherUnit("Years at Company", 1 / 12, "years for months")
    within, sentence = judged(counted(rows(94), same, same, 94), CanaryPolicy(), [unit])
    assert not within
    assert sentence == (
        "Years at Company is served 0.08333 times what the candidate learnt from (years for"
        " months); the same unit is required. Train it on rows in the unit that is served."
    )


def test_no_rows_foretell_nothing_and_are_refused() -> None:
    tally = Tally(CONTRACT, AGES, CONTRACT)
    assert tally.expected() == AS_BEFORE
    within, sentence = judged(tally, CanaryPolicy())
    assert not within
    assert "answers 0 rows" in sentence
