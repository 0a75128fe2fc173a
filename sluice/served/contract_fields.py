"""Reading the tables of a contract strictly: every error names file, place and key.

Each function takes `source` (the file, as a person knows it) and `place` (the table in it, in
words). Each raises UsageError.
"""

from collections.abc import Mapping
from typing import cast

from sluice.errors import UsageError

TOP = "the top level"
Table = Mapping[str, object]  # of TOML, before anything in it is checked


def fail(source: str, place: str, key: str, what: str, fix: str) -> UsageError:
    """The error for a key: `contract.toml: column "Age", maximum is 3`, and what to do."""
    return UsageError(f"{source}: {place}, {key} {what}", fix)


def table(source: str, raw: Table, key: str, needed: bool) -> Table:
    """The table of this name at the top level; an empty one where it is absent and not needed."""
    spec = raw.get(key, {})
    if isinstance(spec, dict) and (spec or not needed):
        return spec
    what = f"is {spec!r}" if spec else "is missing"
    raise fail(source, TOP, key, what, f"Add a [{key}] table.")


def tables(source: str, raw: Table, key: str) -> Mapping[str, Table]:
    """The tables under this name, each by its own name; none where it is absent.

    What each of them is is for `known` to check.
    """
    return cast("Mapping[str, Table]", table(source, raw, key, needed=False))


def known(source: str, place: str, spec: Table, allowed: tuple[str, ...]) -> None:
    """Refuse what is not a table, and a key that is not one of `allowed`."""
    if not isinstance(spec, dict):
        fix = f"Write a table with {', '.join(allowed)}."
        raise fail(source, place, str(spec), "is not a table", fix)
    for key in spec:
        if key not in allowed:
            fix = f"Known here: {', '.join(allowed)}."
            raise fail(source, place, key, "is not a known key", fix)


def choice(source: str, place: str, spec: Table, key: str, allowed: tuple[str, ...]) -> str:
    """The value of a key that takes one of `allowed`."""
    if spec.get(key) not in allowed:
        fix = f"It takes one of {', '.join(allowed)}."
        raise fail(source, place, key, f"is {spec.get(key)!r}", fix)
    return cast(str, spec[key])


def text(source: str, place: str, spec: Table, key: str) -> str:
    """The value of a key that takes a text on one line, and not an empty one."""
    value = spec.get(key)
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        raise fail(source, place, key, f"is {value!r}", "It takes a text on one line.")
    return value


def texts(source: str, place: str, spec: Table, key: str) -> tuple[str, ...]:
    """The value of a key that takes a list of texts, each on one line; the list may be empty."""
    values = spec.get(key)
    if not isinstance(values, list):
        raise fail(source, place, key, f"is {values!r}", "It takes a list of texts.")
    entries = {f"entry {number}": value for number, value in enumerate(values, 1)}
    return tuple(text(source, f"{place}, {key}", entries, name) for name in entries)
