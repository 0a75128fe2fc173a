"""What validation says of the threshold, and what the scores alone promise."""

import math
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from support.holdouts import LIMITS, Trial, first

from sluice.gate import floors
from sluice.gate.case import BROKEN, MET, OPEN, Case, Facts, Holdout, Model
from sluice.gate.decide import case_of
from sluice.gate.floors import (
    Aim,
    Promised,
    Share,
    _aim,
    _by_its_own_probabilities,
    chance_of_threshold,
    flagged_ceiling,
    hits_needed,
    placed_by_few,
    precision_share,
    recall_share,
)
from sluice.model.quality.clusters import INDEPENDENT, Design, of_share
from sluice.model.quality.operating_point import FEW_HITS
from sluice.policy import GatePolicy
from sluice.served.words import NEUTRAL_WORDS


def said(precision: float, share: float, recall: float = 0.5) -> Aim | None:
    """What is read of a metrics.json with these figures of 200 validation rows."""
    shares = {"precision": precision, "share_flagged": share, "recall": recall}
    trial = first()
    metrics = {"validation": shares, "rows": {"validation": 200}}
    return _aim(case_of(metrics, trial.holdout, trial.facts, trial.policy, trial.words))


def test_the_aim_is_what_validation_says() -> None:
    assert said(0.8, 0.25, 0.4) == Aim(0.8, 50.0, 0.8 * 0.25 / 0.4)
    assert said(1.0, 0.005) == Aim(1.0, 1.0, 0.01)
    assert said(0.8, 0.25, 0.0) == Aim(0.8, 50.0, 0.0)


@pytest.mark.parametrize(
    ("precision", "share"), [(0.0, 0.5), (-0.1, 0.5), (1.01, 0.5), (1.5, 0.5), (0.8, 0.004)]
)
def test_figures_that_cannot_be_say_nothing(precision: float, share: float) -> None:
    assert said(precision, share) is None


def case(trial: Trial) -> Case:
    return case_of({}, trial.holdout, trial.facts, trial.policy, trial.words)


@pytest.mark.parametrize("precision", [0.6, 0.7, 0.8])
def test_the_scores_promise_the_recall_of_the_last_row_that_reaches_the_precision(
    precision: float,
) -> None:
    """At a level of a half the limit is the recall itself."""
    trial = first().but(level=0.5)
    scores = sorted(trial.candidate.scores, reverse=True)
    means = [total / k for k, total in enumerate(accumulate(scores), 1)]
    reached = [k for k, mean in enumerate(means[:-1], 1) if mean >= precision]
    wanted = sum(scores[: reached[-1]]) / sum(scores)
    found = _by_its_own_probabilities(case(trial), Promised(precision))
    assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("precision", [0.0, 1.0])
def test_scores_that_never_or_always_reach_it_promise_nothing(precision: float) -> None:
    assert _by_its_own_probabilities(case(first()), Promised(precision)) == 1.0


# --- the chance of a threshold, by hand
# -----------------------------------------------------------------------------

# Ten rows by falling score. Five are flagged, of which four are positive; of the two rows that are
# nearest to the threshold one is.
LABELS = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0])
SCORES = np.array([0.95, 0.9, 0.85, 0.8, 0.55, 0.46, 0.3, 0.2, 0.15, 0.1])
TEAMS = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])


def ten(
    *,
    precision: float = 0.8,
    flagged: float = 100,
    scores: np.ndarray = SCORES,
    clusters: np.ndarray | None = None,
    policy: GatePolicy = LIMITS,
    **more: Any,
) -> Case:
    """These rows, cut at 0.5; so many of 400 validation rows were flagged with this precision."""
    metrics = {
        "validation": {"precision": precision, "share_flagged": flagged / 400, "recall": 0.5},
        "rows": {"validation": 400},
        **more,
    }
    rows = Holdout(
        LABELS, np.arange(10, dtype=np.uint64), Model("new", 0.5, scores), clusters=clusters
    )
    return case_of(metrics, rows, Facts(), policy, NEUTRAL_WORDS)


