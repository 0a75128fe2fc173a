"""The questions of `sluice predict`: what an answer means, and the lists of a terminal."""

import io
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from support.model_artifacts import MODEL

from flows.predict import prompts
from sluice.errors import UsageError
from sluice.served.contract import Column, load_contract
from sluice.served.uploaded_table import check_record

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
GOOD = {column.key: column.example for column in CONTRACT.features}


@pytest.mark.parametrize(
    ("key", "typed", "value", "wrong"),
    [
        ("job_level", "3", "Senior", False),
        ("job_level", "senior", "Senior", False),
        ("job_level", "4", "4", True),
        ("job_level", "?", "?", True),
        ("distance_from_home", "?", None, False),
        ("distance_from_home", "", 50, False),
        ("age", "?", "?", True),
        ("age", " 40 ", 40, False),
        ("age", "40.5", 40.5, True),
        ("monthly_income", "7,300", "7,300", True),
        ("monthly_income", "7.3e3", 7300.0, False),
    ],
)
def test_an_answer_is_a_value_or_a_mistake(
    key: str, typed: str, value: object, wrong: bool
) -> None:
    column = CONTRACT.find(key)
    assert column is not None
    read, mistake = prompts.read_answer(CONTRACT, column, typed)
    assert (read, bool(mistake)) == (value, wrong)


def test_on_a_terminal_the_values_are_chosen_from_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    wrong_first = "17\r\x7f\x7f41\r"  # refused; both digits taken back; typed again
    keys = {"age": wrong_first, "overtime": "\x1b[B\r", "distance_from_home": "?\r"}
    with create_pipe_input() as keyboard, create_app_session(input=keyboard):
        keyboard.send_text("".join(keys.get(column.key, "\r") for column in CONTRACT.features))
        monkeypatch.setattr(sys, "stdin", _Terminal())
        record = prompts.ask(CONTRACT)
    assert record == GOOD | {"age": 41, "overtime": "Yes", "distance_from_home": None}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@given(st.sampled_from(CONTRACT.features), st.text(max_size=12))
@settings(deadline=None)
def test_whatever_is_typed_is_a_value_that_the_contract_allows_or_a_named_mistake(
    column: Column, text: str
) -> None:
    value, mistake = prompts.read_answer(CONTRACT, column, text)
    wrong = [
        e for e in check_record(CONTRACT, GOOD | {column.key: value}) if e.field == column.name
    ]
    assert bool(mistake) == bool(wrong)
    assert mistake in ("", f"{column.name} must be {column.allowed}")


@given(st.sampled_from([column for column in CONTRACT.features if column.values]), st.data())
@settings(deadline=None)
def test_a_value_of_a_list_is_chosen_by_its_number_or_its_name_in_any_case(
    column: Column, data: st.DataObject
) -> None:
    place = data.draw(st.integers(1, len(column.values)))
    value = column.values[place - 1]
    for text in (str(place), value, value.upper(), f"  {value.lower()} "):
        assert prompts.read_answer(CONTRACT, column, text) == (value, "")


@pytest.mark.parametrize("column", CONTRACT.features, ids=lambda column: column.key)
def test_enter_takes_the_value_that_is_shown(column: Column) -> None:
    assert prompts.read_answer(CONTRACT, column, "\n") == (column.example, "")


@pytest.mark.parametrize("column", CONTRACT.features, ids=lambda column: column.key)
def test_without_a_value_that_is_shown_enter_is_no_answer_unless_it_may_be_unknown(
    column: Column,
) -> None:
    bare = replace(column, example=None)
    value, mistake = prompts.read_answer(CONTRACT, bare, "")
    assert value in (None, "")
    assert bool(mistake) == (column.missing != "impute")


@pytest.mark.parametrize("number", ["0", "4", "-1", "1.0", "²", "٣", "01"])
def test_a_number_that_is_no_place_of_the_list_is_no_choice(number: str) -> None:
    column = CONTRACT.find("job_level")
    assert column is not None
    value, mistake = prompts.read_answer(CONTRACT, column, number)
    if number in ("٣", "01"):  # digits all the same
        assert mistake == ""
    else:
        assert (value, mistake) == (number, "Job Level must be one of Entry, Mid, Senior")


def test_a_pipe_answers_one_question_with_each_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "41\n" + "\n" * len(CONTRACT.features))
    assert prompts.ask(CONTRACT) == GOOD | {"age": 41}
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Age: a whole number from 18 to 65 years [38]\n")
    assert "Distance from Home: " in err
    assert ", or ? if not known [50]" in err
    assert [line for line in err.splitlines() if line.startswith("Job Level")] == [
        "Job Level [Mid]"
    ]


def test_a_wrong_line_is_named_and_the_next_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "17\nold\n18\n" + "\n" * len(CONTRACT.features))
    assert prompts.ask(CONTRACT)["age"] == 18
    err = capsys.readouterr().err
    assert err.count("  Age must be a whole number from 18 to 65 years. Once more:\n") == 2


@pytest.mark.parametrize("answered", range(0, len(CONTRACT.features), 5))
def test_an_input_that_ends_names_the_question_that_was_open(
    answered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "\n" * answered)
    with pytest.raises(UsageError) as raised:
        prompts.ask(CONTRACT)
    name = CONTRACT.features[answered].name
    assert raised.value.what == f"the input ended before {name} was answered"
    assert raised.value.fix == "Answer each question, or give a table with --file."


def test_a_terminal_that_cannot_move_its_cursor_is_asked_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdin", _Terminal("\n" * len(CONTRACT.features)))
    assert prompts.ask(CONTRACT) == GOOD
