"""`sample.toml` of a model: from which shares rows are made that are nobody's.

For each class of the target and each column it says how many rows have a value, or lie between two
limits. Counts are in fives, so a value of fewer than five rows of a class is not in it, and no line
tells of two columns at once.

Of one positive class the counts are `negative` and `positive`; of several they are in `classes`, by
the names of these, in the order of the contract. Of a number they are in `classes` too, by parts
of its range, whose limits are in `target`.
"""

import itertools
import json
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from sluice.errors import UsageError
from sluice.served.contract import Column, Contract
from sluice.toml_text import read_toml

FIVES = 5  # rows; what fewer have in common is not told
_DIGITS = range(-12, 7)
_WIDEST = 2**31  # whole steps between two limits

_HEADER = """\
# Generated rows of this model are made from what stands here: `--data models/{model}/sample.toml`.
# For each class of the target, how many rows of the table have a value or lie between two limits,
# rounded down to fives: what fewer than five rows have is left out, and so are the rows of the
# holdout. Within a class the columns are drawn one by one, so what two of them say together is
# lost, and a model of these rows may look better or worse than one of real rows. It shows that the
# way from a table to a service works, and nothing about anybody.
"""


class SampleColumn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often each value or range occurs in rows of each class, and nothing at all (`missing`,
    as (negative, positive), or in the order of the classes; empty for never).

    A column of texts has `values`. One of numbers has limits, both included, of ranges that are
    drawn from evenly, in steps of ten to the power of minus `digits`.
    """

    values: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    digits: int = 0
    negative: tuple[int, ...] = ()
    positive: tuple[int, ...] = ()
    classes: Mapping[str, tuple[int, ...]] = {}
    missing: tuple[int, ...] = ()

    def counts(self) -> tuple[tuple[int, ...], ...]:
        """By the number of its label, the rows of a class by value or range, in order, and behind
        them those with nothing.
        """
        of_classes = tuple(self.classes.values()) or (self.negative, self.positive)
        missing = self.missing or (0,) * len(of_classes)
        return tuple((*of, gone) for of, gone in zip(of_classes, missing, strict=True))

    def steps(self, limit: float) -> int:
        """A limit in whole steps."""
        return round(limit * 10.0**self.digits)


class SampleTarget(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parts of a number as target: their limits, both included, and the digits behind the
    point.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    digits: int = 0

    @property
    def parts(self) -> tuple[str, ...]:
        """What the parts are called in `classes`."""
        return tuple(f"part {place}" for place in range(1, len(self.low) + 1))


class SampleFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many rows are made, how many of the rows that it was counted on had each class, and the
    columns by their published names. `groups` is how many different ones the rows are given.
    """

    schema: int
    rows: int
    seed: int = 1
    negative: int = 0
    positive: int = 0
    classes: Mapping[str, int] = {}
    groups: int = 0
    target: SampleTarget | None = None
    columns: Mapping[str, SampleColumn]

    @property
    def of_classes(self) -> tuple[int, ...]:
        """Rows of each class, by the number of its label."""
        return tuple(self.classes.values()) or (self.negative, self.positive)


def read_sample(text: str, name: str, contract: Contract) -> SampleFile:
    """The file in a text; `name` is what errors call it.

    Raises UsageError for what is wrong in it, and where its columns are not those of the contract.
    """
    try:
        found = msgspec.convert(read_toml(text, name), SampleFile)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {error}", "Write the value that is expected there.") from None
    if found.schema != 1:
        what = f"{name}: schema is {found.schema}; 1 is required"
        raise UsageError(what, "Use the version of Sluice that wrote it.")
    _check_classes(name, contract, found)
    if found.rows < 1 or found.seed < 0 or min(found.of_classes) < 1:
        counted = "the rows of each class" if found.classes else "negative and positive"
        what = f"{name}: rows, {counted} must be 1 at least, and seed no less than 0"
        raise UsageError(what, "Correct the one that is not.")
    drawn = {column.name for column in drawn_columns(contract)}
    for column in sorted(drawn ^ set(found.columns)):
        there, other = ("the contract", name) if column in drawn else (name, "the contract")
        what = f"{column!r} is a column of {there} and not of {other}; both must have it"
        raise UsageError(what, f"Correct [columns] of {name}.")
    if contract.group and found.groups < 1:
        what = f"{name}: groups is {found.groups}; the contract has a group, so 1 is required"
        raise UsageError(what, "Write how many different groups the rows have.")
    for column, spec in found.columns.items():
        _check(f'{name}, column "{column}"', spec)
    return found