def test_the_chance_of_a_threshold_is_that_of_the_precision_it_was_chosen_for() -> None:
    """A point of precision costs 1 / (0.8 - 0.5) of the share flagged: a row less at the threshold
    is positive with 0.5, the others are with 0.8. Of these rows 0.5 are positive, so recall falls
    by 0.5 / 0.5 of that.
    """
    precision = stats.norm.isf(0.05) * math.sqrt(0.8 * 0.2 / 100)
    rows = 0.5 / (0.8 - 0.5)
    found = chance_of_threshold(ten())
    assert found.precision == pytest.approx(precision)
    assert found.flagged == pytest.approx(rows * precision)
    assert found.recall == pytest.approx(rows * precision * 10 * 0.5 / 5)


def test_a_fifth_of_the_rows_tells_what_is_positive_at_the_threshold() -> None:
    """Where both are positive, flagging fewer raises no precision: recall may be anything."""
    nearer = np.where(np.isclose(SCORES, 0.8), 0.54, SCORES)
    rows = Holdout(LABELS, np.arange(10, dtype=np.uint64), Model("new", 0.5, nearer))
    both = replace(ten(), holdout=rows)
    assert chance_of_threshold(both).recall == math.inf
    assert chance_of_threshold(both).flagged == math.inf
    assert chance_of_threshold(both).precision < 0.1


def test_nothing_is_known_of_a_threshold_that_flags_nobody_or_came_from_nowhere() -> None:
    nowhere = floors.Chance()
    assert (nowhere.recall, nowhere.precision, nowhere.flagged) == (0.0, 0.0, 0.0)
    assert chance_of_threshold(ten(scores=SCORES / 2)) == nowhere
    assert chance_of_threshold(ten(precision=0.0)) == nowhere


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"factor": 4.0, "freedom": 7.0}, Design(4.0, 7.0)),
        ({"factor": 1.0, "freedom": 1.0}, Design(1.0, 1.0)),
        ({"factor": 0.9, "freedom": 7.0}, Design(1.0, 1.0)),
        ({"factor": 4.0, "freedom": 0.9}, Design(1.0, 1.0)),
        ({"factor": 4.0}, Design(1.0, 1.0)),
        ({}, Design(1.0, 1.0)),
    ],
)
def test_groups_of_validation_rows_widen_the_chance_of_the_threshold(
    told: dict[str, float], wanted: Design
) -> None:
    """Where nothing is told of them, next to nothing is known: one degree of freedom."""
    grouped = ten(clusters=TEAMS, grouped_precision=told)
    aim = _aim(grouped)
    assert aim is not None
    assert aim.design == wanted
    assert _aim(ten(grouped_precision=told)) == replace(aim, design=INDEPENDENT)
    spread = math.sqrt(0.8 * 0.2 / 100 * wanted.factor)
    reach = stats.t(wanted.freedom).isf(0.05) * spread
    assert chance_of_threshold(grouped).precision == pytest.approx(reach)
    assert aim.hits == pytest.approx(80 / wanted.factor)


# --- shares and their limits
# -----------------------------------------------------------------------------


def limits(hits: float, of: float, design: Design = INDEPENDENT) -> tuple[float, float]:
    """Wilson's limits by statsmodels, one-sided at 0.05 each."""
    level = stats.norm.sf(stats.t(design.freedom).isf(0.05)) if design.freedom < 1e9 else 0.05
    rows = of / design.factor
    return proportion_confint(hits / design.factor, rows, alpha=2 * level, method="wilson")


@pytest.mark.parametrize("clusters", [None, TEAMS], ids=["rows", "groups"])
def test_the_recall_has_the_chance_of_its_rows_and_of_its_threshold(
    clusters: np.ndarray | None,
) -> None:
    told = {"factor": 2.0, "freedom": 30.0}
    case = ten(clusters=clusters, grouped_precision=told, precision=0.95)
    found = recall_share(case)
    positive = LABELS == 1
    low, high = limits(4, 5, of_share(case.holdout.candidate.flagged, positive, clusters))
    reach = math.hypot(high - 0.8, chance_of_threshold(case).recall)
    assert (found.hit, found.of, found.value, found.by) == (4, 5, 0.8, "")
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(min(0.8 + reach, 1.0))


