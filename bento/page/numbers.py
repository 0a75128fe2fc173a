"""Answers of a model of a number as people read them: one, many, and how good it is."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from msgspec import UnsetType

from bento.http.answer import NumberAnswer
from bento.page.result import Reason, numbers_of
from bento.page.rows import SHOWN, protected_in, wrong_cells
from sluice.served.contract import Contract
from sluice.served.quantity import Quantity
from sluice.served.uploaded_table import Problem, Row, Sheet, write_csv

_WIDTH = 320  # of the scale, in units of the drawing
_HEAD = ("Unit", "At an end of its range", "Answer number", "Reasons", "Problem")


@dataclass(frozen=True)
class NumberQuality:
    """How far a model is off on its validation rows, in words with the unit; `within` of 100 are no
    further off than `band`, `naive` is the error of always saying `middle`, `better` by how many
    percent the model's is less.. Intervals are at `level`
    percent.
    """

    rows: int
    level: str
    mae: str
    mae_low: str
    mae_high: str
    rmse: str
    band: str
    within: str
    within_low: str
    within_high: str
    bias: str
    bias_low: str
    bias_high: str
    naive: str
    middle: str
    better: str
    error: float


@dataclass(frozen=True)
class NumberView:
    """An answer in words. `column` is what is predicted, `low` and `high` are the ends of its
    plausible range; `mark` is where the answer is on the scale, `from_mark` and `to_mark` lie as
    far from it as the model is off on the average. `baseline`, `others` and `total` are as in
    `result.View`, with their unit.
    """

    id: str
    column: str
    label: str
    sentence: str
    usual: str
    outside: bool
    low: str
    high: str
    mark: float
    from_mark: float
    to_mark: float
    reasons: tuple[Reason, ...]
    baseline: str
    others: str
    total: str
    model: str


@dataclass(frozen=True)
class ScoredRow:
    """A row of the file with its answer."""

    row: Row
    answer: NumberView


@dataclass(frozen=True)
class NumberTable:
    """The answers to a file, in its order; the fields are those of `rows.Table`. `outside` counts
    the answers at an end of the plausible range, `lowest`, `mean` and `highest` are of all.
    """

    name: str
    column: str
    scored: tuple[ScoredRow, ...]
    shown: tuple[ScoredRow, ...]
    problems: tuple[Problem, ...]
    protected: tuple[str, ...]
    unused: tuple[str, ...]
    outside: int
    lowest: str
    mean: str
    highest: str
    download: str


def quantity_of(contract: Contract) -> Quantity:
    """The number that a contract predicts. Raise ValueError where it predicts none."""
    if contract.target.quantity is None:
        raise ValueError("the target of this contract is no number")
    return contract.target.quantity


def view(contract: Contract, quality: NumberQuality, answer: NumberAnswer) -> NumberView:
    """The view of an answer of the service."""
    quantity = quantity_of(contract)
    column = contract.role("target")[0].name
    off = quality.error
    return NumberView(
        id=answer.id,
        column=column,
        label=answer.label,
        sentence=f"By the model’s estimate, {column} is {answer.label} for {contract.rows} with"
        " values like these.",
        usual=f"On {contract.rows} that it did not learn from it was off by {quality.mae} on the"
        f" average, and by at most {quality.band} for {quality.within} of 100.",
        outside=answer.outside,
        low=quantity.written(quantity.low),
        high=quantity.written(quantity.high),
        mark=_place(quantity, answer.value),
        from_mark=_place(quantity, answer.value - off),
        to_mark=_place(quantity, answer.value + off),
        reasons=numbers_of(answer.reasons or [], quantity),
        baseline=_written(quantity, answer.baseline),
        others=_signed(quantity, answer.others),
        total=answer.label,
        model=answer.model,
    )


def _place(quantity: Quantity, value: float) -> float:
    """Where a value is on the scale, which ends with the plausible range."""
    share = (value - quantity.low) / quantity.spread
    return round(_WIDTH * min(max(share, 0.0), 1.0), 1)


def _written(quantity: Quantity, value: float | UnsetType) -> str:
    return "" if isinstance(value, UnsetType) else quantity.written(value)


def _signed(quantity: Quantity, value: float | UnsetType) -> str:
    """A change with its sign; empty for none."""
    if isinstance(value, UnsetType):
        return ""
    if not round(value, quantity.decimals):
        return quantity.written(0.0)
    return f"{'−' if value < 0 else '+'}{quantity.written(abs(value))}"


def table(
    contract: Contract,
    quality: NumberQuality,
    name: str,
    sheet: Sheet,
    answers: Sequence[NumberAnswer],
) -> NumberTable:
    """The rows of a sheet with their answers, in the order of the file."""
    quantity = quantity_of(contract)
    scored = tuple(
        ScoredRow(row, view(contract, quality, answer))
        for row, answer in zip(sheet.rows, answers, strict=True)
    )
    values = [answer.value for answer in answers]
    protected = protected_in(contract, sheet)
    return NumberTable(
        name=name,
        column=contract.role("target")[0].name,
        scored=scored,
        shown=scored[:SHOWN],
        problems=sheet.problems,
        protected=protected,
        unused=tuple(column for column in sheet.unused if column not in protected),
        outside=sum(answer.outside for answer in answers),
        lowest=quantity.written(min(values)) if values else "",
        mean=quantity.written(sum(values) / len(values)) if values else "",
        highest=quantity.written(max(values)) if values else "",
        download=base64.b64encode(_csv(contract, scored, answers, sheet).encode()).decode(),
    )


def _csv(
    contract: Contract, scored: Sequence[ScoredRow], answers: Sequence[NumberAnswer], sheet: Sheet
) -> str:
    """Every row of the file: the scored ones in its order, then the wrong ones."""
    decimals = quantity_of(contract).decimals
    head = ["Line", contract.id.name, contract.role("target")[0].name, *_HEAD]
    rows: list[list[object]] = [
        [
            one.row.line,
            one.row.id,
            f"{answer.value:.{decimals}f}",
            answer.unit or "",
            "yes" if answer.outside else "no",
            answer.id,
            " ".join(reason.sentence for reason in one.answer.reasons),
            "",
        ]
        for one, answer in zip(scored, answers, strict=True)
    ]
    rows += [wrong_cells(problem, len(_HEAD)) for problem in sheet.problems]
    return "\ufeff" + write_csv(head, rows)  # the mark tells a spreadsheet that this is UTF-8


def quality_of(contract: Contract, metrics: Mapping[str, object]) -> NumberQuality:
    """What a metrics.json of a number says. Raise KeyError where it lacks a part."""
    quantity = quantity_of(contract)
    rows = cast("Mapping[str, int]", metrics["rows"])
    found = cast("Mapping[str, float]", metrics["validation"])
    spans = cast("Mapping[str, tuple[float, float]]", metrics["intervals"])
    level = cast("Mapping[str, float]", metrics["intervals"])["level"]
    return NumberQuality(
        rows=rows["validation"],
        level=f"{100 * level:g}",
        mae=quantity.written(found["mae"]),
        mae_low=quantity.written(spans["mae"][0]),
        mae_high=quantity.written(spans["mae"][1]),
        rmse=quantity.written(found["rmse"]),
        band=quantity.written(cast("float", metrics["band"])),
        within=f"{100 * found['within']:.0f}",
        within_low=f"{100 * spans['within'][0]:.0f}",
        within_high=f"{100 * spans['within'][1]:.0f}",
        bias=_signed(quantity, found["bias"]),
        bias_low=_signed(quantity, spans["bias"][0]),
        bias_high=_signed(quantity, spans["bias"][1]),
        naive=quantity.written(found["naive_mae"]),
        middle=quantity.written(cast("float", metrics["middle"])),
        better=f"{100 * found['skill']:.0f}",
        error=found["mae"],
    )
