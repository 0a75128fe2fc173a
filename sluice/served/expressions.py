"""Derived features: arithmetic, comparison and a few functions over columns. Data, not code.

    company_tenure > 5 and job_level <= 'Mid' or department in ('Sales', 'Service')

An expression is parsed once into a tree of a closed set of nodes and evaluated over arrays, one
number for each row; nothing is ever `eval`ed. A text stands for its place among the values of the
column that it is compared with.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

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
_LONGEST = 500  # characters; a longer one is code in disguise
_LARGEST = 1e300  # a number from here on is no quantity
_DEEPEST = 100  # levels of nesting: far below what the interpreter can follow


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its `source`, the column keys it reads, and how to evaluate it.

    `evaluate` keeps numpy from warning of divisions by zero and the like. `bare` does not: it is
    for callers that do so once for many expressions, because that takes longer than an operation on
    one row.
    """

    source: str
    keys: tuple[str, ...]
    evaluate: Evaluate
    bare: Evaluate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)


_NO_NAMES: Mapping[str, str] = {}


def parse(
    source: str, scope: Mapping[str, tuple[str, ...]], names: Mapping[str, str] = _NO_NAMES
) -> Expression:
    """Parse `source`, which may name the columns of `scope`: their values in order, by key.

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
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    for node in used:
        node.id = node.id if node.id in scope else names.get(node.id, node.id)
    evaluate = _build(tree, scope, ())
    keys = sorted({node.id for node in used} & set(scope))
    return Expression(source, tuple(keys), _quiet(evaluate), evaluate)


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


def _build(node: ast.AST, scope: Mapping[str, tuple[str, ...]], texts: tuple[str, ...]) -> Evaluate:
    """The function that evaluates a node; `texts` are the texts that may stand in it, in order."""
    match node:
        case ast.Name(id=key) if key in scope:
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
            return _apply(_function(name, len(args)), *parts)
    part = ast.unparse(node) if isinstance(node, ast.expr) else node
    known = "columns, numbers, + - * /, comparisons, in, and or not, " + ", ".join(_FUNCTIONS)
    raise ValueError(f"{part!r} is not allowed; known: {known}")


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


def _function(name: str, given: int) -> Function:
    """The function of this name. Raise ValueError where it takes another number of arguments."""
    count, function = _FUNCTIONS[name]
    if given != count:
        arguments = "1 argument" if count == 1 else f"{count} arguments"
        raise ValueError(f"{name} takes {arguments}, not {given}")
    return function


def _texts(node: ast.AST, scope: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The values of the column that a node names; none where it names no column of texts."""
    return scope.get(node.id, ()) if isinstance(node, ast.Name) else ()


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