@pytest.mark.parametrize("clusters", [None, TEAMS], ids=["rows", "groups"])
def test_the_precision_is_that_of_holdout_and_validation_together_where_that_says_more(
    clusters: np.ndarray | None,
) -> None:
    told = {"factor": 2.0, "freedom": 3.0}
    case = ten(clusters=clusters, grouped_precision=told, precision=0.99, flagged=200)
    found, flagged = precision_share(case), case.holdout.candidate.flagged
    mine = of_share(LABELS == 1, flagged, clusters)
    low, high = limits(4, 5, mine)
    alone = 0.8 + math.hypot(high - 0.8, chance_of_threshold(case).precision)
    both = INDEPENDENT
    if clusters is not None:  # so many rows, worth so many
        both = Design(205 / (5 / mine.factor + 200 / 2.0), min(mine.freedom, 3.0))
    together = limits(4 + 198, 205, both)[1]
    assert (found.hit, found.of, found.value, found.by) == (4, 5, 0.8, "")
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(min(max(alone, together), 1.0))
    assert found.high > high


def test_where_validation_says_nothing_only_the_rows_do() -> None:
    case = ten(precision=0.0)
    assert (recall_share(case).low, recall_share(case).high) == pytest.approx(limits(4, 5))
    assert (precision_share(case).low, precision_share(case).high) == pytest.approx(limits(4, 5))


def test_a_share_of_nothing_is_none() -> None:
    assert Share(0, 0, 0.0, 1.0).value == 0.0
    assert Share(1, 2, 0.0, 1.0).value == 0.5
    nobody = precision_share(ten(scores=SCORES / 2))
    assert (nobody.hit, nobody.of, nobody.low, nobody.high) == (0, 0, 0.0, 1.0)
    assert recall_share(ten(scores=SCORES / 2)).high == pytest.approx(limits(0, 5)[1])


# --- next steps
# -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hit", "of", "floor", "more"),
    [(38, 100, 0.4, "2 more positives"), (6, 100, 0.07, "1 more positive"), (1, 3, 0.5, "1 more")],
)
def test_so_many_more_hits_reach_the_floor(hit: int, of: int, floor: float, more: str) -> None:
    said = hits_needed(ten(), Share(hit, of, 0.0, 1.0), floor, "Find {}")
    assert said.startswith(f"Find {more}")


def test_without_a_flagged_row_one_is_asked_for() -> None:
    assert hits_needed(ten(), Share(0, 0, 0.0, 1.0), 0.5, "Find {}") == "Flag at least one row"


def test_a_threshold_that_few_hits_placed_says_so_up_to_the_number_that_is_enough() -> None:
    enough = ten(precision=0.5, flagged=2 * FEW_HITS)
    few = ten(precision=0.5, flagged=2 * FEW_HITS - 2)
    assert placed_by_few(enough) == ""
    assert placed_by_few(ten(precision=0.0)) == ""
    assert placed_by_few(few) == (
        f"Label more rows: the threshold was chosen by {FEW_HITS - 1} positives that it flags in"
        f" validation, and {FEW_HITS} are needed to tell a weak model from chance"
    )


@pytest.mark.parametrize(
    ("most", "state", "next_step"),
    [(0.5, MET, ""), (0.49, OPEN, "Label "), (0.01, BROKEN, "Flag 5 fewer rows")],
)
def test_a_share_flagged_is_held_against_its_ceiling_with_the_chance_of_the_threshold(
    most: float, state: str, next_step: str
) -> None:
    """A hundred times the ten rows, so that the ceiling of one in a hundred is far away."""
    case = ten(policy=replace(LIMITS, flagged_ceiling=most), precision=0.8, flagged=400)
    [rule] = flagged_ceiling(case)
    reach = math.hypot(0.5 - limits(5, 10)[0], chance_of_threshold(case).flagged)
    lower = max(0.5 - reach, 0.0)
    assert rule.sentence == (
        f"50.0 % of the rows are flagged, with a lower limit of {100 * lower:.1f} %; at most"
        f" {100 * most:g}.0 % is allowed"
    )
    assert (rule.rule, rule.state, rule.value, rule.limit) == ("flagged_ceiling", state, 0.5, most)
    assert rule.needed.startswith(next_step)
    assert bool(rule.needed) == bool(next_step)


