"""A number as target: its range, its bins, and the model that answers with it."""

from pathlib import Path

import numpy as np
import pytest
from support import deliveries

from sluice.errors import Refused, SluiceError, UsageError
from sluice.model.artifact.model_artifact import check_golden, compare_golden, load_golden
from sluice.served.contract import load_contract
from sluice.served.quantity import Quantity, binned, bins_in, bins_of
from sluice.served.scoring import load_model


def test_the_range_and_the_unit_are_those_of_the_column() -> None:
    target = deliveries.contract().target
    assert target.quantity == deliveries.QUANTITY
    assert (target.outcomes, target.several) == ((), False)
    assert deliveries.QUANTITY.written(1234.56) == "1,234.6 min"
    assert Quantity(None, 0.0, 1.0, 2).written(0.5) == "0.50"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('column = "Minutes"\npositive = "1"', "positive is given and Minutes is a number"),
        ('column = "Minutes"\ndecimals = -1', "decimals is -1"),
        ('column = "Minutes"\ndecimals = true', "decimals is True"),
    ],
)
def test_wrong_targets_are_named(written: str, said: str) -> None:
    text = deliveries.CONTRACT.replace('column = "Minutes"\ndecimals = 1', written)
    with pytest.raises(UsageError, match=said):
        load_contract(text)


def test_digits_are_asked_for_of_numbers_alone(tmp_path: Path) -> None:
    text = deliveries.CONTRACT.replace('column = "Minutes"', 'column = "Lift"')
    text = text.replace('"Lift"]\nrole = "feature"', '"Lift"]\nrole = "target"')
    text = text.replace('role = "target"\nkind = "number"', 'role = "feature"\nkind = "number"')
    with pytest.raises(UsageError, match="decimals is given and Lift is no number"):
        load_contract(text)


def test_bins_are_deciles_and_a_limit_belongs_to_the_bin_above() -> None:
    answers = np.arange(1.0, 101.0)
    bins = bins_of(answers)
    assert len(bins) == 9
    assert np.bincount(binned(answers, bins)).tolist() == [10] * 10
    assert binned(np.array(bins), bins).tolist() == list(range(1, 10))


def test_equal_answers_have_one_limit() -> None:
    assert bins_of(np.full(50, 7.0)) == (7.0,)


@pytest.mark.parametrize(
    "bins", [None, [], [2.0, 1.0], [1.0, 1.0], [1], [float(n) for n in range(10)]]
)
def test_an_artifact_without_sound_bins_is_not_loaded(bins: object) -> None:
    with pytest.raises(UsageError):
        bins_in({"number": {"bins": bins}}, "policy.toml")


def test_a_model_answers_within_its_range_and_its_golden_records_hold(tmp_path: Path) -> None:
    folder = deliveries.artifact(tmp_path / "model")
    model = load_model(folder)
    rows = deliveries.columns(200, seed=2)
    answers = model.score(rows)
    assert answers.shape == (200,)
    assert float(answers.min()) >= 0.0 and float(answers.max()) <= 240.0
    assert float(np.abs(answers - rows["minutes"]).mean()) < 15.0
    assert model.answers(answers).tolist() == binned(answers, model.bins).tolist()
    assert check_golden(folder) <= deliveries.QUANTITY.tolerance


def test_a_golden_answer_that_moved_is_found(tmp_path: Path) -> None:
    golden = load_golden(deliveries.artifact(tmp_path / "model"))
    moved = np.asarray(golden.scores)
    moved[3] += 10 * deliveries.QUANTITY.tolerance
    with pytest.raises(SluiceError, match="the scores differ"):
        compare_golden(golden, moved)


def test_a_model_that_answers_beyond_its_range_is_not_loaded(tmp_path: Path) -> None:
    folder = deliveries.artifact(tmp_path / "model")
    path = folder / "contract.toml"
    path.write_text(path.read_text().replace("maximum = 240.0", "maximum = 3.0"))
    with pytest.raises(Refused, match="one number from 0 to 3 is required"):
        load_model(folder)
