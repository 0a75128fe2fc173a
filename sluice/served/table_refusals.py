"""Why bytes are not the table that a contract describes: a name and a next step for each cause.

Messages name columns, lines and offsets; a value is never in them, as they end up in logs.
"""

import codecs
import difflib
import re
from collections.abc import Sequence
from shlex import quote

from sluice.errors import Refused
from sluice.served.contract import Contract
from sluice.served.reading import UTF8

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
_POINTER = b"version https://git-lfs.github.com/spec/"  # what stands in the place of a large file
_SEPARATOR_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_PIECE = 1 << 24  # bytes that are decoded at once
_PANDAS = "This is the row index of pandas: write the file with index=False."
_EXPORT = "Export it as CSV (UTF-8) or Parquet."
_MANY = 5  # names that a message lists
_LONGEST = 60  # characters of each of them


class TableRefused(Refused):
    """The file is not the table that the contract describes; `rule` names the cause.

    Neither `rule` nor the message holds a value of the file.
    """

    def __init__(self, rule: str, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.rule = rule


def as_utf8(data: bytes, contract: Contract, source: str, advice: str = "") -> bytes:
    """The bytes of a text in UTF-8, read in the encoding of the contract; those that begin with the
    mark of UTF-8 are that already.

    Raises TableRefused as `check_bytes` does, and for bytes that are not in that encoding.
    """
    encoding = contract.reading.encoding
    if encoding != UTF8 and not data.startswith(_BOM):
        try:
            data = data.decode(encoding).encode()
        except (UnicodeError, ValueError):
            what = f"{source} is in another encoding; {encoding} is required by the contract"
            fix = advice or "Correct encoding in [reading] of the contract, or export it anew."
            raise TableRefused("wrong encoding", what, fix) from None
    check_bytes(data, source, advice)
    return data


def check_bytes(data: bytes, source: str, advice: str = "") -> None:
    """Refuse bytes that are no UTF-8 text.

    Looked for in this order: empty, a pointer of git-lfs, another format, UTF-16 or 32, binary,
    another encoding.
    `source` names the file in messages. `advice` says how to save the table anew; the default is
    for those who have a command line and read Parquet. Raises TableRefused.
    """
    head = data[:4096]
    if not head.removeprefix(_BOM).strip() and not data.removeprefix(_BOM).strip():
        fix = "Export it again: a header line and one line a row."
        raise TableRefused("empty", f"{source} is empty; a table is required", fix)
    if head.removeprefix(_BOM).startswith(_POINTER):
        what = f"{source} is a pointer of git-lfs and not the table itself; the table is required"
        fix = f"Type `git lfs pull --include {quote(source)}` in its repository, and give it again."
        raise TableRefused("a pointer of git-lfs", what, fix)
    for signature, sort in _SIGNATURES.items():
        if head.startswith(signature):
            what = f"{source} is {sort}; a CSV is required"
            raise TableRefused("not a CSV", what, advice or _EXPORT)
    wide = _wide(head)
    if wide:
        what = f"{source} is {wide} text; UTF-8 is required"
        raise TableRefused(wide, what, advice or _reencode(wide, source))
    _check_binary(data, source, advice)
    _check_utf8(data, source, advice)


def _check_binary(data: bytes, source: str, advice: str) -> None:
    """Refuse bytes with control characters, which no text has."""
    control = _CONTROL.search(data)
    if control:
        byte = f"byte 0x{control[0][0]:02x} at offset {control.start()}"
        what = f"{source} is binary ({byte}); a CSV is required"
        raise TableRefused("not a CSV", what, advice or _EXPORT)


def _wide(head: bytes) -> str:
    """The name of a 16 or 32 bit encoding, by its mark or by its zero bytes; empty for none."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    # Without a mark: Latin letters in 16 bits have a zero in every other byte.
    half = len(head) // 2
    fewer, more = sorted((head[0::2].count(0), head[1::2].count(0)))
    if half > 1 and more > 0.6 * half and fewer < 0.1 * half:
        return "UTF-16"
    return ""


def _reencode(encoding: str, source: str) -> str:
    """How to save a file of this encoding as UTF-8."""
    name = quote(source)
    return (
        f'Save it as UTF-8 (in Excel "CSV UTF-8"), or: iconv -f {encoding} -t UTF-8 {name} >'
        " utf8.csv"
    )


def _check_utf8(data: bytes, source: str, advice: str) -> None:
    """Refuse bytes that are no UTF-8, naming the first that is not."""
    if _is_utf8(data):
        return
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = line_number(data, error.start)
        byte = f"byte 0x{data[error.start]:02x} at offset {error.start}, line {line}"
        what = f"{source} is in another encoding ({byte}); UTF-8 is required"
        fix = advice or _reencode("WINDOWS-1252", source)
        raise TableRefused("wrong encoding", what, fix) from None


def _is_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8. They are looked at in pieces: one emoji makes a text of four
    bytes a sign of the whole.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(data), _PIECE):
            decoder.decode(view[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def line_number(data: bytes, offset: int) -> int:
    """The line, from 1, of the byte at an offset; a line ends in CR LF, LF or CR."""
    return len(_LINE_END.findall(data, 0, offset)) + 1


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
            f"{source} looks like {sort}; a CSV is required",
            "Export it as CSV or Parquet.",
        )
    first = ", ".join(column.name for column in contract.columns[:3])
    return TableRefused(
        "no header",
        f"{source} has no header: its first line names none of the {len(published)} columns of the"
        " contract; a header is required",
        f"Name the columns in it: {first}, and so on.",
    )


def duplicate_columns(names: Sequence[str], source: str) -> TableRefused:
    """Column names that are in the header more than once."""
    return TableRefused(
        "duplicate column",
        f"{source} has more than one column named {_listed(names)}; one is required",
        "Keep one of them; a column is found by its name.",
    )


def check_columns(names: Sequence[str], contract: Contract, source: str) -> None:
    """Refuse a header that lacks columns, unless they are ignored, or has unknown ones.

    The refusal gives the name that was perhaps meant. Raises TableRefused.
    """
    published = {column.name for column in contract.columns}
    unknown = [name for name in names if name not in published]
    needed = [c.name for c in contract.columns if c.role != "ignored" and not c.made]
    missing = [name for name in needed if name not in names]
    if missing:
        raise _missing(missing, unknown, source)
    if unknown:
        raise _unknown(unknown, source)


def _missing(missing: Sequence[str], unknown: Sequence[str], source: str) -> TableRefused:
    """The refusal of a header without these columns, with what was perhaps meant for them."""
    what = f"{source} lacks {_counted(missing, 'column')}: {_listed(missing)}"
    if unknown:
        what += f" (and has {len(unknown)} unknown: {_listed(unknown)})"
    pairs = [(name, _near(name, unknown)) for name in missing]
    hints = [f"{near!r} seems to be meant for {name!r}" for name, near in pairs if near]
    if not hints:
        return TableRefused("missing column", what, "Add the column, or export the table anew.")
    return TableRefused("missing column", what, f"{'; '.join(hints[:_MANY])}: write it so.")


def _unknown(unknown: Sequence[str], source: str) -> TableRefused:
    """The refusal of a header with columns that the contract does not have."""
    columns = _counted(unknown, "column")
    what = f"{source} has {columns} that the contract does not know: {_listed(unknown)}"
    fix = (
        'Leave it out, or describe it in the contract (role = "ignored" if the model must not see'
        " it)."
    )
    if any(not name.strip() or name.startswith(("Unnamed", "__index")) for name in unknown):
        fix = _PANDAS
    return TableRefused("unknown column", what, fix)


def nameless(place: int, columns: int, source: str) -> TableRefused:
    """The refusal of a column that has values and no name; `place` is from 0."""
    which = "first" if place == 0 else f"{place + 1}th"
    if place + 1 == columns:
        which = "last"
    what = (
        f"the {which} of {columns} columns of {source} has values and no name; a name is required"
    )
    fix = "Name it in the header, or take it out."
    return TableRefused("unknown column", what, _PANDAS if place == 0 else fix)


def _counted(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}" if len(items) == 1 else f"{len(items)} {noun}s"


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name[:_LONGEST]) for name in names[:_MANY])
    return f"{listed} and {len(names) - _MANY} more" if len(names) > _MANY else listed


def _near(name: str, others: Sequence[str]) -> str:
    """The other name that is nearly this one; empty if none is."""
    plain = {near_form(other): other for other in reversed(others)}
    near = difflib.get_close_matches(near_form(name), plain, n=1, cutoff=0.75)
    return plain[near[0]] if near else ""


def near_form(text: str) -> str:
    """The text without what is easily mistyped: case, spaces, hyphens, underscores, apostrophes."""
    straight = re.sub("[\u2018\u2019`\u00b4]", "'", text)
    spaced = re.sub(r"[\s_\-]+", " ", straight)
    return spaced.strip().casefold()


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
    counted = "1 field" if fields == 1 else f"{fields} fields"
    named = _SEPARATOR_NAMES.get(separator, repr(separator))
    what = f"{source} has {counted} in line {line}; {expected} are required by its header"
    if len(rows) > 1:
        what += f" ({len(rows)} such lines)"
    fix = f'Put a value with {named} in quotes: "like{separator} this".'
    if {fields for _, fields in rows} == {expected + 1}:
        fix = f"Take {named} out at the end of each line, or name a column for it. {fix}"
    return TableRefused("not a CSV", what, fix)


def open_quote(data: bytes, source: str) -> TableRefused:
    """The refusal of a quote that is opened and not closed.

    It names the first line with an odd number of quotes.
    """
    lines = _LINE_END.split(data)
    odd = (number for number, text in enumerate(lines, 1) if text.count(b'"') % 2)
    line = next(odd, len(lines))
    what = f"{source} has a quote in line {line} that is never closed; quotes in pairs are required"
    fix = 'Close it, or write a quote that belongs to the value twice: "".'
    return TableRefused("not a CSV", what, fix)
