"""One entry of a kustomization's `images`, text to text: three values change, and every other byte
stays.

A YAML parser says where each value stands; nothing is parsed and written anew. So comments, order,
quotes, blank lines and line ends stay as a person left them, whatever style they write. What cannot
be edited this way is refused with the reason, and an edit that would change anything else is not
made.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from sluice.errors import UsageError

FIELDS = ("newName", "newTag", "digest")
_WORD = re.compile(r"[\w\[](?:[\w./:@\[\]-]*[\w.\]-])?", re.ASCII)
# What YAML, in one of its versions, would read as something else than a text: 1234567890123456,
# 12e4, 0b11, no.
_NOT_A_TEXT = re.compile(
    r"0x[\da-f_]+|0o[0-7_]+|0b[01_]+|\d[\d_]*(?::[\d_.]+)*|\d[\d_]*\.?[\d_]*(?:e[-+]?\d+)?|\d{4}-\d\d?-\d\d?.*"
    r"|y|n|yes|no|on|off|true|false|null|\[.*",
    re.ASCII | re.IGNORECASE,
)
_REST = re.compile(r"[^\r\n]*")  # of a line
_SHARED = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)
Values = dict[str, str]
Edit = tuple[int, int, str]


@dataclass(frozen=True)
class _Entry:
    """An entry as the parser sees it: the node of each key and of its value."""

    node: yaml.MappingNode
    keys: dict[str, Any]
    values: dict[str, Any]


def read(text: str, name: str, source: str) -> Values:
    """newName, newTag and digest of the entry for `name`, as they stand there; empty where one is
    missing.

    Raises UsageError where there is no such entry, or none that can be edited.
    """
    return _values(_find(text, name, source))


def write(text: str, name: str, wanted: Values, source: str) -> str:
    """The same text with these values in the entry for `name`; equal text where they stand there
    already.
    """
    for field in FIELDS:
        if not _WORD.fullmatch(wanted[field]):
            raise UsageError(
                f"{source}: {field} would be {wanted[field]!r}", "No image is called that."
            )
    entry = _find(text, name, source)
    edited = text
    for start, end, new in sorted(_edits(text, entry, wanted), reverse=True):
        edited = edited[:start] + new + edited[end:]
    if edited != text and _meaning(edited) != _expected(text, name, wanted):
        raise _refusal(source, name, "the edit would change more than this entry")
    return edited


def _find(text: str, name: str, source: str) -> _Entry:
    root = _root(text, name, source)
    lists = [value for key, value in root.value if key.value == "images"]
    if len(lists) != 1 or not isinstance(lists[0], yaml.SequenceNode):
        raise _refusal(source, name, f"it has {len(lists)} `images:`, and should have one list")
    entries = [_entry(node) for node in lists[0].value if isinstance(node, yaml.MappingNode)]
    matching = [
        entry for entry in entries if "name" in entry.values and entry.values["name"].value == name
    ]
    if len(matching) != 1:
        raise _refusal(source, name, f"it has {len(matching)} entries of that name")
    [entry] = matching
    if why := _uneditable(text, entry):
        raise _refusal(source, name, why)
    return entry


def _root(text: str, name: str, source: str) -> yaml.MappingNode:
    try:
        documents = list(yaml.compose_all(text, yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _refusal(source, name, f"it is not YAML: {error.problem}{line}") from None
    except yaml.YAMLError as error:
        raise _refusal(source, name, f"it is not YAML: {str(error).splitlines()[0]}") from None
    if len(documents) != 1:
        raise _refusal(source, name, f"it has {len(documents)} documents")
    if not isinstance(documents[0], yaml.MappingNode):
        raise _refusal(source, name, "it is no mapping")
    return documents[0]


def _entry(node: yaml.MappingNode) -> _Entry:
    keys: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for key, value in node.value:
        keys.setdefault(str(key.value), key)
        values.setdefault(str(key.value), value)
    return _Entry(node, keys, values)


def _uneditable(text: str, entry: _Entry) -> str:
    """Why this entry cannot be edited; empty where it can."""
    doubled = len(entry.node.value) - len(entry.keys)
    if doubled:
        return "the entry has a field twice"
    for field in ("name", *FIELDS):
        node = entry.values.get(field)
        if node is not None and (not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">")):
            return f"{field} in line {node.start_mark.line + 1} is no plain or quoted text"
    start, end = (
        entry.node.start_mark.index,
        max(node.end_mark.index for node in entry.values.values()),
    )
    if "\t" in text[text.rfind("\n", 0, start) + 1 : end]:
        return "the entry has tabs in it"
    for token in yaml.scan(text, yaml.SafeLoader):
        if start <= token.start_mark.index < end and isinstance(token, _SHARED):
            return f"line {token.start_mark.line + 1} has an anchor, an alias or a type"
    if "<<" in entry.keys:
        return "the entry takes values from elsewhere (<<)"
    return ""


def _values(entry: _Entry) -> Values:
    return {field: _text(entry.values.get(field)) for field in FIELDS}


def _text(node: Any) -> str:
    return "" if node is None or node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _edits(text: str, entry: _Entry, wanted: Values) -> Iterator[Edit]:
    """What is put where: a value in the place of a value, and a field that is missing behind the
    one before it.
    """
    flow = bool(entry.node.flow_style)
    behind, added = "name", ""
    for field in FIELDS:
        node = entry.values.get(field)
        if node is not None:
            if added:
                yield _insertion(text, entry, behind, added)
            behind, added = field, ""
            if _text(node) != wanted[field] or (
                not node.style and _NOT_A_TEXT.fullmatch(wanted[field])
            ):
                yield (
                    node.start_mark.index,
                    node.end_mark.index,
                    _replacement(node, wanted[field], flow),
                )
        else:
            added += _addition(text, entry, field, wanted[field])
    if added:
        yield _insertion(text, entry, behind, added)


def _replacement(node: Any, value: str, flow: bool) -> str:
    if node.start_mark.index == node.end_mark.index:  # nothing stands behind the colon
        return f" {_quoted(value, '', flow)}"
    return _quoted(value, node.style or "", flow)


def _quoted(value: str, quote: str, flow: bool) -> str:
    needed = _NOT_A_TEXT.fullmatch(value) or (flow and re.search(r"[:\[\]]", value))
    mark = quote or ('"' if needed else "")
    return f"{mark}{value}{mark}"


def _addition(text: str, entry: _Entry, field: str, value: str) -> str:
    """A field that the entry does not have yet, as the others are written."""
    if entry.node.flow_style:
        quote = entry.keys["name"].style or ""
        return f", {quote}{field}{quote}: {_quoted(value, quote, True)}"
    return (
        f"{_line_end(text)}{' ' * entry.keys['name'].start_mark.column}{field}:"
        f" {_quoted(value, '', False)}"
    )


def _insertion(text: str, entry: _Entry, behind: str, added: str) -> Edit:
    """Behind the value of a field; in block style behind its line, with the comment that it may
    have.
    """
    place = entry.values[behind].end_mark.index
    if not entry.node.flow_style:
        place = next(_REST.finditer(text, place)).end()
    return place, place, added


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _meaning(text: str) -> Any:
    """What a text says, each scalar as it is written: a number that YAML would round is compared to
    the last digit.
    """
    try:
        [document] = yaml.load_all(text, yaml.BaseLoader)
    except (yaml.YAMLError, ValueError):
        return None
    return document


def _expected(text: str, name: str, wanted: Values) -> Any:
    before = _meaning(text)
    images = [
        {**image, **wanted} if isinstance(image, dict) and image.get("name") == name else image
        for image in before["images"]
    ]
    return {**before, "images": images}


def _refusal(source: str, name: str, why: str) -> UsageError:
    fix = (
        "Write one entry of `images:` for it: `- name:`, `newName:`, `newTag:` and `digest:`, each"
        " a plain value."
    )
    return UsageError(f"{source}: the image {name} cannot be set: {why}", fix)
