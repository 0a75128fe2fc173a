"""Derived features: arithmetic, comparison and a few functions over columns. Data, not code.

    company_tenure > 5 and job_level <= 'Mid' or department in ('Sales', 'Service')

An expression is parsed once into a tree of a closed set of nodes and evaluated over arrays, one
number for each row; nothing is ever `eval`ed. A text stands for its place among the values of the
column that it is compared with. Of a date the functions `year`, `month`, `weekday` (1 is Monday)
and `days_between` read the number of its day.

What is missing, in a column that keeps it, is NaN: arithmetic with it is NaN, a comparison with it
is false (but for `!=`), and `is_missing` says 1.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from sluice.served.days import day_of

Array: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[..., NDArray[np.generic]]
Evaluate: TypeAlias = Callable[[Mapping[str, Array]], Array]

_ARITHMETIC: dict[type[ast.operator], Function] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
}
_COMPARISON: dict[type[ast.cmpop], Function] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def _log(number: float) -> float:
    return math.log(number) if number > 0 else math.nan


_FUNCTIONS: dict[str, tuple[int, Function]] = {
    "abs": (1, np.abs),
    "floor": (1, np.floor),
    # One by one: numpy's own gives another last bit where values lie otherwise in memory.
    "log": (1, np.frompyfunc(_log, 1, 1)),
    "max": (2, np.maximum),
    "min": (2, np.minimum),
}


def _year(days: Array) -> Array:
    return _of_calendar(days, "datetime64[Y]") + 1970


def _month(days: Array) -> Array:
    return _of_calendar(days, "datetime64[M]") % 12 + 1


def _weekday(days: Array) -> Array:
    return (days + 3) % 7 + 1  # 1970-01-01 was a Thursday


def _days_between(first: Array, second: Array) -> Array:
    return second - first


def _of_calendar(days: Array, unit: str) -> Array:
    """The years or months from 1970 on to these days; NaN where the day is missing."""
    known = np.where(np.isnan(days), 0.0, days).astype("datetime64[D]")
    return np.where(np.isnan(days), np.nan, known.astype(unit).astype(np.int64))


# Functions of dates: how many of them they take.
_OF_DATES: dict[str, tuple[int, Function]] = {
    "year": (1, _year),
    "month": (1, _month),
    "weekday": (1, _weekday),
    "days_between": (2, _days_between),
}
IS_MISSING = "is_missing"
FUNCTIONS = (*_FUNCTIONS, *_OF_DATES, IS_MISSING)
_LONGEST = 500  # characters; a longer one is code in disguise
_LARGEST = 1e300  # a number from here on is no quantity
_DEEPEST = 100  # levels of nesting: far below what the interpreter can follow


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its `source`, the column keys it reads, and how to evaluate it.
    `asked` are those of which it asks whether they are missing.

    `evaluate` keeps numpy from warning of divisions by zero and the like. `bare` does not: it is
    for callers that do so once for many expressions, because that takes longer than an operation on
    one row.
    """

    source: str
    keys: tuple[str, ...]
    evaluate: Evaluate
    bare: Evaluate
    asked: tuple[str, ...] = ()

    def known(self, columns: Mapping[str, Array]) -> NDArray[np.bool_]:
        """In which rows nothing that it reads is missing, but for what it asks that of; boolean,
        shape (rows,), or () where it reads no column.
        """
        read = [key for key in self.keys if key not in self.asked]
        found = [~np.isnan(columns[key]) for key in read]
        return np.asarray(np.all(found, axis=0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)


_NO_NAMES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Scope:
    """The columns that an expression may name, by key: `texts` has the values of each in order,
    none for numbers. `dates` are those of days, `kept` those that may be missing and stay so.
    """

    texts: Mapping[str, tuple[str, ...]]
    dates: frozenset[str] = field(default_factory=frozenset)
    kept: frozenset[str] = field(default_factory=frozenset)


def parse(source: str, scope: Scope, names: Mapping[str, str] = _NO_NAMES) -> Expression:
    """Parse `source`, which may name the columns of `scope`.

    `names` are other names of columns, with the key of each; a key is meant before a name.
    Raise ValueError saying which part does not belong to the language.
    """
    if not source.strip() or len(source) > _LONGEST:
        raise ValueError(f"has {len(source)} characters (1 to {_LONGEST} are read)")
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{source!r} is not an expression") from None
    if _depth(tree) > _DEEPEST:
        raise ValueError(f"is nested more than {_DEEPEST} deep")
    # A column may have the name of a function, such as year.
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names_in = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    used = [node for node in names_in if id(node) not in called]
    for node in used:
        node.id = node.id if node.id in scope.texts else names.get(node.id, node.id)
    evaluate = _build(tree, scope, ())
    keys = sorted({node.id for node in used} & set(scope.texts))
    return Expression(source, tuple(keys), _quiet(evaluate), evaluate, _asked(tree))


def _asked(tree: ast.AST) -> tuple[str, ...]:
    """The columns of which `is_missing` is asked, in a tree that is checked."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    asking = [node for node in calls if cast(ast.Name, node.func).id == IS_MISSING]
    return tuple(sorted({cast(ast.Name, node.args[0]).id for node in asking}))


def _quiet(evaluate: Evaluate) -> Evaluate:
    """The same function, with numpy kept from warning of divisions by zero and the like."""

    def quietly(columns: Mapping[str, Array]) -> Array:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(evaluate(columns), dtype=np.float64)

    return quietly


def _depth(tree: ast.AST) -> int:
    """How many levels of nodes a tree has."""
    # Level by level, because a recursive walk would end where the interpreter does.
    depth = 0
    level = [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _build(node: ast.AST, scope: Scope, texts: tuple[str, ...]) -> Evaluate:
    """The function that evaluates a node; `texts` are the texts that may stand in it, in order."""
    match node:
        case ast.Name(id=key) if key in scope.dates:
            raise ValueError(f"{key!r} is a date; read it by {', '.join(_OF_DATES)}")
        case ast.Name(id=key) if key in scope.texts:
            return lambda columns: columns[key]
        case ast.Name(id=key):
            raise ValueError(f"{key!r} is not a feature column")
        case ast.Constant(value=value):
            number = np.float64(_number(value, texts))
            return lambda _: np.asarray(number)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _both(_ARITHMETIC[type(op)], _build(left, scope, ()), _build(right, scope, ()))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _apply(operator.neg, _build(operand, scope, ()))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _apply(np.logical_not, _build(operand, scope, ()))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISON:
            texts = _texts(left, scope) or _texts(right, scope)
            return _apply(
                _COMPARISON[type(op)], _build(left, scope, texts), _build(right, scope, texts)
            )
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[listed]):
            return _listed(_build(left, scope, ()), _numbers(listed, _texts(left, scope)), op)
        case ast.BoolOp(op=op, values=values):
            function = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return _fold(function, [_build(value, scope, ()) for value in values])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            parts = [_build(arg, scope, ()) for arg in args]
            return _apply(_function(_FUNCTIONS, name, len(args)), *parts)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _OF_DATES:
            of_days = _function(_OF_DATES, name, len(args))
            return _apply(of_days, *[_date(arg, scope, name) for arg in args])
        case ast.Call(func=ast.Name(id=name), args=[arg], keywords=[]) if name == IS_MISSING:
            return _apply(np.isnan, _may_miss(arg, scope))
    part = ast.unparse(node) if isinstance(node, ast.expr) else node
    known = "columns, numbers, + - * /, comparisons, in, and or not, " + ", ".join(FUNCTIONS)
    raise ValueError(f"{part!r} is not allowed; known: {known}")


def _date(node: ast.AST, scope: Scope, name: str) -> Evaluate:
    """A column of dates, or a day that is written. Raise ValueError for anything else."""
    match node:
        case ast.Name(id=key) if key in scope.dates:
            return lambda columns: columns[key]
        case ast.Constant(value=str() as text) if (day := day_of(text)) is not None:
            number = np.float64(day)
            return lambda _: np.asarray(number)
    part = ast.unparse(node) if isinstance(node, ast.expr) else node
    raise ValueError(f"{part!r} is no date; {name} takes columns of kind date, or '2026-01-31'")


def _may_miss(node: ast.AST, scope: Scope) -> Evaluate:
    """A column that keeps what is missing. Raise ValueError for anything else."""
    match node:
        case ast.Name(id=key) if key in scope.kept:
            return lambda columns: columns[key]
    part = ast.unparse(node) if isinstance(node, ast.expr) else node
    raise ValueError(f'{part!r} never misses; {IS_MISSING} takes a column with missing = "keep"')


def _numbers(node: ast.AST, texts: tuple[str, ...]) -> Array:
    """The numbers that the constants of a list stand for. Raise ValueError for anything else."""
    if not isinstance(node, ast.Tuple | ast.List) or not node.elts:
        part = ast.unparse(node) if isinstance(node, ast.expr) else node
        raise ValueError(f"{part!r} is no list; after `in` stands one, such as ('a', 'b')")
    return np.array([_element(one, texts) for one in node.elts], dtype=np.float64)


def _element(node: ast.expr, texts: tuple[str, ...]) -> float:
    """The number that one constant of a list stands for."""
    match node:
        case ast.Constant(value=value):
            return _number(value, texts)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            return -_number(value, ())
    raise ValueError(f"{ast.unparse(node)!r} is not a number or text of a list")


def _listed(part: Evaluate, numbers: Array, op: ast.cmpop) -> Evaluate:
    """Whether a value is one of these, or for `not in` none of them, as 1 and 0."""
    wanted = isinstance(op, ast.In)
    return lambda columns: np.asarray(np.isin(part(columns), numbers) == wanted, dtype=np.float64)


def _number(value: object, texts: tuple[str, ...]) -> float:
    """The number that a constant stands for: a text for its place among `texts`.

    Raise ValueError for any other text, and for what is no number.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST:
        return value
    if isinstance(value, str) and value in texts:
        return texts.index(value)
    raise ValueError(f"{value!r} is not a number, nor a value of the column it is compared with")


def _function(known: Mapping[str, tuple[int, Function]], name: str, given: int) -> Function:
    """The function of this name. Raise ValueError where it takes another number of arguments."""
    count, function = known[name]
    if given != count:
        arguments = "1 argument" if count == 1 else f"{count} arguments"
        raise ValueError(f"{name} takes {arguments}, not {given}")
    return function


def _texts(node: ast.AST, scope: Scope) -> tuple[str, ...]:
    """The values of the column that a node names; none where it names no column of texts."""
    return scope.texts.get(node.id, ()) if isinstance(node, ast.Name) else ()


def _both(function: Function, left: Evaluate, right: Evaluate) -> Evaluate:
    """Arithmetic, which gives float64 for float64 and so needs no conversion, unlike `_apply`."""
    return lambda columns: cast(Array, function(left(columns), right(columns)))


def _apply(function: Function, *parts: Evaluate) -> Evaluate:
    """A function of the values of its parts, as float64: a comparison gives 0 and 1."""

    def evaluate(columns: Mapping[str, Array]) -> Array:
        return np.asarray(function(*[part(columns) for part in parts]), dtype=np.float64)

    return evaluate


def _fold(function: Function, parts: list[Evaluate]) -> Evaluate:
    """A function of two values over all parts, from the first to the last."""

    def evaluate(columns: Mapping[str, Array]) -> Array:
        result: NDArray[np.generic] = parts[0](columns)
        for part in parts[1:]:
            result = function(result, part(columns))
        return np.asarray(result, dtype=np.float64)

    return evaluate
