"""Rows that are nobody's: what a sample.toml tells of a table, and what is made of it."""

from dataclasses import dataclass

import numpy as np
import pytest
from support import strange_tables

from gx.validation import validate
from sluice.draft.drafting import Draft, draft
from sluice.draft.generated import generate
from sluice.draft.marginals import marginals
from sluice.draft.proposals import Choices
from sluice.draft.sample_file import FIVES, SampleFile, read_sample, sample_text
from sluice.errors import UsageError
from sluice.model.data.table import read_table, typed
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import Columns

TABLES = {
    "churn": strange_tables.churn(),
    "sessions": strange_tables.sessions(),
    "stays": strange_tables.stays(),
}


@dataclass(frozen=True)
class Made:
    """A draft, its contract, its sample.toml and the rows of it."""

    draft: Draft
    contract: Contract
    sample: SampleFile
    rows: bytes

    @property
    def columns(self) -> Columns:
        return typed(read_table(self.rows, self.contract, "sample"), self.contract)


@pytest.fixture(scope="module")
def made() -> dict[str, Made]:
    found = {}
    for name, table in TABLES.items():
        drafted = draft(table, f"{name}.csv", name, Choices())
        contract = load_contract(drafted.contract)
        sample = read_sample(drafted.sample, "sample.toml", contract)
        found[name] = Made(drafted, contract, sample, generate(sample, contract))
    return found


@pytest.mark.parametrize("name", TABLES)
def test_the_rows_are_valid_and_as_many_as_the_table_has(name: str, made: dict[str, Made]) -> None:
    one = made[name]
    frame = read_table(one.rows, one.contract, "sample")
    assert len(frame) == one.draft.rows
    assert not validate(one.contract, frame, minimum_rows=one.draft.rows, model=name).refused


@pytest.mark.parametrize("name", TABLES)
def test_equal_files_give_equal_bytes_and_another_seed_other_ones(
    name: str, made: dict[str, Made]
) -> None:
    one = made[name]
    assert generate(one.sample, one.contract) == one.rows
    other = read_sample(
        one.draft.sample.replace("seed = 1", "seed = 2"), "sample.toml", one.contract
    )
    assert generate(other, one.contract) != one.rows


@pytest.mark.parametrize("name", TABLES)
def test_what_fewer_than_five_rows_have_is_not_told(name: str, made: dict[str, Made]) -> None:
    for column in made[name].sample.columns.values():
        counts = [*column.negative, *column.positive, *column.missing]
        assert all(count % FIVES == 0 for count in counts)
        told = zip(column.negative, column.positive, strict=True)
        assert all(max(pair) >= FIVES for pair in told)


def test_no_row_of_the_table_is_among_them(made: dict[str, Made]) -> None:
    # Ids are numbered anew, so rows are compared without: amounts tell them apart.
    one = made["churn"]
    theirs = typed(read_table(TABLES["churn"], one.contract, "table"), one.contract)
    keys = [column.key for column in one.contract.features]
    rows = set(zip(*(one.columns[key].tolist() for key in keys), strict=True))
    real = set(zip(*(theirs[key].tolist() for key in keys), strict=True))
    assert len(real) == len(TABLES["churn"].splitlines()) - 1
    assert not rows & real


def test_columns_go_on_telling_of_the_target(made: dict[str, Made]) -> None:
    one = made["churn"]
    theirs = typed(read_table(TABLES["churn"], one.contract, "table"), one.contract)
    for columns in (theirs, one.columns):
        left = columns["churn"] == 1
        assert 0.2 < left.mean() < 0.5
        assert columns["tenure"][left].mean() < columns["tenure"][~left].mean() - 10
        assert columns["charges"][left].mean() > columns["charges"][~left].mean() + 15


@pytest.mark.parametrize("name", TABLES)
def test_a_model_of_them_ranks_as_well_as_one_of_the_table(
    name: str, made: dict[str, Made]
) -> None:
    one = made[name]
    again = draft(one.rows, f"{name}.csv", name, Choices(target=_target(one.contract)))
    assert again.limits.roc_auc > one.draft.limits.roc_auc - 0.03


def test_the_holdout_is_not_looked_at(made: dict[str, Made]) -> None:
    one = made["churn"]
    columns = dict(typed(read_table(TABLES["churn"], one.contract, "table"), one.contract))
    known = np.arange(900)
    before = marginals(one.contract, columns, columns["churn"], known, 900)
    changed = {key: values.copy() for key, values in columns.items()}
    changed["tenure"][900:] = 0
    changed["churn"][900:] = 1
    assert marginals(one.contract, changed, changed["churn"], known, 900) == before


def test_the_text_reads_back(made: dict[str, Made]) -> None:
    for name, one in made.items():
        text = sample_text(name, one.sample)
        assert read_sample(text, "sample.toml", one.contract) == one.sample


WRONG = {
    ("schema = 1", "schema = 2"): "schema is 2; 1 is required",
    ("rows = 1500", "rows = 0"): "rows, negative and positive must be 1 at least",
    ("rows = 1500", "rows = true"): "Expected `int`",
    ("seed = 1", "sead = 1"): "unknown field `sead`",
    ('[columns."tenure"]', '[columns."tenur"]'): "'tenur' is a column of sample.toml and not",
    ('values = ["Female", "Male"]', 'values = ["Female"]'): "different lengths",
    ('values = ["Female", "Male"]', ""): "values, or else low and high, are required",
    ("low = [0, 1]", "low = [2, 1]"): "from 2 to 0 is no range",
    ("digits = 2", "digits = 9"): "digits is 9; -12 to 6 are required",
}


@pytest.mark.parametrize("change", WRONG)
def test_what_is_wrong_in_the_file_is_named(change: tuple[str, str], made: dict[str, Made]) -> None:
    one = made["churn"]
    assert change[0] in one.draft.sample
    with pytest.raises(UsageError) as raised:
        read_sample(one.draft.sample.replace(*change, 1), "sample.toml", one.contract)
    assert WRONG[change] in raised.value.what


def _target(contract: Contract) -> str:
    return contract.role("target")[0].name
