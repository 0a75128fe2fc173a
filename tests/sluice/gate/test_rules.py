"""What each rule says: its numbers, its edges, and what would have passed."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import special, stats
from support.holdouts import (
    ROWS,
    Trial,
    World,
    better,
    edited,
    first,
    groups,
    measured,
    model,
    world,
)

from sluice.gate.case import BROKEN, MET, OPEN, Case, Facts, Holdout, Model, Rule
from sluice.gate.decide import decide
from sluice.gate.floors import FLOORS, recall_share
from sluice.gate.limits import FEW
from sluice.gate.paired import (
    Pairs,
    at_equal_counts,
    holm,
    recall_difference,
    top,
    unit_variance,
    worse,
)
from sluice.gate.power import margin_needed
from sluice.gate.sequential import log_e_value
from sluice.gate.travelling import brier_skill, lift_floor
from sluice.model.quality.statistics import (
    brier,
    calibration_gap,
    roc_auc,
    roc_auc_variance,
    wilson_high,
    wilson_low,
)
from sluice.percent import percent
from sluice.served.words import Words


def found(trial: Trial, name: str) -> Rule:
    """The rule of this name."""
    return next(rule for rule in trial.judge().rules if rule.rule == name)


def counted(*counts: tuple[int, int, int, bool, bool]) -> Trial:
    """A trial of so many rows with a label, flagged by the candidate, flagged by the champion:
    (count, ...).
    """
    labels, mine, theirs = (
        np.concatenate([np.full(entry[0], entry[place]) for entry in counts]) for place in (1, 3, 4)
    )
    random = np.random.default_rng(0)
    spread = random.random((2, len(labels))) / 10
    candidate, champion = (
        np.where(flags, 0.8, 0.1) + noise
        for flags, noise in zip((mine, theirs), spread, strict=True)
    )
    of = World(
        np.zeros(len(labels)), labels.astype(np.int64), np.arange(len(labels), dtype=np.uint64)
    )
    old = Model("old", 0.5, champion)
    return Trial(Model("candidate", 0.5, candidate), old, replace(old, tag="frozen"), of=of)


def small_world(hits: int, misses: int, false: int, right: int) -> Trial:
    """A first release with this confusion."""
    return counted(
        (hits, 1, 0, True, True),
        (misses, 1, 0, False, False),
        (false, 0, 0, True, True),
        (right, 0, 0, False, False),
    ).but(champion=None, anchor=None)


def test_a_recall_below_its_floor_says_how_many_more() -> None:
    rule = found(small_world(7_312, 2_688, 3_000, 7_000).but(recall_floor=0.745), "recall_floor")
    high = wilson_high(7_312, 10_000, 0.05)
    assert str(rule) == (
        f"Recall is 0.7312 with an upper limit of {high:.4f}; at least 0.745 is required. Find 138"
        " more positives"
    )
    assert (rule.state, rule.value, rule.limit) == (BROKEN, 0.7312, 0.745)


def test_a_recall_below_its_floor_by_chance_waits_and_is_not_deployed() -> None:
    trial = small_world(7_312, 2_688, 3_000, 7_000).but(recall_floor=0.735)
    rule, high = found(trial, "recall_floor"), wilson_high(7_312, 10_000, 0.05)
    more = math.ceil(10_000 * ((high - 0.7312) / (0.735 - 0.7312)) ** 2) - 10_000
    assert (rule.state, rule.value, rule.limit) == (OPEN, 0.7312, 0.735)
    assert str(rule) == (
        f"Recall is 0.7312 with an upper limit of {high:.4f}; at least 0.735 is required. Find 38"
        f" more positives, or label {more:,} further positives to tell it from chance"
    )
    assert trial.but(calibration_ceiling=0.5).judge().verdict == "INSUFFICIENT"


_STATED = {"lift_floor": 1.2, "brier_skill_floor": 0.2}  # the shipped policy states neither


# Without costs in the policy there is no net benefit: test_net_benefit.py has its chance.
@pytest.mark.parametrize("name", [name for name in FLOORS if name != "net_benefit"])
def test_what_misses_its_limit_by_chance_takes_no_champions_place(name: str) -> None:
    trial = better().but(facts=Facts(fresh=True, champion_days=99), **_STATED)
    value = found(trial, name).value or 0.0
    near = trial.but(**{name: value - 0.001 if name == "flagged_ceiling" else value + 0.001})
    verdict = near.judge()
    assert found(near, name).state == OPEN
    assert (verdict.verdict, verdict.refresh) == ("INSUFFICIENT", False)
    assert verdict.sentence.startswith(str(found(near, name)))


def aimed(trial: Trial, precision: float, rows: int = 3_000, share: float = 0.5) -> Trial:
    """The trial with what its threshold was chosen for, on so many validation rows."""
    validation = {"roc_auc": _area(trial), "precision": precision, "share_flagged": share}
    told = edited(trial, validation, "validation")
    return edited(told, rows, "rows", "validation")


def _area(trial: Trial) -> float:
    return roc_auc(trial.of.labels, trial.candidate.scores)


def test_few_validation_rows_are_a_chance_of_the_threshold() -> None:
    raised = first().candidate
    raised = replace(raised, threshold=float(np.quantile(raised.scores, 0.52)))
    trial = first().but(candidate=raised, recall_floor=0.84)
    assert found(trial, "recall_floor").state == BROKEN
    for rows, state in ((100, OPEN), (1_000_000, BROKEN)):
        rule = found(aimed(trial, 0.685, rows), "recall_floor")
        assert rule.state == state, rule.sentence
    assert "by its own probabilities" not in rule.sentence


def test_its_own_probabilities_say_that_a_model_is_too_weak() -> None:
    """What a model promises at the precision that its threshold was chosen for is below the
    floor: then no chance of the threshold is to blame.
    """
    few = world(1_000)
    trial = Trial(model("candidate", 2.0, of=few), of=few).but(recall_floor=0.72)
    weak = found(aimed(trial, 0.80, 60), "recall_floor")
    assert (weak.state, weak.limit) == (BROKEN, 0.72)
    assert " by its own probabilities; at least 0.72 is required" in weak.sentence
    assert found(aimed(trial, 0.685, 60), "recall_floor").state == OPEN


def test_validation_rows_count_for_precision_too() -> None:
    trial = first().but(precision_floor=0.70)
    assert found(trial, "precision_floor").state == BROKEN
    assert found(aimed(trial, 0.72, 15_000), "precision_floor").state == OPEN
    assert found(aimed(trial, 0.685, 15_000), "precision_floor").state == BROKEN


def rare(hits: int, misses: int, false: int, right: int) -> Trial:
    """A first release with this confusion, whose policy speaks of lift alone."""
    return small_world(hits, misses, false, right).but(
        precision_floor=0.0, calibration_ceiling=0.0, calibration_share_ceiling=0.9
    )


def test_a_lift_is_held_against_its_floor_with_the_chance_of_the_prevalence() -> None:
    trial = rare(60, 40, 90, 810)  # a tenth is positive, and four in ten of those flagged
    met = found(trial.but(lift_floor=2.0), "lift_floor")
    assert (met.state, met.value, met.limit) == (MET, pytest.approx(4.0), 2.0)
    unsure = found(trial.but(lift_floor=3.9), "lift_floor")
    assert unsure.state == OPEN
    assert "; a lower limit of at least 3.9 is required of a first release" in unsure.sentence
    assert "further flagged rows" in unsure.needed
    below = found(trial.but(lift_floor=4.2), "lift_floor")
    assert below.state == OPEN
    assert below.needed.startswith("Flag 3 more positives in place of other rows, or label ")
    broken = found(trial.but(lift_floor=5.5), "lift_floor")
    assert (broken.state, broken.needed) == (
        BROKEN,
        "Flag 23 more positives in place of other rows",
    )
    assert "precision_floor" not in {rule.rule for rule in trial.judge().rules}


@pytest.mark.parametrize("prevalence", [0.02, 0.1, 0.5])
def test_a_lift_at_its_floor_is_called_broken_as_often_as_the_level_says(prevalence: float) -> None:
    """Rows flagged by a rule of which lift and recall are known, drawn anew."""
    random, rows, recall = np.random.default_rng(7), 4_000, 0.6
    lift = 1.4 if prevalence == 0.5 else 4.0
    share = recall / lift  # of the rows that is flagged
    cells = [recall * prevalence, (1 - recall) * prevalence, share - recall * prevalence]
    draws = random.multinomial(rows, [*cells, 1 - sum(cells)], size=150)
    states = []
    for counts in draws:
        trial = rare(*(int(count) for count in counts)).but(lift_floor=lift)
        case = Case({}, trial.holdout, trial.facts, trial.policy, None, None, trial.words)
        states += [rule.state for rule in lift_floor(case)]
    assert states.count(BROKEN) <= 0.1 * len(draws)
    assert states.count(BROKEN) >= 0.01 * len(draws)


def test_the_skill_of_scores_is_held_against_its_floor_with_students_limits() -> None:
    trial = first()
    labels, scores = trial.of.labels, trial.candidate.scores
    skill = brier_skill(labels, scores, 0.05)
    worth = 1 - brier(labels, scores) / (labels.mean() * (1 - labels.mean()))
    assert skill.value == pytest.approx(worth)
    for floor, state in (
        (skill.low - 0.001, MET),
        (skill.value - 0.001, OPEN),
        (skill.value + 0.001, OPEN),
        (skill.high + 0.001, BROKEN),
    ):
        assert found(trial.but(brier_skill_floor=floor), "brier_skill_floor").state == state
    rule = found(trial.but(brier_skill_floor=skill.high + 0.01), "brier_skill_floor")
    assert rule.sentence == (
        f"Brier skill (1 - Brier score over that of the prevalence) is {skill.value:.4f} with an"
        f" upper limit of {skill.high:.4f}; at least {skill.high + 0.01:g} is required"
    )
    assert rule.needed.startswith("Lower the Brier score by 0.00")


def test_the_calibration_error_is_held_against_a_part_of_the_prevalence() -> None:
    trial = first().but(calibration_ceiling=0.0)
    scores = 0.9 * trial.candidate.scores
    trial = trial.but(candidate=replace(trial.candidate, scores=scores))
    gap = calibration_gap(world().labels, scores, 0.05)
    value = gap.value / world().labels.mean()
    near = found(trial.but(calibration_share_ceiling=value - 0.001), "calibration_share")
    assert near.state == OPEN
    assert near.sentence.startswith(
        f"Calibration error is {percent(value, 1)} of the prevalence of 0.46"
    )
    assert found(trial.but(calibration_share_ceiling=value), "calibration_share").state == MET
    low = gap.low / world().labels.mean() * 0.9
    broken = found(trial.but(calibration_share_ceiling=low), "calibration_share")
    assert broken.state == BROKEN
    assert broken.needed == f"Lower it by {percent(value - low, 1)}"
    assert "calibration" not in {rule.rule for rule in trial.judge().rules}


def few_rows(positives: int) -> Trial:
    """Six hundred rows, so many of them positive, and scores that promise far more."""
    of = world(600)
    order = np.argsort(-of.odds)
    labels = np.zeros(600, dtype=np.int64)
    labels[order[:positives]] = 1
    scores = 0.9 * special.expit(of.odds)
    return Trial(Model("candidate", 0.5, scores), of=replace(of, labels=labels))


@pytest.mark.parametrize(
    ("rule", "limit"),
    [
        ("calibration", {"calibration_ceiling": 0.0001}),
        ("calibration_share", {"calibration_share_ceiling": 0.001}),
        ("brier_skill_floor", {"brier_skill_floor": 0.99}),
        ("stable_cross_validation", {}),
        ("stable_validation", {}),
        ("stable_folds", {}),
    ],
)
def test_where_few_rows_are_positive_normal_limits_blame_nobody(
    rule: str, limit: dict[str, float]
) -> None:
    for positives, state in ((FEW - 1, OPEN), (FEW * 5, BROKEN)):
        trial = few_rows(positives)
        trial = edited(trial, 0.6, "cross_validation", "roc_auc", "mean")
        trial = edited(trial, 0.3, "cross_validation", "roc_auc", "std")
        trial = edited(trial, 3_000, "rows", "train")
        trial = edited(edited(trial, 0.6, "validation", "roc_auc"), 600, "rows", "validation")
        looked = found(trial.but(**limit), rule)
        assert looked.state == state, looked
        assert (f"until there are {FEW} positives in each part" in looked.needed) == (state == OPEN)


def test_folds_of_few_positives_blame_nobody() -> None:
    """A fold has a fifth of the training rows, and may be smaller than the holdout."""
    trial = edited(few_rows(2 * FEW), 0.3, "cross_validation", "roc_auc", "std")
    for rows, state in ((1_000, OPEN), (4_000, BROKEN)):
        looked = found(edited(trial, rows, "rows", "train"), "stable_folds")
        assert looked.state == state, looked


def test_few_rows_that_show_no_signal_are_no_proof_that_there_is_none() -> None:
    for positives, state in ((FEW - 1, OPEN), (2 * FEW, BROKEN)):
        trial = few_rows(positives)
        labels = np.random.default_rng(1).permutation(trial.of.labels)
        chance = found(trial.but(of=replace(trial.of, labels=labels)), "signal")
        assert chance.state == state, chance
    turned = few_rows(FEW - 1)
    scores = 1 - turned.candidate.scores
    upside_down = turned.but(candidate=replace(turned.candidate, scores=scores))
    assert found(upside_down, "signal").state == BROKEN


def test_a_threshold_that_few_placed_blames_nobody() -> None:
    trial = small_world(300, 700, 100, 900).but(recall_floor=0.9, lift_floor=1.9)
    for rows, state in ((80, OPEN), (90, BROKEN)):
        told = aimed(trial, 0.685, rows)
        for name in ("recall_floor", "lift_floor"):
            looked = found(told, name)
            assert looked.state == state, looked
            assert ("by 27 positives that it flags in validation" in looked.needed) == (
                state == OPEN
            )


def test_a_lift_promises_recall_by_the_scores_and_not_by_the_luck_of_validation() -> None:
    """More positives among the validation rows make no stricter promise of a lift."""
    trial = first().but(precision_floor=0.0, lift_floor=1.4, recall_floor=0.9)
    lucky = edited(aimed(trial, 0.9, 3_000, 0.4), 0.6, "validation", "recall")  # 60 % positive
    plain = edited(aimed(trial, 0.7, 3_000, 0.4), 0.6, "validation", "recall")
    highs = []
    for told in (lucky, plain):
        case = Case(told.metrics, told.holdout, told.facts, told.policy, None, None, told.words)
        highs.append(recall_share(case).high)
    assert highs[0] == pytest.approx(highs[1], abs=0.005)


def test_a_share_flagged_beyond_its_ceiling_by_chance_waits() -> None:
    share = found(first(), "flagged_ceiling").value or 0.0
    assert found(first().but(flagged_ceiling=share - 0.004), "flagged_ceiling").state == OPEN
    near = first().but(flagged_ceiling=share - 0.02)
    assert found(near, "flagged_ceiling").state == BROKEN
    assert found(aimed(near, 0.685, 300), "flagged_ceiling").state == OPEN


def test_a_sentence_speaks_the_words_of_the_contract() -> None:
    trial = small_world(7_312, 2_688, 3_000, 7_000).but(words=Words("leaver", "leavers"))
    found_more = found(trial.but(recall_floor=0.8148), "recall_floor")
    assert found_more.needed == "Find 836 more leavers"
    one_more = found(trial.but(recall_floor=0.7313), "recall_floor")
    assert one_more.needed.startswith("Find 1 more leaver, or label ")
    assert one_more.needed.endswith(" further leavers to tell it from chance")
    precise = found(small_world(600, 100, 400, 900).but(words=trial.words), "precision_floor")
    assert precise.needed == "Flag 60 more leavers in place of other rows"


def test_so_many_more_would_indeed_pass() -> None:
    for hits in (641, 642):
        trial = small_world(hits, 1_000 - hits, 100, 900).but(recall_floor=0.65)
        more = int(re.findall(r"(\d+) more positive", found(trial, "recall_floor").needed)[0])
        enough = small_world(hits + more, 1_000 - hits - more, 100, 900).but(recall_floor=0.65)
        assert found(enough, "recall_floor").value >= 0.65
        one_less = small_world(hits + more - 1, 1_000 - hits - more + 1, 100, 900).but(
            recall_floor=0.65
        )
        assert found(one_less, "recall_floor").value < 0.65


def test_a_precision_below_its_floor_says_how_many_more() -> None:
    rule = found(small_world(600, 100, 400, 900), "precision_floor")
    assert (
        str(rule)
        == f"Precision is 0.6000 with an upper limit of {wilson_high(600, 1_000, 0.05):.4f}; at"
        " least 0.66 is required. Flag 60 more positives in place of other rows"
    )


def test_nobody_flagged_is_below_every_floor() -> None:
    trial = small_world(300, 300, 0, 600)
    nobody = trial.but(candidate=replace(trial.candidate, threshold=0.99))
    assert (
        str(found(nobody, "recall_floor"))
        == f"Recall is 0.0000 with an upper limit of {wilson_high(0, 600, 0.05):.4f}; at least 0.72"
        " is required. Find 432 more positives"
    )
    assert (
        str(found(nobody, "precision_floor"))
        == "Precision is 0.0000 with an upper limit of 1.0000; at least 0.66 is required. Flag at"
        " least one row"
    )
    assert nobody.judge().verdict == "REJECT"


def test_a_first_release_clears_its_floors_with_the_lower_limits() -> None:
    trial = small_world(150, 50, 60, 240)
    rule, low = found(trial, "recall_floor"), wilson_low(150, 200, 0.05)
    assert (rule.state, rule.value, rule.limit) == (OPEN, 0.75, 0.72)
    more = int(np.ceil(200 * ((0.75 - low) / 0.03) ** 2)) - 200
    said = (
        f"Recall is 0.7500 with a lower limit of {low:.4f}; a lower limit of at least 0.72 is"
        " required of a first release"
    )
    assert str(rule) == f"{said}. Label {more:,} further positives"
    assert found(trial, "precision_floor").state == MET
    assert trial.but(calibration_ceiling=0.5).judge().verdict == "INSUFFICIENT"
    # So many more rows at the same recall do clear it.
    times = (200 + more) / 200 * 1.02
    assert (
        found(small_world(round(150 * times), round(50 * times), 80, 900), "recall_floor").state
        == MET
    )


def test_a_precision_limit_asks_for_flagged_rows() -> None:
    rule = found(small_world(140, 5, 65, 240), "precision_floor")
    assert rule.state == OPEN
    assert re.search(r"Label [\d,]+ further flagged rows$", rule.needed)


def test_a_share_on_its_floor_never_clears_it_with_a_limit() -> None:
    rule = found(small_world(720, 280, 300, 900), "recall_floor")
    assert rule.needed == "Label far more than 1,000 further positives"


def test_later_releases_clear_the_floors_as_they_are() -> None:
    trial = counted(
        (150, 1, 0, True, True),
        (50, 1, 0, False, False),
        (60, 0, 0, True, True),
        (240, 0, 0, False, False),
    )
    rule = found(trial, "recall_floor")
    assert (rule.state, rule.needed) == (MET, "")
    assert (
        rule.sentence
        == f"Recall is 0.7500 with a lower limit of {wilson_low(150, 200, 0.05):.4f}; at least 0.72"
        " is required"
    )


def test_too_many_flagged_says_how_many_fewer() -> None:
    rule = found(small_world(700, 10, 45, 245), "flagged_ceiling")
    assert (
        str(rule)
        == "74.5 % of the rows are flagged, with a lower limit of 72.2 %; at most 70.0 % is"
        " allowed. Flag 45 fewer rows"
    )
    assert found(small_world(655, 55, 45, 245), "flagged_ceiling").state == MET


@pytest.mark.parametrize(
    ("facts", "name", "said"),
    [
        (
            Facts(near_duplicates=160),
            "no_near_duplicates",
            (
                "1.07 % of the holdout equals a training row in all features but one; at most"
                " 1.00 % is allowed. Remove 11 of these rows"
            ),
        ),
        (
            Facts(duplicates=160),
            "no_duplicates",
            (
                "1.07 % of the holdout repeats training rows; at most 1.00 % is allowed. Remove 11"
                " of these rows"
            ),
        ),
    ],
)
def test_rows_seen_in_training(facts: Facts, name: str, said: str) -> None:
    trial = first().but(facts=facts, near_duplicate_ceiling=0.01)
    assert str(found(trial, name)) == said


def test_duplicates_up_to_the_ceiling_may_be() -> None:
    assert found(first().but(facts=Facts(duplicates=149)), "no_duplicates").state == MET
    assert (
        found(
            first().but(duplicate_ceiling=0.01, facts=Facts(duplicates=150)), "no_duplicates"
        ).state
        == BROKEN
    )


def test_half_of_the_rows_may_have_one_score() -> None:
    scores = first().candidate.scores.copy()
    order = np.argsort(scores)
    scores[order[:7_450]] = 0.01
    assert (
        found(
            first().but(candidate=replace(first().candidate, scores=scores)), "not_constant"
        ).state
        == MET
    )
    scores = scores.copy()
    scores[order[7_450:7_600]] = 0.01
    rule = found(first().but(candidate=replace(first().candidate, scores=scores)), "not_constant")
    assert (
        str(rule)
        == "51.0 % of the rows share one score; at most 50 % is allowed. Train a model that tells"
        " rows apart"
    )
    assert (rule.value, rule.limit) == (pytest.approx(7_600 / ROWS), 0.5)


def test_the_limit_of_the_area_decides_and_not_the_area() -> None:
    rows = 2 * FEW
    plain = replace(world(rows), labels=np.array([0, 1] * FEW))
    rule = found(Trial(Model("candidate", 0.5, np.arange(rows) / rows), of=plain), "signal")
    assert rule.value == pytest.approx((FEW + 1) / rows)
    assert rule.state == BROKEN
    assert str(rule).endswith(
        "; a lower limit above 0.5 is required. Check the labels: the scores are no better than"
        " chance, as if labels were shuffled"
    )


def test_the_area_has_its_interval_in_the_sentence() -> None:
    rule = found(first(), "signal")
    assert re.fullmatch(
        r"ROC-AUC is 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]; a lower limit above 0\.5 is required",
        rule.sentence,
    )
    assert (rule.limit, rule.needed) == (0.5, "")
    assert rule.value == roc_auc(world().labels, first().candidate.scores)


def test_a_column_that_leaks_is_named() -> None:
    alone = model("Exit Date", 1.0)
    rule = found(first().but(one_column=alone), "no_leak")
    area = roc_auc(world().labels, alone.scores)
    assert (
        str(rule)
        == f"ROC-AUC of Exit Date alone is {area:.4f}; at most 0.8 is allowed. Train without Exit"
        " Date"
    )
    assert (rule.value, rule.limit) == (area, 0.8)


def test_a_gain_over_one_column_must_be_shown() -> None:
    few = world(300, 1)
    trial = Trial(
        model("candidate", 1.0, 0, few),
        one_column=model("Job Level", 1.1, 4, few),
        of=few,
        policy=replace(first().policy, one_column_ceiling=0.99),
    )
    rule = found(trial, "more_than_one_column")
    assert (rule.state, rule.limit) == (OPEN, 0.0)
    assert re.search(
        r"Job Level alone, at \d+ flagged rows; a lower limit above 0 is required\. Label [\d,]+"
        r" more positives, if the difference stays$",
        str(rule),
    )
    told = re.search(r"Recall differs by ([+-]\d\.\d{4}) \[(.*), (.*)\] from", rule.sentence)
    assert float(told[1]) > 0 > float(told[2])
    assert rule.value == pytest.approx(float(told[2]), abs=1e-4)
    assert not [
        rule for rule in first().but(one_column=None).judge().rules if "column" in rule.rule
    ]


def test_a_column_alone_is_compared_as_the_champion_is() -> None:
    """With the limits of equal counts, and with as many positives as they ask for."""
    few = world(400, 2)
    trial = Trial(
        model("candidate", 0.6, of=few),
        one_column=model("Job Level", 0.8, of=few),
        of=few,
        policy=replace(first().policy, one_column_ceiling=0.99),
    )
    flagged = int(trial.candidate.flagged.sum())
    mine, theirs = (
        top(one.scores, few.hashes, flagged) for one in (trial.candidate, trial.one_column)
    )
    pairs = at_equal_counts(few.labels, mine, theirs)
    rule, gain = found(trial, "more_than_one_column"), recall_difference(pairs, 0.05)
    assert rule.value == gain.low
    assert rule.state == OPEN
    enough = margin_needed(0.0, gain.value, unit_variance(pairs, 0.0), 0.05)
    wanted = f"Label {enough - pairs.rows:,} more positives, if the difference stays"
    assert rule.needed == wanted


def test_a_calibration_error_says_how_much_less() -> None:
    candidate = first().candidate
    trial = first().but(candidate=replace(candidate, scores=candidate.scores**2))
    rule, gap = (
        found(trial, "calibration"),
        calibration_gap(world().labels, trial.candidate.scores, 0.05),
    )
    assert (rule.state, rule.value, rule.limit) == (BROKEN, gap.value, 0.05)
    assert (
        str(rule)
        == f"Calibration error is {gap.value:.4f} [{gap.low:.4f}, {gap.high:.4f}] beyond chance; at"
        f" most 0.05 is allowed. Lower it by {gap.value - 0.05:.4f}"
    )
    near = found(trial.but(calibration_ceiling=gap.value - 0.001), "calibration")
    assert near.state == OPEN
    assert re.fullmatch(r"Label [\d,]+ more rows to tell it from chance", near.needed)
    assert found(trial.but(calibration_ceiling=gap.value), "calibration").state == MET
    assert found(trial.but(calibration_ceiling=gap.low - 1e-6), "calibration").state == BROKEN


def test_stability_says_where() -> None:
    area = roc_auc(world().labels, first().candidate.scores)
    variance = roc_auc_variance(world().labels, first().candidate.scores)
    rule = found(edited(first(), area + 0.04, "validation", "roc_auc"), "stable_validation")
    low = 0.04 - stats.norm.isf(0.05) * math.sqrt(variance)
    assert (
        str(rule)
        == f"ROC-AUC is {area + 0.04:.4f} in validation and {area:.4f} on the holdout, a difference"
        f" of 0.0400 with a lower limit of {low:.4f}; at most 0.03 is allowed. Bring them 0.0100"
        " nearer"
    )
    assert rule.state == BROKEN
    known = edited(first(), 300, "rows", "validation")
    rule = found(edited(known, area + 0.04, "validation", "roc_auc"), "stable_validation")
    low = 0.04 - stats.norm.isf(0.05) * math.sqrt(variance * (1 + ROWS / 300))
    assert rule.state == OPEN
    assert f"with a lower limit of {max(low, 0):.4f}" in rule.sentence
    assert re.fullmatch(r"Label [\d,]+ more rows to tell it from chance", rule.needed)
    assert (rule.value, rule.limit) == (pytest.approx(0.04), 0.03)
    rule = found(
        edited(first(), area - 0.04, "cross_validation", "roc_auc", "mean"),
        "stable_cross_validation",
    )
    assert rule.sentence.startswith(
        f"ROC-AUC is {area - 0.04:.4f} in cross-validation and {area:.4f} on the holdout"
    )
    by_chance = variance * ROWS / (44_699 / 5)
    for spread, state in ((0.031, OPEN), (0.06, BROKEN)):
        rule = found(edited(first(), spread, "cross_validation", "roc_auc", "std"), "stable_folds")
        beyond = math.sqrt(spread**2 - by_chance)
        low = math.sqrt(5 * spread**2 / stats.chi2.isf(0.05, 4) - by_chance)
        assert rule.state == state
        assert rule.sentence == (
            f"ROC-AUC has a standard deviation of {spread:.4f} across folds, {beyond:.4f} beyond"
            f" chance with a lower limit of {low:.4f}; at most 0.03 is allowed"
        )
    assert rule.needed == f"Lower it by {beyond - 0.03:.4f}"
    assert (
        found(edited(first(), area - 0.029, "validation", "roc_auc"), "stable_validation").state
        == MET
    )


@pytest.mark.parametrize(
    ("value", "place", "told"),
    [
        (0.9, ("holdout", "precision"), "holdout precision"),
        ("high", ("holdout", "recall"), "holdout recall"),
        (None, ("holdout",), "holdout accuracy, holdout precision, holdout recall and 5 more"),
        (1, ("confusion", "false_negative"), "confusion false_negative"),
        (0.1, ("threshold",), "threshold"),
        (True, ("threshold",), "threshold"),
        (5, ("rows", "holdout"), "rows holdout"),
        (5, ("rows", "holdout_positives"), "rows holdout_positives"),
        ([0.8, 0.9], ("intervals", "recall"), "intervals recall"),
        ([0.8], ("intervals", "recall"), "intervals recall"),
        ("wide", ("intervals", "precision"), "intervals precision"),
        (0.5, ("intervals", "level"), "intervals level"),
        (1.0, ("segments", "team", "A", "recall"), "segments team A recall"),
        (
            {},
            ("segments", "team"),
            "segments team A rows, segments team A positives, segments team A recall and 9 more",
        ),
    ],
)
def test_edited_metrics_are_named(value: object, place: tuple[str, ...], told: str) -> None:
    trial = first().but(segments={"team": groups("AB", [0.5, 0.5])})
    rule = found(edited(trial, value, *place), "metrics_match")
    assert rule.state == BROKEN
    assert (
        str(rule)
        == f"metrics.json differs from the scores in {told}; equal numbers are required. Measure"
        " again from the scores"
    )


def test_metrics_that_agree() -> None:
    assert found(first(), "metrics_match").sentence == "metrics.json agrees with the scores"
    nearly = measured(first())["holdout"]["recall"] + 5e-10
    assert found(edited(first(), nearly, "holdout", "recall"), "metrics_match").state == MET
    assert (
        found(edited(first(), nearly + 5e-9, "holdout", "recall"), "metrics_match").state == BROKEN
    )


@pytest.mark.parametrize(
    "damage", [{}, {"holdout": 3, "cross_validation": {"roc_auc": []}, "validation": None}]
)
def test_damaged_metrics_are_refused_and_do_no_harm(damage: dict[str, Any]) -> None:
    verdict = decide(damage, first().holdout, Facts(), first().policy)
    broken = {rule.rule for rule in verdict.rules if rule.state == BROKEN}
    assert verdict.verdict == "REJECT"
    assert broken == {
        "metrics_match",
        "stable_cross_validation",
        "stable_validation",
        "stable_folds",
    }


@pytest.mark.parametrize(
    ("uses", "state", "said"),
    [
        (0, MET, "This is use 1 of 20 of this holdout, and its level is 0.025"),
        (19, MET, "This is use 20 of 20 of this holdout, and its level is 0.000119"),
        (
            20,
            OPEN,
            (
                "This holdout has decided 20 times; at most 20 are allowed. Label 18 more positives"
                " for the holdout"
            ),
        ),
    ],
)
def test_the_ledger_counts(uses: int, state: str, said: str) -> None:
    rule = found(first().but(facts=Facts(uses=uses)), "ledger")
    assert (rule.state, str(rule), rule.value, rule.limit) == (state, said, uses, 20)


def test_without_a_limit_a_holdout_decides_as_often_as_wanted() -> None:
    rule = found(first().but(uses=0, facts=Facts(uses=399)), "ledger")
    said = "This is use 400 of this holdout, and its level is 3.12e-07"
    assert (rule.state, str(rule), rule.value, rule.limit) == (MET, said, 399, None)


def paired(gained: int, lost: int, both: int, neither: int) -> Trial:
    """A candidate that finds `gained` positives more and `lost` fewer, as many rows flagged."""
    return counted(
        (both, 1, 0, True, True),
        (gained, 1, 0, True, False),
        (lost, 1, 0, False, True),
        (neither, 1, 0, False, False),
        (3_000, 0, 0, False, False),
        (300, 0, 0, True, True),
        (max(lost - gained, 0) + 50, 0, 0, True, False),
        (max(gained - lost, 0) + 50, 0, 0, False, True),
    ).but(level=0.05)


def pairs_of(gained: int, lost: int, both: int, neither: int) -> Pairs:
    """The pairs of the trial `paired`: as many rows differ on either side."""
    return Pairs(gained, lost, both + gained + lost + neither, max(gained, lost) + 50)


def with_found(pairs: Pairs, more: int) -> Pairs:
    """With so many more found one by one: of those lost first, and in place of rows that are no
    positive, of those flagged alone first.
    """
    gained, lost, side = pairs.gained, pairs.lost, pairs.side
    own = side - gained
    for _ in range(more):
        lost, gained = (lost - 1, gained) if lost else (lost, gained + 1)
        own = max(own - 1, 0)
    return Pairs(gained, lost, pairs.rows, gained + own)


def test_a_gain_that_is_not_shown_says_what_would_show_it() -> None:
    rule, pairs = found(paired(30, 22, 1_200, 200), "better"), pairs_of(30, 22, 1_200, 200)
    assert rule.state == OPEN
    told = re.fullmatch(
        r"Find (\d+) more positives, or label ([\d,]+) more positives and go on with this model"
        r" \(`sluice extend --by FILE --to FILE`\), if the gain of (0\.\d{4}) is true",
        rule.needed,
    )
    assert told[3] == f"{8 / 1_452:.4f}"
    grown = 1 + int(told[2].replace(",", "")) / 1_452
    per_row = log_e_value(pairs, 0.01)
    assert per_row * grown >= -math.log(0.25 * 0.025) > per_row * (grown - 1 / 1_452)
    more = int(told[1])
    p_values = []
    for other in (with_found(pairs, more), with_found(pairs, more - 1)):
        discordant = other.gained + other.lost
        p_values.append(
            stats.hypergeom.sf(other.gained - 1, 2 * other.side, discordant, other.side)
        )
    assert p_values[0] <= 0.75 * 0.025 < p_values[1]


@pytest.mark.parametrize("uses", [0, 3])
def test_a_later_look_is_decided_by_the_e_value_of_all_rows(uses: int) -> None:
    """Two tables on either side of what is required, and one that is far from it."""
    required = -math.log(0.25 * 0.05 / (uses + 1) / (uses + 2))
    reached = [log_e_value(pairs_of(gained, 50, 2_900, 400), 0.01) for gained in range(50, 200)]
    enough = 50 + next(place for place, value in enumerate(reached) if value >= required)
    facts = Facts(uses=uses, looks=2)
    met = found(paired(enough, 50, 2_900, 400).but(facts=facts), "better")
    short = found(paired(enough - 1, 50, 2_900, 400).but(facts=facts), "better")
    assert (met.state, short.state) == (MET, OPEN)
    assert met.needed == ""
    assert short.limit == pytest.approx(required)
    assert short.sentence == (
        f"The candidate finds {enough - 1} positives that old misses and misses 50 that it finds,"
        f" at {3_249 + enough:,} flagged rows each; at look 3 of this use the logarithm of the"
        f" e-value is {reached[enough - 51]:.2f}; at least {required:.2f} is required to be better"
    )
    assert short.needed.startswith("Label ")
    assert "go on with this model (`sluice extend --by FILE --to FILE`)" in short.needed
    behind = found(paired(50, 50, 2_900, 400).but(facts=facts), "better")
    assert (behind.state, behind.needed) == (OPEN, "Release another model")


def test_without_a_gain_only_more_positives_help() -> None:
    rule = found(paired(50, 50, 2_900, 400), "better")
    assert re.fullmatch(r"Find \d+ more positives", rule.needed)
    tail = float(stats.hypergeom.sf(49, 200, 100, 100))
    assert (rule.value, rule.limit) == (pytest.approx(tail), pytest.approx(0.75 * 0.025))
    assert rule.sentence.startswith(
        "The candidate finds 50 positives that old misses and misses 50 that it finds, at 3,300"
        " flagged rows each, with p ="
    )
    assert rule.sentence.endswith("; at most 0.0188 is required to be better")


def test_a_gain_that_mcnemars_test_would_miss_is_shown() -> None:
    rule = found(paired(95, 50, 2_900, 400), "better")
    assert stats.binomtest(95, 145, alternative="greater").pvalue > 0.0001
    assert rule.state == MET
    assert rule.value == pytest.approx(float(stats.hypergeom.sf(94, 290, 145, 145)))
    assert rule.value < 1e-6


def test_a_loss_within_the_noise_says_how_many_positives() -> None:
    of = (50, 72, 2_900, 400)
    rule, pairs = found(paired(*of), "not_worse"), pairs_of(*of)
    recall = recall_difference(pairs, 0.05)
    assert rule.state == OPEN
    needed = margin_needed(0.01, recall.value, unit_variance(pairs, -0.01), 0.05)
    said = (
        f"Recall differs by {recall.value:+.4f} [{recall.low:+.4f}, {recall.high:+.4f}] from"
        " champion old; a lower limit above -0.01 is required"
    )
    next_step = f"Label {needed - pairs.rows:,} more positives, if the difference stays"
    assert str(rule) == f"{said}. {next_step}"
    assert (rule.value, rule.limit) == (recall.low, -0.01)


@pytest.mark.parametrize(("lost", "state"), [(85, OPEN), (160, BROKEN)])
def test_a_loss_beyond_the_margin_says_how_many_more(lost: int, state: str) -> None:
    of = (50, lost, 2_900, 400)
    rule, pairs = found(paired(*of), "not_worse"), pairs_of(*of)
    assert rule.state == state
    more = int(re.fullmatch(r"Find (\d+) more positives", rule.needed)[1])
    assert recall_difference(with_found(pairs, more), 0.05).low > -0.01
    assert recall_difference(with_found(pairs, more - 1), 0.05).low <= -0.01


def test_the_anchor_is_compared_in_three_ways() -> None:
    trial = paired(50, 70, 2_900, 400)
    # Two fifths of the level of 0.05.
    recall = recall_difference(pairs_of(50, 70, 2_900, 400), 0.02)
    assert found(trial, "anchor_recall").sentence.startswith(
        f"Recall differs by {recall.value:+.4f} [{recall.low:+.4f}, {recall.high:+.4f}] from anchor"
    )
    assert " (96 % interval); a lower limit above " in found(trial, "anchor_recall").sentence
    precise, unit = found(trial, "anchor_precision"), 3_420 / trial.judge().anchor.flagged
    assert precise.value == pytest.approx(recall.low * unit)
    limits = f"{recall.value * unit:+.4f} [{recall.low * unit:+.4f}, {recall.high * unit:+.4f}]"
    assert precise.sentence == (
        f"Precision differs by {limits} from anchor frozen (96 % interval); a lower limit above"
        " -0.01 is required"
    )
    brier = found(trial.but(brier_margin=0.001), "anchor_brier")
    assert brier.limit == 0.001
    number = r"([+-]0\.\d{4})"
    said = (
        rf"Brier score differs by {number} \[{number}, {number}\] from anchor frozen"
        r" \(96 % interval\); an upper limit below 0.001 is required"
    )
    told = re.fullmatch(said, brier.sentence)
    assert float(told[2]) < float(told[1]) < float(told[3])
    assert brier.value == pytest.approx(float(told[3]), abs=1e-4)
    assert brier.needed == f"Lower the upper limit by {brier.value - 0.001:.4f}"


def grouped(*counts: tuple[str, int, int, int, int]) -> Trial:
    """Groups of positives: a name, found by the candidate alone, by the champion alone, by both, by
    neither.
    """
    rows = [
        row
        for _, gained, lost, both, neither in counts
        for row in (
            (both, 1, 0, True, True),
            (gained, 1, 0, True, False),
            (lost, 1, 0, False, True),
            (neither, 1, 0, False, False),
        )
    ]
    trial = counted(*rows, (4_000, 0, 0, False, False), (200, 0, 0, True, True))
    names = [name for name, *sizes in counts for _ in range(sum(sizes))]
    return trial.but(segments={"team": np.array([*names, *["-"] * 4_200], dtype=object)})


def test_a_group_is_shown_to_lose_little_by_the_limits_of_the_page() -> None:
    """Tango's limits, which bring no count nearer, would show it: -0.0289 instead of -0.0304."""
    assert recall_difference(Pairs(5, 5, 200), 0.05).low < -0.03
    rule = found(grouped(("A", 5, 5, 150, 40)), "segments")
    assert rule.state == MET
    assert rule.sentence.endswith("; too few positives to say for team = -, team = A")


