"""What is a leak, and what is a column that says much."""

import numpy as np
import pytest
from support import strange_tables

from sluice.draft.drafting import draft
from sluice.draft.proposals import Choices


@pytest.mark.parametrize("name", ["incomes", "other", "third"])
def test_a_column_that_leads_up_to_a_pure_end_is_a_feature(name: str) -> None:
    """The name is the salt of the split, so other rows are looked at each time."""
    drafted = draft(strange_tables.incomes(), f"{name}.csv", name, Choices())
    [years] = [look for look in drafted.looks if look.name == "education-num"]
    assert years.leak == ""
    assert years.roc_auc > 0.8


def test_a_number_that_jumps_is_a_leak() -> None:
    """A fee that nobody pays who stays; its values behind the first are pure as well."""
    rng = np.random.default_rng(8)
    left = rng.random(2000) < 0.45
    fee = np.where(left & (rng.random(2000) < 0.7), rng.choice([25, 40, 60], 2000), 0)
    names = ["no", "size", "fee", "left"]
    columns = [
        [f"r{place}" for place in range(2000)],
        rng.normal(size=2000).round(3),
        fee,
        np.where(left, "yes", "no"),
    ]
    table = strange_tables.written(names, columns).encode()
    drafted = draft(table, "fees.csv", "fees", Choices())
    assert [look.name for look in drafted.looks if look.leak] == ["fee"]
