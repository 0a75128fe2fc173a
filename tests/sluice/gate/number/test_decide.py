"""The gate for a number: what an honest model gets, and which rule stops what."""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.number_holdouts import (
    LIMITS,
    MIDDLE,
    ROWS,
    answers_of,
    candidate,
    decided,
    holdout,
    metrics_of,
    rule,
)

from sluice.gate.case import BROKEN, MET, OPEN, WAIVED, Facts
from sluice.gate.comparison import WAY_OUT
from sluice.gate.number.case import Answering
from sluice.model.number.resampled import gain_p_value


def test_an_honest_first_model_is_promoted() -> None:
    verdict = decided(holdout())
    assert verdict.verdict == "PROMOTE", verdict.sentence
    assert {rule.state for rule in verdict.rules} == {MET}
    assert verdict.document()["comparison"] is None


def test_it_is_decided_the_same_again() -> None:
    rows = holdout(champion=0.7)
    assert decided(rows) == decided(rows)


def test_shuffled_labels_are_refused() -> None:
    rows = holdout()
    shuffled = replace(rows, labels=np.random.default_rng(9).permutation(rows.labels))
    verdict = decided(shuffled)
    assert verdict.verdict == "REJECT"
    assert rule(verdict, "signal").state == BROKEN


def test_a_constant_answer_is_refused() -> None:
    rows = holdout()
    verdict = decided(candidate(rows, np.full(ROWS, MIDDLE)))
    assert rule(verdict, "signal").state == BROKEN
    assert rule(verdict, "signal").value <= 0.0


@pytest.mark.parametrize("moved", [-20.0, 20.0])
def test_one_answer_for_all_that_is_nearer_than_the_training_median_is_refused(
    moved: float,
) -> None:
    """Outcomes are others than in training: then such an answer has a skill beside that median."""
    rows = replace(holdout(), middle=MIDDLE + moved)
    told = candidate(rows, np.full(ROWS, float(np.median(rows.labels))))
    verdict = decided(told)
    assert rule(verdict, "skill_floor").value > 0.05
    assert rule(verdict, "signal").state == BROKEN


def test_the_best_single_column_is_refused() -> None:
    rows = holdout(column=0.8)
    verdict = decided(candidate(rows, rows.one_column.answers))
    assert verdict.verdict == "REJECT"
    assert rule(verdict, "more_than_one_column").state == BROKEN


def test_a_column_that_gives_the_answer_away_is_refused() -> None:
    verdict = decided(holdout(column=0.01), one_column_ceiling=0.9)
    assert rule(verdict, "no_leak").state == BROKEN


@pytest.mark.parametrize("label", [-1.0, 101.0, float("nan")])
def test_labels_beyond_the_range_are_refused_before_anything_else(label: float) -> None:
    rows = holdout()
    wrong = rows.labels.copy()
    wrong[0] = label
    verdict = decided(replace(rows, labels=wrong))
    assert verdict.verdict == "REJECT"
    assert [one.rule for one in verdict.rules] == ["binary"]


@pytest.mark.parametrize("answer", [-1.0, 101.0, float("nan"), float("inf")])
def test_answers_beyond_the_range_are_refused(answer: float) -> None:
    rows = holdout()
    wrong = rows.candidate.answers.copy()
    wrong[0] = answer
    verdict = decided(candidate(rows, wrong))
    assert verdict.verdict == "REJECT"
    assert rule(verdict, "finite").value == 1.0


def test_too_few_rows_are_asked_for() -> None:
    verdict = decided(holdout(), least_positives=ROWS + 1)
    assert verdict.verdict == "INSUFFICIENT"
    assert rule(verdict, "labelled").needed == "Label 1 more deliveries"


def test_equal_labels_tell_nothing() -> None:
    rows = holdout()
    same = replace(rows, labels=np.full(ROWS, MIDDLE))
    assert decided(same).verdict == "INSUFFICIENT"


def test_the_floor_of_the_skill_is_broken_only_where_the_interval_lies_below() -> None:
    rows = holdout()
    skill = rule(decided(rows), "skill_floor").value
    assert skill is not None
    for floor, state in ((skill - 0.1, MET), (skill + 0.005, OPEN), (skill + 0.2, BROKEN)):
        found = rule(decided(rows, limits=replace(LIMITS, skill_floor=floor)), "skill_floor")
        assert found.state == state, found


def test_a_first_release_clears_the_floor_with_its_lower_limit() -> None:
    rows = holdout()
    skill = rule(decided(rows), "skill_floor").value
    assert skill is not None
    limits = replace(LIMITS, skill_floor=skill - 0.005)
    verdict = decided(rows, limits=limits)
    assert verdict.verdict == "INSUFFICIENT"
    assert "of a first release" in rule(verdict, "skill_floor").sentence
    beside = decided(replace(rows, champion=holdout(champion=0.6).champion), limits=limits)
    assert rule(beside, "skill_floor").state == MET