def test_groups_are_judged_after_holms_correction() -> None:
    losses = (("A", 5, 40, 355, 100), ("B", 20, 20, 400, 100), ("C", 30, 10, 400, 100))
    trial = grouped(*losses)
    tails = [
        worse(Pairs(gained, lost, gained + lost + both + 100), 0.03)
        for _, gained, lost, both, _ in losses
    ]
    p_values = holm(np.array(tails))
    rule = found(trial, "segments")
    assert p_values[0] <= 0.05
    assert rule.state == BROKEN
    assert (
        str(rule)
        == f"Recall of team = A falls by {35 / 500:.4f} over 500 positives (p = {p_values[0]:.3g});"
        " at most 0.03 is allowed. Find 20 more positives in team = A"
    )
    assert (rule.value, rule.limit) == (1, 0)


def test_each_group_that_loses_has_its_own_next_step() -> None:
    rule = found(grouped(("A", 5, 60, 335, 100), ("B", 5, 55, 340, 100)), "segments")
    assert rule.state == BROKEN
    assert rule.needed == "Find 40 more positives in team = A, 35 more positives in team = B"


def test_groups_that_lose_less_than_can_be_shown_are_listed() -> None:
    rule = found(
        grouped(("A", 5, 15, 400, 100), ("B", 40, 20, 800, 100), ("C", 0, 1, 4, 1)), "segments"
    )
    assert rule.state == MET
    assert (
        rule.sentence
        == "1 of 4 groups are shown to lose less than 0.03 of their recall; too few positives to"
        " say for team = -, team = A, team = C"
    )


