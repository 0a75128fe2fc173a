"""The reference of the contract's language, `docs/contract.md`, from what the reader of contracts
declares: `python -m scripts.contract_reference`, or `--check` for CI.

Each table goes through what is declared, so a key, kind, role or function without a sentence here
ends in an error, and so does a sentence about one that there is no more.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from flows.project.root import ROOT
from scripts.generated_page import write_or_check
from sluice.served import contract, contract_words, days, expressions, reading
from sluice.served.contract_sorts import MOST_VALUES
from sluice.served.words import Statements

PAGE = ROOT / "docs" / "contract.md"

_TOP = {
    "schema": "2, or 1 for keys as older versions made them",
    "title": "what the model is called on pages",
    "text": "what it says, in a sentence",
    "row": "what a row is called, in the singular: `customer`",
    "rows": "and in the plural: `customers`",
    "as_of": "the name of a column, of dates or ignored, with the day of each row: a split by time",
    "known_at": "the name of an ignored column that says since when the values of a row were known",
    "target": "what is predicted: see [the target](#the-target)",
    "reading": "how the table is written: see [reading](#reading)",
    "tiers": "names for bands of probability: see [tiers](#tiers)",
    "statements": "what readers are told: see [statements](#statements)",
    "columns": "each column of the table: see [columns](#columns)",
    "derived": "features that are computed: see [expressions](#expressions)",
    "rules": "what must be true of each row: see [expressions](#expressions)",
    "segments": "groups that are compared: see [segments](#segments)",
}
_COLUMN = {
    "key": "what programs and expressions call it; made of the name where it is left out",
    "kind": "what it holds: see [kinds](#kinds)",
    "role": "what it is used for: see [roles](#roles)",
    "unit": "of a number, as people read it",
    "minimum": "the least number or the first day; needed of numbers and dates",
    "maximum": "the largest number or the last day; needed too",
    "values": "all texts that may stand there, as a list; in their order where they have one",
    "missing": "what an empty cell is: see [missing](#missing)",
    "fill": 'what stands for an empty cell, with `missing = "impute"`',
    "example": "what forms and prompts offer, and what stands in the description of the service",
    "text": "what it is, in a sentence",
    "made": '`"row"`: an id that is no column of the table, but a hash of the cells of its row',
    "other": "an entry of `values` that stands for every text that is not listed, in training and"
    f" serving alike. A text has at most {contract.LONGEST} characters",
    "monotone": "`up` or `down`: a score may only rise, or only fall, as the column grows",
    "minimum_count": "a value in fewer training rows than this counts as `other`; the model knows"
    " which ones. 10 to 50 is usual",
    "encoding": "what a category is to the model: see [encodings](#encodings)",
}
_KINDS = {
    "integer": ("a whole number", "counts, years, codes that have an order"),
    "number": ("a number", "amounts, shares, measures"),
    "ordinal": ("one of `values`, which have an order", "low, mid, high"),
    "category": ("one of `values`, without an order", "region, plan, shop; an id of any text"),
    "boolean": ("two `values`, no and then yes", "flags; programs may send true and false"),
    "date": (
        "a day, without a time or a time zone",
        "feeds the model through derived features and in no other way",
    ),
}
_ROLES = {
    "feature": "the model is fed it",
    "protected": "never fed, served or logged: groups are compared by it",
    "id": "names the row, and decides its part of the split where there is no group; exactly one",
    "group": "rows with equal values stay in one part of the split; at most one",
    "weight": "what a row counts for in training, 0 or more. Metrics and the gate count each row"
    " once, and the evidence says so; at most one",
    "target": "what is predicted; exactly one",
    "ignored": "not looked at: needs neither kind nor values",
}
_MISSING = {
    "refuse": "the row is refused",
    "impute": "`fill` stands there. Of a category give it a value of its own, such as `unknown`",
    "keep": "it stays missing. Of a number or a date: boosting learns where a missing one belongs,"
    " the logistic family takes the median, and both have a column that says that it is missing."
    " Of a protected column: the empty cells are a group",
}
_ENCODINGS = {
    "": (
        "left out: a column of the matrix for each value",
        "up to 50 values, which is what `sluice init FILE` takes",
    ),
    "target": (
        "the share of positives among training rows with the value, drawn to the mean where they"
        " are few. That of a row learnt from is made without it, and without the fold that judges",
        "more values, of which many have rows enough",
    ),
    "frequency": (
        "the share of the training rows that have the value",
        "how usual a value is says more than which one it is",
    ),
    "key": (
        "the place of the value, by which the model of a fleet is looked up",
        "nobody to write: it stands in the contract that ships with a fleet (`--each`)",
    ),
}
_TARGET = {
    "column": 'the name of the column with `role = "target"`',
    "positive": "the value that is looked for; left out where each of several is a class",
    "negative": "the other one",
    "positive_label": "how a prediction of it is shown; the value where it is left out",
    "negative_label": "the same of the other one",
    "singular": "what a positive is called: `late payment`",
    "plural": "and several of them: `late payments`",
    "decimals": "of a number: how many digits after the point are shown; 0 of whole numbers, 2 of"
    " others where it is left out",
}
_READING = {
    "delimiter": "one more character that may separate cells; comma, semicolon, tab and vertical"
    " bar are found by themselves",
    "encoding": "utf-8 where it is left out",
    "missing": 'texts that stand for an empty cell: `["?", "NA"]`. Blanks always do',
    "decimal": "`.` or `,`",
    "thousands": "what stands between the thousands of numbers: `.`, `,`, a blank or `'`",
    "signs": "texts before or behind numbers that say nothing more, such as `€` or `%`",
    "date": "how days are written; `YYYY-MM-DD` is read besides. One of "
    + ", ".join(f"`{form}`" for form in days.PATTERNS),
}
_TIERS = {
    "name": "of the band, the lowest first",
    "below": 'the probability at which the next one begins, or `"threshold"`; the last has none',
}
_STATEMENTS = {
    "use": "what it is for",
    "misuse": "what it is not for",
    "limits": "what it cannot say",
    "duties": "what is owed to those concerned",
}
_DERIVED = {
    "expression": "what it is computed from, over features",
    "unit": "as people read it",
    "text": "what it is, in a sentence",
}
_RULES = {
    "expression": "what must be true; not judged where something that it reads is missing",
    "severity": "`critical` refuses the data, `warning` is shown",
    "text": "what it says, for people",
}
_SEGMENTS = {
    "column": "the name of a feature or a protected column",
    "edges": "limits of the groups of a number, ascending",
}
_FUNCTIONS = {
    "abs": ("abs(x)", "without its sign"),
    "floor": ("floor(x)", "the whole number below"),
    "log": ("log(x)", "the natural logarithm of a number above 0"),
    "max": ("max(x, y)", "the larger one"),
    "min": ("min(x, y)", "the smaller one"),
    "year": ("year(date)", "the year"),
    "month": ("month(date)", "1 to 12"),
    "weekday": ("weekday(date)", "1 is Monday, 7 is Sunday"),
    "days_between": (
        "days_between(first, second)",
        "how many days the second is later; one of them may be written, as '2026-01-31'",
    ),
    "is_missing": ("is_missing(column)", 'whether a column with `missing = "keep"` is empty'),
}
_EXAMPLE = """\
```toml
[columns."Last payment"]
kind = "date"
role = "feature"
minimum = 2015-01-01
maximum = 2035-12-31
missing = "keep"

[columns."Town"]
kind = "category"
role = "feature"
values = ["Ankara", "Bursa", "Izmir", "other"]
other = "other"
minimum_count = 20

[derived.never_paid]
expression = "is_missing(last_payment)"

[derived.paid_in]
expression = "month(last_payment)"
```"""


def page() -> str:
    """The whole page. Raises ValueError where what is declared and what is said here differ."""
    title = (
        "<!-- Written by `python -m scripts.contract_reference`: change its sentences there. -->"
        "\n\n# The contract\n\n"
        "`models/<name>/contract.toml` says what a row is. Validation, training, service, page,"
        " prompt and batch follow from it. `sluice init FILE` drafts one; each mistake in it is"
        " named with column and key. What a model's columns are: [columns](columns.md)."
    )
    parts = [title, _keys("Top level", contract.TOP_KEYS, _TOP)]
    parts.append(_keys("Columns", contract.COLUMN_KEYS, _COLUMN))
    parts += [
        'Each is a table `[columns."Name"]`, under the name in the table\'s header. With `other` or'
        f" an encoding a category lists at most {MOST_VALUES:,} values.",
        _EXAMPLE,
        _table("Kinds", ("kind", "what may stand there", "for"), contract.KINDS, _KINDS),
        _table("Roles", ("role", "what it is used for"), contract.ROLES, _single(_ROLES)),
        _table("Missing", ("missing", "an empty cell"), contract.MISSING, _single(_MISSING)),
        _table("Encodings", ("encoding", "the number", "for"), contract.ENCODINGS, _ENCODINGS),
        "All look-ups are made of the rows that the model learns from, and are part of its ONNX"
        " file.",
        _keys("The target", contract.TARGET_KEYS, _TARGET),
        _keys("Reading", reading.KEYS, _READING),
        "## Expressions\n\nA derived feature is a table `[derived.name]`, a rule `[rules.name]`.",
        _rows(("key of a derived feature", "what it is"), contract.DERIVED_KEYS, _single(_DERIVED)),
        _rows(("key of a rule", "what it is"), contract.RULE_KEYS, _single(_RULES)),
        "Expressions read features by key or name, and know numbers, texts of a category, `+`, `-`,"
        " `*`, `/`, `< <= > >= == !=`, `in`, `and`, `or`, `not`, and these functions:",
        _rows(("function", "how", "what it gives"), expressions.FUNCTIONS, _FUNCTIONS),
        "What is computed from a missing number is missing; a comparison with one is false, but for"
        " `!=`. A result that is no finite number refuses the row.",
        _keys("Segments", contract.SEGMENT_KEYS, _SEGMENTS),
        _keys("Tiers", contract_words.TIER_KEYS, _TIERS),
        _keys("Statements", [field.name for field in fields(Statements)], _STATEMENTS),
    ]
    return "\n\n".join(parts) + "\n"


def _keys(title: str, declared: Iterable[str], said: Mapping[str, str]) -> str:
    return _table(title, ("key", "what it is"), declared, _single(said))


def _single(said: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: (sentence,) for name, sentence in said.items()}


def _table(
    title: str,
    head: Sequence[str],
    declared: Iterable[str],
    said: Mapping[str, tuple[str, ...]],
) -> str:
    return f"## {title}\n\n{_rows(head, declared, said)}"


def _rows(head: Sequence[str], declared: Iterable[str], said: Mapping[str, tuple[str, ...]]) -> str:
    """A table with a line for each name that is declared. Raises ValueError where they differ."""
    names = list(declared)
    odd = sorted(set(names) ^ set(said))
    if odd:
        raise ValueError(f"{', '.join(odd)}: declared without a sentence, or the reverse")
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    lines += [" | ".join((f"`{name}`" if name else "", *said[name])) for name in names]
    return "\n".join(f"| {line} |" for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with `--check` say whether it is up to date; the exit code."""
    return write_or_check(
        arguments, "scripts.contract_reference", page, PAGE, "what the language of contracts is"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
