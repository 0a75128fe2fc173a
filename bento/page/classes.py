"""Answers of a model of several classes as people read them: one, many, and how good it is."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from bento.http.answer import ClassAnswer
from bento.page.result import Reason, percent, points, reasons_of
from bento.page.rows import SHOWN, protected_in, wrong_cells
from sluice.served.contract import Contract
from sluice.served.error_rates import Rate
from sluice.served.uploaded_table import Problem, Row, Sheet, write_csv

_BLANK = "\u00a0"  # a line is not broken there
_WIDTH = 160  # of the longest bar, in units of the drawing
_HEAD = ("Answer number", "Reasons", "Problem")


@dataclass(frozen=True)
class Share:
    """A class with its probability and the width of its bar."""

    name: str
    probability: str
    width: float
    answered: bool


@dataclass(frozen=True)
class ClassView:
    """An answer in words. `column` is what is predicted; `weighed` says that another class is more
    probable. `baseline`, `others` and `total` are as in `result.View`.
    """

    id: str
    column: str
    label: str
    sentence: str
    classes: tuple[Share, ...]
    weighed: bool
    reasons: tuple[Reason, ...]
    baseline: str
    others: str
    total: str
    model: str


@dataclass(frozen=True)
class ScoredRow:
    """A row of the file with its answer."""

    row: Row
    answer: ClassView


@dataclass(frozen=True)
class ClassTable:
    """The answers to a file, in its order; the fields are those of `rows.Table`. `counts` has the
    rows of each class.
    """

    name: str
    column: str
    scored: tuple[ScoredRow, ...]
    shown: tuple[ScoredRow, ...]
    problems: tuple[Problem, ...]
    protected: tuple[str, ...]
    unused: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    download: str


@dataclass(frozen=True)
class OfClass:
    """One class: its rows, how many are answered with it, its recall, and what 100 of its rows are
    taken for; `place` is its own place among these.
    """

    name: str
    place: int
    rows: int
    answered: int
    recall: Rate | None
    precision: str
    taken_for: tuple[str, ...]


@dataclass(frozen=True)
class ClassQuality:
    """How good a model is on its validation rows; intervals are at `level` percent."""

    rows: int
    level: str
    classes: tuple[OfClass, ...]


def view(contract: Contract, answer: ClassAnswer) -> ClassView:
    """The view of an answer of the service."""
    column = contract.role("target")[0].name
    return ClassView(
        id=answer.id,
        column=column,
        label=answer.prediction,
        sentence=f"By the model’s estimate, of 100 {contract.rows} with values like these about"
        f" {100 * answer.probability:.0f} are “{answer.prediction}”.",
        classes=tuple(
            Share(name, f"{share:.4f}", round(_WIDTH * share, 1), name == answer.prediction)
            for name, share in answer.probabilities.items()
        ),
        weighed=answer.probability < max(answer.probabilities.values()),
        reasons=reasons_of(answer.reasons or []),
        baseline=percent(answer.baseline),
        others=points(answer.others),
        total=percent(answer.probability),
        model=answer.model,
    )


def table(
    contract: Contract, name: str, sheet: Sheet, answers: Sequence[ClassAnswer]
) -> ClassTable:
    """The rows of a sheet with their answers, in the order of the file."""
    scored = tuple(
        ScoredRow(row, view(contract, answer))
        for row, answer in zip(sheet.rows, answers, strict=True)
    )
    counts = Counter(answer.prediction for answer in answers)
    protected = protected_in(contract, sheet)
    return ClassTable(
        name=name,
        column=contract.role("target")[0].name,
        scored=scored,
        shown=scored[:SHOWN],
        problems=sheet.problems,
        protected=protected,
        unused=tuple(column for column in sheet.unused if column not in protected),
        counts=tuple((outcome, counts[outcome]) for outcome in contract.target.classes),
        download=base64.b64encode(_csv(contract, scored, answers, sheet).encode()).decode(),
    )


def _csv(
    contract: Contract, scored: Sequence[ScoredRow], answers: Sequence[ClassAnswer], sheet: Sheet
) -> str:
    """Every row of the file: the scored ones in its order, then the wrong ones."""
    classes = contract.target.classes
    head = ["Line", contract.id.name, contract.role("target")[0].name, *classes, *_HEAD]
    rows: list[list[object]] = [
        [
            one.row.line,
            one.row.id,
            answer.prediction,
            *answer.probabilities.values(),
            answer.id,
            " ".join(reason.sentence for reason in one.answer.reasons),
            "",
        ]
        for one, answer in zip(scored, answers, strict=True)
    ]
    rows += [wrong_cells(problem, len(classes) + len(_HEAD)) for problem in sheet.problems]
    return "\ufeff" + write_csv(head, rows)  # the mark tells a spreadsheet that this is UTF-8


def quality_of(contract: Contract, metrics: Mapping[str, object]) -> ClassQuality:
    """What a metrics.json of several classes says. Raise KeyError where it lacks a part."""
    measured = cast("Mapping[str, Mapping[str, object]]", metrics["classes"])
    mixed = cast("Mapping[str, Mapping[str, int]]", metrics["confusion"])
    rows = cast("Mapping[str, int]", metrics["rows"])
    level = cast("Mapping[str, float]", metrics["intervals"])["level"]
    return ClassQuality(
        rows=rows["validation"],
        level=f"{100 * level:g}",
        classes=tuple(
            _of_class(
                name,
                place,
                measured[name],
                [mixed[name][other] for other in contract.target.classes],
            )
            for place, name in enumerate(contract.target.classes)
        ),
    )


def _of_class(name: str, place: int, found: Mapping[str, object], mixed: Sequence[int]) -> OfClass:
    low, high = cast("tuple[float, float]", found["recall_interval"])
    rows, right = cast("int", found["rows"]), cast("int", found["found"])
    return OfClass(
        name=name,
        place=place,
        rows=rows,
        answered=cast("int", found["answered"]),
        recall=Rate(right, rows, low, high) if rows else None,
        precision=f"{100 * cast('float', found['precision']):.0f}{_BLANK}%",
        taken_for=tuple(f"{100 * count / max(rows, 1):.0f}" for count in mixed),
    )
