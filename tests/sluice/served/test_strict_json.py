"""Strict JSON: as Python's own where that is plain, and never a name twice."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.served.strict_json import DECODER, Odd, Twice, as_json, plain

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.dictionaries(st.text(), PLAIN.filter(lambda value: value not in (math.inf, -math.inf))))
def test_a_flat_object_is_read_as_python_reads_it(values: dict[str, object]) -> None:
    assert DECODER.decode(json.dumps(values)) == values


@given(st.text(), st.integers(), st.text())
def test_a_name_twice_is_raised_with_both_values(name: str, first: int, second: str) -> None:
    quoted = json.dumps(name)
    text = f"{{{quoted}: {first}, {quoted}: {json.dumps(second)}}}"
    with pytest.raises(Twice) as caught:
        DECODER.decode(text)
    assert caught.value.name == name
    assert caught.value.values == [first, second]


@pytest.mark.parametrize("text", ['{"a": {"b": 1, "b": 2}}', '[{"b": 1, "b": 2}]'])
def test_a_name_twice_is_found_at_any_depth(text: str) -> None:
    with pytest.raises(Twice, match=r"^b$"):
        DECODER.decode(text)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
        ("9" * 301, "9" * 80),
        ('{"b": 1}', '{"b": 1}'),
        ("[1, 2]", "[1, 2]"),
        ("[]", "[]"),
    ],
)
def test_what_no_column_takes_is_kept_as_it_was_written(written: str, kept: str) -> None:
    [value] = DECODER.decode(f'{{"a": {written}}}').values()
    assert isinstance(value, Odd)
    assert repr(value) == value.text == kept


def test_the_longest_whole_number_that_is_read() -> None:
    assert DECODER.decode("9" * 300) == 10**300 - 1
    assert DECODER.decode("1" * 301) == Odd("1" * 80)


@given(st.text(st.characters(), max_size=200))
def test_what_is_shown_is_short_and_can_be_sent(text: str) -> None:
    for shown in (plain(text), as_json(text)):
        assert len(shown) <= 80
        assert shown.encode().decode() == shown


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert plain("a\ud800b") == "a?b"
    assert as_json("\udfff") == '"?"'


def test_what_json_does_not_have_is_shown_as_python_writes_it() -> None:
    assert as_json(Odd("NaN")) == '"NaN"'
    assert as_json([1, None, True]) == "[1, null, true]"
