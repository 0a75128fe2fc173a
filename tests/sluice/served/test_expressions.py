"""The language of derived features: closed, never evaluated as code, and equal to numpy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sluice.served.expressions import Scope, parse

SCOPE = Scope({"a": (), "b": (), "level": ("Low", "Mid", "High"), "late": ("No", "Yes")})
A = np.array([0.0, 1.0, -2.5, 7.0])
B = np.array([3.0, 0.0, 0.5, 7.0])
LEVEL = np.array([0.0, 1.0, 2.0, 1.0])
LATE = np.array([1.0, 0.0, 1.0, 0.0])
COLUMNS = {"a": A, "b": B, "level": LEVEL, "late": LATE}

REFUSED = [
    "a.real",
    "a.__class__",
    "().__class__.__bases__",
    "__import__('os')",
    "eval('1')",
    "exec(a)",
    "open('x')",
    "abs.a",
    "print(a)",
    "a()",
    "max",
    "abs",
    "abs(a)(b)",
    "max(a, b, a)",
    "max(a)",
    "abs()",
    "abs(a, b)",
    "max(a, b=b)",
    "abs(*[a])",
    "min(a, **{})",
    "lambda: a",
    "lambda a: a",
    "f'{a}'",
    "f''",
    "(c := a)",
    "c",
    "A",
    "a ** 2",
    "a ** b",
    "a % 2",
    "a // 2",
    "a << 1",
    "a | b",
    "a & b",
    "a ^ b",
    "a @ b",
    "~a",
    "+a",
    "a if b else a",
    "a[0]",
    "a[:]",
    "[a]",
    "[a for a in b]",
    "{a}",
    "{a: b}",
    "(a, b)",
    "()",
    "a < b < 3",
    "a is b",
    "a in b",
    "a not in b",
    "a in ()",
    "a in [b]",
    "level in (-'Low',)",
    "a in ('Low',)",
    "level in ('Low', None)",
    "a < b in (1, 2)",
    "(a in (1, 2)).all",
    "log",
    "log()",
    "None",
    "True",
    "False",
    "...",
    "b'x'",
    "'x'",
    "1j",
    "level == 'low'",
    "level == 'Yes'",
    "a == 'Low'",
    "'Low'",
    "level + 'Low'",
    "'Low' < 'Mid'",
    "not 'Low'",
    "abs('Low')",
    "await a",
    "yield a",
    "a; b",
    "a = 1",
    "import os",
    "a\nb",
    "a,",
    "",
    " ",
    "\t\n",
    "#",
    "a +",
    "(a",
    "a)",
    "1 1",
    "a b",
    "\0",
    "a\0",
    "\ud800",
    "a if",
    "1e999",
    "-1e999",
    "1" * 400,
    "0x" + "f" * 300,
    "'",
    '"""',
    "a + ",
    "`a`",
    "$a",
    "a?b",
    "a \\",
]


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_not_of_the_language_is_refused(source: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(source, SCOPE)
    assert type(caught.value) in (ValueError, UnicodeEncodeError)


@pytest.mark.parametrize(
    "source",
    [
        "-" * 499 + "1",
        "(" * 249 + "a" + ")" * 249,
        "not " * 120 + "a",
        "abs(" * 98 + "a" + ")" * 98,
        "a" + "+a" * 249,
        "a+" * 10**6 + "a",
        "(" * 10**6,
        "a" * 501,
        "[" * 400,
    ],
)
def test_what_is_long_or_deep_is_refused_or_evaluated(source: str) -> None:
    try:
        expression = parse(source, SCOPE)
    except ValueError:
        return
    assert np.isfinite(expression.evaluate(COLUMNS)).all()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a" * 501, "501 characters (1 to 500 are read)"),
        ("-" * 300 + "a", "nested more than 100 deep"),
        ("a +", "'a +' is not an expression"),
        ("salary > 1", "'salary' is not a feature column"),
        ("max(a)", "max takes 2 arguments, not 1"),
        ("abs(a, b)", "abs takes 1 argument, not 2"),
        ("a ** 2", "'a ** 2' is not allowed; known: columns, numbers, + - * /"),
        ("a.real", "'a.real' is not allowed"),
        ("level in 'Low'", "after `in` stands one, such as ('a', 'b')"),
        ("level in ('Low', 'low')", "'low' is not a number, nor a value of the column"),
        ("a in (1, b)", "'b' is not a number or text of a list"),
        ("log(a, b)", "log takes 1 argument, not 2"),
        ("level == 'low'", "'low' is not a number, nor a value of the column it is compared with"),
    ],
)
def test_a_refusal_says_which_part(source: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(source, SCOPE)
    assert message in str(caught.value)


def test_a_value_is_one_of_a_list_or_none_of_it() -> None:
    found = parse("level in ('Low', 'High') and a not in [7, -100]", SCOPE).evaluate(COLUMNS)
    assert found.tolist() == [1.0, 0.0, 1.0, 0.0]
    named = Scope({"level": (), "Level of the job": ()})
    assert parse("level in (0, 1)", named).evaluate(COLUMNS).tolist() == [1.0, 1.0, 0.0, 1.0]


def test_a_logarithm_is_that_of_the_single_number_wherever_it_lies() -> None:
    """Bit for bit: in one row as in many, and in every second place of an array."""
    numbers = np.random.default_rng(5).lognormal(2.0, 4.0, 4_001)
    expression = parse("log(a)", SCOPE)
    many = expression.evaluate({"a": numbers})
    assert many.dtype == np.float64
    assert many.tolist() == [math.log(number) for number in numbers]
    assert expression.evaluate({"a": numbers[::2]}).tolist() == many[::2].tolist()
    assert [float(expression.bare({"a": numbers[:1]})[0])] == many[:1].tolist()
    np.testing.assert_allclose(many, np.log(numbers), rtol=1e-15, atol=1e-15)
    assert np.isnan(expression.evaluate({"a": np.array([0.0, -1.0, np.nan])})).all()


def divided(a: Any, b: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.divide(a, b)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a + b", A + B),
        ("a - b - a", A - B - A),
        ("a * b + a", A * B + A),
        ("a / (b + 1)", A / (B + 1)),
        ("a / b", divided(A, B)),
        ("-a", -A),
        ("--a", A),
        ("-a * b", -A * B),
        ("a - -1", A + 1),
        ("a < b", A < B),
        ("a <= b", A <= B),
        ("a > b", A > B),
        ("a >= b", A >= B),
        ("a == b", A == B),
        ("a != b", A != B),
        ("abs(a)", abs(A)),
        ("floor(a / 2)", np.floor(A / 2)),
        ("min(a, b)", np.minimum(A, B)),
        ("max(a, 0)", np.maximum(A, 0)),
        ("level <= 'Mid'", LEVEL <= 1),
        ("'Mid' < level", LEVEL > 1),
        ("level == 'High'", LEVEL == 2),
        ("late == 'Yes' and a > 0", (LATE == 1) & (A > 0)),
        ("a > 0 or b > 0 or late == 'No'", (A > 0) | (B > 0) | (LATE == 0)),
        ("not a", A == 0),
        ("not (a > 0) and b", (A <= 0) & (B != 0)),
        ("(a > 0) + (b > 0)", (A > 0) * 1 + (B > 0)),
        ("level * 2 + 1", LEVEL * 2 + 1),
        ("7", 7.0),
        ("1_000 + .5", 1000.5),
        ("1e299 * 1e299", np.inf),
        ("a and b", (A != 0) & (B != 0)),
    ],
)
def test_results_are_those_of_numpy(source: str, expected: Any) -> None:
    found = parse(source, SCOPE).evaluate(COLUMNS)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.asarray(expected, dtype=np.float64))


