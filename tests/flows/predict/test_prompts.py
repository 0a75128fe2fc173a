"""The questions of `sluice predict`: what an answer means, and the lists of a terminal."""

import io
import sys

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from support.model_artifacts import MODEL

from flows.predict import prompts
from sluice.served.contract import load_contract

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
