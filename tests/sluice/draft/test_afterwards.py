"""Columns that are filled in once the answer is known, and honest ones with names like them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strange_tables

from sluice.draft.afterwards import adding_up, named_afterwards
from sluice.draft.column_words import OF_AN_END
from sluice.draft.drafting import draft
from sluice.draft.proposals import Choices
from sluice.served.column_keys import key_of

AFTERWARDS = {
    "churn": ("Churn Reason", "churn_category", "ChurnScore", "Churn Label", "DateOfChurn"),
    "attrition": ("Termination Date", "TerminationReason", "exit_interview", "LastWorkingDay"),
    "left_company": ("Reason for leaving", "resigned_on", "Austrittsdatum", "Kündigungsgrund"),
    "loan_status": ("recoveries", "total_rec_prncp", "last_pymnt_d", "out_prncp_inv"),
    "is_canceled": ("reservation_status", "reservation_status_date", "cancellation_reason"),
    "baja": ("Fecha de baja", "motivo_de_baja", "fecha_cancelacion"),
    "iptal": ("iptal_tarihi", "İptal Nedeni"),
    "machine_failure": ("machine_failure_type", "date_of_machine_failure"),
    "died": ("DeathDate", "cause_of_death"),
}
HONEST = (
    "previous_cancellations",
    "Prior Churn Reason",
    "last_churn_date",
    "churn_offer",
    "contract_type",
    "tenure_month",
    "Months since last claim",
    "default",
    "payment_status",
    "status",
    "credit_score",
    "closing_price",
    "exit_number",
    "departure_time",
    "maternity_leave_days",
    "cancellation_policy",
    "NumberOfRefunds",
    "refund_status",
    "avg_resolution_time",
    "ComplaintResolutionStatus",
    "Duration",
    "last_evaluation",
    "date",
    "type",
)


@pytest.mark.parametrize(
    ("target", "name"), [(target, name) for target, names in AFTERWARDS.items() for name in names]
)
def test_what_is_filled_in_at_the_end_is_known_by_its_name(target: str, name: str) -> None:
    assert named_afterwards(key_of(name), key_of(target), {key_of(name), "age"})


@pytest.mark.parametrize("target", [*AFTERWARDS, "y", "class", "income", "readmitted"])
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_column_with_such_a_word_stays(target: str, name: str) -> None:
    assert not named_afterwards(key_of(name), key_of(target), {key_of(name), "age"})


@pytest.mark.parametrize("target", sorted(OF_AN_END))
def test_a_target_that_is_called_by_such_a_word_makes_no_leak_of_others(target: str) -> None:
    for name in (f"credit_{target}", f"{target}_of_order"):
        assert not named_afterwards(name, target, {name, "age"})


def test_a_duration_is_that_of_the_talk_only_where_somebody_was_called() -> None:
    assert named_afterwards("duration", "y", {"duration", "campaign", "age"})
    assert not named_afterwards("duration", "y", {"duration", "credit_amount", "age"})


@given(st.sampled_from(["plus", "minus", "times"]), st.integers(0, 2**32 - 1))
def test_two_numbers_that_make_the_answer_are_found(word: str, seed: int) -> None:
    chance = np.random.default_rng(seed)
    one, other, noise = (chance.integers(1, 500, 3_000).astype(float) for _ in range(3))
    way = {"plus": one + other, "minus": one - other, "times": one * other}[word]
    columns = {"noise": noise, "one": one, "other": other}
    assert set(adding_up(columns, way)) == {"one", "other"}
    # Where a tenth of the rows has more in it, the two are honest.
    more = np.where(chance.random(3_000) < 0.1, way + 7, way)
    assert adding_up(columns, more) == {}


def test_a_column_of_zeros_does_not_make_the_answer() -> None:
    outcomes = np.arange(1.0, 2_001.0)
    assert adding_up({"zeros": np.zeros(2_000), "size": outcomes + 3}, outcomes) == {}


def test_a_draft_leaves_them_out_with_the_figure() -> None:
    chance = np.random.default_rng(3)
    rows = 2_000
    left = chance.random(rows) < 0.3
    size = chance.normal(size=rows) + left
    names = ["no", "size", "score", "Churn Category", "churned"]
    columns = [
        [f"r{place}" for place in range(rows)],
        size.round(3),
        chance.normal(size=rows).round(3),
        np.where(chance.random(rows) < 0.5 + 0.2 * left, "price", "service"),
        np.where(left, "yes", "no"),
    ]
    table = strange_tables.written(names, columns).encode()
    drafted = draft(table, "churn.csv", "churn", Choices())
    told = {look.name: look.leak for look in drafted.looks if look.leak}
    assert list(told) == ["Churn Category"]
    assert told["Churn Category"].startswith(
        "named like what is known afterwards; alone it has a ROC-AUC of 0."
    )
    assert "leak: named like what is known afterwards" in drafted.contract


def test_a_draft_of_a_number_leaves_out_what_adds_up_to_it() -> None:
    chance = np.random.default_rng(4)
    rows = 2_000
    casual, registered = chance.poisson(20, rows), chance.poisson(150, rows)
    names = ["no", "temp", "casual", "registered", "count"]
    columns = [
        [f"r{place}" for place in range(rows)],
        (registered / 9 + chance.normal(size=rows)).round(2),
        casual,
        registered,
        casual + registered,
    ]
    table = strange_tables.written(names, columns).encode()
    drafted = draft(table, "bikes.csv", "bikes", Choices(target="count"))
    told = {look.name: look.leak for look in drafted.looks if look.leak}
    assert set(told) == {"casual", "registered"}
    assert told["casual"] == "casual plus registered is the answer"
