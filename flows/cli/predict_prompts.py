"""One person, asked for attribute by attribute. Enter takes the value shown; a mistake is said and
asked again.
"""

import os
import sys
from collections.abc import Callable

from sluice.errors import UsageError
from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.uploaded_table import Record, check_record

_UNKNOWN = "?"


def ask(contract: Contract) -> Record:
    """The record of one person. Lists on a terminal; where there is none, one answer a line of the
    standard input.
    """
    if sys.stdin.isatty() and os.environ.get("TERM") != "dumb":
        return _ask_terminal(contract)
    return {column.key: _ask_line(contract, column) for column in contract.features}


def read_answer(contract: Contract, column: Column, text: str) -> tuple[object, str]:
    """The value that an answer stands for, and what is wrong with it, empty where nothing is.

    Nothing typed is the value shown; a question mark is "not known", where the contract allows
    that.
    """
    text = text.strip()
    if not text and column.example is not None:
        return column.example, ""
    unknown = text == _UNKNOWN and column.missing == "impute"
    value = None if unknown else _choice(column, text) if column.values else read_cell(column, text)
    errors = check_record(contract, {column.key: value})
    wrong = any(error.field == column.name for error in errors)
    return value, f"{column.name} must be {column.allowed}" if wrong else ""


def _choice(column: Column, text: str) -> str:
    """A value by its number in the list, or as it is written, in any case."""
    if text.isdecimal() and 0 < int(text) <= len(column.values):
        return column.values[int(text) - 1]
    return next((value for value in column.values if value.lower() == text.lower()), text)


def _ask_line(contract: Contract, column: Column) -> object:
    print(_question(column), file=sys.stderr, flush=True)
    while True:
        line = sys.stdin.readline()
        if not line:
            what = f"the input ended before {column.name} was answered"
            raise UsageError(what, "Answer each question, or hand in a table with --file.")
        value, wrong = read_answer(contract, column, line)
        if not wrong:
            return value
        print(f"  {wrong}. Once more:", file=sys.stderr, flush=True)


def _question(column: Column) -> str:
    shown = "" if column.example is None else f" [{column.example}]"
    listed = "".join(f"\n  {number} {value}" for number, value in enumerate(column.values, 1))
    return f"{column.name}{'' if column.values else f': {_allowed(column)}'}{shown}{listed}"


def _allowed(column: Column) -> str:
    return column.allowed + (f", or {_UNKNOWN} if not known" if column.missing == "impute" else "")


def _ask_terminal(contract: Contract) -> Record:
    """The same with lists to choose from. The questions go to standard error, so the answer alone
    can be piped.
    """
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.output import create_output

    with create_app_session(output=create_output(stdout=sys.stderr)):
        return {column.key: _ask_one(contract, column) for column in contract.features}


def _ask_one(contract: Contract, column: Column) -> object:
    import questionary

    if column.values:
        unknown = (
            [questionary.Choice("Not known", value=_UNKNOWN)] if column.missing == "impute" else []
        )
        choices = [*(questionary.Choice(value, value=value) for value in column.values), *unknown]
        first = column.example if column.example is not None else column.values[0]
        chosen = questionary.select(
            f"{column.name}", choices, default=str(first), use_jk_keys=False
        ).unsafe_ask()
        return None if chosen == _UNKNOWN else chosen
    shown = "" if column.example is None else f" [{column.example}]"
    message = f"{column.name} ({_allowed(column)}){shown}"
    return read_answer(
        contract, column, questionary.text(message, validate=_check(contract, column)).unsafe_ask()
    )[0]


def _check(contract: Contract, column: Column) -> Callable[[str], bool | str]:
    def check(text: str) -> bool | str:
        return read_answer(contract, column, text)[1] or True

    return check
