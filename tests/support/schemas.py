"""Documents of a declared schema, drawn at random."""

from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import NODEFAULT, UNSET, Struct, UnsetType, structs

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**53), 2**53),
    float: _NUMBERS,
    bool: st.booleans(),
    type(None): st.none(),
    UnsetType: st.just(UNSET),
    object: st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=8),
}


def documents(schema: Any) -> st.SearchStrategy[Any]:
    """Values of a type: a struct, a plain type, or a container of such."""
    if schema in _PLAIN:
        return _PLAIN[schema]
    if isinstance(schema, type) and issubclass(schema, Struct):
        return _struct(schema)
    origin, inner = get_origin(schema), get_args(schema)
    if origin in (Union, UnionType):
        return st.one_of([documents(choice) for choice in inner])
    if origin is dict:
        return st.dictionaries(documents(inner[0]), documents(inner[1]), max_size=3)
    if origin is list or inner[-1] is ...:
        several = st.lists(documents(inner[0]), max_size=3)
        return several if origin is list else several.map(tuple)
    return st.tuples(*[documents(each) for each in inner])


def _struct(schema: type[Struct]) -> st.SearchStrategy[Any]:
    """The version of the schema stays what it is."""
    types = get_type_hints(schema)
    fields = {
        field.name: documents(types[field.name])
        for field in structs.fields(schema)
        if field.name != "schema" or field.default is NODEFAULT
    }
    return st.builds(schema, **fields)
