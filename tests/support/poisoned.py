"""Values of any type of the house in which every text is the same, hostile one."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_EMPTY = (type(None), msgspec.UnsetType)


def poisoned(kind: Any, text: str) -> Any:
    """A value of this type: each text in it is `text`, each list has one entry, nothing is None."""
    if kind in (str, object):
        return text
    if kind in (int, float, bool):
        return kind(1)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return poisoned(next(each for each in inner if each not in _EMPTY), text)
    if origin is typing.Literal:
        return inner[0]
    if origin in (list, Sequence):
        return [poisoned(inner[0], text)]
    if origin is tuple:
        return tuple(poisoned(each, text) for each in inner if each is not Ellipsis)
    if origin in (dict, Mapping):
        return {poisoned(inner[0], text): poisoned(inner[1], text)}
    return _structure(kind, text)


def _structure(kind: Any, text: str) -> Any:
    hints = typing.get_type_hints(kind)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    else:
        names = list(kind.__struct_fields__)
    return kind(**{name: poisoned(hints[name], text) for name in names})
