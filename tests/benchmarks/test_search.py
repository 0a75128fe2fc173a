"""The benchmark of searches: what it calls good, and that its tables are what they say."""

from pathlib import Path

import msgspec
import pytest

from benchmarks import scale, search

SAMPLED = search.Found(80, 1.0, "gradient_boosting", 0.70, 0.01, 0.80)
ADAPTIVE = search.Found(40, 0.5, "gradient_boosting", 0.695, 0.01, 0.80)
GOOD = search.Compared("a table", 100, 0.3, SAMPLED, ADAPTIVE, 40, 0.805)


@pytest.mark.parametrize(
    ("compared", "good"),
    [
        (GOOD, True),
        (msgspec.structs.replace(GOOD, reference=0.82), False),
        (msgspec.structs.replace(GOOD, most=39), False),
        (
            msgspec.structs.replace(GOOD, adaptive=msgspec.structs.replace(ADAPTIVE, score=0.685)),
            False,
        ),
    ],
    ids=["within all bounds", "below the reference", "too many fits", "worse by more than chance"],
)
def test_it_is_good_where_half_of_the_fits_find_as_good_a_winner(
    compared: search.Compared, good: bool
) -> None:
    assert compared.good is good
    assert search.table([compared]).count("\n") == 4


def test_made_up_tables_have_their_size_and_their_share_of_positives() -> None:
    made = list(search.tables("", 0.2))
    assert [len(one.learnt.labels) for one in made] == [300, 1_200, 600]
    for one, share in zip(made, (0.30, 0.05, 0.15), strict=True):
        assert one.labels.mean() == pytest.approx(share, abs=0.03)
        assert one.features.shape[1] == len(one.learnt.numeric) == 22
        assert len(one.labels) >= 10_000


def test_a_large_table_has_its_rows_and_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    scale.write(path, 1_234)
    lines = path.read_text().splitlines()
    assert len(lines) == 1_235
    assert {line.count(",") + 1 for line in lines} == {scale.COLUMNS}
    assert lines[1].startswith("C00000000,")
    assert lines[1].endswith((",yes", ",no"))


def test_ranges_of_the_drafted_contract_are_widened() -> None:
    text = 'kind = "number"\nminimum = -3.5\nmaximum = 120\nexample = 4\n'
    assert scale.widened(text) == (
        'kind = "number"\nminimum = -1000\nmaximum = 1000\nexample = 4\n'
    )


def test_memory_and_time_of_the_largest_size_are_bounded() -> None:
    small = [scale.Took("train", 1.0, 1.0, 2**30)]
    large = [scale.Took("train", 9.0, 9.0, 5 * 2**30)]
    assert scale.good({500: small, 5_000: large})
    slow = [msgspec.structs.replace(large[0], processors=11.0)]
    assert not scale.good({500: small, 5_000: slow})
    wide = [msgspec.structs.replace(large[0], memory=7 * 2**30)]
    assert not scale.good({500: small, 5_000: wide})
