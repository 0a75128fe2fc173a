"""The column docs, `docs/columns.md`, from every model's contract: `python -m scripts.column_docs`,
or `--check` for CI.
"""

import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise

from flows.project.models import model_folder, models
from flows.project.root import ROOT
from scripts.generated_page import write_or_check
from sluice.served.contract import Column, Contract, load_contract

PAGE = ROOT / "docs" / "columns.md"


def page() -> str:
    """The whole page, one section a model."""
    head = (
        "<!-- Written by `python -m scripts.column_docs` from models/*/contract.toml: change it"
        " there. -->\n\n# Columns\n"
    )
    return "\n".join((head, *(_section(model, _contract(model)) for model in models(ROOT))))


def _contract(model: str) -> Contract:
    path = model_folder(model, ROOT) / "contract.toml"
    return load_contract(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


def _section(model: str, contract: Contract) -> str:
    source = (
        f"From [`models/{model}/contract.toml`](../models/{model}/contract.toml). {contract.text}"
    )
    parts = [f"## {contract.title or model}", source, _columns(contract), _legend(contract)]
    if contract.derived:
        head = ("derived feature", "unit", "what it is", "expression")
        rows = [
            (f"`{d.name}`", d.unit, d.text, f"`{d.expression.source}`") for d in contract.derived
        ]
        parts += [
            "### Derived features",
            "Computed from the columns above, in training and in serving alike.",
            _table(head, rows),
        ]
    if contract.rules:
        head = ("rule", "severity", "what it says", "expression")
        rows = [
            (_words(r.name), r.severity, r.text, f"`{r.expression.source}`") for r in contract.rules
        ]
        parts += [f"### Rules on each {contract.row}", _table(head, rows)]
    if contract.segments:
        groups = [(_words(s.name), _groups(contract, s.column, s.edges)) for s in contract.segments]
        looked_at = "recall, precision and share flagged are"
        if contract.target.several:
            looked_at = "mean recall over the classes is"
        parts += [
            "### Segments",
            f"Groups of {contract.rows} whose {looked_at} looked at one by one.",
            _table(("segment", "groups"), groups),
        ]
    return "\n\n".join(parts) + "\n"


def _legend(contract: Contract) -> str:
    """What each row of the table is, and what the roles mean that the contract has."""
    [column] = contract.role("target")
    outcomes = contract.target.classes or (contract.target.positive,)
    parts = []
    if contract.row != Contract.row:
        parts.append(f"Each row is one {contract.row}.")
    parts.append("The model sees the features and nothing else.")
    if contract.role("protected"):
        parts.append("Protected columns serve to compare groups.")
    named = " or ".join(filter(None, (", ".join(outcomes[:-1]), outcomes[-1])))
    parts.append(f"What is predicted: whether {column.name} is {named}.")
    return " ".join(parts)


def _columns(contract: Contract) -> str:
    head = (
        "column",
        "key",
        "what it is",
        "kind",
        "what may stand there",
        "role",
        "if it is missing",
    )
    return _table(head, (_row(column) for column in contract.columns))


def _row(column: Column) -> tuple[str, ...]:
    allowed = " < ".join(column.values) if column.kind == "ordinal" else column.allowed
    if column.other:
        allowed += f"; {len(column.values):,} are listed, others count as {column.other}"
    kept = "a group of its own" if column.role == "protected" else "stays missing"
    missing = kept if column.missing == "keep" else "refused"
    if column.missing == "impute":
        missing = f"{column.fill} is used"
    if column.role == "ignored":
        allowed = missing = "not looked at"
    return column.name, f"`{column.key}`", column.text, column.kind, allowed, column.role, missing


def _groups(contract: Contract, key: str, edges: Sequence[float]) -> str:
    column = next(column for column in contract.columns if column.key == key)
    if not edges:
        return f"{column.name}: {', '.join(column.values)}"
    first, last = f"under {edges[0]:g}", f"{edges[-1]:g} and over"
    middle = [f"{low:g} to under {high:g}" for low, high in pairwise(edges)]
    return f"{column.name}: {', '.join((first, *middle, last))}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with `--check` say whether it is up to date; the exit code."""
    return write_or_check(arguments, "scripts.column_docs", page, PAGE, "what the contracts say")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
