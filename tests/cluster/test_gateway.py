"""The gateway of the test cluster: a Service has its share, however many pods stand behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cluster.gateway import Backend, Rule, Slots, weights


def rule(stable: int, canary: int, weight: int) -> Rule:
    """A rule with so many pods behind each Service."""
    backends = (
        Backend("stable", 100 - weight, tuple(f"10.0.0.{n} 80" for n in range(stable))),
        Backend("canary", weight, tuple(f"10.0.1.{n} 80" for n in range(canary))),
    )
    return Rule("one", (), (), backends)


@given(st.integers(1, 8), st.integers(1, 8), st.sampled_from([0, 5, 25, 50, 100]))
def test_a_service_has_its_share_however_many_pods_it_has(
    stable: int, canary: int, weight: int
) -> None:
    found = weights(rule(stable, canary, weight))
    assert max(found.values()) <= 256
    mine = sum(value for pod, value in found.items() if pod.startswith("canary"))
    assert mine / sum(found.values()) == pytest.approx(weight / 100, abs=0.005)


def test_requests_of_a_service_without_pods_are_not_given_to_others() -> None:
    found = weights(rule(3, 0, 25))
    assert found["none"] / sum(found.values()) == pytest.approx(0.25)


def test_a_pod_behind_two_services_counts_for_each() -> None:
    both = tuple(f"10.0.0.{n} 80" for n in range(2))
    found = weights(Rule("one", (), (), (Backend("stable", 100, both), Backend("canary", 0, both))))
    assert sorted(found.values()) == [0, 0, 0, 1, 1]


def test_a_pod_keeps_its_slot_and_one_that_is_gone_hears_it_first() -> None:
    slots = Slots("one", {})
    first = slots.orders({"stable 10.0.0.1 80": 100, "canary 10.0.0.2 80": 0, "none": 0})
    assert "set server one/pod2 addr 10.0.0.2 port 80" in first
    then = slots.orders({"canary 10.0.0.2 80": 100, "canary 10.0.0.3 80": 100, "none": 0})
    assert then[0] == "set server one/pod1 state maint"
    assert "set server one/pod2 weight 100" in then
    assert "set server one/pod1 addr 10.0.0.3 port 80" in then
