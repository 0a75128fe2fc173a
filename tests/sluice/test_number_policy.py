"""What a policy says of a number as target."""

import tomllib

import pytest
import tomli_w
from support import deliveries

from sluice.errors import UsageError
from sluice.number_policy import OF_A_CLASS, NumberPolicy, require_number
from sluice.policy import load_policy


def _with(**keys: object) -> str:
    spec = tomllib.loads(deliveries.POLICY)
    for key, value in keys.items():
        spec["number"][key] = value
        if value is None:
            del spec["number"][key]
    return tomli_w.dumps(spec)


def test_its_limits_are_read() -> None:
    policy = load_policy(_with(mae_ceiling=12))
    assert policy.number == NumberPolicy(10.0, 0.2, 0.2, 12.0)
    assert policy.search.families[0] == "linear_regression"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("skill_floor", 0.0),
        ("skill_floor", 1.0),
        ("bias_ceiling", 1.0),
        ("bias_ceiling", None),
        ("band", 0),
        ("band", None),
        ("band", float("inf")),
        ("band", "10"),
        ("mae_ceiling", True),
        ("mae_ceiling", float("nan")),
        ("skill_floor", None),
        ("mae_flor", 1.0),
    ],
)
def test_a_wrong_limit_is_named(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=r"\[number\]") as caught:
        load_policy(_with(**{key: value}))
    assert key in caught.value.what


@pytest.mark.parametrize("key", OF_A_CLASS)
def test_limits_of_a_positive_class_are_refused(key: str) -> None:
    spec = tomllib.loads(deliveries.POLICY)
    spec["gate"][key] = {"zone = city": 0.5} if key == "group_floors" else 0.5
    with pytest.raises(UsageError, match=rf"\[gate\] {key} is given beside \[number\]"):
        load_policy(tomli_w.dumps(spec))


def test_families_of_classes_are_refused() -> None:
    text = deliveries.POLICY.replace("linear_regression", "logistic_regression")
    with pytest.raises(UsageError, match="logistic_regression"):
        load_policy(text)


def test_a_target_has_classes_or_is_a_number() -> None:
    with pytest.raises(UsageError, match=r"\[classes\] and \[number\]"):
        load_policy(f"{deliveries.POLICY}\n[classes]\n")


def test_policy_and_target_are_of_one_kind() -> None:
    number = load_policy(deliveries.POLICY).number
    require_number(deliveries.QUANTITY, number, "policy.toml")
    require_number(None, None, "policy.toml")
    with pytest.raises(UsageError, match="the target is a number"):
        require_number(deliveries.QUANTITY, None, "policy.toml")
    with pytest.raises(UsageError, match="the target is no number"):
        require_number(None, number, "policy.toml")
