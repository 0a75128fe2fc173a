"""A table that is too large to be held: how much of it is read, and what a sample must not lose."""

import io
from collections.abc import Callable

import numpy as np
import pytest

from sluice.draft import sampling
from sluice.draft.drafting import draft, draft_from
from sluice.draft.proposals import Choices
from sluice.draft.sampling import Sample, sample
from sluice.errors import Refused

MOST = 4_000
ROWS = 7_000
RARE = ROWS - 5  # the only row with a value, a limit or a sign that the others do not have


def large(odd: dict[str, object] | None = None, rows: int = ROWS) -> str:
    """A CSV of made-up stays; `odd` are the cells of the one row RARE."""
    rng = np.random.default_rng(8)
    days = rng.integers(1, 400, rows)
    cost = rng.gamma(2, 300, rows).round(2)
    again = rng.random(rows) < 1 / (1 + np.exp(2.5 - days / 150))
    columns: dict[str, list[object]] = {
        "stay_id": list(range(10_000, 10_000 + rows)),
        "patient_id": (rng.integers(0, rows // 3, rows) + 70_000).tolist(),
        "days": days.tolist(),
        "cost": cost.tolist(),
        "ward": rng.choice(["east", "west"], rows).tolist(),
        "again": np.where(again, "yes", "no").tolist(),
    }
    for name, cell in (odd or {}).items():
        columns[name][RARE] = cell
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


class Counted(io.BytesIO):
    """A file in memory that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.taken += len(found)
        return found


def sampled(data: bytes) -> Sample:
    found = sample(io.BytesIO(data), len(data), "stays.csv", lambda _what, _share: None, MOST)
    assert found is not None
    return found


def test_a_small_table_is_read_whole() -> None:
    data = large(rows=MOST - 1).encode()
    assert sample(io.BytesIO(data), len(data), "t", lambda _what, _share: None, MOST) is None


def test_of_a_large_table_each_byte_is_read_three_times_at_most_and_few_rows_are_kept() -> None:
    data = large().encode()
    file = Counted(data)
    told: list[float] = []
    found = sample(file, len(data), "t", lambda _what, share: told.append(share), MOST)
    assert found is not None
    assert file.taken <= 3 * len(data)  # lines counted, the make found, the rows
    assert (found.rows, int(found.drawn.sum())) == (ROWS, MOST)  # type: ignore[union-attr]
    assert found.data.count(b"\n") - 1 == len(found.drawn) < MOST + 600  # type: ignore[arg-type]
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_equal_tables_give_equal_samples() -> None:
    data = large().encode()
    assert sampled(data).data == sampled(data).data


def test_each_row_is_as_likely_as_another() -> None:
    rows = [line.split(",")[0] for line in sampled(large().encode()).data.decode().splitlines()]
    places = np.array(rows[1:], dtype=int) - 10_000
    tenths = np.histogram(places, bins=10, range=(0, ROWS))[0] / len(places)
    assert np.abs(tenths - 0.1).max() < 0.01


SHOWN = {
    "a value": ({"ward": "north"}, 'values = ["east", "north", "west"]'),
    "a limit": ({"cost": 99_999.5}, "maximum = 130000.0"),
    "a fraction": ({"days": 1.5}, 'kind = "number"\nminimum = 0.0\nmaximum = 500.0'),
    "a missing number": ({"cost": ""}, 'missing = "keep"'),
    "a sign of missing": ({"cost": "?"}, 'missing = ["?"]'),
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_one_row_alone_shows_is_in_the_contract(case: str) -> None:
    odd, line = SHOWN[case]
    found = sampled(large(odd).encode())
    drafted = draft_from(found, "stays.csv", "stays", Choices(), lambda _what, _share: None)
    assert line in drafted.contract


def test_keys_are_told_by_all_rows() -> None:
    found = sampled(large().encode())
    assert found.distinct["stay_id"] == ROWS
    patients = len({line.split(",")[1] for line in large().splitlines()[1:]})
    assert found.distinct["patient_id"] == pytest.approx(patients, rel=0.05)
    drafted = draft_from(found, "stays.csv", "stays", Choices(), lambda _what, _share: None)
    assert [column.name for column in drafted.roles.role("group")] == ["patient_id"]
    assert [column.name for column in drafted.roles.role("id")] == ["stay_id"]
    assert drafted.rows == ROWS
    assert drafted.looked_at == MOST


def test_a_repeated_key_is_found_where_only_a_part_of_the_values_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampling, "_HASHES", 500)
    found = sampled(large().encode())
    assert found.distinct["stay_id"] == ROWS
    assert found.distinct["patient_id"] == pytest.approx(2_210, rel=0.2)


def test_a_sample_says_so_and_with_which_error() -> None:
    found = sampled(large().encode())
    drafted = draft_from(found, "stays.csv", "stays", Choices(), lambda _what, _share: None)
    assert drafted.said[0].startswith("7,000 rows and 6 columns")
    assert (
        "come from 4,000 of them, drawn by chance: a share is at most 1.5 % off"
        in (drafted.said[1])
    )
    assert drafted.limits.sampled
    assert drafted.limits.holdout == pytest.approx(1_400, rel=0.08)
    assert drafted.limits.minimum_rows == pytest.approx(3_500, rel=0.01)


def test_a_sample_gives_the_model_of_the_whole_table() -> None:
    data = large().encode()
    whole = draft(data, "stays.csv", "stays", Choices())
    part = draft_from(sampled(data), "stays.csv", "stays", Choices(), lambda _what, _share: None)
    assert [(c.name, c.role, c.kind, c.low, c.high) for c in part.roles.columns] == [
        (c.name, c.role, c.kind, c.low, c.high) for c in whole.roles.columns
    ]
    assert part.limits.roc_auc == pytest.approx(whole.limits.roc_auc, abs=0.03)


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-8-sig": lambda text: text.encode("utf-8-sig"),
    "cp1252": lambda text: text.encode("cp1252"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_encoding_is_found_where_only_the_end_shows_it(encoding: str) -> None:
    found = sampled(ENCODINGS[encoding](large({"ward": "süd"})))
    drafted = draft_from(found, "stays.csv", "stays", Choices(), lambda _what, _share: None)
    assert "süd" in drafted.contract
    assert [column.name for column in drafted.roles.role("id")] == ["stay_id"]


def test_a_row_of_another_length_is_named_by_its_line() -> None:
    with pytest.raises(Refused, match=f"7 cells in line {RARE + 2}; 6 are required"):
        sampled(large({"ward": "east,west"}).encode())
