"""A first contract and policy where the target is a number."""

import numpy as np
import pytest
from support import deliveries

from flows.views.begin import draft as view
from gx.validation import validate
from sluice.draft.drafting import Draft, at_share, draft
from sluice.draft.generated import generate
from sluice.draft.number import NumberLimits
from sluice.draft.proposals import Choices
from sluice.draft.sample_file import read_sample
from sluice.errors import Refused, UsageError
from sluice.model.data.table import read_table, typed
from sluice.policy import load_policy
from sluice.served.contract import load_contract

CHOICES = Choices(target="Minutes")


def drafted(content: bytes, choices: Choices = CHOICES) -> Draft:
    return draft(content, "deliveries.csv", "deliveries", choices)


@pytest.fixture(scope="module")
def usual() -> Draft:
    return drafted(deliveries.to_csv(1_500))


def test_a_number_that_is_named_is_the_target(usual: Draft) -> None:
    contract = load_contract(usual.contract)
    quantity = contract.target.quantity
    assert quantity is not None
    read = typed(read_table(deliveries.to_csv(1_500), contract, "x.csv"), contract)["minutes"]
    assert quantity.low <= read.min() < read.max() <= quantity.high
    assert contract.find("Weight kg") in contract.features
    assert "tiers" not in usual.contract


def test_its_policy_is_read_and_an_honest_model_clears_its_floor(usual: Draft) -> None:
    policy = load_policy(usual.policy)
    assert policy.number is not None
    assert not policy.reviewed
    limits = usual.limits
    assert isinstance(limits, NumberLimits)
    assert 0.3 < policy.number.skill_floor < limits.skill
    assert limits.mae < limits.naive_mae
    assert policy.search.families[0] == "linear_regression"
    assert limits.beyond is not None
    assert limits.beyond.column in {column.name for column in usual.roles.role("feature")}


def test_a_column_that_is_as_near_as_the_model_is_told(usual: Draft) -> None:
    """Rows whose number one column says, and nothing else does."""
    chance = np.random.default_rng(2)
    days = chance.integers(1, 60, 1_500)
    noise, minutes = chance.integers(1, 9, 1_500), 20 + days + chance.normal(0, 20, 1_500)
    rows = zip(days, noise, minutes, strict=True)
    lines = ["no,days,noise,Minutes"]
    lines += [f"r{place},{day},{one},{out:.1f}" for place, (day, one, out) in enumerate(rows)]
    found = drafted("\n".join([*lines, ""]).encode())
    told = view.best_column(found)
    assert told.startswith("days alone answers nearly as well. A release has to be shown to answer")
    assert view.document(found)["best_column"]["name"] == "days"  # type: ignore[index]
    assert not view.best_column(usual)


def test_shuffled_numbers_have_no_floor() -> None:
    lines = deliveries.to_csv(600).decode().splitlines()
    outcomes = [line.rpartition(",")[2] for line in lines[1:]]
    mixed = np.random.default_rng(4).permutation(outcomes)
    rows = [f"{line.rpartition(',')[0]},{one}" for line, one in zip(lines[1:], mixed, strict=True)]
    found = drafted("\n".join([lines[0], *rows, ""]).encode())
    assert isinstance(found.limits, NumberLimits)
    assert found.limits.skill_floor == 0.0
    assert "No floor of this table" in found.policy
    load_policy(found.policy)


def test_a_column_that_says_the_number_is_a_leak() -> None:
    lines = deliveries.to_csv(800).decode().splitlines()
    told = [f"{line},{float(line.rpartition(',')[2]) * 60:.0f}" for line in lines[1:]]
    found = drafted("\n".join([f"{lines[0]},Seconds", *told, ""]).encode())
    assert [look.name for look in found.looks if look.leak] == ["Seconds"]


def test_generated_rows_are_valid_and_about_as_many_lie_in_each_part(usual: Draft) -> None:
    contract = load_contract(usual.contract)
    sample = read_sample(usual.sample, "sample.toml", contract)
    content = generate(sample, contract)
    assert content == generate(sample, contract)
    frame = read_table(content, contract, "sample.csv")
    assert not validate(contract, frame, minimum_rows=100, model="deliveries").refused
    made = typed(frame, contract)["minutes"]
    real = deliveries.columns(1_500)["minutes"]
    assert np.median(made) == pytest.approx(np.median(real), rel=0.15)


def test_what_is_shown_names_skill_and_error(
    usual: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    view.show(usual)
    out = capsys.readouterr().out
    assert "the skill of the column by itself" in out
    assert "off on average" in out
    document = view.document(usual)
    assert document["target"] == "Minutes"
    assert set(document) >= {"skill", "mae", "naive_mae", "skill_floor"}
    assert not view.has_points(usual)
    assert view.share_of("0.1", usual) == 0.0


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (Choices(target="Minutes", positive="1"), "--positive is given and Minutes is a number"),
        (Choices(target="Minutes", costs="5:1"), "--costs is given and Minutes is a number"),
        (Choices(target="Minutes", point=0.1), "--point is given and Minutes is a number"),
    ],
)
def test_choices_of_a_positive_class_are_refused(choices: Choices, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        drafted(deliveries.to_csv(200), choices)


def test_a_share_is_refused(usual: Draft) -> None:
    with pytest.raises(UsageError, match="no positive class"):
        at_share(usual, "deliveries", 0.1, lambda _what, _share: None)


def test_a_number_with_gaps_is_refused() -> None:
    content = deliveries.to_csv(400).decode().splitlines()
    content[5] = content[5].rpartition(",")[0] + ","
    with pytest.raises(Refused, match="Minutes is empty in 1 row"):
        drafted("\n".join([*content, ""]).encode())
