"""The texts of contract.toml and policy.toml from proposals; the evidence stands as comments."""

import json
from collections.abc import Iterable
from dataclasses import replace

from sluice.draft.domains import DOMAINS, NONE, Domain
from sluice.draft.limits import LEVEL, TRAIN, VALIDATION, Limits
from sluice.draft.proposals import DATES, Proposal, Roles
from sluice.draft.search import search_text
from sluice.draft.sorts import derived_of, form_in
from sluice.percent import percent
from sluice.served.column_keys import key_of
from sluice.served.days import ISO, written
from sluice.served.reading import Reading

_PRICE = 0.01  # the least that two models may differ by
_GROUPS = "# Groups whose recall, precision and share flagged are compared."
_GROUPS_OF_NUMBER = "# Groups whose errors are compared."
_TIERS = (
    '# Risk in words. The tier "low" ends at the threshold of the model: no flagged row has it.',
    "# 0.5 is half of the threshold, and 0.4 that part of the way from there to 1.",
    '[[tiers]]\nname = "very low"\nbelow = 0.5',
    '[[tiers]]\nname = "low"\nbelow = "threshold"',
    '[[tiers]]\nname = "medium"\nbelow = 0.4',
    '[[tiers]]\nname = "high"',
)


def contract_text(
    model: str,
    roles: Roles,
    reading: Reading,
    source: str,
    domain: str = NONE,
    as_of: str = "",
) -> str:
    """contract.toml of a model whose columns are these; `source` names the table, `as_of` the
    column with the day or the time of each row, empty for none. A row of several that belong
    together is none of its domain: one customer has many orders.
    """
    found = DOMAINS.get(domain)
    alone = found is not None and not roles.role("group")
    title = model.replace("_", " ").capitalize()
    lines = [
        f"# Drafted from {_comment(source)}. Each column says why; correct what is wrong.",
        "schema = 2",
        f"title = {_text(title)}",
        f"row = {_text(found.row if found and alone else 'row')}",
        f"rows = {_text(found.rows if found and alone else 'rows')}",
        *([f"as_of = {_text(as_of)}"] if as_of else []),
        "",
        *_target(roles),
        *(_statements(domain, found) if found else ()),
        *_reading(replace(reading, date=form_in(roles.role("feature")))),
        *(() if roles.classes or roles.number else ("", *_TIERS)),
    ]
    for column in roles.columns:
        lines += ["", *_column(column)]
    for derived in derived_of(roles.columns):
        lines += ["", f"[derived.{derived.name}]", f"expression = {_text(derived.expression)}"]
    segments = list(_segments(roles))
    if segments:
        lines += [
            "",
            _GROUPS_OF_NUMBER if roles.number else _GROUPS,
            "[segments]",
        ]
        lines += segments
    return "\n".join(lines) + "\n"


def _statements(name: str, domain: Domain) -> Iterable[str]:
    """The table [statements] of a domain."""
    yield ""
    yield f"# Those of the domain {name}: correct what does not hold here."
    yield "[statements]"
    for key, sentences in (
        ("use", domain.use),
        ("misuse", domain.misuse),
        ("duties", domain.duties),
    ):
        yield f"{key} = ["
        yield from (f"  {_text(sentence)}," for sentence in sentences)
        yield "]"


def _target(roles: Roles) -> Iterable[str]:
    [target] = roles.role("target")
    yield "[target]"
    yield f"column = {_text(target.name)}"
    if roles.number or roles.classes:
        return  # the number itself is predicted, or each of its values is a class
    yield f"positive = {_text(roles.positive)}"
    yield f"negative = {_text(roles.negative)}"
    yield f"positive_label = {_text(_label(target.name, roles.positive))}"
    yield f"negative_label = {_text(_label(target.name, roles.negative))}"


def _label(name: str, value: str) -> str:
    """What is shown for a value of the target: with the name of the column where it says nothing by
    itself.
    """
    return value if value.isalpha() and len(value) > 3 else f"{name} {value}"


def _reading(reading: Reading) -> Iterable[str]:
    """The table [reading], where the table is not written in the usual way."""
    stated = []
    if reading.delimiter:
        stated.append(f"delimiter = {_text(reading.delimiter)}")
    if reading.encoding != "utf-8":
        stated.append(f"encoding = {_text(reading.encoding)}")
    if reading.missing:
        stated.append(f"missing = [{', '.join(map(_text, reading.missing))}]")
    if reading.decimal != ".":
        stated.append(f"decimal = {_text(reading.decimal)}")
    if reading.thousands:
        stated.append(f"thousands = {_text(reading.thousands)}")
    if reading.signs:
        stated.append(f"signs = [{', '.join(map(_text, reading.signs))}]")
    if reading.date != ISO:
        stated.append(f"date = {_text(reading.date)}")
    if stated:
        yield from ("", "# How a table is written; blanks around a cell never count.", "[reading]")
        yield from stated