def test_the_ceiling_of_the_error_is_broken_only_where_the_interval_lies_above() -> None:
    rows = holdout()
    mae = float(np.abs(rows.labels - rows.candidate.answers).mean())
    for most, state in (
        (1.1 * mae, MET),
        (1.005 * mae, OPEN),
        (0.99 * mae, OPEN),
        (mae / 2, BROKEN),
    ):
        found = decided(rows, limits=replace(LIMITS, skill_floor=0.0, mae_ceiling=most))
        assert rule(found, "mae_ceiling").state == state, found
        assert "skill_floor" not in [one.rule for one in found.rules]
        assert "min" in rule(found, "mae_ceiling").sentence


@pytest.mark.parametrize(("bias", "side"), [(4.0, "high"), (-4.0, "low")])
def test_answers_that_are_off_to_one_side_are_refused(bias: float, side: str) -> None:
    rows = holdout()
    verdict = decided(candidate(rows, answers_of(rows.labels, 0.6, bias=bias)))
    found = rule(verdict, "bias")
    assert found.state == BROKEN
    assert f"too {side} on the average" in found.sentence


def test_repeated_rows_are_refused() -> None:
    verdict = decided(holdout(), facts=Facts(duplicates=ROWS))
    assert rule(verdict, "no_duplicates").state == BROKEN


def test_another_number_in_metrics_is_found() -> None:
    rows = holdout()
    for path in (("holdout", "mae"), ("intervals", "skill"), ("middle",), ("segments", "side")):
        document = metrics_of(rows)
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = 0.123
        verdict = decided(rows, metrics=document)
        assert rule(verdict, "metrics_match").state == BROKEN, path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("validation", "skill"), "stable_validation"),
        (("cross_validation", "skill", "mean"), "stable_cross_validation"),
    ],
)
def test_a_skill_that_was_another_one_before_is_refused(path: tuple[str, ...], name: str) -> None:
    rows = holdout()
    document = metrics_of(rows)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = inner[path[-1]] + 0.5
    assert rule(decided(rows, metrics=document), name).state == BROKEN


def test_a_better_model_is_promoted_and_an_equal_one_held() -> None:
    better = decided(holdout(0.4, champion=0.9))
    assert better.verdict == "PROMOTE", better.sentence
    assert rule(better, "better").state == MET
    equal = decided(holdout(0.6, champion=0.6))
    assert equal.verdict == "HOLD", equal.sentence
    assert equal.sentence.startswith("No better than the champion: its mean absolute error is")


@pytest.mark.parametrize(("spread", "said"), [(0.62, "higher"), (0.58, "lower")])
def test_of_which_the_error_is_higher_is_told_however_little(spread: float, said: str) -> None:
    rows = holdout(0.6)
    other = Answering("old", answers_of(rows.labels, 0.6))
    mine = candidate(rows, answers_of(rows.labels, spread))
    # Without an anchor the better one is held too.
    verdict = decided(replace(mine, champion=other, anchor=None))
    apart = np.abs(mine.labels - mine.candidate.answers) - np.abs(rows.labels - other.answers)
    assert 0 < abs(apart.mean()) < 1
    assert re.search(rf"its mean absolute error is [\d.]+ min {said}", verdict.sentence)


@pytest.mark.parametrize(
    ("margin", "needed"),
    [
        (0.21, r"Lower the mean absolute error by 0\.[\d]+ min"),
        (0.25, r"Label [\d,]+ further deliveries, if the difference stays"),
    ],
)
def test_a_loss_is_told_by_how_far_it_is_from_the_margin(margin: float, needed: str) -> None:
    """Beyond it answers have to become nearer; within it more labels tell."""
    rows = holdout(0.6)
    chance = np.random.default_rng(5).normal(0, 6.0, ROWS)
    other = Answering("old", answers_of(rows.labels, 0.6))
    mine = candidate(rows, answers_of(rows.labels, 0.64) + chance)
    looked = rule(decided(replace(mine, champion=other, anchor=other), margin=margin), "not_worse")
    assert looked.state == OPEN
    assert "differs by -0.2230 [" in looked.sentence
    assert re.fullmatch(needed, looked.needed)


def test_a_worse_model_is_refused() -> None:
    verdict = decided(holdout(1.2, champion=0.3), limits=replace(LIMITS, skill_floor=0.05))
    assert verdict.verdict == "REJECT"
    assert rule(verdict, "not_worse").state == BROKEN


def test_fresh_data_may_replace_an_equal_champion() -> None:
    facts = Facts(fresh=True, champion_days=30)
    assert decided(holdout(0.6, champion=0.6), facts=facts).refresh
    for other in (replace(facts, fresh=False), replace(facts, champion_days=0)):
        assert not decided(holdout(0.6, champion=0.6), facts=other).refresh


def test_each_later_use_of_the_holdout_has_a_smaller_level() -> None:
    rows = holdout(0.5, champion=0.55)
    first = rule(decided(rows), "better").limit
    later = rule(decided(rows, facts=Facts(uses=5)), "better").limit
    look = rule(decided(rows, facts=Facts(looks=1)), "better").limit
    assert first is not None
    assert later is not None
    assert look is not None
    assert later < first
    assert look < first


