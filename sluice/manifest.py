"""The manifest edit, text to text: one entry of a kustomization's `images`, the state beside it, the commit message.

Nothing is parsed and written anew, so comments, order and blank lines stay as a person left them. An edit that cannot be
made this way is refused with the reason.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.errors import UsageError

_FIELDS = ("newName", "newTag", "digest")


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
class _Lines:
    """Where an entry stands: the lines of its fields (numbers from 0), and its first and last line."""

    fields: dict[str, int]
    first: int
    last: int


def read_image(text: str, name: str, source: str = "kustomization.yaml") -> ImageEntry:
    """The entry for `name`; raises UsageError where there is none, or none that can be edited line by line."""
    lines = text.split("\n")
    found = _find(lines, name, source)
    values = {field: _value(lines[line]) for field, line in found.fields.items()}
    return ImageEntry(name, *(values[field] for field in _FIELDS))


def set_image(text: str, entry: ImageEntry, source: str = "kustomization.yaml") -> str:
    """The same text with the values of this one entry replaced; equal text where they stand there already."""
    lines = text.split("\n")
    found = _find(lines, entry.name, source)
    for field, value in zip(_FIELDS, (entry.new_name, entry.tag, entry.digest), strict=True):
        number = found.fields[field]
        match = re.fullmatch(r"(\s*(?:- )?\s*\w+:\s*)(\"[^\"]*\"|'[^']*'|[^\s#]+)(\s*(?:#.*)?\r?)", lines[number])
        if match is None:
            raise _unreadable(source, entry.name, f"line {number + 1} is not `{field}: value`")
        before, old, after = match.groups()
        quote = old[0] if old[0] in "\"'" else ('"' if _looks_like_a_number(value) else "")
        lines[number] = f"{before}{quote}{value}{quote}{after}"
    return "\n".join(lines)


def _find(lines: list[str], name: str, source: str) -> _Lines:
    starts = [number for number, line in enumerate(lines) if re.match(r"images:\s*(#.*)?\r?$", line)]
    if len(starts) != 1:
        raise _unreadable(source, name, f"it has {len(starts)} `images:` lists in block style")
    entries = [entry for entry in _entries(lines, starts[0] + 1) if "name" in entry.fields]
    matching = [entry for entry in entries if _value(lines[entry.fields["name"]]) == name]
    if len(matching) != 1:
        raise _unreadable(source, name, f"it has {len(matching)} entries of that name")
    missing = [field for field in _FIELDS if field not in matching[0].fields]
    if missing:
        raise _unreadable(source, name, f"the entry has no {' and no '.join(missing)}")
    return matching[0]


def _entries(lines: list[str], start: int) -> list[_Lines]:
    entries: list[_Lines] = []
    for number in range(start, len(lines)):
        line = lines[number].rstrip("\r")
        if re.match(r"[^\s#-]", line):
            break
        match = re.match(r"\s*(- )?\s*(\w+):", line)
        if match is None:
            continue
        if match.group(1):
            entries.append(_Lines({}, number, number))
        if not entries or match.group(2) in entries[-1].fields:
            raise _unreadable("kustomization.yaml", match.group(2), f"line {number + 1} stands outside an entry")
        fields = {**entries[-1].fields, match.group(2): number}
        entries[-1] = _Lines(fields, entries[-1].first, number)
    return entries


def _value(line: str) -> str:
    value = re.sub(r"^\s*(- )?\s*\w+:\s*", "", line.rstrip("\r"))
    quoted = re.match(r"([\"'])(.*?)\1", value)
    return quoted.group(2) if quoted else re.sub(r"\s+#.*$", "", value).strip()


def _looks_like_a_number(value: str) -> bool:
    """Whether YAML would read a bare tag as a number: sixteen digits, or digits around an `e`."""
    return re.fullmatch(r"[0-9][0-9_]*(e[0-9]+)?|0[xo][0-9a-f]+", value, re.IGNORECASE) is not None


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
