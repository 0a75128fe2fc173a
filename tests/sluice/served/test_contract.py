"""The contract: what is read, what follows from it, and errors that name file, column and key."""

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from support.gate_cases import SMALL, contract, small

from sluice.errors import UsageError
from sluice.served.column_keys import snake_case
from sluice.served.contract import KINDS, ROLES, Column, Contract, load_contract
from sluice.served.encoding import feature_names

# what is wrong: (text of the small contract, what stands in its place, words that the error must
# hold)
DEFECTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "not TOML": ("schema = 1", "schema = ", ("is not TOML", "line 2")),
    "no schema": ("schema = 1", "", ("schema", "None")),
    "another schema": ("schema = 1", "schema = 3", ("schema is 3",)),
    "unknown table": ("[segments]", "[segment]", ("segment", "not a known key", "segments")),
    "no columns": ("[columns]", "[derived]", ("columns", "is missing", "[columns]")),
    "a column is a text": (
        '"Weight" = {',
        '"Height" = "tall"\n"Weight" = {',
        ('column "Height"', "not a table"),
    ),
    "unknown key": (
        'unit = "years"',
        'units = "years"',
        ('column "Age"', "units", "not a known key", "unit"),
    ),
    "unknown kind": (
        '"Age" = { kind = "integer"',
        '"Age" = { kind = "int"',
        ('column "Age"', "kind", "'int'", *KINDS),
    ),
    "no kind": ('"Age" = { kind = "integer",', '"Age" = {', ('column "Age"', "kind", "None")),
    "unknown role": (
        'role = "protected"',
        'role = "secret"',
        ('column "Sex"', "role", "'secret'", *ROLES),
    ),
    "no role": (
        'kind = "integer", role = "feature", minimum = -5',
        'kind = "integer", minimum = -5',
        ('column "Age"', "role", "None"),
    ),
    "an unknown direction": (
        'unit = "years"',
        'unit = "years", monotone = "rising"',
        ('column "Age"', "monotone", "'rising'", "up, down"),
    ),
    "a direction of what has no order": (
        'kind = "category", role = "feature"',
        'kind = "category", monotone = "up", role = "feature"',
        ("monotone is 'up'", "has an order"),
    ),
    "a direction of what is not fed": (
        'role = "protected"',
        'role = "protected", monotone = "up"',
        ('column "Sex"', "monotone is 'up'"),
    ),
    "missing misspelt": (
        'missing = "impute", fill = 12.5',
        'missing = "fill"',
        ('column "Spend"', "missing", "refuse"),
    ),
    "no fill": (
        ", fill = 12.5",
        "",
        ('column "Spend"', "fill", "None", "a number from 0 to 1000000"),
    ),
    "fill out of range": ("fill = 12.5", "fill = -1", ('column "Spend"', "fill", "-1", "from 0")),
    "fill is no whole number": (
        "fill = 3",
        "fill = 3.5",
        ('column "Visits"', "fill", "3.5", "a whole number"),
    ),
    "fill is a boolean": ("fill = 3", "fill = true", ('column "Visits"', "fill", "True")),
    "fill is no value": (
        'fill = "Mid"',
        'fill = "mid"',
        ('column "Tier"', "fill", "'mid'", "Low, Mid, High"),
    ),
    "fill without use": (
        'missing = "impute", fill = 12.5',
        "fill = 12.5",
        ('column "Spend"', "fill", 'missing = "imp'),
    ),
    "protected filled": (
        'role = "protected"',
        'role = "protected", missing = "impute", fill = "F"',
        ('column "Sex"', "fill", "feature"),
    ),
    "example out of range": (
        "example = 40",
        "example = 400",
        ('column "Age"', "example", "400", "-5 to 90 years"),
    ),
    "no minimum": ("minimum = -5, ", "", ('column "Age"', "minimum", "is missing")),
    "limit is a text": (
        "maximum = 90",
        'maximum = "90"',
        ('column "Age"', "maximum", "is 90", "a whole number"),
    ),
    "limit is no whole number": (
        "minimum = -5",
        "minimum = -5.5",
        ('column "Age"', "minimum", "-5.5", "whole"),
    ),
    "limit is no number": ("maximum = 250", "maximum = nan", ('column "Weight"', "maximum", "nan")),
    "limit is beyond a float": (
        "maximum = 250",
        "maximum = 1e39",
        ('column "Weight"', "maximum", "1e+39", "3e38"),
    ),
    "limit is endless": (
        "maximum = 90",
        f"maximum = {'9' * 400}",
        ('column "Age"', "maximum", "is 9999"),
    ),
    "limits are swapped": ("minimum = -5", "minimum = 90", ('column "Age"', "maximum", "above 90")),
    "numbers with values": (
        "example = 40",
        'values = ["a", "b"]',
        ('column "Age"', "values", "kind integer"),
    ),
    "texts with limits": (
        'role = "protected"',
        'role = "protected", minimum = 0',
        ('column "Sex"', "minimum"),
    ),
    "one value": ('["F", "M"]', '["F"]', ('column "Sex"', "values", "['F']", "two or more")),
    "value twice": ('["F", "M"]', '["F", "F"]', ('column "Sex"', "values", "different")),
    "values are no texts": ('["F", "M"]', "[0, 1]", ('column "Sex"', "values", "[0, 1]")),
    "values are a text": ('["F", "M"]', '"FM"', ('column "Sex"', "values", "'FM'", "list")),
    "an empty value": ('["F", "M"]', '["F", ""]', ('column "Sex"', "values")),
    "three answers": (
        'values = ["No", "Yes"], key',
        'values = ["No", "Yes", "So"], key',
        ('column "Pays-Late?"', "values", "3 entries", "no, then yes"),
    ),
    "unit is a number": ('unit = "years"', "unit = 5", ('column "Age"', "unit", "is 5", "text")),
    "key is no word": (
        'key = "late"',
        'key = "is late"',
        ('column "Pays-Late?"', "key", "'is late'"),
    ),
    "key is a number": ('key = "late"', "key = 5", ('column "Pays-Late?"', "key", "is 5")),
    "key taken": (
        'key = "late"',
        'key = "age"',
        ('column "Pays-Late?"', "key", "'age' is taken by 'Age'"),
    ),
    "key is another's name": (
        'key = "late"',
        'key = "Sex"',
        ('column "Sex"', "key", "'Sex' is taken by 'Pays-Late?'"),
    ),
    "two ids": (
        'role = "ignored"',
        'role = "id"',
        ("role id is given to 2 columns", "Exactly one"),
    ),
    "no id": (
        'kind = "category", role = "id"',
        'kind = "category", role = "ignored", values = ["a", "b"]',
        ("role id is given to 0 columns",),
    ),
    "no target": ('role = "target"', 'role = "ignored"', ("role target is given to 0 columns",)),
    "another target": (
        'column = "Churn"',
        'column = "Sex"',
        ("the target", "column", "'Sex'", '"Churn" has role'),
    ),
    "a target of other values": (
        'positive = "Yes"',
        'positive = "yes"',
        ("the target", "positive", "No and Yes"),
    ),
    "a target of lists": (
        'positive = "Yes"',
        'positive = ["Yes"]',
        ("the target", "positive", "No and Yes"),
    ),
    "a target without a table": ("target = {", "target = 1 #", ("target", "is 1")),
    "unknown key of the target": (
        "positive_label",
        "positiv_label",
        ("the target", "positiv_label", "not a known key"),
    ),
    "derived from a protected column": (
        "weight / (age",
        "sex / (age",
        ('"density"', "expression", "'sex' is not a feat"),
    ),
    "derived from nothing": (
        '"weight / (age + 100)"',
        '""',
        ('"density"', "expression", "0 characters"),
    ),
    "derived by a call": (
        '"weight / (age + 100)"',
        '"exec(weight)"',
        ('"density"', "expression", "exec(weight)"),
    ),
    "derived with a column's name": (
        "[derived.density]",
        "[derived.age]",
        ('"age"', "name", "key of a column"),
    ),
    "derived is a text": (
        "[derived.risky]",
        '[derived]\nx = "age"\n[derived.risky]',
        ('"x"', "not a table"),
    ),
    "unknown key of a derived feature": (
        'unit = "kilograms',
        'units = "kilograms',
        ('"density"', "units"),
    ),
    "a rule over an unknown column": (
        "weight < 200",
        "height < 200",
        ('rule "plausible"', "expression", "'height'"),
    ),
    "a severity of its own": (
        'severity = "warning"',
        'severity = "mild"',
        ('rule "plausible"', "severity", "critical"),
    ),
    "a segment of an unknown column": (
        'sex = { column = "Sex" }',
        'sex = { column = "sex" }',
        ('segment "sex"', "column", "'sex'"),
    ),
    "a segment of the target": (
        '{ column = "Sex" }',
        '{ column = "Churn" }',
        ('segment "sex"', "column", "'Churn'"),
    ),
    "edges of texts": (
        '{ column = "Sex" }',
        '{ column = "Sex", edges = [1] }',
        ('segment "sex"', "edges", "[1]"),
    ),
    "edges in disorder": (
        "[10, 100.5]",
        "[100, 10]",
        ('segment "spend"', "edges", "[100, 10]", "ascending"),
    ),
    "edges twice": ("[10, 100.5]", "[10, 10]", ('segment "spend"', "edges", "ascending")),
    "edges that are no numbers": ("[10, 100.5]", '["a"]', ('segment "spend"', "edges", "['a']")),
    "edges that are no list": ("[10, 100.5]", "10", ('segment "spend"', "edges", "is 10")),
    "no edges": (", edges = [10, 100.5]", "", ('segment "spend"', "edges", "[]")),
    "no feature": ('role = "feature"', 'role = "ignored"', ("fill", "column")),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_error_names_file_place_and_key_and_says_what_to_do(defect: str) -> None:
    old, new, words = DEFECTS[defect]
    assert old in SMALL
    with pytest.raises(UsageError) as caught:
        load_contract(SMALL.replace(old, new), "models/small/contract.toml")
    assert caught.value.what.startswith("models/small/contract.toml")
    assert caught.value.fix
    assert caught.value.exit_code == 2
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("table", ["columns", "target", "derived", "rules", "segments"])
def test_what_must_be_a_table_is_named_where_it_is_none(table: str) -> None:
    with pytest.raises(UsageError, match=rf"a.toml: .*{table}.*\[1\]"):
        load_contract(tomli_w.dumps(tomllib.loads(SMALL) | {table: [1]}), "a.toml")


