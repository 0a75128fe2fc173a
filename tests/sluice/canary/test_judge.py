"""The verdict on a canary: what fails it, what passes it, and what only time can tell."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sluice.canary.counts import BINS, SECONDS, Blocks, Layout, Side
from sluice.canary.judge import OTHERS, Case, judge
from sluice.canary.verdict import Change, Expectation, Measure, Verdict
from sluice.policy import CanaryPolicy

TIERS = ("high", "low")
FAST = np.eye(len(SECONDS) + 1)[3]  # every request in the bucket up to 0.01 s


def side(requests: int, flagged: float = 0.3, blocks: int = 8, **other: Any) -> Side:
    """A version that flags this share of so many requests in each block, exactly."""
    rows = np.full(blocks, float(requests))
    high = np.round(rows * flagged)
    bins = np.zeros((blocks, BINS + 1))
    bins[:, 15], bins[:, 3] = high, rows - high
    values: dict[str, Any] = {
        "bins": bins,
        "tiers": np.stack([high, rows - high], axis=1),
        "flagged": high,
        "requests": rows,
        "failed": np.zeros(blocks),
        "refused": np.zeros(blocks),
        "seconds": rows[:, None] * FAST,
        "restarts": 0,
    }
    return Side(**(values | other))


def case(canary: Side, stable: Side | None = None, **other: Any) -> Case:
    beside = stable or side(190, blocks=len(canary.requests))
    dropped = np.zeros(len(canary.requests), dtype=bool)
    values: dict[str, Any] = {"weight": 0.05, "policy": CanaryPolicy(), "layout": Layout(TIERS)}
    return Case(Blocks(canary, beside, dropped), **(values | other))


def found(verdict: Verdict, name: str) -> Measure:
    [measure] = [each for each in verdict.measures if each.name == name]
    return measure


def test_the_same_model_passes_once_a_large_change_is_excluded() -> None:
    early = judge(case(side(10, blocks=2)))
    assert early.verdict == "inconclusive"
    assert early.more_requests is not None and 20 < early.more_requests < 1000
    late = judge(case(side(10, blocks=40)))
    assert late.verdict == "pass", late.sentence
    assert late.more_requests == 0
    flagged = found(late, "flagged")
    assert flagged.low is not None and flagged.high is not None
    assert -0.15 <= flagged.low < 0.0 < flagged.high <= 0.15
    assert late.canary_rows == 400 and late.stable_rows == 190 * 40


@pytest.mark.parametrize("share", [0.02, 0.1, 0.9])
def test_a_model_that_flags_few_or_nearly_all_passes_too(share: float) -> None:
    """A change down by 15 points is not possible where 2 in 100 are flagged: it is excluded."""
    stable = side(950, share, blocks=20)
    assert judge(case(side(50, share, blocks=20), stable)).verdict == "pass"
    other = share + (0.3 if share < 0.5 else -0.3)
    assert judge(case(side(50, other, blocks=20), stable)).verdict == "fail"


def test_five_requests_that_all_succeed_tell_nothing() -> None:
    verdict = judge(case(side(5, blocks=1), side(95, blocks=1)))
    assert verdict.verdict == "inconclusive"
    assert verdict.more_requests


def test_a_model_that_flags_far_more_fails_and_stays_failed() -> None:
    wrong = judge(case(side(10, 0.5, blocks=40)))
    assert wrong.verdict == "fail"
    assert wrong.sentence.startswith("The canary flags 50.0 % of 400 rows, stable 30.0 %")
    assert "; at most 5.0 % away from what is expected is required." in wrong.sentence
    assert "is required" in wrong.sentence
    mixed = side(10, 0.6, blocks=200)
    mixed.flagged[60:] = 3.0
    assert judge(case(mixed)).verdict == "fail"


def test_a_change_that_was_foretold_is_no_fault_and_its_absence_is_one() -> None:
    expected = Expectation(
        flagged=Change(0.2, 0.01),
        tiers={"high": Change(0.2, 0.01), "low": Change(-0.2, 0.01)},
        at_most=tuple(Change(-0.2 if 4 <= cut <= 15 else 0.0, 0.01) for cut in range(1, 20)),
    )
    assert judge(case(side(10, 0.5, blocks=60), expected=expected)).verdict == "pass"
    assert judge(case(side(10, 0.3, blocks=60), expected=expected)).verdict == "fail"


def test_tiers_and_histogram_are_judged_where_the_share_flagged_is_the_same() -> None:
    canary = side(10, blocks=60)
    canary.tiers[:] = [8.0, 2.0]
    verdict = judge(case(canary))
    assert verdict.verdict == "fail"
    assert [each.name for each in verdict.measures if each.verdict == "fail"] == ["tiers"]
    canary = side(10, blocks=60)
    canary.bins[:, 3], canary.bins[:, 9] = 0.0, 7.0
    verdict = judge(case(canary))
    assert [each.name for each in verdict.measures if each.verdict == "fail"] == ["histogram"]
    assert "histogram" in verdict.sentence


def test_a_canary_that_clearly_fails_is_taken_back_at_the_first_look() -> None:
    """A third of 5xx, eight requests: no minimum of requests is waited for."""
    canary = side(8, blocks=1, failed=np.array([3.0]))
    verdict = judge(case(canary, side(150, blocks=1)))
    assert verdict.verdict == "fail"
    assert verdict.sentence.startswith("The canary fails 37.5 % of its requests, stable 0.0 %;")


def test_a_fault_around_both_versions_aborts_no_canary() -> None:
    """Clients that hang up, a database that is away: stable fails as often."""
    canary = side(10, blocks=30, failed=np.full(30, 1.0))
    stable = side(190, blocks=30, failed=np.full(30, 19.0))
    assert found(judge(case(canary, stable)), "failed").verdict == "pass"
    assert found(judge(case(canary)), "failed").verdict == "fail"


def test_at_full_weight_there_is_no_stable_beside_it() -> None:
    before, alone = 40, 5
    stable = side(190, blocks=before + alone)
    for part in (stable.bins, stable.tiers, stable.flagged, stable.requests, stable.seconds):
        part[before:] = 0.0
    canary = side(10, blocks=before + alone)
    assert judge(case(canary, stable, weight=1.0)).verdict == "pass"
    failing = replace(canary, failed=np.where(np.arange(before + alone) >= before, 3.0, 0.0))
    assert judge(case(failing, stable, weight=1.0)).verdict == "fail"


@pytest.mark.parametrize(("bucket", "word"), [(3, "pass"), (4, "pass"), (8, "fail")])
def test_a_slow_canary_fails_beside_stable_and_by_its_ceiling(bucket: int, word: str) -> None:
    seconds = np.full((20, 1), 10.0) * np.eye(len(SECONDS) + 1)[bucket]
    latency = found(judge(case(side(10, blocks=20, seconds=seconds))), "latency")
    assert latency.verdict == word, latency.sentence


def test_slower_than_stable_is_told_below_the_ceiling() -> None:
    """0.1 s where stable needs 0.01 s: far below 0.25 s, and ten times as long."""
    seconds = np.full((20, 1), 10.0) * np.eye(len(SECONDS) + 1)[6]
    latency = found(judge(case(side(10, blocks=20, seconds=seconds))), "latency")
    assert latency.verdict == "fail"
    assert "times what" in latency.sentence


def test_restarts_refusals_and_what_is_no_number() -> None:
    assert found(judge(case(side(10, restarts=1))), "restarts").verdict == "pass"
    assert judge(case(side(10, restarts=2))).verdict == "fail"
    refused = side(10, blocks=30, refused=np.full(30, 5.0))
    assert found(judge(case(refused)), "refused").verdict == "fail"
    both = side(190, blocks=30, refused=np.full(30, 95.0))
    assert found(judge(case(refused, both)), "refused").verdict == "pass"
    wrong = side(10)
    wrong.bins[3, BINS] = 1.0
    assert "no probability" in judge(case(wrong)).sentence


def test_a_split_off_its_weight_is_inconclusive_and_named() -> None:
    verdict = judge(case(side(100, blocks=40), side(900, blocks=40), weight=0.25))
    assert verdict.verdict == "inconclusive"
    assert "10.0 % went to the canary; 25.0 % is required" in verdict.sentence
    assert judge(case(side(100, blocks=40), side(900, blocks=40), weight=0.1)).verdict == "pass"


def test_a_newest_block_that_tells_nothing_promotes_nothing() -> None:
    good = case(side(10, blocks=40))
    good.blocks.dropped[-1] = True
    verdict = judge(good)
    assert verdict.verdict == "inconclusive" and "gap" in verdict.sentence
    silent = side(10, blocks=40)
    silent.requests[-1] = 0.0
    assert "no request in the newest block" in judge(case(silent)).sentence
    nothing = judge(case(side(10, blocks=0), side(190, blocks=0)))
    assert nothing.verdict == "inconclusive" and nothing.looks == 0


def test_the_level_is_shared_out_over_all_that_is_judged() -> None:
    policy = CanaryPolicy()
    verdict = judge(case(side(10, blocks=3)))
    assert 2.0 / found(verdict, "flagged").needed == pytest.approx(
        policy.level * policy.flagged_share, rel=0.01
    )
    shares = [found(verdict, name).needed for name in OTHERS[:-1]]
    assert [1.0 / needed for needed in shares] == pytest.approx(
        [policy.level * (1 - policy.flagged_share) / len(OTHERS)] * (len(OTHERS) - 1), rel=0.01
    )
