"""Many people at once: a CSV checked row by row, scored, and put in order of risk."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bento.page.result import View, view
from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.predictions import person_id
from sluice.served.uploaded_table import Problem, Row, Sheet, read_csv, write_csv

MOST = 10_000  # rows of a file
_HEAD = ("Risk", "Probability", "Prediction", "Answer", "Reasons", "Answer number", "Problem")
_SAVE = (
    'Save it as CSV (UTF-8): in Excel by "Save as", type "CSV UTF-8"; in LibreOffice by "Save as",'
    ' type "Text CSV", character set "Unicode (UTF-8)".'
)
_SHOWN = 200  # rows of the table on the page; the download holds all


@dataclass(frozen=True)
class Person:
    """A row of the file with its answer."""

    row: Row
    answer: View


@dataclass(frozen=True)
class Table:
    """What became of a file; `people` in order of risk, `shown` of them on the page, the rest in
    the download.
    """

    name: str
    people: tuple[Person, ...]
    shown: tuple[Person, ...]
    problems: tuple[Problem, ...]
    protected: tuple[str, ...]
    unused: tuple[str, ...]
    tiers: tuple[tuple[str, int], ...]
    flagged: int
    download: str


def read(data: bytes, contract: Contract, name: str) -> Sheet:
    """The rows of an uploaded CSV, checked. Raise Refused where it is no table of this contract."""
    return read_csv(data, contract, name, MOST, _SAVE)


def person(contract: Contract, row: Row) -> str:
    """The id of a row's person as the prediction log hashes it; as it was written where it is none
    of the contract.
    """
    return person_id(contract.id, read_cell(contract.id, row.id)) or row.id


def table(
    contract: Contract, name: str, sheet: Sheet, answers: Sequence[Mapping[str, Any]]
) -> Table:
    """The rows of a sheet with their answers, in order of risk."""
    pairs = zip(sheet.rows, answers, strict=True)
    ordered = sorted(pairs, key=lambda pair: (-pair[1]["probability"], pair[0].line))
    people = tuple(Person(row, view(contract, answer)) for row, answer in ordered)
    protected = tuple(name for name in sheet.unused if _role(contract.find(name)) == "protected")
    return Table(
        name=name,
        people=people,
        shown=people[:_SHOWN],
        problems=sheet.problems,
        protected=protected,
        unused=tuple(name for name in sheet.unused if name not in protected),
        tiers=_per_tier(contract, people),
        flagged=sum(person.answer.prediction for person in people),
        download=base64.b64encode(_csv(contract, people, sheet.problems).encode()).decode(),
    )


def _per_tier(contract: Contract, people: Sequence[Person]) -> tuple[tuple[str, int], ...]:
    """How many rows each tier has, the highest tier first."""
    counts = Counter(person.answer.step for person in people)
    steps = enumerate(contract.tiers.names, 1)
    return tuple((name, counts[step]) for step, name in reversed(list(steps)))


def _role(column: Column | None) -> str:
    return column.role if column else ""


def _csv(contract: Contract, people: Sequence[Person], problems: Sequence[Problem]) -> str:
    """Every row of the file: the scored ones in order of risk, then the wrong ones with what is
    wrong.
    """
    head = ("Line", contract.id.name, *_HEAD)
    rows: list[list[object]] = []
    for person in people:
        answer = person.answer
        reasons = " ".join(reason.sentence for reason in answer.reasons)
        rows.append(
            [
                person.row.line,
                person.row.id,
                answer.tier,
                answer.probability,
                answer.prediction,
                answer.label,
                reasons,
                answer.id,
                "",
            ]
        )
    for problem in problems:
        said = "; ".join(
            f"{error.field} is {error.value}, allowed: {error.allowed}" for error in problem.errors
        )
        rows.append([problem.line, problem.id, "", "", "", "", "", "", said])
    return "\ufeff" + write_csv(head, rows)  # the mark tells a spreadsheet that this is UTF-8
