"""What errors cost: the trivial policies, champion and anchor, and the chance in it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from support.holdouts import Trial, better, first, model, world

from sluice.gate.case import BROKEN, MET, OPEN, Facts, Model, Rule
from sluice.gate.limits import FEW
from sluice.gate.net_benefit import Saving, log_e_value, saves_nothing
from sluice.gate.paired import mean_difference

COSTS = {"cost_of_a_miss": 2.0, "cost_of_a_false_alarm": 1.0}


def found(trial: Trial, name: str) -> Rule:
    """The rule of this name."""
    return next(rule for rule in trial.judge().rules if rule.rule == name)


def saving(rows: np.ndarray) -> Saving:
    """Differences of rows as a saving."""
    return Saving("other", rows, mean_difference(rows, np.zeros(len(rows)), 0.05))


def costed() -> Trial:
    """A candidate that is better than champion and anchor, held against them by costs alone."""
    return better().but(recall_floor=0.0, precision_floor=0.0, **COSTS)


def test_the_saving_is_told_in_costs_of_a_thousand_rows_beside_both_trivial_policies() -> None:
    trial = first().but(**COSTS)
    labels, flagged = world().labels, trial.candidate.flagged
    mine = np.where(labels == 1, 2.0 * ~flagged, 1.0 * flagged)
    rule = found(trial, "net_benefit")
    assert rule.state == MET
    assert rule.sentence.startswith(
        f"The errors cost {1_000 * mine.mean():.4g} for each 1,000 rows"
    )
    nobody, everybody = 2.0 * (labels == 1), 1.0 * (labels == 0)
    for plain in (nobody, everybody):
        saved = mean_difference(plain, mine, 0.05)
        told = f"{1_000 * saved.value:+.4g} [{1_000 * saved.low:+.4g}, {1_000 * saved.high:+.4g}]"
        assert told in rule.sentence
    assert rule.value == pytest.approx(
        1_000 * min(float((plain - mine).mean()) for plain in (nobody, everybody))
    )


@pytest.mark.parametrize(
    ("miss", "alarm", "state"),
    [(1.0, 1.0, MET), (1.0, 5.0, BROKEN), (30.0, 1.0, BROKEN)],
)
def test_whoever_saves_nothing_against_a_trivial_policy_is_refused(
    miss: float, alarm: float, state: str
) -> None:
    rule = found(first().but(cost_of_a_miss=miss, cost_of_a_false_alarm=alarm), "net_benefit")
    assert rule.state == state
    assert (rule.needed == "") == (state == MET)


def test_a_saving_that_chance_explains_waits() -> None:
    trial = first().but(cost_of_a_miss=1.0)
    counts = trial.candidate.flagged
    hits = int((counts & (world().labels == 1)).sum())
    even = hits / (int(counts.sum()) - hits)  # at this cost of an alarm, nothing is saved
    dear = found(trial.but(cost_of_a_false_alarm=even + 0.01), "net_benefit")
    assert dear.state == OPEN
    assert dear.needed.startswith("Save ")
    cheap = trial.but(cost_of_a_false_alarm=even - 0.01)
    assert found(cheap, "net_benefit").state == OPEN
    assert "a first release saves with its lower limit" in found(cheap, "net_benefit").needed
    assert cheap.judge().verdict == "INSUFFICIENT"


def test_what_is_compared_is_what_errors_cost_as_the_models_ship() -> None:
    verdict = costed().judge()
    assert verdict.verdict == "PROMOTE"
    assert verdict.sentence.startswith("The saving against champion old is +")
    assert "] for each 1,000 rows, with p = " in verdict.sentence
    names = {rule.rule for rule in verdict.rules}
    assert {"net_benefit", "better", "not_worse", "anchor_net_benefit", "anchor_brier"} <= names
    instead = {"recall_floor", "precision_floor", "anchor_recall", "anchor_precision"}
    assert not names & {*instead, "as_shipped", "ranking_visible"}


def test_a_threshold_moved_to_where_errors_cost_less_is_a_gain_and_the_reverse_a_loss() -> None:
    champion = model("old", 0.6)
    trial = costed().but(cost_of_a_miss=10.0, champion=champion, anchor=champion)
    low = replace(champion, tag="candidate", threshold=0.1)
    assert trial.but(candidate=low, flagged_ceiling=0.9).judge().verdict == "PROMOTE"
    high = replace(champion, tag="candidate", threshold=0.6)
    dearer = trial.but(candidate=high)
    assert found(dearer, "not_worse").state == BROKEN
    assert found(dearer, "anchor_net_benefit").state == BROKEN
    assert dearer.judge().verdict == "REJECT"


def test_costs_beside_the_anchor_have_the_interval_of_a_look_beside_it() -> None:
    """The same two models, and a wider interval than beside the champion."""
    champion = model("old", 0.6)
    trial = costed().but(champion=champion, anchor=champion)
    labels, one, other = world().labels, trial.candidate.flagged, champion.flagged
    mine, theirs = (np.where(labels == 1, 2.0 * ~some, 1.0 * some) for some in (one, other))
    for name, level in (("not_worse", 0.05), ("anchor_net_benefit", 0.02)):
        saved = mean_difference(theirs, mine, level)
        assert found(trial, name).value == pytest.approx(1_000 * saved.low)
    assert "anchor old (96 % interval) is " in found(trial, "anchor_net_benefit").sentence


def test_the_same_model_holds() -> None:
    champion = model("old", 0.6)
    trial = costed().but(
        candidate=replace(champion, tag="candidate"), champion=champion, anchor=champion
    )
    verdict = trial.judge()
    assert verdict.verdict == "HOLD"
    same = "No better than the champion: its errors cost as much, within chance"
    assert verdict.sentence.startswith(same)


@pytest.mark.parametrize(("moved", "said"), [(-0.02, "more"), (0.02, "less")])
def test_a_hold_says_what_the_errors_cost(moved: float, said: str) -> None:
    """Not as many rows are flagged as by the champion: what counts is the cost as both ship."""
    champion = model("old", 0.6)
    trial = costed().but(
        candidate=replace(champion, tag="candidate", threshold=champion.threshold + moved),
        champion=champion,
        anchor=champion,
    )
    verdict = trial.judge()
    assert verdict.verdict == "HOLD", verdict.sentence
    assert re.match(
        rf"No better than the champion: its errors cost [\d.]+ {said} for each 1,000 rows, ",
        verdict.sentence,
    )


def test_a_floor_that_is_stated_beside_costs_holds_too() -> None:
    assert costed().but(recall_floor=0.99).judge().verdict == "REJECT"


def test_few_rows_that_differ_show_nothing() -> None:
    for count, shown in ((FEW - 1, False), (FEW, True)):
        rows = np.zeros(10_000)
        rows[:count] = 3.0
        assert (saves_nothing(saving(rows)) < 1e-6) == shown
        assert (log_e_value(saving(rows), 0.01) > 0) == shown
    assert saves_nothing(saving(np.zeros(100))) == 1.0


@pytest.mark.parametrize("ratio", [1.0, 10.0])
@pytest.mark.parametrize("level", [0.0125, 0.05])
def test_equal_models_are_called_better_no_more_often_than_the_level(
    ratio: float, level: float
) -> None:
    """Two models whose errors cost the same on average, misses `ratio` times as much each."""
    random, rows, draws = np.random.default_rng(5), 4_000, 4_000
    values = np.array([ratio, -ratio, 1.0, -1.0, 0.0])
    # Fewer misses of the one are paid for by its false alarms.
    shares = np.array([0.012, 0.008, 0.02, 0.02 + 0.004 * ratio])
    counts = random.multinomial(rows, [*shares, 1 - shares.sum()], draws)
    called = 0
    for drawn in counts[: draws // 4]:
        called += saves_nothing(saving(np.repeat(values, drawn))) <= level
    share = called / (draws // 4)
    # Three standard errors beyond the level.
    assert share <= level + 3 * np.sqrt(level * (1 - level) / (draws // 4))


def test_the_e_value_rarely_reaches_its_level_at_any_look_where_nothing_is_saved() -> None:
    random, level, reached = np.random.default_rng(6), 0.05, 0
    for _ in range(300):
        rows = random.choice([5.0, -5.0, 1.0, -1.0, 0.0], 6_000, p=[0.01, 0.01, 0.04, 0.04, 0.9])
        looks = [log_e_value(saving(rows[:size]), 0.02) for size in range(1_500, 6_001, 500)]
        reached += max(looks) >= -np.log(level)
    assert reached <= stats.binom.isf(0.001, 300, level)


def test_a_use_that_goes_on_is_judged_by_the_e_value() -> None:
    later = costed().but(facts=Facts(looks=1))
    rule = found(later, "better")
    assert "at look 2 of this use the logarithm of the e-value is" in rule.sentence
    assert rule.state == MET
    assert rule.value >= rule.limit
    alike = model("old", 0.6)
    scores = alike.scores.copy()
    lost = np.flatnonzero((world().labels == 1) & ~alike.flagged)[: FEW + 10]
    alarms = np.flatnonzero((world().labels == 0) & ~alike.flagged)[:30]
    scores[[*lost, *alarms]] = 0.99
    ahead = Model("candidate", alike.threshold, scores)
    waiting = found(later.but(candidate=ahead, champion=alike, level=1e-4), "better")
    assert waiting.state == OPEN
    assert (
        "more rows and go on with this model (`sluice extend --by FILE --to FILE`)"
        in waiting.needed
    )


def test_how_many_more_rows_tell_does_not_depend_on_the_unit_of_costs() -> None:
    alike = model("old", 0.6)
    scores = alike.scores.copy()
    lost = np.flatnonzero((world().labels == 1) & alike.flagged)[:40]
    gained = np.flatnonzero((world().labels == 1) & ~alike.flagged)[:40]
    scores[lost], scores[gained] = 0.0, 0.99
    trial = costed().but(
        candidate=Model("candidate", alike.threshold, scores), anchor=alike, margin=0.001
    )
    assert re.fullmatch(
        r"Label [\d,]+ more rows, if the difference stays", told_at(trial, "anchor_net_benefit")
    )
    counts = first().candidate.flagged
    hits = int((counts & (world().labels == 1)).sum())
    even = hits / (int(counts.sum()) - hits)
    cheap = first().but(cost_of_a_miss=1.0, cost_of_a_false_alarm=even - 0.01)
    assert "a first release saves with its lower limit" in told_at(cheap, "net_benefit")


def told_at(trial: Trial, name: str) -> str:
    """The next step of a rule, which is the same where all costs are a hundred times as high."""
    policy = trial.policy
    dear = trial.but(
        cost_of_a_miss=100 * policy.cost_of_a_miss,
        cost_of_a_false_alarm=100 * policy.cost_of_a_false_alarm,
    )
    needed = found(trial, name).needed
    assert found(dear, name).needed == needed
    return needed


def test_a_gain_is_as_sure_as_student_and_the_first_term_of_edgeworth_say() -> None:
    random = np.random.default_rng(3)
    rows = np.where(random.random(2_000) < 0.05, -4.0, 0.4) * (random.random(2_000) < 0.4)
    mean, spread = rows.mean(), rows.std(ddof=1) / np.sqrt(len(rows))
    centred = rows - rows.mean()
    skewness = (centred**3).mean() / (centred**2).mean() ** 1.5 / np.sqrt(len(rows))
    ratio = mean / spread
    moved = -stats.norm.pdf(ratio) * skewness * (2 * ratio**2 + 1) / 6
    assert moved > 0
    wanted = stats.t.sf(ratio, len(rows) - 1) + moved
    assert saves_nothing(saving(rows)) == pytest.approx(wanted)