def test_a_contract_without_features_is_refused() -> None:
    bare = """
        schema = 1
        target = { column = "Y", positive = "b", negative = "a" }
        [columns]
        I = { kind = "category", role = "id" }
        Y = { kind = "category", role = "target", values = ["a", "b"] }
    """
    with pytest.raises(UsageError, match="no column has role feature"):
        load_contract(bare)


def places(table: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in nested tables and lists."""
    inner = (
        table.items()
        if isinstance(table, dict)
        else enumerate(table)
        if isinstance(table, list)
        else ()
    )
    return [path, *(found for key, value in inner for found in places(value, (*path, key)))]


_PLAIN = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["Age", "1+", 10**400])
)
_JUNK = st.none() | _PLAIN | st.lists(_PLAIN | st.lists(_PLAIN, max_size=1), max_size=2)
_JUNK |= st.dictionaries(st.text(max_size=3), _PLAIN, max_size=2)
_PLACES = [path for path in places(tomllib.loads(SMALL)) if path]


@given(st.sampled_from(_PLACES), _JUNK)
@settings(max_examples=150, deadline=None)
def test_whatever_stands_somewhere_it_is_read_or_named(path: tuple[Any, ...], junk: Any) -> None:
    raw = tomllib.loads(SMALL)
    *parents, last = path
    place = raw
    for key in parents:
        place = place[key]
    if junk is None:
        del place[last]
    else:
        place[last] = junk
    try:
        text = tomli_w.dumps(raw)
    except (TypeError, ValueError, AttributeError):
        return  # TOML has no null
    try:
        assert isinstance(load_contract(text, "a.toml"), Contract)
    except UsageError as error:
        assert "a.toml" in error.what
        assert error.fix


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(UsageError):
        load_contract(text)


def test_what_a_column_says_in_words() -> None:
    said = {column.key: column.allowed for column in small().columns}
    assert said["age"] == "a whole number from -5 to 90 years"
    assert said["spend"] == "a number from 0 to 1000000"
    assert said["tier"] == "one of Low, Mid, High"
    assert said["customer_id"] == "any text"


def test_what_is_left_out_has_a_meaning() -> None:
    column = small().find("Weight")
    assert column == Column("Weight", "weight", "number", "feature", minimum=-1.5, maximum=250)
    assert (column.missing, column.unit, column.fill, column.numeric) == ("refuse", "", None, True)
    assert small().find("late") is small().find("Pays-Late?") is not None
    assert small().find("lat") is None
    target = small().target
    assert (target.column, target.positive_label, target.negative_label) == (
        "churn",
        "Leaves",
        "No",
    )
    assert [(s.name, s.column, s.edges) for s in small().segments][2] == (
        "spend",
        "spend",
        (10.0, 100.5),
    )
    assert (small().rules[0].severity, small().rules[0].expression.keys) == (
        "warning",
        ("age", "weight"),
    )


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Work-Life Balance", "work_life_balance"),
        (" Age ", "age"),
        ("a__b", "a_b"),
        ("2nd", "2nd"),
        ("%", ""),
    ],
)
def test_keys_are_made_of_names(name: str, key: str) -> None:
    assert snake_case(name) == key


def test_the_shipped_contract_is_the_one_that_was_asked_for() -> None:
    shipped = contract()
    assert len(shipped.features) == 20
    assert {column.name for column in shipped.role("protected")} == {"Gender", "Marital Status"}
    assert {"Job Role", "Distance from Home"} <= {column.name for column in shipped.features}
    assert [derived.name for derived in shipped.derived] == [
        "role_stagnation",
        "tenure_gap",
        "early_tenure_risk",
        "long_tenure_low_role",
    ]
    assert (shipped.id.name, shipped.target.positive) == ("Employee ID", "Left")
    assert not {"gender", "marital_status"} & {
        name.split("=")[0] for name in feature_names(shipped)
    }
    assert all(column.text for column in shipped.columns)
    assert all(column.unit for column in shipped.features if column.numeric)
    assert all(column.example is not None for column in shipped.features)


IGNORED = {
    "constant": ('kind = "integer"', "minimum = 80", "maximum = 80"),
    "constant, of fractions": ('kind = "number"', "minimum = 0.5", "maximum = 0.5"),
    "a number without limits": ('kind = "number"',),
    "a whole number with one limit": ('kind = "integer"', "minimum = 1"),
    "limits the other way round": ('kind = "integer"', "minimum = 9", "maximum = 1"),
    "one value": ('kind = "category"', 'values = ["Y"]'),
    "one value, a boolean": ('kind = "boolean"', 'values = ["Y"]'),
    "one value, ordered": ('kind = "ordinal"', 'values = ["Y"]'),
    "free text": ('kind = "category"',),
    "a date": ('kind = "category"', 'text = "Day of hire"', 'example = "2024-01-31"'),
    "no values": ('kind = "category"', "values = []"),
    "an example out of it": ('kind = "category"', 'values = ["Y"]', 'example = "N"'),
    "the same value twice": ('kind = "category"', 'values = ["Y", "Y"]'),
}
READ = """schema = 1
title = "Described as the file is"
[target]
column = "Left"
positive = "Yes"
negative = "No"
[columns."Number"]
kind = "integer"
role = "id"
minimum = 1
maximum = 9999
[columns."Age"]
kind = "integer"
role = "feature"
minimum = 18
maximum = 70
[columns."Left"]
kind = "category"
role = "target"
values = ["No", "Yes"]
[columns."Odd"]
"""


@pytest.mark.parametrize("lines", IGNORED.values(), ids=IGNORED)
def test_a_column_that_is_ignored_may_be_as_the_file_has_it(lines: tuple[str, ...]) -> None:
    """Over18, StandardHours, names and days of public tables could not be described."""
    text = "\n".join((READ, 'role = "ignored"', *lines))
    [column] = load_contract(text).role("ignored")
    assert column.allowed
    with pytest.raises(UsageError):
        load_contract(text.replace('"ignored"', '"feature"'))


@pytest.mark.parametrize(
    "lines",
    [
        ('kind = "integer"', 'minimum = "x"'),
        ('kind = "integer"', "maximum = 0.5"),
        ('kind = "number"', "minimum = inf"),
        ('kind = "category"', "values = [1]"),
        ('kind = "category"', 'values = [""]'),
        ('kind = "category"', "minimum = 1"),
        ('kind = "datetime"',),
    ],
)
def test_what_is_said_of_it_must_be_of_its_sort(lines: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match='column "Odd"'):
        load_contract("\n".join((READ, 'role = "ignored"', *lines)))
