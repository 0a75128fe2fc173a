"""The benchmark of quiet years draws what it says: quiet days by the real rules, and falls that
are found within the weeks that are required.
"""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import quiet_years
from benchmarks.quiet_years import days, delays, falling, looks, model, promise, quiet
from flows.project.root import ROOT
from sluice.monitor.report import ACT
from sluice.policy import load_policy

POLICY = load_policy(
    (Path(ROOT) / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
)


def test_a_quiet_year_has_the_labels_that_it_says_and_never_says_act() -> None:
    random = np.random.default_rng(1)
    contract, reference = model()
    year = days(random, quiet(), contract, reference)
    positives = sum(day.outcomes.positives for day in year)
    assert positives == pytest.approx(52 * quiet_years.POSITIVES, rel=0.03)
    assert all(sum(day.scores) == 0 and len(day.columns) == 20 for day in year[:3])
    told = promise(random)
    found = list(looks(random, year, POLICY, contract, reference, told))
    assert [finding for finding in found if finding.severity == ACT] == []


def test_a_fall_in_the_same_world_is_found_by_the_same_rules() -> None:
    random = np.random.default_rng(2)
    contract, reference = model()
    year = days(random, falling(0.10, 20), contract, reference)[: 7 * 28]
    found = list(looks(random, year, POLICY, contract, reference, promise(random)))
    assert any("Live recall is" in finding.sentence for finding in found)


@pytest.mark.parametrize(("by", "within"), [(0.07, 8), (0.10, 6)])
def test_falls_are_found_in_the_weeks_that_are_required(by: float, within: int) -> None:
    random = np.random.default_rng(3)
    after = delays(random, falling(by, 26), 26, 200, POLICY.monitor.level, POLICY.monitor.tolerance)
    assert (after <= within).mean() >= 0.8
