"""The manifest edit, text to text: one entry of a kustomization's `images`, the state beside it, the commit message.

Nothing is parsed and written anew, so comments, order and blank lines stay as a person left them. An edit that cannot
be made this way is refused with the reason.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.errors import UsageError

_FIELDS = ("newName", "newTag", "digest")
_SCALAR = re.compile(r"""(\s*(?:-\s+)?\w+:\s+)("[^"\\]*"|'[^']*'|[^\s"'#&*!|>%@`\[{-]\S*)(\s*|\s+\#.*)""")
_WORD = re.compile(r"[\w\[](?:[\w./:@\[\]-]*[\w.\]-])?", re.ASCII)
# What YAML, in one of its versions, would read as something else than a text: 1234567890123456, 12e4, 0b11, no.
_NOT_A_TEXT = re.compile(
    r"0x[\da-f_]+|0o[0-7_]+|0b[01_]+|\d[\d_]*(?::[\d_.]+)*|\d[\d_]*\.?[\d_]*(?:e[-+]?\d+)?|\d{4}-\d\d?-\d\d?.*"
    r"|y|n|yes|no|on|off|true|false|null|\[.*",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class ImageEntry:
    """One entry of `images`: the name that manifests use, and what stands in its place."""

    name: str
    new_name: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """`name:tag@sha256:...`, as a Rollout shows it."""
        return f"{self.new_name}:{self.tag}@{self.digest}"


@dataclass(frozen=True)
class _Entry:
    """An entry of the list: the line of each field (numbers from 0), and the lines that are none."""

    fields: dict[str, int]
    others: list[int]


def read_image(text: str, name: str, source: str = "kustomization.yaml") -> ImageEntry:
    """The entry for `name`; raises UsageError where there is none, or none that can be edited line by line."""
    lines = text.split("\n")
    found = _find(lines, name, source)
    return ImageEntry(name, *(_value(lines[found[field]]) for field in _FIELDS))


def set_image(text: str, entry: ImageEntry, source: str = "kustomization.yaml") -> str:
    """The same text with the values of this one entry replaced; equal text where they stand there already."""
    lines = text.split("\n")
    found = _find(lines, entry.name, source)
    for field, value in zip(_FIELDS, (entry.new_name, entry.tag, entry.digest), strict=True):
        if not _WORD.fullmatch(value):
            raise UsageError(f"{source}: {field} would be {value!r}", "No image is called that: look at the registry.")
        before, old, after = _parts(lines[found[field]])
        quote = old[0] if old[0] in "\"'" else ('"' if _NOT_A_TEXT.fullmatch(value) else "")
        lines[found[field]] = f"{before}{quote}{value}{quote}{after}"
    return "\n".join(lines)


def _find(lines: list[str], name: str, source: str) -> dict[str, int]:
    """The line of each field of the entry for `name`."""
    starts = [number for number, line in enumerate(lines) if re.match(r"images:\s*(#.*)?$", line)]
    if len(starts) != 1:
        raise _unreadable(source, name, f"it has {len(starts)} `images:` lists in block style")
    entries = _entries(lines, starts[0] + 1)
    matching = [entry for entry in entries if "name" in entry.fields and _value(lines[entry.fields["name"]]) == name]
    if len(matching) != 1:
        raise _unreadable(source, name, f"it has {len(matching)} entries of that name")
    fields = matching[0].fields
    missing = [field for field in _FIELDS if field not in fields]
    if missing:
        raise _unreadable(source, name, f"the entry has no {' and no '.join(missing)}")
    odd = matching[0].others + [fields[field] for field in _FIELDS if not _SCALAR.fullmatch(lines[fields[field]])]
    if odd:
        raise _unreadable(source, name, f"line {min(odd) + 1} is not one `field: value`")
    return fields


def _entries(lines: list[str], start: int) -> list[_Entry]:
    entries: list[_Entry] = []
    for number in range(start, len(lines)):
        line = lines[number]
        if re.match(r"[^\s#-]|---", line):
            break
        if re.match(r"\s*(#|$)", line):
            continue
        if re.match(r"\s*-(\s|$)", line) or not entries:
            entries.append(_Entry({}, []))
        field = re.match(r"\s*(?:-\s+)?(\w+):(?:\s|$)", line)
        if field and field[1] not in entries[-1].fields:
            entries[-1].fields[field[1]] = number
        elif line.strip() != "-":
            entries[-1].others.append(number)
    return entries


def _parts(line: str) -> tuple[str, str, str]:
    """What stands before a value, the value with its quotes, and what stands after it; empty where there is none."""
    match = _SCALAR.fullmatch(line)
    return (match[1], match[2], match[3]) if match else ("", "", "")


def _value(line: str) -> str:
    return _parts(line)[1].strip("\"'")


def _unreadable(source: str, name: str, why: str) -> UsageError:
    fix = (
        "Write it as one entry of `images:` in block style, with `- name:`, `newName:`, `newTag:` and `digest:` "
        "each on a line of its own."
    )
    return UsageError(f"{source}: the image {name} cannot be set: {why}", fix)


def champion_state(entry: ImageEntry, facts: Mapping[str, Any]) -> str:
    """`state/<model>/champion.json`: what is live, and on which evidence."""
    return json.dumps({"schema": 1, "tag": entry.tag, "digest": entry.digest, "image": entry.new_name, **facts},
                      indent=2, sort_keys=True) + "\n"  # fmt: skip


def commit_message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """A commit message whose last paragraph is its trailers; a value is folded into one line."""
    lines = [f"{name}: {' '.join(str(value).split())}" for name, value in trailers.items()]
    return f"{subject}\n\n{body}\n\n" + "\n".join(lines) + "\n"


def read_trailers(message: str) -> dict[str, str]:
    """The trailers of a commit message."""
    last = message.strip().split("\n\n")[-1]
    pairs = (line.partition(": ") for line in last.split("\n"))
    return {name: value for name, colon, value in pairs if colon and re.fullmatch(r"[A-Z][A-Za-z-]+", name)}