def test_a_holdout_that_is_used_up_promotes_nothing() -> None:
    verdict = decided(holdout(0.4, champion=0.9), facts=Facts(uses=4), uses=4)
    assert verdict.verdict == "HOLD"
    ledger = rule(verdict, "ledger")
    assert (ledger.state, ledger.value, ledger.limit) == (OPEN, 4, 4)
    assert re.fullmatch(r"Label [\d,]+ more deliveries for the holdout", ledger.needed)


def test_the_anchor_stops_a_slow_decline() -> None:
    rows = holdout(0.9, champion=0.95)
    anchor = Answering("first", answers_of(rows.labels, 0.3, seed=8))
    verdict = decided(replace(rows, anchor=anchor))
    assert rule(verdict, "anchor_skill").state == BROKEN
    assert verdict.verdict == "REJECT"


def test_a_group_that_loses_stops_it() -> None:
    rows = holdout(0.5, champion=0.6)
    mixed = rows.candidate.answers.copy()
    group = rows.segments["side"] == "x"
    mixed[group] = np.where(rows.labels[group] > MIDDLE, 20.0, 80.0)
    verdict = decided(candidate(rows, mixed))
    assert rule(verdict, "segments").state == BROKEN
    assert "side = x" in rule(verdict, "segments").sentence


def test_segments_that_are_required_need_rows() -> None:
    rows = holdout(0.4, champion=0.9)
    verdict = decided(rows, segments_required=("side",), segment_positives=700)
    assert rule(verdict, "segments_required").state == OPEN
    assert verdict.verdict == "HOLD"


def test_a_champion_that_cannot_answer_is_not_compared() -> None:
    rows = holdout(0.4, champion=0.9)
    blind = Answering("old", np.full(ROWS, np.nan))
    apart = replace(rows, champion=blind, anchor=blind)
    facts = Facts(accepted=0.0)
    verdict = decided(apart, facts=facts)
    assert verdict.verdict == "INSUFFICIENT"
    assert rule(verdict, "comparable").state == OPEN
    waived = decided(apart, facts=replace(facts, waived="comparable"))
    assert waived.verdict == "PROMOTE"
    assert rule(waived, "comparable").state == WAIVED


@pytest.mark.parametrize(
    ("mute", "accepted", "said"),
    [
        (("champion",), 0.9, "The champion accepts 90.0 % of the holdout rows; at least 95 % is"),
        (("champion", "anchor"), 0.9, "The champion and the anchor accept 90.0 % of the holdout"),
        (("anchor",), 1.0, "The anchor cannot score every holdout row; a score of each is"),
        ((), 0.9, "The compared models accept 90.0 % of the holdout rows; at least 95 % is"),
    ],
)
def test_what_cannot_be_compared_is_named(
    mute: tuple[str, ...], accepted: float, said: str
) -> None:
    silent = Answering("old", np.full(ROWS, np.nan))
    rows = replace(holdout(0.6, champion=0.6), **dict.fromkeys(mute, silent))
    looked = rule(
        decided(rows, facts=Facts(accepted=accepted), comparable_share=0.95), "comparable"
    )
    assert looked.sentence.startswith(said)
    assert (looked.state, looked.value, looked.limit) == (OPEN, accepted, 0.95)
    assert looked.needed == WAY_OUT


@pytest.mark.parametrize("folds", [[0.5], []])
def test_one_fold_or_none_has_no_spread(folds: list[float]) -> None:
    document = metrics_of(holdout())
    document["cross_validation"]["skill"].update(std=0.3, folds=folds)
    looked = rule(decided(holdout(), metrics=document), "stable_cross_validation")
    assert looked.state == MET


def test_a_champion_without_an_anchor_and_a_split_that_changed_are_told() -> None:
    rows = replace(holdout(0.4, champion=0.9), anchor=None)
    verdict = decided(rows, facts=Facts(left_out=5), least_positives=ROWS)
    assert rule(verdict, "anchored").state == OPEN
    left = "The split changed: 5 rows that a compared model has seen are left out, and 800 labelled"
    assert rule(verdict, "labelled").sentence.startswith(left)
    short = decided(rows, facts=Facts(left_out=5), least_positives=ROWS + 1)
    assert rule(short, "labelled").state == OPEN


def test_rows_that_belong_together_say_less() -> None:
    rows = holdout(0.5, champion=0.6)
    alone = rule(decided(rows), "not_worse").value
    together = replace(rows, clusters=np.arange(ROWS) // 8)
    found = rule(decided(together), "not_worse")
    assert alone is not None
    assert found.value is not None
    assert found.value != alone


def test_of_equal_models_few_are_called_better() -> None:
    rows = [holdout(0.6, champion=0.6, seed=seed) for seed in range(20, 60)]
    values = [gain_p_value(one.gains(one.champion)) for one in rows if one.champion]
    assert sum(value <= 0.05 for value in values) <= 5