def test_few_positives_are_shown_and_not_judged() -> None:
    assert found(grouped(("A", 0, 30, 10, 9), ("B", 20, 20, 400, 100)), "segments").state == MET
    assert found(grouped(("A", 0, 31, 10, 9), ("B", 20, 20, 400, 100)), "segments").state == BROKEN
    assert (
        found(
            grouped(("A", 0, 30, 10, 9), ("B", 20, 20, 400, 100)).but(segment_positives=49),
            "segments",
        ).state
        == BROKEN
    )


def test_a_required_segment_must_be_told() -> None:
    trial = grouped(("A", 5, 15, 400, 100), ("B", 40, 20, 800, 100)).but(
        segments_required=("team", "unknown")
    )
    rule = found(trial, "segments_required")
    needed = margin_needed(0.03, -10 / 520, unit_variance(Pairs(5, 15, 520), -0.03), 0.05)
    none = margin_needed(0.03, 0.0, 1.0, 0.05)
    assert rule.state == OPEN
    assert (
        rule.sentence
        == "There are too few positives to say for team = -, team = A, unknown; the policy requires"
        " an answer"
    )
    assert (
        rule.needed == f"Label {none:,} more positives in team = -, if the difference stays. "
        f"Label {needed - 520:,} more positives in team = A, if the difference stays"
    )
    alone = found(better().but(segments_required=("unknown",)), "segments_required")
    assert (
        str(alone)
        == "There are too few positives to say for unknown; the policy requires an answer. Name"
        " these segments in the contract"
    )


