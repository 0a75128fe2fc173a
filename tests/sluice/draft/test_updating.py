"""A newer table beside a contract that a person wrote: what is proposed, told, and left alone."""

import pytest
from support import deliveries

from sluice.draft.sniffing import sniff
from sluice.draft.updating import Update, update
from sluice.served.contract import load_contract

CONTRACT = """\
schema = 2
row = "stay"
rows = "stays"

[target]
column = "again"
positive = "yes"
negative = "no"
positive_label = "Again"
negative_label = "Not again"

[columns.stay]
role = "id"
kind = "category"

[columns."days"]  # in the ward
role = "feature"
kind = "integer"
minimum = 0
maximum = 30  # a month
example = 3

[columns.ward]
role = "feature"
kind = "category"
values = [
  "east",  # the old house
  "west"
]
example = "east"

[columns.pain]
role = "feature"
kind = "ordinal"
values = ["low", "high"]
example = "low"

[columns.sex]
role = "protected"
kind = "category"
values = ["f", "m"]

[columns.again]
role = "target"
kind = "category"
values = ["no", "yes"]

[columns.note]
role = "ignored"
"""
HEADER = "stay,days,ward,pain,sex,again"
ROWS = ["a,3,east,low,f,no", "b,30,west,high,m,yes", "c,1,west,low,f,no"]


def proposed(*rows: str, header: str = HEADER, contract: str = CONTRACT) -> Update:
    text = "\n".join([header, *(rows or ROWS)])
    return update(contract, "contract.toml", sniff(text.encode(), "stays.csv"))


def test_a_table_that_fits_changes_nothing() -> None:
    found = proposed()
    assert (found.text, found.changes, found.remarks) == (CONTRACT, (), ())


PROPOSED = {
    "a limit, and its comment stays": (
        "d,45,east,low,f,no",
        "maximum = 30  # a month",
        "maximum = 60  # a month",
    ),
    "a value, below those over several lines": (
        "d,3,north,low,f,no",
        '  "west"\n]',
        '  "west",\n  "north",\n]',
    ),
    "a protected cell that is missing": (
        "d,3,east,low,,no",
        'role = "protected"\n',
        'role = "protected"\nmissing = "keep"\n',
    ),
    "a missing number": (
        "d,,east,low,f,no",
        '[columns."days"]  # in the ward\nrole = "feature"\n',
        '[columns."days"]  # in the ward\nrole = "feature"\nmissing = "keep"\n',
    ),
    "a fraction": ("d,2.5,east,low,f,no", 'kind = "integer"', 'kind = "number"'),
}


@pytest.mark.parametrize("case", PROPOSED)
def test_what_is_new_is_proposed_and_no_other_line_changes(case: str) -> None:
    row, before, after = PROPOSED[case]
    found = proposed(*ROWS, row)
    assert found.text == CONTRACT.replace(before, after, 1)
    assert found.remarks == ()
    assert load_contract(found.text)


def test_a_missing_category_becomes_a_value_of_its_own() -> None:
    found = proposed(*ROWS, "d,3,,low,f,no")
    ward = load_contract(found.text).find("ward")
    assert ward is not None
    assert (ward.values, ward.missing, ward.fill) == (
        ("east", "west", "unknown"),
        "impute",
        "unknown",
    )


def test_a_new_column_is_ignored_until_a_person_says_otherwise() -> None:
    rows = [f"{row},x{place}" for place, row in enumerate(ROWS)]
    found = proposed(*rows, header=f"{HEADER},Bett Nr.")
    assert [(one.column, one.key, one.value) for one in found.changes] == [
        ("Bett Nr.", "role", "ignored")
    ]
    assert found.text.startswith(CONTRACT)
    assert load_contract(found.text).find("Bett Nr.")


