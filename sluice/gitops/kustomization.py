"""One entry of a kustomization's `images`, text to text: three values change, and every other byte
stays.

A YAML parser says where each value stands; nothing is parsed and written anew. So comments, order,
quotes, blank lines and line ends stay as a person left them, whatever style they write. What cannot
be edited this way is refused with the reason, and an edit that would change anything else is not
made.

The parser that knows the places takes no tab between two words, which kustomize does. A second one,
with the rules of kustomize's own, decides whether a tab may stand where it stands.
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
_OF_FLOW = re.compile(r"[:\[\]]")  # what has a meaning of its own inside {} and []
_REST = re.compile(r"[^\r\n]*")  # of a line
_NULL = "tag:yaml.org,2002:null"
_SHARED = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)
Values = dict[str, str]
Edit = tuple[int, int, str]


@dataclass(frozen=True)
class _Entry:
    """An entry as the parser sees it: the node of each key and of its value."""

    node: yaml.MappingNode
    keys: dict[str, yaml.Node]
    values: dict[str, yaml.Node]

    @property
    def name(self) -> object:
        """What it is an entry for; None where it does not say."""
        node = self.values.get("name")
        return node.value if node else None


def has(text: str, name: str) -> bool:
    """Whether there is an entry for `name`, whether or not it can be edited; a text that is no
    kustomization may have one, because nobody can say.
    """
    meaning = _meaning(text)
    images = meaning.get("images") if isinstance(meaning, dict) else None
    if not isinstance(meaning, dict) or not (images is None or isinstance(images, list)):
        return True
    return any(isinstance(image, dict) and image.get("name") == name for image in images or ())


def namespace(text: str) -> str:
    """The namespace into which a kustomization puts its objects; empty where it names none."""
    meaning = _meaning(text)
    named = meaning.get("namespace") if isinstance(meaning, dict) else None
    return named if isinstance(named, str) else ""


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
    # From the end of the text, so that no place moves; two edits of one place keep their order.
    in_order = sorted(_edits(text, entry, wanted), key=lambda edit: edit[0])
    for start, end, new in reversed(in_order):
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
    matching = [entry for entry in entries if entry.name == name]
    if len(matching) != 1:
        raise _refusal(source, name, f"it has {len(matching)} entries of that name")
    [entry] = matching
    why = _uneditable(text, _spaced(text), entry)
    if not why and _meaning(text) is None:
        why = "one of its keys is no text"
    if why:
        raise _refusal(source, name, why)
    return entry


def _root(text: str, name: str, source: str) -> yaml.MappingNode:
    try:
        documents = list(yaml.compose_all(_spaced(text), yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _refusal(source, name, f"it is not YAML: {error.problem}{line}") from None
    except RecursionError:
        raise _refusal(source, name, "it is nested too deeply to be read") from None
    except yaml.YAMLError as error:
        raise _refusal(source, name, f"it is not YAML: {str(error).splitlines()[0]}") from None
    # kustomize reads past a `---` behind which nothing stands.
    documents = [*documents[:1], *(one for one in documents[1:] if not _is_nothing(one))]
    if len(documents) != 1:
        raise _refusal(source, name, f"it has {len(documents)} documents")
    if not isinstance(documents[0], yaml.MappingNode):
        raise _refusal(source, name, "it is no mapping")
    return documents[0]


def _is_nothing(document: yaml.Node) -> bool:
    """Whether a document is empty: a mark, and comments at most."""
    return isinstance(document, yaml.ScalarNode) and (document.tag, document.value) == (_NULL, "")


def _entry(node: yaml.MappingNode) -> _Entry:
    keys: dict[str, yaml.Node] = {}
    values: dict[str, yaml.Node] = {}
    for key, value in node.value:
        keys.setdefault(str(key.value), key)
        values.setdefault(str(key.value), value)
    return _Entry(node, keys, values)


def _spaced(text: str) -> str:
    """The text with a space for each tab between two words, so each word stays in its place.

    Where the tab may not stand, the text is returned as it is: the parser says why.
    """
    if "\t" not in text:
        return text
    spaced = text
    while (place := _refused_tab(spaced)) is not None:
        spaced = f"{spaced[:place]} {spaced[place + 1 :]}"
    return spaced if _read_alike(text, spaced) else text


def _refused_tab(text: str) -> int | None:
    """Where the parser that knows the places comes upon a tab that it does not take."""
    try:
        for _ in yaml.scan(text, yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if mark is not None and text[mark.index : mark.index + 1] == "\t":
            return mark.index
    return None


def _read_alike(text: str, spaced: str) -> bool:
    """Whether the second parser takes the text, and reads the same in it, but for white space."""
    try:
        read = list(yaml.load_all(text, yaml.CBaseLoader))
        return _blank(read) == _blank(list(yaml.load_all(spaced, yaml.BaseLoader)))
    except (yaml.YAMLError, ValueError, RecursionError):
        return False


def _blank(value: Any) -> Any:
    """The value with a space for each tab in its texts."""
    if isinstance(value, str):
        return value.replace("\t", " ")
    if isinstance(value, dict):
        return {_blank(key): _blank(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_blank(one) for one in value]
    return value


def _uneditable(text: str, spaced: str, entry: _Entry) -> str:
    """Why this entry cannot be edited; empty where it can."""
    if len(entry.node.value) != len(entry.keys):
        return "the entry has a field twice"
    for field in ("name", *FIELDS):
        node = entry.values.get(field)
        if node is not None and not _is_line(node):
            return f"{field} in line {node.start_mark.line + 1} is no plain or quoted text"
    start = entry.node.start_mark.index
    end = max(node.end_mark.index for node in entry.values.values())
    for field, node in entry.values.items():
        if "\t" in text[node.start_mark.index : node.end_mark.index]:
            return f"{field} has a tab in it"
    for token in yaml.scan(spaced, yaml.SafeLoader):
        if start <= token.start_mark.index < end and isinstance(token, _SHARED):
            return f"line {token.start_mark.line + 1} has an anchor, an alias or a type"
    if "<<" in entry.keys:
        return "the entry takes values from elsewhere (<<)"
    return ""


def _is_line(node: yaml.Node) -> bool:
    """Whether a value is a plain or quoted text, and no block of lines."""
    return isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">")


def _values(entry: _Entry) -> Values:
    return {field: _text(entry.values.get(field)) for field in FIELDS}


def _text(node: yaml.Node | None) -> str:
    if node is None or node.tag == _NULL:
        return ""
    return str(node.value)


def _edits(text: str, entry: _Entry, wanted: Values) -> Iterator[Edit]:
    """What is put where: a value in the place of a value, and a field that is missing behind the
    one before it.
    """
    behind, added = "name", ""
    for field in FIELDS:
        node = entry.values.get(field)
        if node is None:
            added += _addition(text, entry, field, wanted[field])
            continue
        if added:
            yield _insertion(text, entry, behind, added)
        behind, added = field, ""
        if _differs(node, wanted[field]):
            value = _replacement(entry, node, wanted[field])
            yield node.start_mark.index, node.end_mark.index, value
    if added:
        yield _insertion(text, entry, behind, added)


def _differs(node: yaml.Node, value: str) -> bool:
    """Whether a node says something else, also where YAML would read the same text as a number."""
    if _text(node) != value:
        return True
    return not _style(node) and bool(_NOT_A_TEXT.fullmatch(value))


def _style(node: yaml.Node) -> str:
    """The quote around a scalar; empty where it is plain."""
    return (node.style or "") if isinstance(node, yaml.ScalarNode) else ""


def _replacement(entry: _Entry, node: yaml.Node, value: str) -> str:
    """What stands in the place of a value, in the same quotes."""
    if node.start_mark.index == node.end_mark.index:  # nothing stands behind the colon
        return f" {_quoted(entry, value, '')}"
    return _quoted(entry, value, _style(node))


def _quoted(entry: _Entry, value: str, quote: str) -> str:
    """A value in these quotes, or in quotes of its own where it would not be read as a text."""
    if not quote and _NOT_A_TEXT.fullmatch(value):
        quote = '"'
    if not quote and entry.node.flow_style and _OF_FLOW.search(value):
        quote = '"'
    return f"{quote}{value}{quote}"


def _addition(text: str, entry: _Entry, field: str, value: str) -> str:
    """A field that the entry does not have yet, as the others are written."""
    name = entry.keys["name"]
    if entry.node.flow_style:
        quote = _style(name)
        return f", {quote}{field}{quote}: {_quoted(entry, value, quote)}"
    indent = " " * name.start_mark.column
    return f"{_line_end(text)}{indent}{field}: {_quoted(entry, value, '')}"


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
        documents = list(yaml.load_all(_spaced(text), yaml.BaseLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return documents[0] if len([one for one in documents if one != ""]) == 1 else None


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
