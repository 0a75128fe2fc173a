"""Mistakes that people make in a contract of their own: each has a sentence that is true."""

import pytest

from sluice.errors import UsageError
from sluice.served.contract import load_contract
from sluice.served.encoding import InvalidFields, read_records

GOOD = """
schema = 2
[target]
column = "Left"
positive = "1"
negative = "0"
[columns."CustomerNumber"]
role = "id"
kind = "integer"
minimum = 1
maximum = 999
[columns."TotalCharges"]
role = "feature"
kind = "number"
minimum = 0
maximum = 9
[columns."Flag"]
role = "feature"
kind = "category"
values = ["0", "1"]
[columns."Sex"]
role = "protected"
kind = "category"
values = ["F", "M"]
[columns."Left"]
role = "target"
kind = "category"
values = ["0", "1"]
[derived.double]
expression = "TotalCharges + total_charges"
"""
TARGET = 'role = "target"\nkind = "category"\nvalues = ["0", "1"]'
FLAG = 'role = "feature"\nkind = "category"\nvalues = ["0", "1"]'
WRONG = {
    "three classes": (TARGET, TARGET.replace('"1"]', '"1", "2"]'), "has 3 values", "Leave"),
    "a numeric target": (
        TARGET,
        'role = "target"\nkind = "number"\nminimum = 0\nmaximum = 9',
        "positive is given and Left is a number",
        'kind = "category"',
    ),
    "an integer target": (
        TARGET,
        'role = "target"\nkind = "integer"\nminimum = 0\nmaximum = 1',
        "positive is given and Left is a number",
        'values = ["0", "1"], as texts',
    ),
    "a large id": ("maximum = 999", "maximum = 9007199254740993", "below 2^53", '"category"'),
    "numbers for texts": (FLAG, FLAG.replace('"0", "1"', "0, 1"), "values is [0, 1]", '"0", "1"'),
    "a protected fill": (
        'values = ["F", "M"]',
        'values = ["F", "M"]\nmissing = "impute"\nfill = "F"',
        'missing is "impute" with role protected',
        'missing = "keep"',
    ),
    "a kept feature": (FLAG, FLAG + '\nmissing = "keep"', 'missing is "keep"', '"impute"'),
    "an unknown column": ("TotalCharges +", "Charges +", "'Charges'", "total_charges"),
    "two groups": (
        "[derived.double]",
        '[columns.a]\nrole = "group"\n[columns.b]\nrole = "group"\n[derived.double]',
        "group is given to 2 columns",
        "At most one",
    ),
    "a made feature": (FLAG, FLAG + '\nmade = "row"', "made is 'row'", 'role = "id"'),
    "no key": ('[columns."Flag"]', '[columns."???"]', "key is ''", "write one"),
}


def test_the_good_one_is_read() -> None:
    contract = load_contract(GOOD)
    assert [column.key for column in contract.features] == ["total_charges", "flag"]
    assert contract.derived[0].expression.keys == ("total_charges",)


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named_with_what_to_do(case: str) -> None:
    old, new, what, fix = WRONG[case]
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        load_contract(GOOD.replace(old, new, 1))
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_a_column_that_begins_with_a_digit_says_so_in_schema_1() -> None:
    with pytest.raises(UsageError) as caught:
        load_contract(GOOD.replace("schema = 2", "schema = 1").replace('"Flag"', '"1stFlag"'))
    assert 'key = "c_1stflag"' in caught.value.fix


def test_an_ignored_column_needs_neither_kind_nor_values() -> None:
    contract = load_contract(GOOD + '[columns.note]\nrole = "ignored"\n')
    assert [column.name for column in contract.role("ignored")] == ["note"]


def test_a_number_where_a_text_is_meant_is_told_so() -> None:
    with pytest.raises(InvalidFields) as caught:
        read_records(load_contract(GOOD), [{"TotalCharges": 1, "flag": 0}])
    [error] = caught.value.errors
    assert (error.value, error.allowed) == ("0", 'one of the texts "0", "1"')
