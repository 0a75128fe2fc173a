"""Predictions and wrong rows as `sluice predict` shows them: on a terminal, as CSV and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flows.adapters.plain_text import as_json as as_plain_json
from flows.adapters.plain_text import say
from flows.views import terminal
from flows.views.escape import escape
from sluice.served.contract import Contract
from sluice.served.quantity import Quantity
from sluice.served.uploaded_table import Problem, Sheet, write_csv

Json = dict[str, Any]
_NAMED = 20  # wrong rows that are named; the rest are counted
_ERRORS = 5  # of one row


def show(answer: Json, quantity: Quantity | None = None) -> None:
    """The answer to one person, with its reasons; `quantity` is what is answered, where that is a
    number.
    """
    shown = terminal.console(stderr=False)
    if "baseline" in answer:
        mean = f"score of others: {answer['baseline']:.4f}"
        if quantity:
            mean = f"answer to others: {escape(quantity.written(answer['baseline']))}"
        shown.print(f"[dim]Mean {mean}.[/]")
    for reason in answer.get("reasons") or ():
        shown.print(f"[dim]{escape(reason['text'])}[/]")
    if "others" in answer:
        added = f"{answer['others'] * 100:+.1f} points"
        if quantity:
            sign = "-" if answer["others"] < 0 else "+"
            added = escape(f"{sign}{quantity.written(abs(answer['others']))}")
        shown.print(f"[dim]All other columns together: {added}.[/]")
    shown.print("[dim]Advice: a person decides.[/]")
    shown.print(f"[bold]{escape(line(answer))}[/]")


def line(answer: Json) -> str:
    """An answer in one line: `prediction 0, Stay, Risk: Very Low (0.1471)`; of several classes
    `late (damaged 0.1023, late 0.8210, on time 0.0767)`, and of a number `45.2 min`.
    """
    if "value" in answer:
        end = " (at an end of its plausible range)" if answer["outside"] else ""
        return f"{answer['label']}{end}"
    if "probabilities" in answer:
        shares = ", ".join(f"{name} {share:.4f}" for name, share in answer["probabilities"].items())
        return f"{answer['prediction']} ({shares})"
    risk = f"Risk: {answer['tier'].title()} ({answer['probability']:.4f})"
    return f"prediction {answer['prediction']}, {answer['label']}, {risk}"


def problems(sheet: Sheet) -> None:
    """Which columns are not used and which rows are wrong, on standard error."""
    if sheet.unused:
        say(f"Not used: {', '.join(sheet.unused)}")
    for problem in sheet.problems[:_NAMED]:
        for error in problem.errors[:_ERRORS]:
            say(f"line {problem.line}: {error.field} is {error.value}; allowed: {error.allowed}")
    more = len(sheet.problems) - _NAMED
    if more > 0:
        say(f"and {more:,} more {'row' if more == 1 else 'rows'}")


def as_csv(contract: Contract, sheet: Sheet, answers: Sequence[Json]) -> str:
    """One line for each answer, in the order of the file."""
    if contract.target.quantity:
        return _numbers_as_csv(contract, sheet, answers)
    if contract.target.several:
        return _classes_as_csv(contract, sheet, answers)
    head = (contract.id.name, "line", "prediction", "label", "probability", "tier")
    rows = []
    for row, answer in zip(sheet.rows, answers, strict=True):
        probability = f"{answer['probability']:.8f}"
        label, tier = answer["label"], answer["tier"]
        rows.append((row.id, row.line, answer["prediction"], label, probability, tier))
    return write_csv(head, rows).replace("\r\n", "\n")


def _classes_as_csv(contract: Contract, sheet: Sheet, answers: Sequence[Json]) -> str:
    """The same of several classes, with a column for the probability of each."""
    classes = contract.target.classes
    head = (contract.id.name, "line", "prediction", *(f"probability of {one}" for one in classes))
    rows = [
        (
            row.id,
            row.line,
            answer["prediction"],
            *(f"{answer['probabilities'][one]:.8f}" for one in classes),
        )
        for row, answer in zip(sheet.rows, answers, strict=True)
    ]
    return write_csv(head, rows).replace("\r\n", "\n")


def _numbers_as_csv(contract: Contract, sheet: Sheet, answers: Sequence[Json]) -> str:
    """The same of numbers: the value, its unit, and whether it lies at an end of its range."""
    head = (contract.id.name, "line", "value", "unit", "outside", "bin")
    rows = [
        (
            row.id,
            row.line,
            f"{answer['value']:.8g}",
            answer["unit"] or "",
            "yes" if answer["outside"] else "no",
            answer["bin"],
        )
        for row, answer in zip(sheet.rows, answers, strict=True)
    ]
    return write_csv(head, rows).replace("\r\n", "\n")


def as_json(sheet: Sheet, answers: Sequence[Json]) -> str:
    """The answers, and the wrong rows by field."""
    placed = [
        {**answer, "line": row.line, "row": row.id}
        for row, answer in zip(sheet.rows, answers, strict=True)
    ]
    document = {"answers": placed, "wrong": [_wrong(problem) for problem in sheet.problems]}
    return as_plain_json(document) + "\n"


def _wrong(problem: Problem) -> Json:
    fields = [asdict(error) for error in problem.errors]
    return {"line": problem.line, "row": problem.id, "fields": fields}