def test_without_groups_nothing_is_said_of_them() -> None:
    names = {rule.rule for rule in better().judge().rules}
    assert not names & {"segments", "segments_required"}
    assert not {rule.rule for rule in first().but(segments_required=("team",)).judge().rules} & {
        "segments_required"
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda: better().but(facts=Facts(accepted=0.9)),
            "The compared models accept 90.0 % of the holdout rows; at least 95 % is required",
        ),
        (
            lambda: better().but(anchor=_blind(), facts=Facts(accepted=0.5)),
            "The anchor accepts 50.0 % of the holdout rows; at least 95 % is required",
        ),
        (
            lambda: better().but(champion=_blind(), anchor=_blind()),
            "The champion and the anchor cannot score every holdout row; a score of each is"
            " required",
        ),
    ],
)
def test_what_cannot_be_compared_has_a_way_out(change: Callable[[], Trial], said: str) -> None:
    rule = found(change(), "comparable")
    assert (rule.state, rule.sentence) == (OPEN, said)
    way_out = (
        "sign an override of `comparable`, under which a candidate clears the floors as a first"
        " release does"
    )
    assert (
        rule.needed
        == f"Use a contract that both models accept; or {way_out}, and then run `sluice anchor set"
        " champion`"
    )
    assert change().judge().verdict != "PROMOTE"


