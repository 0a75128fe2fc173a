"""Proposed floors: the model that they were made from clears them again, and they are a policy."""

import tomllib
from typing import Any

import numpy as np
import pytest
import tomli_w
from scipy import special
from support.gate_cases import POLICY

from sluice.model.quality.floor_proposal import Proposal, propose, told
from sluice.model.quality.metrics import confusion
from sluice.model.quality.operating_point import aimed_precision, choose_threshold
from sluice.model.quality.statistics import wilson_low
from sluice.policy import Policy, load_policy

# The mean of the log-odds with which so large a share is positive, at a spread of 2.
WORLDS = {0.02: -5.6, 0.1: -3.4, 0.5: 0.0}
ROWS = 3_000


def draw(prevalence: float, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and the true chances of so many rows."""
    random = np.random.default_rng(seed)
    scores = special.expit(WORLDS[prevalence] + 2 * random.standard_normal(rows))
    return (random.random(rows) < scores).astype(np.int64), scores


def written(proposal: Proposal) -> Policy:
    """The shipped policy with the proposed lines in the place of its own."""
    raw: dict[str, Any] = tomllib.loads(POLICY)
    lines = tomllib.loads("\n".join(proposal.lines()))
    if proposal.lift_floor:
        del raw["gate"]["precision_floor"]
        del raw["operating_point"]["precision_slack"]
    raw["gate"] |= lines["gate"]
    raw["operating_point"] |= lines["operating_point"]
    return load_policy(tomli_w.dumps(raw))


@pytest.mark.parametrize("prevalence", WORLDS)
def test_the_model_that_they_were_made_from_clears_them_on_rows_that_it_has_not_seen(
    prevalence: float,
) -> None:
    recalls, precisions = [], []
    for seed in range(60):
        labels, scores = draw(prevalence, ROWS, 2 * seed)
        proposal = propose(labels, scores, ROWS, 0.05)
        if proposal is None:
            continue
        policy = written(proposal)
        threshold = choose_threshold(labels, scores, aimed_precision(policy, labels.mean()))
        judged, known = draw(prevalence, ROWS, 2 * seed + 1)
        counts = confusion(judged, known >= threshold)
        floor = max(policy.gate.precision_floor, policy.gate.lift_floor * judged.mean())
        hits = counts.true_positive
        recalls.append(wilson_low(hits, counts.positives, 0.05) >= policy.gate.recall_floor)
        precisions.append(wilson_low(hits, counts.flagged, 0.05) >= floor)
    assert len(recalls) > 15
    # Meant is 0.8; the best of many cuts looks a little better than it is.
    assert 0.6 <= np.mean(recalls) <= 0.95
    assert 0.6 <= np.mean(precisions) <= 0.97


def test_lift_is_proposed_where_few_rows_are_positive_and_precision_elsewhere() -> None:
    rare, common = (propose(*draw(share, ROWS, 0), ROWS, 0.05) for share in (0.1, 0.5))
    assert rare is not None
    assert common is not None
    assert (rare.precision_floor, common.lift_floor) == (0.0, 0.0)
    assert 2.0 < rare.lift_floor < 10.0
    assert 0.5 < common.precision_floor < 0.9
    assert rare.lines()[1].startswith("slack_share = 0.")
    assert common.lines() == (
        "[operating_point]",
        f"precision_slack = {common.slack:g}",
        "[gate]",
        f"recall_floor = {common.recall_floor:g}",
        f"precision_floor = {common.precision_floor:g}",
    )


def test_a_larger_holdout_lets_floors_lie_higher() -> None:
    labels, scores = draw(0.1, 20_000, 0)
    floors = []
    for holdout in (500, 5_000, 50_000):
        proposal = propose(labels, scores, holdout, 0.05)
        assert proposal is not None
        floors.append((proposal.recall_floor, proposal.lift_floor))
    assert floors == sorted(floors)
    assert len(set(floors)) == 3


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        (np.r_[np.ones(29), np.zeros(500)].astype(int), np.linspace(1, 0, 529)),
        (np.array([0, 1] * 300), np.full(600, 0.5)),  # nothing can be told apart
        (np.zeros(100, dtype=int), np.linspace(1, 0, 100)),
    ],
)
def test_where_nothing_can_be_said_nothing_is_proposed(
    labels: np.ndarray, scores: np.ndarray
) -> None:
    proposal = propose(labels, scores, 5, 0.05)
    assert proposal is None
    assert told(proposal) == ""


def test_what_is_told_names_a_person_and_the_lines() -> None:
    proposal = propose(*draw(0.1, ROWS, 0), ROWS, 0.05)
    assert proposal is not None
    text = told(proposal)
    assert "a person reviews them" in text
    assert "3,000 rows of holdout" in text
    assert all(f"\n      {line}" in text for line in proposal.lines())
