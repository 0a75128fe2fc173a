"""How a JSON file with a declared schema is read and written.

A schema is a msgspec struct: what a step writes is read by the same type that wrote it. A field
that the schema does not know is left alone when a file is read.
"""

import json
import re
from typing import Any, TypeVar

import msgspec

from sluice.errors import SluiceError, cause

Document = TypeVar("Document", bound=msgspec.Struct)
Kind = TypeVar("Kind")

_AGAIN = "Run the release again with --no-cache: it writes the file anew."
_UPDATE = "Use the version of Sluice that wrote it."
# What msgspec says: the fault, and where in the document it lies.
_FAULT = re.compile(r"(?P<fault>.*?)(?: - at `(?:key in )?\$(?P<where>.*)`)?", re.DOTALL)


class Unreadable(SluiceError, ValueError):
    """A file of ours that does not follow its schema."""


def write_json(document: msgspec.Struct) -> str:
    """The text of a file: keys by the alphabet, so that equal documents give equal bytes."""
    return json.dumps(msgspec.to_builtins(document), indent=1, sort_keys=True)


def read_json(content: bytes, schema: type[Document], name: str) -> Document:
    """The document in a file; `name` is what errors call the file.

    Raises Unreadable for what is no JSON, lacks a value, has one of another type, or was written by
    a newer version of Sluice.
    """
    return convert(parse_json(content, name), schema, name)


def parse_json(content: bytes | str, name: str) -> Any:
    """The values in a file without a declared schema; `name` is what errors call the file.

    Raises Unreadable for what is no JSON, or is nested too deeply to be read.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name} is not JSON: {cause(error)}", _AGAIN) from None


def decode_json(content: bytes, kind: type[Kind], name: str) -> Kind:
    """A small file that has no version, as a value of this type; `name` is what errors call it.

    Raises Unreadable for what is no JSON, is nested too deeply, or is of another type.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name} cannot be read: {cause(error)}", _AGAIN) from None


def convert(values: object, schema: type[Document], name: str) -> Document:
    """The document that these JSON values make. Raises Unreadable as `read_json` does."""
    _check_version(values, schema, name)
    try:
        return msgspec.convert(values, schema)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{name} does not follow its schema: {_plain(error)}", _AGAIN) from None


def _check_version(values: object, schema: type[Document], name: str) -> None:
    """Raise Unreadable where the file says that its schema is newer than the one known here."""
    known = _version(schema)
    if known is None or not isinstance(values, dict):
        return
    version = values.get("schema", known)
    if isinstance(version, int) and version > known:
        raise Unreadable(f"the schema of {name} is {version}; at most {known} is required", _UPDATE)


def _version(schema: type[msgspec.Struct]) -> int | None:
    """The version that a schema declares as the default of its field `schema`; None for none."""
    for field in msgspec.structs.fields(schema):
        if field.name == "schema":
            return int(field.default)
    return None


def _plain(error: msgspec.ValidationError) -> str:
    """`holdout.recall: expected float, got str`."""
    match = _FAULT.fullmatch(str(error))
    if match is None:
        return str(error)
    fault = match["fault"].replace("`", "")
    where = (match["where"] or "").lstrip(".")
    sentence = fault[:1].lower() + fault[1:]
    return f"{where}: {sentence}" if where else sentence
