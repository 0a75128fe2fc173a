"""The form for one row, made from the contract: its fields, what was typed, what is wrong."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.days import written
from sluice.served.encoding import FieldError, Record, positions, read_day, read_place

UNKNOWN = "Not known"
_ANSWER_ID = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_LONGEST_VALUE = 200  # characters
_LONGEST_WHY = 2000  # characters
_MOST = 40  # values that are chosen from, of a category that takes any text
_FEW = 6  # up to so many values are shown side by side; more go into a list to choose from


@dataclass(frozen=True)
class Mistake:
    """What is wrong, in a sentence; `field` is the id of the control that it is about."""

    field: str
    sentence: str


@dataclass(frozen=True)
class Field:
    """One question of the form.

    `choices` is empty where a number or a date is asked for; `few` shows them side by side, and
    `open` offers them beside what may be typed; `digits` is the width of a number, in characters.
    `first` and `last` are the limits of a date, empty for all else.
    """

    key: str
    label: str
    hint: str
    unit: str
    value: str
    choices: tuple[str, ...]
    few: bool
    digits: int
    whole: bool
    mistake: str
    open: bool = False
    first: str = ""
    last: str = ""

    @property
    def control(self) -> str:
        """The id of the control that is focused for this question."""
        return f"{self.key}-1" if self.few else self.key


@dataclass(frozen=True)
class GivenOpinion:
    """A person's view of an answer as the form has it: `agrees` is yes, no or empty."""

    id: str = ""
    agrees: str = ""
    why: str = ""


class Foreign(Exception):
    """The form was made from another contract than the one that is served now."""


def examples(contract: Contract) -> dict[str, str]:
    """The values that the form starts with."""
    return {column.key: _text(column.example) for column in contract.features}


def fields(
    contract: Contract, values: Mapping[str, str], mistakes: Sequence[Mistake]
) -> list[Field]:
    """The questions, in published order."""
    wrong = {mistake.field: mistake.sentence for mistake in mistakes}
    return [_field(column, values.get(column.key, ""), wrong) for column in contract.features]