_NUMBERS = st.integers(0, 1000).map(float) | st.floats(0, 1e6).map(abs)
Pair = tuple[str, Callable[[dict[str, Any]], Any]]
_LEAVES: st.SearchStrategy[Pair] = st.one_of(
    st.sampled_from(["a", "b", "level"]).map(lambda key: (key, lambda row: row[key])),
    _NUMBERS.map(lambda number: (repr(number), lambda row: np.float64(number))),
)
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": divided,
    "<": lambda x, y: np.float64(x < y),
    "<=": lambda x, y: np.float64(x <= y),
    "==": lambda x, y: np.float64(x == y),
    "!=": lambda x, y: np.float64(x != y),
    ">": lambda x, y: np.float64(x > y),
    ">=": lambda x, y: np.float64(x >= y),
    "and": lambda x, y: np.float64(bool(x) and bool(y)),
    "or": lambda x, y: np.float64(bool(x) or bool(y)),
}


def larger(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    def joined(sign: str, left: Pair, right: Pair) -> Pair:
        return f"({left[0]} {sign} {right[0]})", lambda row: _BINARY[sign](
            left[1](row), right[1](row)
        )

    negated = inner.map(lambda part: (f"(-{part[0]})", lambda row: -part[1](row)))
    return st.builds(joined, st.sampled_from(list(_BINARY)), inner, inner) | negated


@given(st.recursive(_LEAVES, larger, max_leaves=12))
@settings(max_examples=100, deadline=None)
def test_any_expression_is_what_arithmetic_says_row_by_row(pair: Pair) -> None:
    source, meaning = pair
    assume(len(source) <= 500)
    found = np.broadcast_to(parse(source, SCOPE).evaluate(COLUMNS), len(A))
    with np.errstate(all="ignore"):
        expected = [
            meaning({key: values[row] for key, values in COLUMNS.items()}) for row in range(len(A))
        ]
    np.testing.assert_array_equal(found, expected)


@given(st.text(max_size=60) | st.text("ab()+-*/<>=!'\"., :[]{}0129eLow not and or", max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_evaluated_or_refused(source: str) -> None:
    try:
        expression = parse(source, SCOPE)
    except ValueError:
        return
    assert np.broadcast_to(expression.evaluate(COLUMNS), len(A)).dtype == np.float64
    assert set(expression.keys) <= set(SCOPE.texts)


def test_an_expression_is_known_by_its_source() -> None:
    first, second = parse("a + b * a", SCOPE), parse("a + b * a", SCOPE)
    assert first == second != parse("a+b*a", SCOPE)
    assert len({first, second}) == 1
    assert first != "a + b * a"
    assert first.keys == ("a", "b")
    assert parse("level == 'Low'", SCOPE).keys == ("level",)
