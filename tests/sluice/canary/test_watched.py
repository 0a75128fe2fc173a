"""What passes a step where nothing is flagged: the share of the commonest class, and of the numbers
up to the middle.
"""

from typing import Any

import numpy as np
import pytest

from sluice.canary.counts import SECONDS, Blocks, Layout, Side
from sluice.canary.judge import Case, judge
from sluice.canary.verdict import Change, Expectation, Measure, Verdict
from sluice.policy import CanaryPolicy

CLASSES = Layout(("damaged", "late", "on time"), kind="class")
LIMITS = tuple(float(limit) for limit in range(0, 101, 5))
NUMBERS = Layout(("inside", "outside"), LIMITS, "number")


def side(bins: np.ndarray, tiers: np.ndarray) -> Side:
    """A version that answered so, and every request quickly and well."""
    rows = bins.sum(axis=-1)
    nothing = np.zeros(len(rows))
    return Side(
        bins=bins,
        tiers=tiers,
        flagged=nothing,
        requests=rows,
        failed=nothing,
        refused=nothing,
        seconds=rows[:, None] * np.eye(len(SECONDS) + 1)[3],
        restarts=0,
    )


def of_classes(shares: tuple[float, ...], rows: int, blocks: int, seed: int = 0) -> Side:
    """A version that answers with classes by chance, all as surely."""
    tiers = np.random.default_rng(seed).multinomial(rows, shares, size=blocks).astype(float)
    bins = np.zeros((blocks, CLASSES.bins + 1))
    bins[:, 15] = rows
    return side(bins, tiers)


def of_numbers(middle: float, rows: int, blocks: int, seed: int = 0, spread: float = 15.0) -> Side:
    """A version whose numbers are spread around a middle; those beyond 0 to 100 are outside."""
    answers = np.random.default_rng(seed).normal(middle, spread, (blocks, rows))
    bins = np.zeros((blocks, NUMBERS.bins + 1))
    places = np.searchsorted(LIMITS, answers, side="left")
    for block in range(blocks):
        bins[block, :-1] = np.bincount(places[block], minlength=NUMBERS.bins)
    outside = ((answers < 0.0) | (answers > 100.0)).sum(axis=1).astype(float)
    return side(bins, np.stack([rows - outside, outside], axis=1))


def judged(layout: Layout, canary: Side, stable: Side, **other: Any) -> Verdict:
    blocks = Blocks(canary, stable, np.zeros(len(canary.requests), dtype=bool))
    weight = float(canary.requests[0] / (canary.requests[0] + stable.requests[0]))
    return judge(Case(blocks, layout, weight, CanaryPolicy(), **other))


def found(verdict: Verdict, name: str) -> Measure:
    [measure] = [each for each in verdict.measures if each.name == name]
    return measure


def test_a_step_with_few_rows_of_classes_is_not_passed_by_nothing_being_flagged() -> None:
    shares = (0.1, 0.3, 0.6)
    early = judged(CLASSES, of_classes(shares, 5, 3), of_classes(shares, 95, 3, 1))
    assert early.verdict == "inconclusive"
    assert early.more_requests
    late = judged(CLASSES, of_classes(shares, 20, 60), of_classes(shares, 180, 60, 1))
    assert late.verdict == "pass"
    watched = found(late, "flagged")
    assert watched.rows == "answered with “on time”"
    assert "The canary answers “on time” to" in late.sentence
    assert watched.stable == pytest.approx(0.6, abs=0.03)


def test_another_share_of_the_commonest_class_takes_the_canary_back() -> None:
    canary = of_classes((0.1, 0.6, 0.3), 20, 60)
    verdict = judged(CLASSES, canary, of_classes((0.1, 0.3, 0.6), 180, 60, 1))
    assert found(verdict, "flagged").verdict == "fail"
    moved = Change(-0.3, 0.02)
    expected = Expectation(tiers={"on time": moved, "late": Change(0.3, 0.02)})
    foretold = judged(CLASSES, canary, of_classes((0.1, 0.3, 0.6), 180, 60, 1), expected=expected)
    assert found(foretold, "flagged").verdict == "pass"
    assert found(foretold, "flagged").expected == -0.3


def test_numbers_are_watched_up_to_their_middle() -> None:
    late = judged(NUMBERS, of_numbers(40, 20, 60), of_numbers(40, 180, 60, 1))
    assert late.verdict == "pass", late.sentence
    assert found(late, "flagged").rows == "answered with at most 40"
    assert found(late, "flagged").stable == pytest.approx(0.5, abs=0.03)
    assert found(late, "histogram").verdict == "pass"


def alike(cell: int, rows: int, blocks: int) -> Side:
    """A version whose numbers nearly all lie between two limits, and one in 20 above 50."""
    bins = np.zeros((blocks, NUMBERS.bins + 1))
    bins[:, cell], bins[:, 12] = 0.95 * rows, 0.05 * rows
    return side(bins, np.stack([np.full(blocks, float(rows)), np.zeros(blocks)], axis=1))


