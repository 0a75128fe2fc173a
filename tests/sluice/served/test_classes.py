"""Which of several classes is answered."""

from pathlib import Path

import numpy as np
import pytest
from support import parcels

from sluice.errors import Refused, UsageError
from sluice.model.data.split import parts, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.policy import load_policy
from sluice.served.classes import OneAgainstRest, chosen, weights_of
from sluice.served.contract import load_contract
from sluice.served.scoring import load_model, score_matrix

SHARES = np.array([[0.2, 0.5, 0.3], [0.3, 0.3, 0.4], [0.4, 0.4, 0.2]])


def test_the_most_probable_class_is_answered_and_of_equal_ones_the_first() -> None:
    assert chosen(SHARES, (1.0, 1.0, 1.0)).tolist() == [1, 2, 0]


def test_a_weight_makes_a_class_answered_sooner() -> None:
    assert chosen(SHARES, (3.0, 1.0, 1.0)).tolist() == [0, 0, 0]


def test_weights_are_those_of_the_policy_and_1_for_the_others() -> None:
    policy = {"classes": {"weights": {"late": 2}}}
    assert weights_of(policy, parcels.CLASSES, "policy") == (1.0, 2.0, 1.0)
    assert weights_of({}, parcels.CLASSES, "policy") == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"lost": 1.0}, "names 'lost'"),
        ({"late": 0.0}, "'late' is 0.0"),
        ({"late": True}, "'late' is True"),
        ({"late": float("inf")}, "'late' is inf"),
        (2.0, "is 2.0"),
    ],
)
def test_wrong_weights_are_named(weights: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        weights_of({"classes": {"weights": weights}}, parcels.CLASSES, "policy")


def test_a_model_scores_each_class_and_answers_by_its_weights(tmp_path: Path) -> None:
    model = load_model(parcels.artifact(tmp_path / "model"))
    shares = model.score(parcels.columns(50, seed=2))
    assert shares.shape == (50, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-6)
    assert model.answers(shares).tolist() == chosen(shares, parcels.WEIGHTS).tolist()
    assert np.isnan(model.threshold)


def test_one_class_against_the_rest_is_a_model_of_one_class(tmp_path: Path) -> None:
    model = load_model(parcels.artifact(tmp_path / "model"))
    matrix = np.zeros((4, model.layout.width), dtype=np.float32)
    matrix[:, 0] = [1, 2, 3, 4]
    whole = score_matrix(model.session, matrix)
    for place in range(3):
        own = score_matrix(OneAgainstRest(model.session, place), matrix)
        np.testing.assert_allclose(own, whole[:, place], atol=1e-6)


def test_a_model_of_another_number_of_classes_is_not_loaded(tmp_path: Path) -> None:
    folder = parcels.artifact(tmp_path / "model")
    path = folder / "contract.toml"
    two = path.read_text().replace('["damaged", "late", "on time"]', '["damaged", "late"]')
    path.write_text(
        two.replace(
            'column = "Outcome"', 'column = "Outcome"\npositive = "late"\nnegative = "damaged"'
        )
    )
    policy = folder / "policy.toml"
    policy.write_text(f"{policy.read_text()}\n[operating_point]\nthreshold = 0.5\n")
    with pytest.raises(Refused, match="two probabilities are required"):
        load_model(folder)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('encoding = "target"', 'write encoding = "frequency"'),
        ('monotone = "up"', "no score has a direction"),
    ],
)
def test_what_needs_a_positive_class_is_refused(more: str, said: str) -> None:
    place = 'values = ["city"' if "encoding" in more else "minimum = 0.0"
    with pytest.raises(UsageError, match=said):
        load_contract(parcels.CONTRACT.replace(place, f"{more}\n{place}"))


def test_the_values_of_a_target_of_more_than_two_are_its_classes() -> None:
    target = load_contract(parcels.CONTRACT).target
    assert target.several
    assert target.classes == target.outcomes == parcels.CLASSES
    assert target.words.counted(1) == "1 parcel"
    assert load_contract(parcels.CONTRACT).statements.limits[-1].startswith("It errs")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('column = "Outcome"', 'column = "Outcome"\npositive = "late"', "has 3 values"),
        ('column = "Outcome"', 'column = "Outcome"\nsingular = "loss"', "has 3 values"),
        (
            "[segments]",
            '[[tiers]]\nname = "low"\nbelow = 0.5\n[[tiers]]\nname = "high"\n[segments]',
            "the target has 3 classes",
        ),
        (
            'values = ["damaged", "late", "on time"]',
            f"values = {[f'c{n}' for n in range(51)]!r}".replace("'", '"'),
            "at most 50 are allowed",
        ),
    ],
)
def test_what_belongs_to_one_positive_class_is_refused(old: str, new: str, said: str) -> None:
    assert old in parcels.CONTRACT
    with pytest.raises(UsageError, match=said):
        load_contract(parcels.CONTRACT.replace(old, new, 1))


def test_a_value_that_is_no_class_is_refused() -> None:
    contract = parcels.contract()
    frame = read_table(parcels.to_csv(20).replace(b",late\n", b",lost\n"), contract, "parcels.csv")
    with pytest.raises(Refused, match=r"Outcome: .* values cannot be read"):
        typed(frame, contract)


def test_each_class_has_rows_in_each_part() -> None:
    split = load_policy(parcels.POLICY).split
    labels = np.repeat([0, 1, 2], (40, 40, 4))
    hashes = row_hashes(split.salt, range(len(labels)))
    with pytest.raises(Refused, match="rows of 'on time'; at least 5 of each class"):
        parts(split, hashes, labels, parcels.CLASSES)