def read(contract: Contract, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What was typed, by column key. Raise Foreign for a form with other questions."""
    keys = {column.key for column in contract.features}
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names) or not keys.issuperset(names):
        raise Foreign("The model was changed since this page was loaded. Fill in the form again")
    return dict.fromkeys(keys, "") | {name: value.strip()[:_LONGEST_VALUE] for name, value in pairs}


def record(contract: Contract, values: Mapping[str, str]) -> Record:
    """The record that the values stand for."""
    return {column.key: _cell(column, values[column.key]) for column in contract.features}


def _cell(column: Column, value: str) -> object:
    if _may_be_blank(column) and value == UNKNOWN:
        return None
    return read_cell(column, value)


def mistakes(
    contract: Contract, values: Mapping[str, str], errors: Sequence[FieldError]
) -> list[Mistake]:
    """The errors of the contract in words, in the order of the form."""
    by_field = {error.field: error for error in errors}
    wrong = [column for column in contract.features if by_field.pop(column.name, None)]
    sentences = [_mistake(column, values[column.key]) for column in wrong]
    for error in by_field.values():  # of a derived feature, which is no question
        sentence = f"{error.field} is {error.value}; it must be {error.allowed}"
        sentences.append(Mistake("", sentence))
    return sentences


def opinion(pairs: Sequence[tuple[str, str]]) -> GivenOpinion:
    """The view of an answer in a form; of two fields of one name the last counts."""
    values = dict(pairs)
    return GivenOpinion(
        values.get("id", ""), values.get("agrees", ""), values.get("why", "").strip()
    )


def opinion_mistakes(given: GivenOpinion) -> list[Mistake]:
    """What is wrong with a person's view of an answer, in the order of the form."""
    why = given.why
    wrong: list[Mistake] = []
    if not _ANSWER_ID.fullmatch(given.id):
        wrong.append(Mistake("", "Ask again, and send your view from the page of the answer"))
    if given.agrees not in ("yes", "no"):
        wrong.append(Mistake("agrees-yes", "Choose whether you agree"))
    if given.agrees == "no" and not why:
        wrong.append(Mistake("why", "Say why you disagree"))
    if len(why) > _LONGEST_WHY:
        sentence = f"Say it in at most {_LONGEST_WHY} characters; these are {len(why)}"
        wrong.append(Mistake("why", sentence))
    return wrong


def doubts(contract: Contract, record: Record) -> list[str]:
    """The rules of the contract that a record breaks, in words. It can be scored all the same.
    A rule says nothing of a record that lacks what it reads.
    """
    numbers: dict[str, np.ndarray] = {}
    for column in contract.features:
        numbers[column.key] = np.array([_number(column, record[column.key])])
    broken = [
        rule
        for rule in contract.rules
        if rule.expression.known(numbers).all() and not rule.expression.evaluate(numbers).all()
    ]
    return [rule.text or rule.name for rule in broken]


def _field(column: Column, value: str, wrong: Mapping[str, str]) -> Field:
    """The question for a column; `wrong` has the sentences by control."""
    blank = _may_be_blank(column)
    choices = column.values
    if column.values and blank:
        choices = (*column.values, UNKNOWN)
    few = 0 < len(choices) <= _FEW
    dated = column.kind == "date"
    limits = (column.minimum, column.maximum) if column.numeric and not dated else ()
    field = Field(
        key=column.key,
        label=column.name,
        hint=_hint(column),
        unit=column.unit,
        value=value,
        choices=choices,
        few=few,
        digits=max((len(_text(limit)) for limit in limits), default=0),
        whole=column.kind == "integer",
        mistake="",
        open=_is_open(column),
        first=written(float(column.minimum or 0)) if dated else "",
        last=written(float(column.maximum or 0)) if dated else "",
    )
    return replace(field, mistake=wrong.get(field.control, ""))


def _is_open(column: Column) -> bool:
    """Whether a text is typed: nobody looks for one in a list of hundreds."""
    return bool(column.other) and len(column.values) > _MOST


def _may_be_blank(column: Column) -> bool:
    return column.missing == "impute" or column.kept


def _hint(column: Column) -> str:
    parts = [column.text]
    if column.numeric:
        parts.append(_range(column))
        if column.missing == "impute":
            parts.append(f"Leave it empty if not known: {_text(column.fill)} is used.")
    if _is_open(column):
        parts.append(f"What is not offered counts as {column.other}.")
    if column.kept:
        parts.append("Leave it empty if not known.")
    return " ".join(part for part in parts if part)


def _range(column: Column) -> str:
    if column.kind == "date" and column.minimum is not None and column.maximum is not None:
        return f"From {written(column.minimum)} to {written(column.maximum)}."
    return f"From {_text(column.minimum)} to {_text(column.maximum)}."


def _mistake(column: Column, value: str) -> Mistake:
    control = _field(column, value, {}).control
    if column.numeric:
        if not value:
            return Mistake(control, f"Enter {column.name}: {column.allowed}")
        typed = read_cell(column, value)
        text = isinstance(typed, str) and column.kind != "date"
        plain = ", in digits alone" if text else ""
        return Mistake(control, f"{column.name} must be {column.allowed}{plain}")
    if _is_open(column):
        return Mistake(control, f"Enter {column.name}: {column.allowed}")
    return Mistake(control, f"Choose {column.name}: one of {', '.join(column.values)}")


def _number(column: Column, value: object) -> float:
    """The number that stands for a value which the contract allows; NaN for one that is missing."""
    if column.values:
        return read_place(column, positions(column), value)
    given = column.fill if value is None else value
    if given is None:
        return math.nan
    return read_day(column, given) if column.kind == "date" else float(str(given))


def _text(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.12g}"