@pytest.mark.parametrize(
    ("cell", "words"), [(0, "at most 0"), (3, "10 to 15"), (NUMBERS.bins - 1, "above 100")]
)
@pytest.mark.parametrize("moved", [-1, 1])
def test_numbers_that_are_nearly_alike_are_watched_where_they_lie(
    cell: int, words: str, moved: int
) -> None:
    same = judged(NUMBERS, alike(cell, 20, 60), alike(cell, 180, 60))
    assert found(same, "flagged").rows == f"answered with {words}"
    assert found(same, "flagged").stable == pytest.approx(0.95)
    assert same.verdict == "pass"
    elsewhere = min(max(cell + moved, 0), NUMBERS.bins - 1)
    if elsewhere != cell:
        verdict = judged(NUMBERS, alike(elsewhere, 20, 60), alike(cell, 180, 60))
        assert found(verdict, "flagged").verdict == "fail"


def test_what_was_foretold_of_nearly_equal_numbers_is_expected() -> None:
    """The replay said that a third of them moves from 10 to 15 to above 15."""
    changes = [Change(-0.3, 0.01) if limit == 15.0 else Change() for limit in LIMITS]
    canary = alike(3, 20, 60)
    canary.bins[:, 3], canary.bins[:, 4] = 13.0, 6.0
    expected = Expectation(at_most=tuple(changes))
    verdict = judged(NUMBERS, canary, alike(3, 180, 60), expected=expected)
    assert found(verdict, "flagged").expected == pytest.approx(-0.3)
    assert found(verdict, "flagged").verdict == "pass"
    surprised = judged(NUMBERS, canary, alike(3, 180, 60))
    assert found(surprised, "flagged").verdict == "fail"


def test_a_canary_whose_numbers_are_higher_is_taken_back() -> None:
    verdict = judged(NUMBERS, of_numbers(52, 20, 60), of_numbers(40, 180, 60, 1))
    assert verdict.verdict == "fail"
    assert "The canary answers at most 40 to" in verdict.sentence


def test_numbers_around_the_same_middle_are_told_apart_by_their_histogram() -> None:
    canary = of_numbers(40, 20, 90, spread=4.0)
    verdict = judged(NUMBERS, canary, of_numbers(40, 180, 90, 1))
    assert verdict.verdict == "fail"
    assert [one.name for one in verdict.measures if one.verdict == "fail"] == ["histogram"]


def test_a_canary_that_leaves_the_plausible_range_is_taken_back() -> None:
    canary = of_numbers(40, 20, 60)
    canary.tiers[:] = [15.0, 5.0]
    verdict = judged(NUMBERS, canary, of_numbers(40, 180, 60, 1))
    assert [one.name for one in verdict.measures if one.verdict == "fail"] == ["tiers"]
    assert "`outside`" in verdict.sentence or "`inside`" in verdict.sentence


def test_ranges_without_a_common_limit_pass_no_step_and_say_so() -> None:
    layout = Layout(("inside", "outside"), (), "number")
    parts = [of_numbers(40, rows, 60) for rows in (20, 180)]
    for part in parts:
        part.bins[:, 0] = part.bins.sum(axis=-1)
        part.bins[:, 1:] = 0.0
    few = [side(part.bins[:, :2], part.tiers) for part in parts]
    verdict = judged(layout, *few)
    assert verdict.verdict == "inconclusive"
    assert "0 limits of both histograms are the same; 1 is required" in verdict.sentence


def test_what_is_watched_is_chosen_by_rows_that_it_is_not_judged_on() -> None:
    """The first block of stable says "late" by chance; the rows after it are judged for that."""
    stable = of_classes((0.1, 0.3, 0.6), 180, 40, 1)
    stable.tiers[0] = [0.0, 180.0, 0.0]
    watched = found(judged(CLASSES, of_classes((0.1, 0.3, 0.6), 20, 40), stable), "flagged")
    assert watched.rows == "answered with “late”"
    assert watched.stable == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("layout", [CLASSES, NUMBERS])
def test_versions_that_answer_alike_are_taken_back_no_more_often_than_the_level(
    layout: Layout,
) -> None:
    failed = 0
    for seed in range(60):
        if layout is CLASSES:
            shares = (0.1, 0.3, 0.6)
            pair = of_classes(shares, 40, 15, 2 * seed), of_classes(shares, 60, 15, 2 * seed + 1)
        else:
            pair = of_numbers(40, 40, 15, 2 * seed), of_numbers(40, 60, 15, 2 * seed + 1)
        failed += judged(layout, *pair).verdict == "fail"
    assert failed <= 60 * CanaryPolicy().level