# --- what the scores promise
# -----------------------------------------------------------------------------


def promised(scores: np.ndarray, wanted: Promised) -> float:
    """The recall that scores promise at a precision, from its definition."""
    ranked = np.sort(scores)[::-1]
    precision = wanted.lift * scores.mean() if wanted.lift else wanted.precision
    reached = np.flatnonzero(np.cumsum(ranked) / np.arange(1, len(ranked) + 1) >= precision)
    return float(ranked[: reached[-1] + 1].sum() / ranked.sum())


@pytest.mark.parametrize("lift", [0.0, 1.5])
@pytest.mark.parametrize("level", [0.05, 0.3])
def test_the_limit_of_what_scores_promise_is_that_of_other_draws_of_them(
    lift: float, level: float
) -> None:
    """Against a bootstrap: the scores that the holdout happens to have are drawn again."""
    chance = np.random.default_rng(4)
    scores = np.concatenate([chance.beta(6, 3, 800), chance.beta(2, 7, 1_200)])
    wanted = Promised(lift * float(scores.mean()) if lift else 0.62, lift)
    rows = Holdout(
        np.ones(2_000, dtype=int), np.arange(2_000, dtype=np.uint64), Model("new", 0.5, scores)
    )
    case = case_of({}, rows, Facts(), replace(LIMITS, level=level), NEUTRAL_WORDS)
    draws = [promised(chance.choice(scores, 2_000), wanted) for _ in range(800)]
    reach = _by_its_own_probabilities(case, wanted) - promised(scores, wanted)
    assert reach == pytest.approx(stats.norm.isf(level) * np.std(draws), rel=0.12)


def test_few_probable_hits_promise_nothing() -> None:
    """So many rows, each of which is positive with 0.8, and one less."""
    rows = math.ceil(FEW_HITS / 0.8)

    def limit(count: int) -> float:
        scores = np.array([0.8] * count + [0.1] * 200)
        holdout = Holdout(
            np.ones(len(scores), dtype=int),
            np.arange(len(scores), dtype=np.uint64),
            Model("new", 0.5, scores),
        )
        case = case_of({}, holdout, Facts(), LIMITS, NEUTRAL_WORDS)
        return _by_its_own_probabilities(case, Promised(0.8))

    assert limit(rows - 1) == 1.0
    assert limit(rows + 1) < 1.0


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"precision_floor": 0.6}, Promised(0.8)),  # what it was chosen for is more
        ({"precision_floor": 0.9}, Promised(0.9)),  # the floor is more
        # A lift of 2 at a prevalence of 0.5 asks for more than the floor: validation had 0.8 of
        # 0.4 positive, a lift of 2, and the mean of the scores is what stands for the prevalence.
        ({"precision_floor": 0.3, "lift_floor": 1.9}, Promised(2.0 * SCORES.mean(), 2.0)),
        ({"precision_floor": 0.3, "lift_floor": 2.2}, Promised(2.2 * SCORES.mean(), 2.2)),
    ],
)
def test_a_model_is_asked_for_what_its_threshold_was_chosen_for(
    changes: dict[str, float], wanted: Promised
) -> None:
    case = ten(policy=replace(LIMITS, **changes))
    aim = _aim(case)
    assert aim is not None
    assert aim.prevalence == pytest.approx(0.8 * 0.25 / 0.5)
    found = floors._promised_at(case, aim)
    assert (found.precision, found.lift) == pytest.approx((wanted.precision, wanted.lift))
    unknown = floors._promised_at(case, replace(aim, prevalence=0.0))
    assert unknown.lift == 0.0
