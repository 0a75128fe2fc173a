"""The first minute of a rollout: a version that comes back begins anew, an outage ends nothing."""

from sluice.canary.beginning import beginning

STABLE = frozenset(range(1000))


def test_the_first_minute_in_which_the_canary_was_seen() -> None:
    assert beginning(frozenset(range(700, 720)), STABLE) == 700
    assert beginning(frozenset(), STABLE) is None


def test_what_was_a_canary_before_begins_anew() -> None:
    before, now = frozenset(range(100, 150)), frozenset(range(700, 720))
    assert beginning(before | now, STABLE) == 700


def test_a_canary_that_was_away_for_a_moment_is_the_same() -> None:
    assert beginning(frozenset(range(700, 720)) - {705, 706, 707, 708}, STABLE) == 700
    assert beginning(frozenset(range(700, 720)) - set(range(705, 710)), STABLE) == 710


def test_an_outage_of_prometheus_ends_nothing() -> None:
    outage = frozenset(range(705, 715))
    assert beginning(frozenset(range(700, 720)) - outage, STABLE - outage) == 700