def _blind() -> Model:
    return replace(better().champion, scores=np.full(ROWS, np.nan))


def test_rows_that_a_model_has_seen_are_left_out() -> None:
    positives = int(world().labels.sum())
    trial = better().but(facts=Facts(left_out=1_200), least_positives=positives)
    rule = found(trial, "split_changed")
    assert (rule.state, rule.needed) == (MET, "")
    said = "The split changed: 1,200 rows that a compared model has seen are left out"
    left = f"and {positives:,} positives are left; at least {positives:,} are required"
    assert rule.sentence == f"{said}, {left}"
    assert trial.judge().verdict == "PROMOTE"
    short = found(trial.but(least_positives=positives + 214), "split_changed")
    assert (short.state, short.needed, short.value, short.limit) == (
        OPEN,
        "Label 214 more positives",
        positives,
        positives + 214,
    )


def test_a_champion_without_an_anchor_waits() -> None:
    rule = found(better().but(anchor=None), "anchored")
    assert str(rule) == (
        "There is a champion and no anchor; an anchor is required. Run `sluice anchor set champion`"
    )
    lone = first().but(anchor=better().anchor).judge()
    assert lone.verdict == "PROMOTE"
    assert {"anchor_recall", "anchor_precision", "anchor_brier"} <= {
        rule.rule for rule in lone.rules
    }