TOLD = {
    "an order": ("d,3,east,middle,f,no", 'pain has "middle" in 1 row; its values have an order'),
    "a third class": ("d,3,east,low,f,perhaps", 'The target again has "perhaps" in 1 row'),
    "no number": ("d,three,east,low,f,no", "days: 1 cell is no number."),
    "a sign of missing": ("d,3,?,low,f,no", 'Missing is written "?"'),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_takes_a_decision_is_told(case: str) -> None:
    row, sentence = TOLD[case]
    found = proposed(*ROWS, row)
    assert any(remark.startswith(sentence) for remark in found.remarks)


def test_a_column_that_is_gone_is_told() -> None:
    rows = [row.removesuffix(",no").removesuffix(",yes") for row in ROWS]
    found = proposed(*rows, header="stay,days,ward,pain,sex")
    assert found.remarks == ("The table has no column 'again', and the contract needs it.",)


def test_a_text_that_cannot_be_edited_safely_is_left_and_told() -> None:
    inline = CONTRACT.replace(
        '[columns.sex]\nrole = "protected"\nkind = "category"\nvalues = ["f", "m"]\n', ""
    ).replace(
        "[columns.stay]",
        "[columns]\nsex = {role='protected', kind='category', values=['f', 'm']}\n[columns.stay]",
    )
    found = proposed(*ROWS, "d,3,east,low,x,no", contract=inline)
    assert found.text == inline
    assert found.remarks == (
        'sex: write values = ["f", "m", "x"] ("x" in 1 row seen); its text is unusual.',
    )


CLASSES = CONTRACT.replace('positive = "yes"\nnegative = "no"\n', "").replace(
    'positive_label = "Again"\nnegative_label = "Not again"\n', ""
)
CLASSES = CLASSES.replace('values = ["no", "yes"]', 'values = ["no", "soon", "late"]')


def of_classes(*rows: str) -> Update:
    return proposed(*rows, contract=CLASSES)


def test_a_table_with_a_row_of_each_class_changes_nothing() -> None:
    found = of_classes("a,3,east,low,f,no", "b,30,west,high,m,soon", "c,1,west,low,f,late")
    assert (found.text, found.changes, found.remarks) == (CLASSES, (), ())


def test_a_class_more_or_less_is_a_decision_and_other_columns_are_proposed_as_before() -> None:
    found = of_classes("a,3,east,low,f,no", "b,3,west,high,m,soon", "c,3,north,low,f,never")
    assert [(one.column, one.key) for one in found.changes] == [("ward", "values")]
    assert found.remarks == (
        'The target again has "never" in 1 row: leave these rows out, or write a class of its own,'
        " with a floor in the policy.",
        "No row has the class 'late' of again: a release needs rows of each.",
    )
    assert load_contract(found.text, "contract.toml").target.classes == ("no", "soon", "late")


def test_of_a_number_what_became_of_rows_is_told_and_left_to_a_person() -> None:
    table = deliveries.to_csv(400).decode().splitlines()
    table[1] = f"{table[1].rpartition(',')[0]},300.5"
    table[2] = f"{table[2].rpartition(',')[0]},"
    sniffed = sniff("\n".join(table).encode(), "new.csv")
    found = update(deliveries.CONTRACT, "contract.toml", sniffed)
    assert found.changes == ()
    assert found.text == deliveries.CONTRACT
    assert found.remarks[-2] == "The target Minutes: 1 cell is no number."
    assert found.remarks[-1].startswith(
        "The target Minutes lies outside of 0 to 240 min in 1 row, from "
    )
    whole = deliveries.CONTRACT.replace(
        'role = "target"\nkind = "number"', 'role = "target"\nkind = "integer"'
    )
    assert update(whole, "contract.toml", sniffed).remarks[-1] == (
        "The target Minutes has fractions, and its kind is integer."
    )


def test_of_a_number_a_table_like_the_first_needs_nothing() -> None:
    found = update(deliveries.CONTRACT, "c", sniff(deliveries.to_csv(300), "new.csv"))
    assert (found.changes, found.remarks) == ((), ())
