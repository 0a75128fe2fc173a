"""The model card: what the model is for, what it was made from and where it ends.

It travels with the model, so it holds nothing that a holdout row, a clock or a run could change: no
verdict, no holdout number, no duration.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluice.served.contract import Column, Contract
from sluice.served.statements import statements

Json = Mapping[str, Any]

_METRICS = {
    "recall": "Recall",
    "precision": "Precision",
    "share_flagged": "Share flagged",
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
}


def model_card(
    contract: Contract, metrics: Json, tuning: Json, policy: Json, lineage: Mapping[str, object]
) -> str:
    """The card as Markdown, its sections in a fixed order; an empty section is left out.

    Of `metrics`, a metrics.json, only training and validation numbers are read; `tuning` is a
    tuning.json, `policy` the tables of a policy, `lineage` label -> value.
    """
    words = statements(contract)
    parts = [
        f"# {_plain(contract.title)}\n\n{_plain(contract.text)}",
        _section("Intended use", _bullets(words["use"])),
        _section("Not to be used for", _bullets(words["misuse"])),
        _section("How to use", _how(contract, metrics)),
        _section("What it looks at", _features(contract)),
        _section("What it is not shown", _excluded(contract)),
        _section("Training data", _training(metrics)),
        _section("Training procedure", _procedure(tuning)),
        _section("Evaluation on validation rows", _evaluation(metrics)),
        _section("Limits", _bullets(words["limits"])),
        _section("Fairness and duties", _bullets(words["duties"])),
        _section("Policy", _table(("Decision", "Value"), _flat(policy))),
        _section("Lineage", _table(("Part", "Value"), lineage.items())),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _plain(text: object) -> str:
    """Text that Markdown and HTML leave alone, on one line."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines]) if lines else ""


def _how(contract: Contract, metrics: Json) -> str:
    threshold = metrics.get("threshold")
    flagged = ""
    if isinstance(threshold, float):
        flagged = f" From {threshold:.4f} on a row is flagged."
    return (
        f'The output is the probability of "{_plain(contract.target.positive)}", between 0 and'
        f" 1.{flagged} Send one record or a list, with the columns below; `golden.json` holds"
        " records with the scores they must get."
    )


def _features(contract: Contract) -> str:
    columns = _table(
        ("Column", "Allowed", "Meaning"), [(c.name, _allowed(c), c.text) for c in contract.features]
    )
    derived = _table(
        ("Derived", "From", "Meaning"),
        [(d.name, d.expression.source, d.text) for d in contract.derived],
    )
    return "\n\n".join(part for part in (columns, derived) if part)


def _allowed(column: Column) -> str:
    if column.missing == "impute":
        return f"{column.allowed}; missing becomes {column.fill}"
    return column.allowed


def _excluded(contract: Contract) -> str:
    lines = [
        f"{column.name}: protected, only used to compare groups"
        for column in contract.role("protected")
    ]
    lines += [f"{column.name}: ignored" for column in contract.role("ignored")]
    return _bullets([*lines, f"{contract.id.name}: identifies a row"])


def _training(metrics: Json) -> str:
    rows = metrics.get("rows", {})
    named = [
        (name.capitalize(), f"{rows[name]:,}") for name in ("train", "validation") if name in rows
    ]
    return _table(("Part", "Rows"), named)


def _procedure(tuning: Json) -> str:
    winner = tuning.get("winner")
    if not winner:
        return ""
    trials = Counter(trial["family"] for trial in tuning.get("trials", ()))
    budget = ", ".join(f"{count} of {_words(family)}" for family, count in sorted(trials.items()))
    rows = [("Family", _words(winner["family"])), *sorted(winner.get("parameters", {}).items())]
    table = _table(("Winner", "Value"), rows)
    if not budget:
        return table
    objective = _words(tuning.get("objective", "score"))
    return f"Searched by cross-validation for the best {objective}: {budget}.\n\n{table}"


def _evaluation(metrics: Json) -> str:
    validation, folds = metrics.get("validation", {}), metrics.get("cross_validation", {})
    rows = [
        (
            name,
            f"{validation[key]:.4f}",
            f"{folds[key]['mean']:.4f} ± {folds[key]['std']:.4f}" if key in folds else "",
        )
        for key, name in _METRICS.items()
        if key in validation
    ]
    return _table(("Metric", "Validation", "Cross-validation"), rows)


def _flat(policy: Json, prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for key, value in policy.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value))
    return rows


def _words(name: object) -> str:
    return _plain(name).replace("_", " ")
