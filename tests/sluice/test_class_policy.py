"""The table [classes] of a policy."""

import pytest
from support.parcels import CLASSES, POLICY

from sluice.class_policy import ClassFloor, ClassPolicy, ClassWeight, require_kind
from sluice.errors import UsageError
from sluice.policy import changes, load_policy


def test_floors_and_weights_are_read_in_their_order() -> None:
    found = load_policy(POLICY).classes
    assert found == ClassPolicy((ClassFloor("on time", 0.3),), (ClassWeight("damaged", 3.0),))


def test_a_policy_without_the_table_has_none() -> None:
    text = POLICY.partition("[classes]")[0]
    rest = "[gate]" + POLICY.partition("[gate]")[2]
    binary = "precision_floor = 0.4\nflagged_ceiling = 0.9\n\n[operating_point]\nslack_share = 0\n"
    assert load_policy(f"{text}{rest}{binary}").classes is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[classes.floors]", "[classes.other]", "'other' is not a known key"),
        ('"on time" = 0.3', '"on time" = 1.3', "'on time' is 1.3"),
        ('"damaged" = 3.0', '"damaged" = 0', "'damaged' is 0"),
        ('"damaged" = 3.0', '"damaged" = "much"', "'damaged' is 'much'"),
        ("recall_floor = 0.4", "precision_floor = 0.4", "precision_floor is given beside"),
        ("recall_floor = 0.4\n", "", "recall_floor is missing"),
        ("calibration_ceiling = 0.2\n", "", "calibration_ceiling is missing"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, said: str) -> None:
    assert old in POLICY
    with pytest.raises(UsageError, match=said):
        load_policy(POLICY.replace(old, new))


def test_floors_are_of_classes_of_the_contract() -> None:
    policy = load_policy(POLICY).classes
    require_kind(CLASSES, policy, "policy.toml")
    with pytest.raises(UsageError, match="names 'on time'"):
        require_kind(("a", "b", "c"), policy, "policy.toml")


def test_a_policy_is_for_the_kind_of_target_that_the_contract_has() -> None:
    with pytest.raises(UsageError, match=r"has no table \[classes\], and the target has 3"):
        require_kind(CLASSES, None, "policy.toml")
    with pytest.raises(UsageError, match="one positive class"):
        require_kind((), ClassPolicy(), "policy.toml")


def test_a_changed_weight_is_a_change_of_the_policy() -> None:
    other = POLICY.replace('"damaged" = 3.0', '"damaged" = 2.0')
    assert changes(load_policy(POLICY), load_policy(other)) == [
        "classes.weights (damaged: 3,) -> (damaged: 2,)"
    ]
