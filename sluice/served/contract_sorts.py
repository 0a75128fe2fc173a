"""What a contract asks of dates, weights and categories of many values.

Each function takes `source` (the file, as a person knows it); each raises UsageError.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.served.contract_fields import fail
from sluice.served.expressions import Expression

if TYPE_CHECKING:
    from sluice.served.contract import Column

MOST_VALUES = 10_000  # that are listed of a category whose value is a number to the model
_DATED = ("feature", "ignored")  # roles of a date


def check_role(source: str, place: str, column: "Column") -> None:
    """Refuse a date where none is read, and a weight that is no number."""
    if column.kind == "date" and column.role not in _DATED:
        fix = 'A date takes role = "feature", and feeds the model by year(...) and the like.'
        raise fail(source, place, "role", f"is {column.role} with kind date", fix)
    if column.role == "weight" and column.kind not in ("integer", "number"):
        fix = "A weight is how often its row counts in training: an integer or a number."
        raise fail(source, place, "kind", f"is {column.kind} and its role is weight", fix)
    if column.role == "weight" and isinstance(column.minimum, int | float) and column.minimum < 0:
        fix = "Nothing weighs less than nothing: it must be 0 or more."
        raise fail(source, place, "minimum", f"is {column.minimum:g} and its role is weight", fix)


def check_of_classes(source: str, columns: Sequence["Column"]) -> None:
    """Refuse what needs a positive class, where the target has several and none is positive."""
    for column in columns:
        place = f'column "{column.name}"'
        if column.encoding == "target":
            fix = 'Of several classes none is positive: write encoding = "frequency".'
            raise fail(source, place, "encoding", "is 'target'", fix)
        if column.monotone:
            fix = "Of several classes none is positive, so no score has a direction: leave it out."
            raise fail(source, place, "monotone", f"is {column.monotone!r}", fix)


def check_of_number(source: str, columns: Sequence["Column"]) -> None:
    """Refuse what needs a positive class, where the target is a number."""
    for column in columns:
        place = f'column "{column.name}"'
        if column.encoding == "target":
            fix = 'It takes the share of positives: write encoding = "frequency".'
            raise fail(source, place, "encoding", "is 'target' and the target is a number", fix)


def check_categories(source: str, place: str, column: "Column") -> None:
    """Refuse `other`, `minimum_count` and `encoding` where they mean nothing."""
    stated = {
        key: value
        for key in ("other", "minimum_count", "encoding")
        if (value := getattr(column, key)) not in ("", 0)
    }
    if not stated:
        return
    key, value = next(iter(stated.items()))
    if column.kind != "category" or column.role != "feature":
        what = f"is {value!r} with kind {column.kind} and role {column.role}"
        raise fail(source, place, key, what, "Only a feature of kind category has it.")
    if column.other and column.other not in column.values:
        fix = f'Add it to values, as "{column.other}": it stands for every text not listed there.'
        raise fail(source, place, "other", f"is {column.other!r}, no entry of values", fix)
    _check_count(source, place, column)
    if len(column.values) > MOST_VALUES:
        what = f"has {len(column.values):,} entries; at most {MOST_VALUES:,} are read"
        raise fail(source, place, "values", what, "List the frequent ones; other has the rest.")


def _check_count(source: str, place: str, column: "Column") -> None:
    count = column.minimum_count
    if type(count) is not int or count < 0:
        fix = "It takes a whole number of training rows, such as 20."
        raise fail(source, place, "minimum_count", f"is {count!r}", fix)
    if count and not column.other:
        fix = 'Write other = "other" too, an entry of values: rare ones count as it.'
        raise fail(source, place, "minimum_count", f"is {count} without other", fix)


def check_dates_are_used(
    source: str, features: Sequence["Column"], expressions: Sequence[Expression]
) -> None:
    """Refuse a date that no derived feature reads: by itself it feeds the model nothing."""
    read = {key for expression in expressions for key in expression.keys}
    for column in features:
        if column.kind == "date" and column.key not in read:
            fix = f'Write [derived.{column.key}_year] expression = "year({column.key})", or ignore'
            place = f'column "{column.name}"'
            what = "is feature, and no derived feature reads the date"
            raise fail(source, place, "role", what, f'{fix} it: role = "ignored".')
