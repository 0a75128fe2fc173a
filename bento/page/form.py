"""The form for one person, made from the contract: its fields, what a person typed, and what is
wrong with it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.encoding import FieldError
from sluice.served.uploaded_table import Record

UNKNOWN = "Not known"
_ANSWER_ID = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_LONGEST_WHY = 2000
_FEW = 6  # so many values are shown side by side; more go into a list to choose from


@dataclass(frozen=True)
class Mistake:
    """What is wrong and how to put it right; `field` is the id of the control it is about."""

    field: str
    sentence: str


@dataclass(frozen=True)
class Field:
    """One question of the form; `choices` is empty where a number is asked for."""

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

    @property
    def control(self) -> str:
        """The id of the control that is focused for this question."""
        return f"{self.key}-1" if self.few else self.key


class Foreign(Exception):
    """The form was not made from the contract that is served now."""


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
    return dict.fromkeys(keys, "") | {name: value.strip()[:200] for name, value in pairs}


def record(contract: Contract, values: Mapping[str, str]) -> Record:
    """The record that the values stand for."""
    unknown = {
        c.key for c in contract.features if c.missing == "impute" and values[c.key] == UNKNOWN
    }
    return {
        c.key: None if c.key in unknown else read_cell(c, values[c.key]) for c in contract.features
    }


def mistakes(
    contract: Contract, values: Mapping[str, str], errors: Sequence[FieldError]
) -> list[Mistake]:
    """The errors of the contract in words, in the order of the form."""
    named = {error.field: error for error in errors}
    found = [
        _mistake(column, values[column.key])
        for column in contract.features
        if named.pop(column.name, None)
    ]
    return found + [
        Mistake("", f"{e.field} is {e.value}; it must be {e.allowed}") for e in named.values()
    ]


def opinion_mistakes(given: Mapping[str, str]) -> list[Mistake]:
    """What is wrong with a person's view of an answer: `id`, `agrees` (yes or no) and `why`."""
    why = given["why"]
    found = [
        (
            not _ANSWER_ID.fullmatch(given["id"]),
            "",
            "Ask again, and send your view from the page of the answer",
        ),
        (given["agrees"] not in ("yes", "no"), "agrees-yes", "Choose whether you agree"),
        (given["agrees"] == "no" and not why, "why", "Say why you disagree"),
        (
            len(why) > _LONGEST_WHY,
            "why",
            f"Say it in at most {_LONGEST_WHY} characters; these are {len(why)}",
        ),
    ]
    return [Mistake(field, sentence) for wrong, field, sentence in found if wrong]


def doubts(contract: Contract, record: Record) -> list[str]:
    """What the contract says of every row and is not so here; the record can be scored all the
    same.
    """
    numbers = {
        column.key: np.array([_number(column, record[column.key])]) for column in contract.features
    }
    broken = [rule for rule in contract.rules if not rule.expression.evaluate(numbers).all()]
    return [rule.text or rule.name for rule in broken]


def _field(column: Column, value: str, wrong: Mapping[str, str]) -> Field:
    blank = column.missing == "impute"
    few = bool(column.values) and len(column.values) + blank <= _FEW
    choices = (*column.values, UNKNOWN) if column.values and blank else column.values
    hint = [column.text, _range(column) if column.numeric else ""]
    hint += (
        [f"Leave it empty if not known: {_text(column.fill)} is used."]
        if blank and column.numeric
        else []
    )
    digits = (
        max(len(_text(limit)) for limit in (column.minimum, column.maximum))
        if column.numeric
        else 0
    )
    field = Field(
        column.key,
        column.name,
        " ".join(part for part in hint if part),
        column.unit,
        value,
        choices,
        few,
        digits,
        column.kind == "integer",
        "",
    )
    sentence = wrong.get(field.control, "")
    return Field(**{**field.__dict__, "mistake": sentence})


def _range(column: Column) -> str:
    return f"From {_text(column.minimum)} to {_text(column.maximum)}."


def _mistake(column: Column, value: str) -> Mistake:
    control = _field(column, value, {}).control
    if column.numeric:
        if not value:
            return Mistake(control, f"Enter {column.name}: {column.allowed}")
        typed = read_cell(column, value)
        plain = ", in digits alone" if isinstance(typed, str) else ""
        return Mistake(control, f"{column.name} must be {column.allowed}{plain}")
    return Mistake(control, f"Choose {column.name}: {column.allowed}")


def _number(column: Column, value: object) -> float:
    if value is None:
        value = column.fill
    return float(column.values.index(str(value))) if column.values else float(str(value))


def _text(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.12g}"
