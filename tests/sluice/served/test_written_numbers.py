"""How numbers are read that are written for people: thousands that stand apart, and signs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.served.reading import THOUSANDS, Reading, read_reading


def grouped(number: int, between: str) -> str:
    return f"{number:,}".replace(",", between)


@given(
    st.integers(-(10**12), 10**12),
    st.sampled_from(sorted(THOUSANDS)),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "25", "5"]),
    st.sampled_from(["", "€", "%", "EUR"]),
    st.booleans(),
)
def test_a_number_is_itself_however_it_is_written(
    number: int, between: str, decimal: str, part: str, sign: str, before: bool
) -> None:
    if between == decimal:
        return
    reading = Reading(decimal=decimal, thousands=between, signs=("€", "%", "EUR"))
    text = grouped(number, between) + (decimal + part if part else "")
    text = f"{sign} {text}" if before else f"{text} {sign}"
    wanted = f"{number}.{part}" if part else str(number)
    assert reading.plain(text, numeric=True) == wanted
    assert reading.plain(text, numeric=False) == text.strip()


@pytest.mark.parametrize(
    "text",
    ["1.23", "12.3456", "1.234.56", ".234", "1..234", "0.123", "1.234-", "a", "€€5", "1 234"],
)
def test_what_is_grouped_otherwise_is_no_number(text: str) -> None:
    reading = Reading(decimal=",", thousands=".", signs=("€",))
    with pytest.raises(ValueError, match="could not convert"):
        float(reading.plain(text, numeric=True))


@pytest.mark.parametrize("text", ["-€5", "€-5", "- € 5", "-5€", "-5 €"])
def test_a_minus_may_stand_before_the_sign(text: str) -> None:
    assert float(Reading(signs=("€",)).plain(text, numeric=True).replace(" ", "")) == -5


def test_blanks_between_thousands_may_be_narrow_or_hard() -> None:
    reading = Reading(thousands=" ")
    assert {reading.plain(f"1{one}234", numeric=True) for one in THOUSANDS[" "]} == {"1234"}


def test_what_stands_for_missing_comes_first() -> None:
    assert Reading(missing=("€",), signs=("€",)).plain(" € ", numeric=True) == ""


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"thousands": "."}, "thousands is '.'; another sign than the decimal one is required"),
        (
            {"thousands": ",", "decimal": ","},
            "thousands is ','; another sign than the decimal one is required",
        ),
        ({"thousands": "_"}, "thousands is '_'"),
        ({"signs": ["5"]}, "signs has '5'"),
        ({"signs": ["-"]}, "signs has '-'"),
        ({"signs": "€"}, "signs is '€'"),
        ({"signs": ["€"] * 101}, "signs has 101 entries"),
    ],
)
def test_what_cannot_be_read_so_is_refused(spec: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_reading("contract.toml", {"reading": spec})
    assert what in raised.value.what


def test_a_contract_says_both() -> None:
    spec = {"thousands": ".", "decimal": ",", "signs": ["€", " % ", "€", " "]}
    found = read_reading("contract.toml", {"reading": spec})
    assert (found.thousands, found.signs, found.as_written) == (".", ("€", "%"), False)
    assert read_reading("contract.toml", {}).as_written