def _check_classes(name: str, contract: Contract, found: SampleFile) -> None:
    """Raise UsageError where classes are not those of the contract."""
    classes = contract.target.classes
    if (found.target is None) == (contract.target.quantity is not None):
        has = "has no target" if found.target is None else "has a target"
        kind = "a number" if contract.target.quantity else "no number"
        what = f"{name} {has}, and that of the contract is {kind}"
        raise UsageError(what, "Write [target] where it is a number, and only there.")
    if found.target:
        _check_target(name, found.target)
        classes = found.target.parts
    places: list[tuple[str, SampleFile | SampleColumn]] = [(name, found)]
    places += [(f'{name}, column "{column}"', spec) for column, spec in found.columns.items()]
    for place, spec in places:
        if tuple(spec.classes) != classes:
            there = ", ".join(spec.classes) or "none"
            what = (
                f"{place}: its classes are {there}; the target has {', '.join(classes) or 'none'}"
            )
            raise UsageError(what, "Write those of the target, in the order of the contract.")
        if classes and (spec.negative or spec.positive):
            what = f"{place}: negative or positive is given beside classes"
            raise UsageError(what, "Leave them out: none of several classes is the positive one.")


def _check_target(name: str, target: SampleTarget) -> None:
    """Raise UsageError where the parts of a number are none."""
    pairs = zip(target.low, target.high, strict=False)
    sound = len(target.low) == len(target.high) > 0 and target.digits in _DIGITS
    step = 10.0**target.digits
    if not sound or any(not 0 <= (high - low) * step < _WIDEST for low, high in pairs):
        what = f"{name}: [target] has no parts from low to high"
        raise UsageError(what, "Write as many lower limits as upper ones, each at most as large.")


def drawn_columns(contract: Contract) -> tuple[Column, ...]:
    """The columns whose cells are drawn by class: features, protected ones, and a weight."""
    return tuple(c for c in contract.columns if c.role in ("feature", "protected", "weight"))


def _check(place: str, spec: SampleColumn) -> None:
    """Raise UsageError where the lists of a column do not fit each other."""
    of_classes = list(spec.classes.values()) or [spec.negative, spec.positive]
    sizes = {len(spec.values or spec.low), *map(len, of_classes)}
    ranges = bool(spec.low or spec.high)
    if bool(spec.values) == ranges and (ranges or sum(spec.missing) == 0):
        what = f"{place}: values, or else low and high, are required"
        raise UsageError(what, "Write one of the two.")
    if len(sizes) != 1 or len(spec.low) != len(spec.high):
        what = f"{place}: its lists have different lengths; equal ones are required"
        raise UsageError(what, "Write a count of each class for each value or range.")
    if len(spec.missing) not in (0, len(of_classes)):
        what = f"{place}: missing has {len(spec.missing)} counts; {len(of_classes)} are required"
        raise UsageError(what, "Write one for each class.")
    if min((*itertools.chain(*of_classes), *spec.missing), default=0) < 0:
        raise UsageError(f"{place}: a count is below 0", "Count rows.")
    if spec.digits not in _DIGITS:
        what = f"{place}: digits is {spec.digits}; {_DIGITS[0]} to {_DIGITS[-1]} are required"
        raise UsageError(what, "Write how many digits stand behind the point.")
    for low, high in zip(spec.low, spec.high, strict=True):
        if not 0 <= spec.steps(high) - spec.steps(low) < _WIDEST:
            what = f"{place}: from {low:g} to {high:g} is no range, or too wide for its digits"
            raise UsageError(what, "Write the lower limit first, or fewer digits.")


def sample_text(model: str, sample: SampleFile) -> str:
    """The text of the file."""
    lines = [
        _HEADER.format(model=model) + "schema = 1",
        f"rows = {sample.rows}",
        f"seed = {sample.seed}",
    ]
    if not sample.classes:
        lines += [f"negative = {sample.negative}", f"positive = {sample.positive}"]
    if sample.groups:
        lines.append(f"groups = {sample.groups}")
    if sample.classes:
        lines += ["", "[classes]"]
        lines += [f"{_text(name)} = {rows}" for name, rows in sample.classes.items()]
    if sample.target:
        lines += ["", "[target]", f"low = {_numbers(sample.target.low)}"]
        lines += [f"high = {_numbers(sample.target.high)}", f"digits = {sample.target.digits}"]
    for name, column in sample.columns.items():
        lines += ["", f"[columns.{_text(name)}]", *_column(column)]
    return "\n".join(lines) + "\n"


def _column(column: SampleColumn) -> Iterable[str]:
    if column.low:
        yield f"low = {_numbers(column.low)}"
        yield f"high = {_numbers(column.high)}"
        yield f"digits = {column.digits}"
    else:
        yield f"values = {json.dumps(list(column.values), ensure_ascii=False)}"
    if column.classes:
        yield from (f"classes.{_text(name)} = {list(of)}" for name, of in column.classes.items())
    else:
        yield f"negative = {list(column.negative)}"
        yield f"positive = {list(column.positive)}"
    if any(column.missing):
        yield f"missing = {list(column.missing)}"


def _text(name: str) -> str:
    """A text of TOML: its basic strings are those of JSON."""
    return json.dumps(name, ensure_ascii=False)


def _numbers(numbers: Iterable[float]) -> str:
    return "[" + ", ".join(f"{number:.15g}" for number in numbers) + "]"
