"""What people get: the differences at the thresholds that ship, their margins, and their chance."""

from dataclasses import replace

import numpy as np
import pytest
from support.holdouts import ROWS, Trial, better, edited, first, measured, world

from sluice.gate.as_shipped import precision_difference, rows_for_gain
from sluice.gate.case import BROKEN, MET, OPEN, Facts, Model, Rule
from sluice.gate.paired import Difference, Pairs, on_positives, recall_difference

POSITIVE = world().labels == 1


def shipped(trial: Trial) -> Rule:
    """The rule on what people get."""
    return next(rule for rule in trial.judge().rules if rule.rule == "as_shipped")


def at_recall(model: Model, recall: float) -> Model:
    """The model with the threshold at which it finds this share of the positives."""
    return replace(model, threshold=float(np.quantile(model.scores[POSITIVE], 1 - recall)))


def moved(by: float) -> Trial:
    """The champion itself, and its threshold finds so much less."""
    old = better().champion
    lower = float(old.flagged[POSITIVE].mean()) - by
    return better().but(
        candidate=replace(at_recall(old, lower), tag="candidate"),
        facts=Facts(fresh=True, champion_days=99),
    )


def test_a_champion_with_its_threshold_raised_takes_no_champions_place() -> None:
    trial = moved(0.033)
    rule = shipped(trial)
    assert (rule.state, trial.judge().verdict) == (BROKEN, "REJECT")
    assert trial.judge("as_shipped").refresh


def test_a_loss_within_the_margin_is_shown_beside_the_ranking() -> None:
    trial = moved(0.01)
    verdict, rule = trial.judge(), shipped(trial)
    assert (rule.state, verdict.verdict, verdict.refresh) == (MET, "HOLD", True)
    assert rule.sentence in verdict.sentence
    assert shipped(better()).sentence in better().judge().sentence


def test_the_sentence_has_the_three_measures_of_both_models() -> None:
    trial = moved(0.033)
    old = better().champion
    mine, theirs = trial.candidate.flagged, old.flagged
    recall = recall_difference(on_positives(world().labels, mine, theirs), 0.05)
    precise = precision_difference(world().labels, mine, theirs, 0.05)
    alone, other = int((mine & ~theirs).sum()), int((theirs & ~mine).sum())
    share = recall_difference(Pairs(alone, other, ROWS), 0.05)
    rule = shipped(trial)
    told = (
        f"recall {recall.value:+.4f} [{recall.low:+.4f}, {recall.high:+.4f}], precision"
        f" {precise.value:+.4f} [{precise.low:+.4f}, {precise.high:+.4f}], share flagged"
        f" {share.value:+.4f} [{share.low:+.4f}, {share.high:+.4f}]"
    )
    assert rule.sentence.startswith(f"As shipped, {told}")
    assert f" against champion old; {told}" in rule.sentence
    assert rule.sentence.endswith(
        " against anchor frozen; a loss of 0.025 is allowed, and 0.05 more of the rows flagged"
        " beyond those that a gain in recall takes"
    )
    missing = int(np.ceil((-0.025 - recall.value) * POSITIVE.sum()))
    assert rule.needed == f"Find {missing} more positives at the threshold that ships"
    assert (rule.value, rule.limit) == (recall.low, -0.025)


@pytest.mark.parametrize(
    ("recall", "named"),
    [
        (0.99, "Raise the threshold, and the precision with it, Flag "),
        (0.70, "Find "),
    ],
)
def test_each_measure_has_its_margin(recall: float, named: str) -> None:
    trial = better().but(candidate=at_recall(better().candidate, recall))
    assert shipped(trial).state == BROKEN
    assert shipped(trial).needed.startswith(named)
    wide = trial.but(shipped_margin=0.5, shipped_flagged_margin=0.5)
    assert (shipped(wide).state, shipped(wide).needed) == (MET, "")


def at_precision(model: Model, precision: float) -> Model:
    """The model with the lowest threshold at which it has this precision."""
    order = np.argsort(-model.scores, kind="stable")
    reached = np.cumsum(POSITIVE[order]) / np.arange(1, ROWS + 1)
    last = int(np.flatnonzero(reached >= precision)[-1])
    return replace(model, threshold=float(model.scores[order[last]]))


