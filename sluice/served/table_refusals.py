"""Why bytes are not the table that a contract describes: each cause has a name, and says what to do
next.

Messages name columns, lines and offsets; a value is never in them, as they end up in logs.
"""

import difflib
import re
from collections.abc import Sequence

from sluice.errors import Refused
from sluice.served.contract import Contract

_SIGNATURES = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "an Excel workbook or another zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
}
_SEPARATOR_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_EXPORT = "Export it as CSV (UTF-8) or Parquet."
_MANY = 5  # names that a message lists


class TableRefused(Refused):
    """The file is not the table that the contract describes; `rule` names why, without a value of
    the file.
    """

    def __init__(self, rule: str, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.rule = rule


def check_bytes(data: bytes, source: str, advice: str = "") -> None:
    """Raise TableRefused where the bytes are no UTF-8 text: empty, UTF-16, binary, another
    encoding.

    `advice` says how to save the table anew; without it those are told who have a command line and
    read Parquet.
    """
    head = data[:4096]
    if not (head.removeprefix(_BOM).strip() or data.removeprefix(_BOM).strip()):
        raise TableRefused(
            "empty", f"{source} is empty", "Export it again: a header line and one line a row."
        )
    for signature, sort in _SIGNATURES.items():
        if head.startswith(signature):
            raise TableRefused("not a CSV", f"{source} is {sort}, not a CSV", advice or _EXPORT)
    if wide := _wide(head):
        what = f"{source} is {wide} text, from its first bytes on"
        raise TableRefused(wide, what, advice or _reencode(wide, source))
    control = _CONTROL.search(data)
    if control:
        what = (
            f"{source} is binary, not a CSV: byte 0x{control[0][0]:02x} at offset {control.start()}"
        )
        raise TableRefused("not a CSV", what, advice or _EXPORT)
    _check_utf8(data, source, advice)


def _wide(head: bytes) -> str:
    """The name of a 16 or 32 bit encoding, by its mark or by its zero bytes; empty if it is
    none.
    """
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    half = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return (
        "UTF-16" if half > 1 and max(even, odd) > 0.6 * half and min(even, odd) < 0.1 * half else ""
    )


def _reencode(encoding: str, source: str) -> str:
    return (
        f'Save it as UTF-8 (in Excel "CSV UTF-8"), or: iconv -f {encoding} -t UTF-8 {source} >'
        " utf8.csv"
    )


def _check_utf8(data: bytes, source: str, advice: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = (
            f"{source} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}, line"
            f" {line}"
        )
        raise TableRefused(
            "wrong encoding", what, advice or _reencode("WINDOWS-1252", source)
        ) from None


def no_header(text: str, contract: Contract, source: str) -> TableRefused:
    """The first line, `text`, names no column: a separator that is not read, or no header."""
    published = {column.name for column in contract.columns}
    if len(published & {name.strip(' "') for name in text.split(":")}) > 0:
        return TableRefused(
            "wrong delimiter",
            f"{source} is separated by colons; commas, semicolons, tabs or vertical bars are"
            " required",
            "Export it with commas between the values.",
        )
    if text.lstrip()[:1] in tuple("{[<"):
        sort = "a web page or XML" if text.lstrip().startswith("<") else "JSON"
        return TableRefused(
            "not a CSV",
            f"{source} looks like {sort}, not like a CSV",
            "Export it as CSV or Parquet.",
        )
    first = ", ".join(column.name for column in contract.columns[:3])
    return TableRefused(
        "no header",
        f"{source} has no header: the first line names none of the {len(published)} columns of the"
        " contract",
        f"The first line must name the columns: {first}, and so on.",
    )


def duplicate_columns(names: Sequence[str], source: str) -> TableRefused:
    """Column names that are in the header more than once."""
    return TableRefused(
        "duplicate column",
        f"{source} has more than one column named {_listed(names)}",
        "Keep one of them; a column is found by its name.",
    )


def check_columns(names: Sequence[str], contract: Contract, source: str) -> None:
    """Raise TableRefused where columns are missing (unless ignored) or unknown, with the name
    perhaps meant.
    """
    published = {column.name for column in contract.columns}
    unknown = [name for name in names if name not in published]
    missing = [c.name for c in contract.columns if c.role != "ignored" and c.name not in names]
    if missing:
        also = f" (and has {len(unknown)} unknown: {_listed(unknown)})" if unknown else ""
        what = f"{source} lacks {_columns(missing)}: {_listed(missing)}{also}"
        hints = [
            f"{near!r} seems to be meant for {name!r}"
            for name in missing
            for near in _near(name, unknown)
        ]
        fix = (
            "; ".join(hints[:_MANY]) + ": write it so."
            if hints
            else "Add the column, or export the table anew."
        )
        raise TableRefused("missing column", what, fix)
    if unknown:
        fix = (
            'Leave it out, or describe it in the contract (role = "ignored" if the model must not'
            " see it)."
        )
        if any(name.strip() == "" or name.startswith(("Unnamed", "__index")) for name in unknown):
            fix = "This is the row index of pandas: write the file with index=False."
        what = (
            f"{source} has {_columns(unknown)} that the contract does not know: {_listed(unknown)}"
        )
        raise TableRefused("unknown column", what, fix)


def _columns(names: Sequence[str]) -> str:
    return f"{len(names)} column{'s' * (len(names) > 1)}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:_MANY])
    return shown + (f" and {len(names) - _MANY} more" if len(names) > _MANY else "")


def _near(name: str, others: Sequence[str]) -> list[str]:
    plain = {near_form(other): other for other in reversed(others)}
    return [
        plain[key] for key in difflib.get_close_matches(near_form(name), plain, n=1, cutoff=0.75)
    ]


def near_form(text: str) -> str:
    """The text without what is easily mistyped: case, spaces, hyphens, underscores and the kind of
    apostrophe.
    """
    return re.sub(r"[\s_\-]+", " ", re.sub("[\u2018\u2019`\u00b4]", "'", text)).strip().casefold()


def spelling(value: str, allowed: Sequence[str]) -> str:
    """The allowed value that was perhaps meant by `value`; empty if none is near."""
    plain = {near_form(text): text for text in allowed}
    near = difflib.get_close_matches(near_form(value), plain, n=1, cutoff=0.8)
    return plain[near[0]] if near else ""


def ragged(
    rows: Sequence[tuple[int, int]], expected: int, source: str, separator: str
) -> TableRefused:
    """Rows with more or fewer fields than the header, as (line, fields)."""
    line, fields = rows[0]
    more = f"; {len(rows)} such lines" if len(rows) > 1 else ""
    counted = "1 field" if fields == 1 else f"{fields} fields"
    named = _SEPARATOR_NAMES.get(separator, repr(separator))
    return TableRefused(
        "not a CSV",
        f"{source}, line {line}: {counted}, the header has {expected}{more}",
        f'A value with {named} in it must stand in quotes: "like{separator} this".',
    )


def open_quote(data: bytes, source: str) -> TableRefused:
    """A quote that is opened and not closed."""
    lines = data.split(b"\n")
    line = next(
        (number for number, text in enumerate(lines, 1) if text.count(b'"') % 2), len(lines)
    )
    what = f"{source}, line {line}: a quote is opened and never closed"
    return TableRefused(
        "not a CSV", what, 'Close it, or write a quote that belongs to the value twice: "".'
    )
