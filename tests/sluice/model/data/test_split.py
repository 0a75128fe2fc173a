"""The split: a row's part depends on its id and the salt, and on nothing else."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import Refused
from sluice.model.data.split import PARTS, parts, row_hashes
from sluice.policy import SplitPolicy

POLICY = SplitPolicy("salt", 0.6, 0.2, 0.2)


def split(ids: np.ndarray, policy: SplitPolicy = POLICY) -> dict[int, str]:
    """The part of each id."""
    labels = np.arange(len(ids)) % 2
    rows = parts(policy, row_hashes(policy.salt, ids), labels)
    return {int(ids[row]): part for part, members in rows.items() for row in members}


@given(st.integers(0, 2**32 - 1), st.integers(300, 900), st.integers(300, 900))
@settings(max_examples=30, deadline=None)
def test_a_row_never_moves_when_rows_are_added_taken_away_or_reordered(
    seed: int, few: int, more: int
) -> None:
    random = np.random.default_rng(seed)
    ids = random.permutation(few + more)
    first, all_of_them = split(ids[:few]), split(random.permutation(ids))
    assert len(all_of_them) == few + more
    assert {identity: all_of_them[identity] for identity in first} == first


def test_the_shares_are_those_of_the_policy() -> None:
    found = list(split(np.arange(100_000)).values())
    shares = [found.count(part) / 100_000 for part in PARTS]
    np.testing.assert_allclose(shares, [0.6, 0.2, 0.2], atol=0.005)
    uneven = list(split(np.arange(20_000), SplitPolicy("salt", 0.1, 0.7, 0.2)).values())
    np.testing.assert_allclose(
        [uneven.count(part) / 20_000 for part in PARTS], [0.1, 0.7, 0.2], atol=0.015
    )


def test_every_row_is_in_one_part_and_rows_keep_their_order() -> None:
    rows = parts(POLICY, row_hashes("salt", range(1_000)), np.arange(1_000) % 2)
    assert tuple(rows) == PARTS
    assert sorted(np.concatenate(list(rows.values()))) == list(range(1_000))
    assert all((np.diff(members) > 0).all() for members in rows.values())


def test_another_salt_is_another_split() -> None:
    first, second = (
        split(np.arange(1_000)),
        split(np.arange(1_000), SplitPolicy("other", 0.6, 0.2, 0.2)),
    )
    assert sum(first[row] != second[row] for row in first) > 300


def test_a_hash_is_that_of_salt_and_id_whatever_type_the_id_came_in() -> None:
    digest = hashlib.sha256(b"salt\x0042").digest()
    expected = int.from_bytes(digest[:8], "big")
    for identity in (42, "42", np.int64(42)):
        [found] = row_hashes("salt", [identity])
        assert found == expected
    assert row_hashes("salt", ["Zoë", "zoe"]).dtype == np.uint64
    assert len(row_hashes("salt", [])) == 0
    assert row_hashes("a", ["bc"]) != row_hashes("ab", ["c"])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("label", [0, 1])
def test_a_part_without_both_classes_is_refused(part: str, label: int) -> None:
    hashes = row_hashes("salt", range(1_000))
    labels = np.arange(1_000) % 2
    rows = parts(POLICY, hashes, labels)
    labels[rows[part]] = label
    labels[rows[part][:4]] = 1 - label
    with pytest.raises(Refused, match=f"the {part} part has .*at least 5 of each are required"):
        parts(POLICY, hashes, labels)
    labels[rows[part][:5]] = 1 - label
    assert len(parts(POLICY, hashes, labels)) == 3


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(Refused) as caught:
        parts(POLICY, row_hashes("salt", range(10)), np.arange(10) % 2)
    assert "Bring more rows" in caught.value.fix
    assert caught.value.exit_code == 3


def test_the_largest_hash_is_in_the_holdout() -> None:
    hashes = np.concatenate(
        [row_hashes("salt", range(999)), np.array([2**64 - 1, 0], dtype=np.uint64)]
    )
    rows = parts(POLICY, hashes, np.arange(1_001) % 2)
    assert 999 in rows["holdout"]
    assert 1_000 in rows["train"]