def test_a_much_better_model_may_flag_as_many_more_as_its_gain_takes() -> None:
    """At the same precision who finds more flags more: that is what it was trained for."""
    old = better().champion
    precision = float(POSITIVE[old.flagged].mean())
    clearer = replace(old, tag="candidate", scores=np.clip(old.scores + 0.1 * POSITIVE, 0.0, 1.0))
    candidate = at_precision(clearer, precision)
    assert candidate.flagged.mean() - old.flagged.mean() > 0.06
    assert shipped(better().but(candidate=candidate)).state == MET


def test_without_a_gain_in_recall_no_more_rows_are_allowed() -> None:
    labels = np.tile([0, 1], 500)
    theirs = np.arange(1000) < 400
    less = Difference(0.01, -0.01, 0.03, 0.05)
    assert rows_for_gain(labels, theirs, less) == 0.0
    assert rows_for_gain(labels, np.zeros(1000, dtype=bool), replace(less, low=0.02)) == 0.0
    # two points of recall are ten of the 500 positives, of which one is found in two rows flagged
    assert rows_for_gain(labels, theirs, replace(less, low=0.02)) == pytest.approx(20 / 1000)
    # where four in five flagged are positives, in 1.25 rows flagged
    surer = np.isin(np.arange(1000), [*range(1, 641, 2), *range(0, 160, 2)])
    assert rows_for_gain(labels, surer, replace(less, low=0.02)) == pytest.approx(12.5 / 1000)


def test_where_few_validation_rows_may_have_done_it_nobody_is_to_blame() -> None:
    trial = moved(0.04)
    area = measured(trial)["validation"]["roc_auc"]
    told = {"roc_auc": area, "precision": 0.685, "share_flagged": 0.5}
    for rows, state, verdict in ((300, OPEN, "HOLD"), (10**7, BROKEN, "REJECT")):
        chance = edited(edited(trial, told, "validation"), rows, "rows", "validation")
        assert shipped(chance).state == state
        assert (chance.judge().verdict, chance.judge().refresh) == (verdict, False)


def test_an_operating_point_changed_in_reviewed_policy_is_named_and_breaks_nothing() -> None:
    trial = moved(0.06)
    was = "operating_point.precision_slack 0.01 -> 0.05"
    both = trial.but(
        champion=replace(trial.champion, moved=was), anchor=replace(trial.anchor, moved=was)
    )
    rule = shipped(both)
    assert shipped(trial).state == BROKEN
    assert (rule.state, rule.needed) == (MET, "")
    assert rule.sentence.count(f" (its operating point was another: {was})") == 2
    anchor = trial.but(champion=replace(trial.champion, moved=was))
    assert shipped(anchor).state == BROKEN


def test_without_another_model_nothing_is_compared() -> None:
    assert "as_shipped" not in {rule.rule for rule in first().judge().rules}
    blind = replace(better().champion, scores=np.full(ROWS, np.nan))
    alone = better().but(champion=blind)
    assert "champion" not in shipped(alone).sentence


def test_the_interval_of_a_precision_is_that_of_many_draws() -> None:
    """Two models that flag different numbers of the same rows."""
    values, spreads, inside = [], [], []
    truth = _drawn(200_000, 0)
    true = precision_difference(*truth, 0.05).value
    for seed in range(1, 400):
        found = precision_difference(*_drawn(1_500, seed), 0.05)
        values.append(found.value)
        spreads.append((found.high - found.value) / 1.645)
        inside.append(found.low <= true)
    assert np.mean(spreads) == pytest.approx(np.std(values), rel=0.1)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def _drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    odds = random.standard_normal(rows)
    labels = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    first_noise, second_noise = random.standard_normal((2, rows)) * 0.7
    return labels, odds + first_noise > 0.1, odds + second_noise > 0.4


def test_the_precision_of_copies_is_no_surer_than_that_of_the_rows() -> None:
    rows, copies = 1_500, 4
    alone = precision_difference(*_drawn(rows, 1), 0.05)
    labels, mine, theirs = (np.repeat(one, copies) for one in _drawn(rows, 1))
    owners = np.repeat(np.arange(rows), copies)
    grouped = precision_difference(labels, mine, theirs, 0.05, owners)
    wrongly = precision_difference(labels, mine, theirs, 0.05)
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.02)
    assert wrongly.high - wrongly.low == pytest.approx((alone.high - alone.low) / 2, rel=0.02)


def test_of_nobody_flagged_no_precision_is_known() -> None:
    labels, nobody = np.array([0, 1]), np.array([False, False])
    found = precision_difference(labels, nobody, ~nobody, 0.05)
    assert (found.value, found.low, found.high) == (0.0, -1.0, 1.0)
