"""The search that adapts: its budget, its start by the table, and what it ends early."""

import warnings
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from sluice.model.fit.adaptive_search import (
    _HOPELESS,
    MOST_ROWS,
    RARE,
    _surely_behind,
    most_fits,
    rows_looked_at,
    search,
    searched,
    winner_of,
)
from sluice.model.fit.search_space import Table, space_of
from sluice.model.fit.training import (
    Rows,
    judge_fold,
    one_thread_each,
    trial_of,
    tune,
    tuning_of,
)
from sluice.model.fit.tuning_file import Trial, whole
from sluice.policy import FAMILIES, SearchPolicy

BOTH = SearchPolicy(12, FAMILIES[:2], 4, 7, "adaptive")
BOOSTED = replace(BOTH, families=("gradient_boosting",))


def rows(count: int = 700, seed: int = 3) -> Rows:
    """Rows of four quantities, of which two act together, so that a linear model is far behind."""
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(count, 4)).astype(np.float32)
    logits = 4 * np.sign(features[:, 0] * features[:, 1]) + features[:, 2]
    labels = (chance.random(count) < 1 / (1 + np.exp(-logits))).astype(np.int8)
    return Rows(features, labels, (True,) * 4)


def silent(_: Trial) -> None:
    """Nobody watches."""


def test_equal_inputs_have_the_equal_search() -> None:
    seen: list[Trial] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is said that a person cannot act upon
        one = search(rows(), BOTH, seen.append)
    assert search(rows(), BOTH, silent) == one
    assert tuple(seen) == one.trials
    assert [trial.number for trial in one.trials] == list(range(len(one.trials)))


def test_the_number_of_workers_does_not_show() -> None:
    assert search(rows(), BOOSTED, silent, workers=3) == search(rows(), BOOSTED, silent)


