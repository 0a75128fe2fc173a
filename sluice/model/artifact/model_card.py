"""The model card: what the model is for, what it was made from and where it ends.

It travels with the model, so it holds nothing that a holdout row, a clock or a run could change: no
verdict, no holdout number, no duration.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET, structs

from sluice.model.classes.metrics_file import TrainedClassMetrics
from sluice.model.fit.search_words import remarks
from sluice.model.fit.tuning_file import Tuning
from sluice.model.number.metrics_file import NumberFolds, TrainedNumberMetrics
from sluice.model.quality.metrics_file import CrossValidation, Spread, TrainedMetrics
from sluice.served.contract import Column, Contract
from sluice.served.statements import statements

Trained = TrainedMetrics | TrainedClassMetrics | TrainedNumberMetrics
Policy = Mapping[str, Mapping[str, object]]  # the tables of a policy

_METRICS = {
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "bias": "Bias (answer less outcome)",
    "within": "Share within the band",
    "naive_mae": "Error of the training median",
    "skill": "Skill beside the training median",
    "recall": "Recall",
    "precision": "Precision",
    "share_flagged": "Share flagged",
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
}


def model_card(
    contract: Contract,
    metrics: Trained,
    tuning: Tuning,
    policy: Policy,
    lineage: Mapping[str, object],
) -> str:
    """The card as Markdown, its sections in a fixed order; an empty section is left out.

    `lineage` has a value for each label.
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


def _how(contract: Contract, metrics: Trained) -> str:
    if isinstance(metrics, TrainedClassMetrics):
        return _how_of_classes(contract, metrics)
    if isinstance(metrics, TrainedNumberMetrics):
        return _how_of_number(contract, metrics)
    return (
        f'The output is the probability of "{_plain(contract.target.positive)}", between 0 and'
        f" 1. From {metrics.threshold:.4f} on a row is flagged. Send one record or a list, with the"
        " columns below; `golden.json` holds records with the scores they must get."
    )


def _how_of_number(contract: Contract, metrics: TrainedNumberMetrics) -> str:
    quantity = contract.target.quantity
    if quantity is None:
        raise ValueError("the target is no number")
    low, high, middle = (
        _plain(quantity.written(one)) for one in (quantity.low, quantity.high, metrics.middle)
    )
    column = next(column for column in contract.columns if column.role == "target")
    return (
        f'The output is "{_plain(column.name)}", a number from {low} to {high}: what is'
        f" expected on average. Who always answers {middle}, the median of the training rows, has a"
        " skill of 0. Send one record or a list, with the"
        " columns below; `golden.json` holds records with the answers they must get."
    )


def _how_of_classes(contract: Contract, metrics: TrainedClassMetrics) -> str:
    named = ", ".join(f'"{_plain(name)}"' for name in contract.target.classes)
    chosen = "the most probable one"
    if len(set(metrics.weights.values())) > 1:
        weights = ", ".join(f"{_plain(name)} {by:g}" for name, by in metrics.weights.items())
        chosen = f"the one with the largest product of probability and weight ({weights})"
    return (
        f"The output is the probability of each class, between 0 and 1: {named}. The answer is"
        f" {chosen}. Send one record or a list, with the columns below; `golden.json` holds records"
        " with the probabilities they must get."
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
    if column.kept:
        return f"{column.allowed}; may be missing"
    if column.other:
        return (
            f"{column.allowed}; {len(column.values) - 1} are listed, others count as {column.other}"
        )
    return column.allowed


def _excluded(contract: Contract) -> str:
    lines = [
        f"{column.name}: protected, only used to compare groups"
        for column in contract.role("protected")
    ]
    for column in contract.role("ignored"):
        times = {
            contract.as_of: "when a row was",
            contract.known_at: "since when its values were known",
        }
        lines.append(f"{column.name}: {times.get(column.name, 'ignored')}")
    if contract.weight:
        alone = "what a row counts for in training; every metric counts each row once"
        lines.append(f"{contract.weight.name}: {alone}")
    if contract.group:
        alike = "rows of one are in one part of the split, and intervals know that they are alike"
        lines.append(f"{contract.group.name}: {alike}")
    return _bullets([*lines, f"{contract.id.name}: identifies a row"])


def _training(metrics: Trained) -> str:
    rows = metrics.rows
    parts = [("Train", f"{rows.train:,}"), ("Validation", f"{rows.validation:,}")]
    table = _table(("Part", "Rows"), parts)
    if metrics.made_until is UNSET:
        return table
    until = metrics.made_until.replace("T", " ").removesuffix(" 00:00:00.000000")
    return f"{table}\n\nThe split is by time: no row is later than {until}, and later ones judge."


def _procedure(tuning: Tuning) -> str:
    winner = tuning.winner
    trials = Counter(trial.family for trial in tuning.trials)
    budget = ", ".join(f"{count} of {_words(family)}" for family, count in sorted(trials.items()))
    rows = [("Family", _words(winner.family)), *sorted(winner.parameters.items())]
    table = _table(("Winner", "Value"), rows)
    objective = _words(tuning.objective)
    told = " ".join(
        [f"Searched by cross-validation for the best {objective}: {budget}.", *remarks(tuning)]
    )
    return f"{told}\n\n{table}"


def _evaluation(metrics: Trained) -> str:
    validation = structs.asdict(metrics.validation)
    folds = _folds(metrics.cross_validation)
    rows = [
        (name, f"{validation[metric]:.4f}", folds.get(metric, ""))
        for metric, name in _METRICS.items()
        if metric in validation
    ]
    table = _table(("Metric", "Validation", "Cross-validation"), rows)
    if isinstance(metrics, TrainedNumberMetrics):
        unit = f" {_plain(metrics.unit)}" if metrics.unit else ""
        return (
            f"{table}\n\nErrors are in the unit of the target; the band is {metrics.band:g}{unit}."
        )
    if not isinstance(metrics, TrainedClassMetrics):
        return table
    of_classes = [
        (name, f"{one.rows:,}", f"{one.recall:.4f}", f"{one.precision:.4f}")
        for name, one in metrics.classes.items()
    ]
    classes = _table(("Class", "Validation rows", "Recall", "Precision"), of_classes)
    return f"{table}\n\nEach is the mean over the classes.\n\n{classes}"


def _folds(validated: CrossValidation | NumberFolds) -> dict[str, str]:
    """Mean and spread by metric, for those that were measured on each fold."""
    spreads: dict[str, Spread] = structs.asdict(validated)
    return {metric: f"{spread.mean:.4f} ± {spread.std:.4f}" for metric, spread in spreads.items()}


def _flat(policy: Policy) -> list[tuple[str, object]]:
    """The settings of all tables, as `table.key` and value."""
    return [
        (f"{table}.{key}", value)
        for table, settings in policy.items()
        for key, value in settings.items()
    ]


def _words(name: object) -> str:
    return _plain(name).replace("_", " ")