def _column(column: Proposal) -> Iterable[str]:
    yield f"[columns.{_text(column.name)}]"
    if column.why:
        yield f"# {_comment(column.why)}"
    if column.why == DATES or (column.kind == "date" and not column.keep_missing):
        yield "# If each row is of that day, models may learn from the past, judged on the newest:"
        yield f'# as_of = {_text(column.name)} at the top, by = "time" in [split] of the policy.'
    if column.key != key_of(column.name):
        yield f"key = {_text(column.key)}"
    yield f"role = {_text(column.role)}"
    if column.role in ("ignored", "group"):
        return
    yield f"kind = {_text(column.kind)}"
    if column.made:
        yield 'made = "row"'
    if column.values:
        yield f"values = [{', '.join(map(_text, column.values))}]"
    if column.other:
        yield f"other = {_text(column.other)}  # stands for every text that is not listed"
    if column.minimum_count:
        yield f"minimum_count = {column.minimum_count}  # training rows; a rarer value counts as it"
    if column.encoding:
        yield f"encoding = {_text(column.encoding)}  # a number, and not a column for each value"
    if column.kind == "date":
        yield f"minimum = {written(column.low)}"
        yield f"maximum = {written(column.high)}"
    if column.kind in ("integer", "number"):
        yield f"minimum = {_number(column.low, column.kind)}"
        yield f"maximum = {_number(column.high, column.kind)}"
    if column.fill is not None:
        yield 'missing = "impute"'
        yield f"fill = {_value(column.fill, column.kind)}"
    if column.keep_missing:
        yield 'missing = "keep"'
    if column.kind == "date":
        yield f"example = {column.example}"
    elif column.example is not None:
        yield f"example = {_value(column.example, column.kind)}"


def _segments(roles: Roles) -> Iterable[str]:
    for column in roles.columns:
        if column.role == "protected":
            yield f"{column.key} = {{ column = {_text(column.name)} }}"
        elif column.edges:
            edges = ", ".join(f"{edge:g}" for edge in column.edges)
            yield f"{column.key} = {{ column = {_text(column.name)}, edges = [{edges}] }}"


def policy_text(model: str, limits: Limits) -> str:
    """policy.toml with these limits; the floors are the lowest where the table allows none."""
    margin = max(_PRICE, round(0.5 * _spread(limits), 2))
    return f"""\
# Drafted from the table. A release warns until a person has read the limits and writes true.
schema = 1
reviewed = false

[data]
minimum_rows = {limits.minimum_rows}         # half of what there was

[split]
salt = {_text(f"{model}-1")}
train = {TRAIN}
validation = {VALIDATION}

{search_text(limits.minimum_rows)}

{_floors(limits)}
flagged_ceiling = 0.9
calibration_ceiling = {limits.calibration_ceiling:g}    # above that of a quick model
stability_ceiling = {limits.stability_ceiling:g}    # twice what chance makes of parts of this size
one_column_ceiling = {limits.one_column_ceiling:g}    # above the best honest column
duplicate_ceiling = {limits.duplicate_ceiling:g}    # above what repeats by chance
comparable_share = 0.95
least_positives = {limits.least_positives}
level = {LEVEL}
# A loss of recall below the margin is put up with. {_seen(limits)}
margin = {margin:g}
brier_margin = 0.02
segment_margin = {max(0.05, margin):g}
segment_positives = 50
segments_required = []
refresh_days = 14
told = "promoted"        # of the holdout only what goes live is measured; "figures" tells all
shipped_margin = {max(0.025, margin):g}
"""


def _seen(limits: Limits) -> str:
    """What the holdout tells apart."""
    if limits.gain is None:
        return f"Another recipe gains less than {limits.positives:,} positives see."
    return f"{limits.positives:,} positives see a gain of {percent(limits.gain, 1)}."


def _spread(limits: Limits) -> float:
    """Twice the standard error of a recall of a half in this holdout."""
    return float(2 * (0.25 / max(limits.positives, 1)) ** 0.5)


def _floors(limits: Limits) -> str:
    """The operating point and the floors of [gate]; the last table that is begun is [gate]."""
    if limits.proposal is not None:
        point = limits.proposal.point
        told = (
            "# On rows outside of the holdout a quick model has a recall of"
            f" {point.recall:.3f} and a precision of {point.precision:.3f}.\n# It flags"
            f" {percent(point.flagged)} of them. What it reaches, not what is needed."
        )
        return told + "\n" + "\n".join(limits.proposal.lines()).replace("[gate]", "\n[gate]")
    return (
        "# No floor of this table can be told from chance: about"
        f" {limits.labels:,} labelled rows are needed.\n[operating_point]\nslack_share = 0.0\n\n"
        "[gate]\nrecall_floor = 0.3\nlift_floor = 1.5"
    )


def pointer_text(reference: str, sha256: str, rows: int) -> str:
    """data/<model>.toml for a file: where it lies, its hash, and how many rows it has."""
    return (
        "# Which data the model is trained on. Other data: put their hash here, in a commit.\n"
        f"reference = {_text(f'file:{reference}')}\nsha256 = {_text(sha256)}\nrows = {rows}\n"
    )


def _text(value: str) -> str:
    """A text of TOML: its basic strings are those of JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _number(value: float, kind: str) -> str:
    return str(int(value)) if kind == "integer" else repr(float(value))


def _value(value: float | str, kind: str) -> str:
    return _text(value) if isinstance(value, str) else _number(value, kind)
