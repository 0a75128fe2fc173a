"""Many rows at once: a CSV is checked row by row, scored, and put in order of risk."""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bento.http.answer import Answer
from bento.page.result import View, view
from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.error_rates import Rate
from sluice.served.model_quality import ModelQuality
from sluice.served.predictions import person_id
from sluice.served.uploaded_table import Problem, Row, Sheet, read_csv, write_csv

MOST = 10_000  # rows of a file
_WITHIN = "Within your number"
_HEAD = ("Risk", "Probability", "Prediction", "Answer", "Reasons", "Answer number", "Problem")
_SAVE = (
    'Save it as CSV (UTF-8): in Excel by "Save as", type "CSV UTF-8"; in LibreOffice by "Save as",'
    ' type "Text CSV", character set "Unicode (UTF-8)".'
)
SHOWN = 200  # rows of the table on the page; the download holds all


@dataclass(frozen=True)
class ScoredRow:
    """A row of the file with its answer."""

    row: Row
    answer: View


@dataclass(frozen=True)
class Chosen:
    """The `count` rows with the highest probability: as many as can be acted on.

    `last` is the lowest probability among them, `precision` that of the highest measured threshold
    that flags it. `below` of them are not flagged; of the others `left_out` are, and `equal` have
    the probability `last`. `all` is whether there are no others.
    """

    count: int
    last: str
    precision: Rate | None
    below: int
    left_out: int
    equal: int
    all: bool


@dataclass(frozen=True)
class Table:
    """The answers to a file.

    `scored` are in order of risk, `shown` those of them on the page; `download` is a CSV of all
    rows, in base64. `protected` and `unused` name columns that the model is not fed; `tiers` counts
    rows by tier, the highest first; `chosen` is None where no number was given.
    """

    name: str
    scored: tuple[ScoredRow, ...]
    shown: tuple[ScoredRow, ...]
    problems: tuple[Problem, ...]
    protected: tuple[str, ...]
    unused: tuple[str, ...]
    tiers: tuple[tuple[str, int], ...]
    flagged: int
    chosen: Chosen | None
    download: str


def read(data: bytes, contract: Contract, name: str) -> Sheet:
    """The rows of an uploaded CSV, checked. Raise Refused where it is no table of this contract."""
    return read_csv(data, contract, name, MOST, _SAVE)


def row_id(contract: Contract, row: Row) -> str:
    """The id of a row as the prediction log hashes it.

    Where the contract does not allow it, the id as it was written.
    """
    return person_id(contract.id, read_cell(contract.id, row.id)) or row.id


def table(
    contract: Contract,
    name: str,
    sheet: Sheet,
    answers: Sequence[Answer],
    chosen: Chosen | None = None,
) -> Table:
    """The rows of a sheet with their answers, in order of risk; those chosen are marked."""
    pairs = zip(sheet.rows, answers, strict=True)
    ordered = sorted(pairs, key=lambda pair: (-pair[1].probability, pair[0].line))
    scored = tuple(ScoredRow(row, view(contract, answer)) for row, answer in ordered)
    protected = protected_in(contract, sheet)
    return Table(
        name=name,
        scored=scored,
        shown=scored[:SHOWN],
        problems=sheet.problems,
        protected=protected,
        unused=tuple(name for name in sheet.unused if name not in protected),
        tiers=_per_tier(contract, scored),
        flagged=sum(one.answer.prediction for one in scored),
        chosen=chosen,
        download=base64.b64encode(_csv(contract, scored, sheet.problems, chosen).encode()).decode(),
    )


def chosen(quality: ModelQuality, answers: Sequence[Answer], number: int) -> Chosen | None:
    """What there is to say of so many of these answers, the highest; None without any answer."""
    if not answers:
        return None
    ordered = sorted(answers, key=lambda answer: -answer.probability)
    within, beyond = ordered[:number], ordered[number:]
    last = within[-1].probability
    cut = quality.from_score(last)
    return Chosen(
        count=len(within),
        last=f"{last:.4f}",
        precision=cut.precision if cut else None,
        below=sum(not answer.prediction for answer in within),
        left_out=sum(answer.prediction for answer in beyond),
        equal=sum(answer.probability == last for answer in beyond),
        all=not beyond,
    )


def _per_tier(contract: Contract, scored: Sequence[ScoredRow]) -> tuple[tuple[str, int], ...]:
    """How many rows each tier has, the highest tier first."""
    counts = Counter(one.answer.step for one in scored)
    steps = enumerate(contract.tiers.names, 1)
    return tuple((name, counts[step]) for step, name in reversed(list(steps)))


def protected_in(contract: Contract, sheet: Sheet) -> tuple[str, ...]:
    """The columns of a sheet that the contract protects."""
    return tuple(name for name in sheet.unused if _is_protected(contract.find(name)))


def _is_protected(column: Column | None) -> bool:
    return column is not None and column.role == "protected"


def _csv(
    contract: Contract,
    scored: Sequence[ScoredRow],
    problems: Sequence[Problem],
    chosen: Chosen | None,
) -> str:
    """Every row of the file: the scored ones in order of risk, then the wrong ones.

    Where some were chosen, a last column says which.
    """
    head = ["Line", contract.id.name, *_HEAD]
    rows = [_scored(one) for one in scored]
    rows += [_wrong(problem) for problem in problems]
    if chosen is not None:
        head.append(_WITHIN)
        marks = ["yes"] * chosen.count + ["no"] * (len(scored) - chosen.count)
        marks += [""] * len(problems)
        rows = [[*row, mark] for row, mark in zip(rows, marks, strict=True)]
    return "\ufeff" + write_csv(head, rows)  # the mark tells a spreadsheet that this is UTF-8


def _scored(one: ScoredRow) -> list[object]:
    """The cells of a row that was scored, in the order of the head."""
    answer = one.answer
    return [
        one.row.line,
        one.row.id,
        answer.tier,
        answer.probability,
        answer.prediction,
        answer.label,
        " ".join(reason.sentence for reason in answer.reasons),
        answer.id,
        "",
    ]


def _wrong(problem: Problem) -> list[object]:
    """The cells of a row that the contract does not allow: all but the last are empty."""
    return wrong_cells(problem, len(_HEAD) - 1)


def wrong_cells(problem: Problem, empty: int) -> list[object]:
    """The cells of a wrong row: its line and id, so many empty ones, and what is wrong."""
    errors = [f"{e.field} is {e.value}, allowed: {e.allowed}" for e in problem.errors]
    return [problem.line, problem.id, *[""] * empty, "; ".join(errors)]