@pytest.mark.parametrize("trials", [3, 8, 16])
def test_it_takes_at_most_half_of_the_fits_of_all_trials_on_all_folds(trials: int) -> None:
    policy = replace(BOOSTED, trials=trials)
    found = search(rows(300), policy, silent)
    assert policy.folds <= found.fits <= most_fits(policy) == max(trials * 4 // 2, 4)
    assert found.fits == sum(len(trial.folds) for trial in found.trials)
    assert found.fits > most_fits(policy) - policy.folds  # and leaves none of them unused


def test_each_family_has_one_trial_on_all_folds_whatever_the_budget_is() -> None:
    found = search(rows(300), replace(BOTH, trials=2), silent)
    assert [(trial.family, len(trial.folds)) for trial in found.trials] == [
        (family, 4) for family in BOTH.families
    ]


def test_a_family_that_is_hopelessly_behind_gets_no_round() -> None:
    families = [trial.family for trial in search(rows(), BOTH, silent).trials]
    assert families.count("logistic_regression") == 1
    assert families.count("gradient_boosting") > 2


def test_a_family_that_is_behind_without_being_hopeless_gets_one_round() -> None:
    leader = trial_of(0, "gradient_boosting", {}, [(score, 0.8) for score in (0.7, 0.72, 0.74)])
    behind = trial_of(1, "logistic_regression", {}, [(score - 0.03, 0.8) for score in leader.folds])
    hopeless = trial_of(2, "random_forest", {}, [(score - 0.3, 0.8) for score in leader.folds])
    assert _surely_behind(behind, leader, 1.0) and not _surely_behind(behind, leader, _HOPELESS)
    assert _surely_behind(hopeless, leader, _HOPELESS)


def test_a_trial_that_falls_behind_is_ended_early_and_never_wins() -> None:
    found = search(rows(), replace(BOTH, trials=24), silent)
    early = [trial for trial in found.trials if len(trial.folds) < 4]
    assert early
    assert {len(trial.folds) for trial in early} == {2}
    assert len(found.winner.folds) == 4
    assert found.winner.score == max(trial.score for trial in whole(found.trials))
    best = found.trials[0].folds
    for trial in early:  # each of its folds was worse than that of the best of then
        before = [one for one in whole(found.trials) if one.number < trial.number]
        best = tuning_of(before).winner.folds
        assert all(fold < other for fold, other in zip(trial.folds, best, strict=False))


def test_a_lucky_trial_of_two_folds_does_not_win_over_one_of_all() -> None:
    lucky = trial_of(1, "gradient_boosting", {}, [(0.9, 0.9)] * 2)
    honest = trial_of(0, "gradient_boosting", {}, [(0.7, 0.8)] * 4)
    assert tuning_of([honest, lucky]).winner == honest


def test_another_table_begins_elsewhere() -> None:
    small = Table(rows=800, rarer=120, columns=12, quantities=6)
    rare = Table(rows=100_000, rarer=120, columns=12, quantities=6)
    large = Table(rows=400_000, rarer=100_000, columns=12, quantities=6)
    for family in FAMILIES:
        assert space_of(family, small).start != space_of(family, large).start
    # Many rows with as few positives teach no richer trees.
    leaves = [space_of("gradient_boosting", table).ranges[2].start for table in (small, rare)]
    assert leaves[0] == leaves[1] < space_of("gradient_boosting", large).ranges[2].start
    without = replace(small, quantities=0)
    assert "logistic_regression.bins" not in space_of("logistic_regression", without).start


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rarer", [1, 10, 100, 10_000, 10_000_000])
def test_every_start_lies_within_what_is_tried(family: str, rarer: int) -> None:
    space = space_of(family, Table(2 * rarer, rarer, 1, 1))
    for one in space.ranges:
        assert 0 < one.least <= one.start <= one.most
        assert one.least < one.most


def test_the_method_of_the_policy_decides() -> None:
    table = rows(300)
    sampled = replace(BOOSTED, trials=2, method="sampled")
    assert searched(table, sampled, silent, 1) == tune(
        table.features, table.labels, table.numeric, sampled
    )
    assert searched(table, BOOSTED, silent, 1) == search(table, BOOSTED, silent)


def test_rows_of_one_group_are_in_one_fold_and_folds_follow_time() -> None:
    table = rows(400)
    groups = np.arange(400) // 4
    times = np.datetime64("2026-01-01") + np.arange(400)
    plain = search(table, replace(BOOSTED, trials=1), silent)
    grouped = search(table, replace(BOOSTED, trials=1), silent, groups=groups)
    timed = search(table, replace(BOOSTED, trials=1), silent, times=times)
    assert len({found.winner.folds for found in (plain, grouped, timed)}) == 3


def test_a_large_table_is_looked_at_in_part_equally_each_time() -> None:
    assert rows_looked_at(MOST_ROWS, 1) is None
    common = np.arange(MOST_ROWS + 1_000) % 50 == 0
    for positive in (None, common, ~common, common & ~common):
        drawn = rows_looked_at(MOST_ROWS + 1_000, 1, positive)
        again = rows_looked_at(MOST_ROWS + 1_000, 1, positive)
        assert drawn is not None
        assert again is not None
        assert drawn.counted is None
        places = drawn.places
        assert len(places) == len(set(places.tolist())) == MOST_ROWS
        assert (np.diff(places) > 0).all()
        np.testing.assert_array_equal(places, again.places)


@given(
    st.integers(1, 300),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 1000),
)
def test_of_a_rare_class_all_that_fits_is_looked_at_and_counts_for_what_it_stands_for(
    few: int, twos: int, of_positives: bool, seed: int
) -> None:
    rows, most = 100_000 // twos + 101, 500
    rare = np.zeros(rows, dtype=bool)
    rare[np.random.default_rng(seed).choice(rows, few, replace=False)] = True
    if few >= RARE * rows:
        return
    drawn = rows_looked_at(rows, seed, rare if of_positives else ~rare, most)
    assert drawn is not None
    assert drawn.counted is not None
    assert len(set(drawn.places.tolist())) == most
    assert (np.diff(drawn.places) > 0).all()
    of_rare = rare[drawn.places]
    assert of_rare.sum() == drawn.of_rare == min(few, most // 2)
    # Each class counts for all of its rows.
    assert drawn.counted[of_rare].sum() == pytest.approx(few)
    assert drawn.counted[~of_rare].sum() == pytest.approx(rows - few)


def test_rows_that_stand_for_others_learn_and_judge_as_those_would() -> None:
    table = rows(250)  # few enough for a bin each
    often = np.where(np.arange(250) % 3 == 0, 4, 1)
    places = np.repeat(np.arange(250), often)
    many = replace(table, features=table.features[places], labels=table.labels[places])
    counted = replace(table, drawn_from=often.astype(float))
    parts = np.arange(200), np.arange(200, 250)
    parts_of_many = np.flatnonzero(places < 200), np.flatnonzero(places >= 200)
    parameters = {
        "learning_rate": 0.1,
        "iterations": 20,
        "leaves": 8,
        "smallest_leaf": 1,
        "l2": 1.0,
    }
    with one_thread_each():
        one = judge_fold("gradient_boosting", parameters, counted, parts)
        other = judge_fold("gradient_boosting", parameters, many, parts_of_many)
        plain = judge_fold("gradient_boosting", parameters, table, parts)
    assert one == pytest.approx(other, abs=1e-6)
    assert one != pytest.approx(plain, abs=1e-3)


def test_two_folds_are_enough() -> None:
    found = search(rows(300), replace(BOOSTED, folds=2, trials=4), silent)
    assert {len(trial.folds) for trial in found.trials} == {2}


@pytest.mark.parametrize("method", ["adaptive", "sampled"])
def test_a_weight_of_positives_is_a_parameter_of_every_trial(method: str) -> None:
    policy = replace(BOOSTED, trials=2, method=method, positive_weight=4.0)
    found = searched(rows(300), policy, silent, 1)
    assert {trial.parameters["positive_weight"] for trial in found.trials} == {4.0}


def tried(number: int, folds: tuple[float, ...], loss: float) -> Trial:
    """A trial with these scores, whose probabilities are so far off on each fold."""
    trial = trial_of(number, "logistic_regression", {}, [(score, score) for score in folds])
    return msgspec.structs.replace(trial, log_loss=(loss,) * len(folds))


BEST = (0.70, 0.66, 0.72, 0.68)


def test_of_trials_that_rank_alike_the_nearest_probabilities_win() -> None:
    best = tried(0, BEST, 0.6)
    alike = tried(1, (0.69, 0.67, 0.71, 0.68), 0.5)
    assert winner_of([best, alike]) is alike
    assert winner_of([best, tried(1, alike.folds, 0.7)]) is best


@pytest.mark.parametrize(
    "folds",
    [
        (0.69, 0.65, 0.71, 0.67),  # behind on each fold alike, so surely
        (0.80, 0.46, 0.74, 0.68),  # nobody knows, but further than half an error of the best
        (0.69, 0.67),  # ended early
    ],
)
def test_one_that_is_behind_does_not_win_by_its_probabilities(folds: tuple[float, ...]) -> None:
    best = tried(0, BEST, 0.6)
    assert winner_of([best, tried(1, folds, 0.1)]) is best


def test_equal_probabilities_leave_the_best_score() -> None:
    one, other = (tried(number, BEST, 0.6) for number in range(2))
    assert winner_of([one, other]) is one


def test_a_penalty_that_draws_probabilities_to_the_middle_is_not_taken() -> None:
    """Its ranks are as good: in the search of one family with few rows it would win by chance."""
    found = search(rows(), replace(BOTH, families=("logistic_regression",)), silent)
    alike = [one for one in whole(found.trials) if found.winner.score - one.score < 0.001]
    assert np.mean(found.winner.log_loss) == min(np.mean(one.log_loss) for one in alike)


def test_a_number_has_no_log_loss() -> None:
    plain = rows()
    numbers = Rows(plain.features, plain.features[:, 0].astype(float) / 10 + 0.5, plain.numeric)
    found = search(numbers, replace(BOTH, families=("linear_regression",)), silent)
    assert {one.log_loss for one in found.trials} == {UNSET}
    assert found.winner == tuning_of(found.trials).winner
