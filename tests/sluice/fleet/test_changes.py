"""What becomes of each model: verdicts that share a level, and the fleet that is joined of both."""

import numpy as np
import pytest
from msgspec import UNSET

from sluice.fleet.changes import (
    KEPT,
    NEW,
    NONE,
    REPLACED,
    Fleet,
    FleetFile,
    Untaught,
    joined,
    members,
    settled,
)
from sluice.fleet.graph import Weights
from sluice.fleet.judging import ModelVerdict

LEVEL = 0.05


def verdict(key: str, p_value: float | None, told: str = "PROMOTE") -> ModelVerdict:
    return ModelVerdict(
        key=key,
        verdict=told,
        sentence="what the gate said",
        otherwise="HOLD",
        rows=100,
        positives=40,
        recall=0.7,
        precision=0.6,
        share_flagged=0.5,
        champion_recall=UNSET if p_value is None else 0.6,
        gained=UNSET if p_value is None else 9,
        lost=UNSET if p_value is None else 1,
        p_value=UNSET if p_value is None else p_value,
    )


def fleet(keys: list[str], value: float) -> Fleet:
    weights = Weights(np.full((len(keys), 2), value), np.full(len(keys), value))
    file = FleetFile(column="Shop", candidate="", models=members(keys, weights, "d"))
    return Fleet(file, weights)


def test_one_model_alone_is_decided_as_a_release_is() -> None:
    found = settled("Shop", [verdict("a", 0.01)], [], LEVEL, 0, dependent=False)
    assert [one.change for one in found.models] == [REPLACED]
    assert found.at == pytest.approx(0.75 * LEVEL / 2)


def test_among_many_the_same_evidence_is_not_enough() -> None:
    many = [verdict("a", 0.01), *(verdict(f"n{at}", 0.6, "HOLD") for at in range(99))]
    found = settled("Shop", many, [], LEVEL, 0, dependent=False)
    first = found.models[0]
    assert (first.change, first.verdict) == (KEPT, "HOLD")
    assert "0.000188 is required where 100 models share the level" in first.sentence
    assert not found.changed


def test_what_another_rule_stops_is_counted_and_is_no_discovery() -> None:
    """Its tiny p-value would otherwise give the others a larger share."""
    stopped = [verdict(f"s{at}", 1e-9, "REJECT") for at in range(9)]
    found = settled("Shop", [*stopped, verdict("z", 0.01)], [], LEVEL, 0, dependent=False)
    assert {one.change for one in found.models} == {KEPT}


def test_a_later_use_of_the_holdout_has_a_smaller_level() -> None:
    one = [verdict("a", 0.005)]
    assert settled("Shop", one, [], LEVEL, 0, dependent=False).changed
    assert not settled("Shop", one, [], LEVEL, 2, dependent=False).changed


def test_a_first_model_shares_no_level_and_one_that_fails_is_not_served() -> None:
    found = settled(
        "Shop",
        [verdict("a", None), verdict("b", None, "REJECT")],
        [Untaught("c", "too few", served=False), Untaught("d", "too few", served=True)],
        LEVEL,
        0,
        dependent=False,
    )
    assert {one.key: one.change for one in found.models} == {
        "a": NEW,
        "b": NONE,
        "c": NONE,
        "d": KEPT,
    }
    assert found.sentence == ("of 4 models 1 new, 1 kept as they were, 2 not served")


def test_a_fleet_is_joined_of_new_models_and_kept_champions() -> None:
    changes = settled(
        "Shop",
        [verdict("a", 1e-6), verdict("b", 0.9, "HOLD"), verdict("c", None)],
        [],
        LEVEL,
        0,
        dependent=False,
    )
    after = joined(changes, fleet(["a", "b", "c"], 2.0), fleet(["a", "b", "gone"], 1.0))
    assert [one.key for one in after.file.models] == ["a", "b", "c", "gone"]
    assert after.weights.intercepts.tolist() == [2.0, 1.0, 2.0, 1.0]
    taken, kept, *_ = after.file.models
    assert taken.model != kept.model