def test_a_lone_anchor_still_binds() -> None:
    worse_one = first().but(candidate=model("candidate", 1.6), anchor=model("frozen", 0.3)).judge()
    assert worse_one.verdict == "REJECT"
    assert "from anchor frozen" in worse_one.sentence


@pytest.mark.parametrize("flags", ["nobody", "everybody"])
def test_a_champion_that_flags_nobody_or_everybody_is_compared(flags: str) -> None:
    threshold = {"nobody": 1.1, "everybody": 0.0}[flags]
    old = replace(better().champion, threshold=threshold)
    verdict = better().but(champion=old, anchor=replace(old, tag="frozen")).judge()
    assert verdict.verdict == "HOLD"
    assert verdict.champion.pairs == Pairs(0, 0, int(world().labels.sum()), 0)


def test_ten_rows_change_no_production_and_are_never_a_crash() -> None:
    for seed in range(20):
        few = world(10, seed)
        random = np.random.default_rng(seed)
        scores = [random.random(10) for _ in range(3)]
        models = [
            Model(tag, 0.5, one)
            for tag, one in zip(("candidate", "old", "frozen"), scores, strict=True)
        ]
        trial = Trial(
            *models,
            one_column=models[1],
            segments={"team": groups("AB", [0.5, 0.5], seed, 10)},
            of=few,
        )
        verdict = trial.but(metrics={}, facts=Facts(fresh=True, champion_days=99)).judge()
        assert verdict.verdict in ("HOLD", "INSUFFICIENT", "REJECT")
        assert not verdict.refresh


def test_a_holdout_without_rows_is_insufficient() -> None:
    empty = Holdout(
        np.array([]), np.array([], dtype=np.uint64), Model("candidate", 0.5, np.array([]))
    )
    verdict = decide({}, empty, Facts(), first().policy)
    assert (
        verdict.sentence
        == "The holdout has 0 positives and 0 negatives; at least 2 of each are required. Label 2"
        " more positives and 2 more negatives"
    )


@pytest.mark.parametrize("strange", [2, -1, 0.5, np.nan])
def test_labels_other_than_0_and_1_stop_everything(strange: float) -> None:
    labels = world().labels.astype(float)
    labels[:149] = strange
    verdict = first().but(of=replace(world(), labels=labels), metrics={"threshold": 0.5}).judge()
    assert verdict.verdict == "REJECT"
    assert verdict.sentence == (
        "149 of 14,900 labels are neither 0 nor 1; none may be. Correct these labels, and validate"
        " the data again"
    )
