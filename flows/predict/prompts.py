"""One row, asked for attribute by attribute.

Enter takes the value shown; a mistake is named, and the question asked again.
"""

import os
import sys
from collections.abc import Callable

from flows.adapters.plain_text import say
from sluice.errors import UsageError
from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Record
from sluice.served.uploaded_table import check_record

_UNKNOWN = "?"
_MOST_LISTED = 20  # values of a category that takes any text


def ask(contract: Contract) -> Record:
    """Ask for the record of one row.

    With lists on a terminal, and else with one answer on each line of the standard input. Raises
    UsageError where that ends early.
    """
    if sys.stdin.isatty() and os.environ.get("TERM") != "dumb":
        return _ask_terminal(contract)
    return {column.key: _ask_line(contract, column) for column in contract.features}


def read_answer(contract: Contract, column: Column, text: str) -> tuple[object, str]:
    """The value that an answer means, and what is wrong with it, empty where nothing is.

    An empty answer means the value shown; a question mark means "not known", where the contract
    allows that.
    """
    text = text.strip()
    if not text and column.example is not None:
        return column.example, ""
    value = _value(column, text)
    for error in check_record(contract, {column.key: value}):
        if error.field == column.name:
            return value, f"{column.name} must be {column.allowed}"
    return value, ""


def _value(column: Column, text: str) -> object:
    if text == _UNKNOWN and _may_be_unknown(column):
        return None
    return _choice(column, text) if column.values else read_cell(column, text)


def _may_be_unknown(column: Column) -> bool:
    return column.missing == "impute" or column.kept


def _choice(column: Column, text: str) -> object:
    """A value by its number in the list, or as it is written, in any case; what else is typed."""
    if column.other and (text in column.values or not _is_listed(column)):
        return read_cell(column, text)
    if text.isdecimal() and 0 < int(text) <= len(column.values):
        return column.values[int(text) - 1]
    for value in column.values:
        if value.lower() == text.lower():
            return value
    return read_cell(column, text) if column.other else text


def _ask_line(contract: Contract, column: Column) -> object:
    say(_question(column))
    while True:
        line = sys.stdin.readline()
        if not line:
            raise UsageError(
                f"the input ended before {column.name} was answered",
                "Answer each question, or give a table with --file.",
            )
        value, wrong = read_answer(contract, column, line)
        if not wrong:
            return value
        say(f"  {wrong}. Once more:")


def _question(column: Column) -> str:
    if not column.values or not _is_listed(column):
        return f"{column.name}: {_allowed(column)}{_example(column)}"
    listed = "".join(f"\n  {number} {value}" for number, value in enumerate(column.values, 1))
    return f"{column.name}{_example(column)}{listed}"


def _is_listed(column: Column) -> bool:
    """Whether the values are shown with their numbers: nobody reads a list of hundreds."""
    return not column.other or len(column.values) <= _MOST_LISTED


def _example(column: Column) -> str:
    return "" if column.example is None else f" [{column.example}]"


def _allowed(column: Column) -> str:
    unknown = f", or {_UNKNOWN} if not known" if _may_be_unknown(column) else ""
    return f"{column.allowed}{unknown}"


def _ask_terminal(contract: Contract) -> Record:
    """Ask with lists to choose from.

    The questions go to standard error, so that the answer alone can be piped.
    """
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.output import create_output

    with create_app_session(output=create_output(stdout=sys.stderr)):
        return {column.key: _ask_one(contract, column) for column in contract.features}


def _ask_one(contract: Contract, column: Column) -> object:
    import questionary

    if column.values and not column.other:
        return _ask_choice(column)
    message = f"{column.name} ({_allowed(column)}){_example(column)}"
    text = questionary.text(message, validate=_check(contract, column)).unsafe_ask()
    value, _ = read_answer(contract, column, text)
    return value


def _ask_choice(column: Column) -> object:
    import questionary

    choices = [questionary.Choice(value, value=value) for value in column.values]
    if _may_be_unknown(column):
        choices.append(questionary.Choice("Not known", value=_UNKNOWN))
    first = column.values[0] if column.example is None else column.example
    question = questionary.select(column.name, choices, default=str(first), use_jk_keys=False)
    chosen = question.unsafe_ask()
    return None if chosen == _UNKNOWN else chosen


def _check(contract: Contract, column: Column) -> Callable[[str], bool | str]:
    def check(text: str) -> bool | str:
        _, wrong = read_answer(contract, column, text)
        return wrong or True

    return check
