"""Tuning, fitting and converting all families: deterministic to the bit, and the same scores in
ONNX.
"""

import json
import warnings
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from support.gate_cases import SEARCH, contract, matrix, train, trained, tuned

from sluice.errors import SluiceError
from sluice.model.fit.conversion import TOLERANCE, check_agreement, convert
from sluice.model.fit.training import fit, one_thread_each, trial_of, tune, tuning_of
from sluice.model.fit.tuning_file import OBJECTIVE, Trial, write_tuning
from sluice.policy import FAMILIES
from sluice.served.encoding import numeric_features
from sluice.served.onnx_file import check
from sluice.served.scoring import open_session, score_matrix

NUMERIC = numeric_features(contract())
PARAMETERS = {
    "logistic_regression": {"bins": 12, "inverse_penalty": 1.0},
    "gradient_boosting": {
        "learning_rate": 0.1,
        "iterations": 80,
        "leaves": 5,
        "smallest_leaf": 20,
        "l2": 1.0,
    },
    "random_forest": {"trees": 30, "columns_tried": 0.5, "smallest_leaf": 3, "leaves": 64},
}


def test_each_family_gets_its_share_of_the_trials() -> None:
    families = [trial.family for trial in tuned().trials]
    two = ["logistic_regression"] * 2 + ["gradient_boosting"] * 2
    assert families == [*two, "random_forest"]
    assert [trial.number for trial in tuned().trials] == [0, 1, 2, 3, 4]
    odd = tune(*matrix(), NUMERIC, replace(SEARCH, trials=3, families=FAMILIES[:2]))
    assert [trial.family for trial in odd.trials] == two[:3]


def test_the_same_inputs_give_the_same_trials_on_any_number_of_workers() -> None:
    seen: list[Trial] = []
    again = tune(*matrix(), NUMERIC, SEARCH, progress=seen.append, workers=1)
    assert again == tuned()
    assert tuple(seen) == again.trials


def test_another_seed_searches_elsewhere() -> None:
    other = tune(
        *matrix(), NUMERIC, replace(SEARCH, seed=2, trials=1, families=("logistic_regression",))
    )
    assert other.trials[0].parameters != tuned().trials[0].parameters


def test_the_objective_is_average_precision_on_the_left_out_folds_and_knows_no_threshold() -> None:
    features, labels = matrix()
    assert OBJECTIVE == "average_precision"
    folds = list(
        StratifiedKFold(SEARCH.folds, shuffle=True, random_state=SEARCH.seed).split(
            features, labels
        )
    )
    for trial in tuned().trials[::2]:
        for place, (learnt, left_out) in enumerate(folds):
            estimator = fit(
                trial.family, trial.parameters, features[learnt], labels[learnt], NUMERIC
            )
            scores = estimator.predict_proba(features[left_out])[:, 1]
            # Any rising change of the scores, which would change every threshold, leaves the
            # objective as it is.
            assert trial.folds[place] == average_precision_score(labels[left_out], 3 + 10 * scores)
            assert trial.roc_auc[place] == roc_auc_score(labels[left_out], np.log(scores))


def test_the_winner_has_the_best_mean_and_the_earliest_wins_a_tie() -> None:
    def trial(number: int, *folds: float) -> Trial:
        return trial_of(number, "logistic_regression", {}, [(fold, fold) for fold in folds])

    trials = (trial(0, 0.7, 0.7), trial(1, 0.9, 0.6), trial(2, 0.6, 0.9), trial(3, 0.1, 0.9))
    assert tuning_of(trials).winner == trials[1]
    assert tuning_of(trials).trials == trials
    best = tuned().winner
    assert best.score == max(trial.score for trial in tuned().trials)


def test_the_document_holds_every_trial_as_json() -> None:
    document = json.loads(write_tuning(tuned()))
    assert (document["schema"], document["objective"]) == (1, OBJECTIVE)
    assert len(document["trials"]) == 5
    assert document["winner"] == document["trials"][tuned().winner.number]
    assert document["winner"]["score"] == pytest.approx(np.mean(document["winner"]["folds"]))
    assert "seconds" not in document["winner"]  # a duration would make every run another one


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_rows_give_the_same_bytes(family: str) -> None:
    assert train(family).model == trained(family).model


@pytest.mark.parametrize("family", FAMILIES[:2])
def test_a_weight_of_positives_changes_the_model_and_leaves_its_scores_probabilities(
    family: str,
) -> None:
    features, labels = matrix()
    plain = fit(family, PARAMETERS[family], features, labels, NUMERIC)
    parameters = {**PARAMETERS[family], "positive_weight": 8.0}
    weighted = fit(family, parameters, features, labels, NUMERIC)
    check_agreement(weighted, convert(weighted, features.shape[1]), features)
    scores, usual = (model.predict_proba(features)[:, 1] for model in (weighted, plain))
    assert np.abs(scores - usual).max() > 0.01
    # Eight times the weight without setting back would make it more than a third higher.
    assert scores.mean() == pytest.approx(labels.mean(), abs=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_row_gives_other_bytes(family: str) -> None:
    features, labels = matrix()
    models = [
        convert(
            fit(family, PARAMETERS[family], features[rows], labels[rows], NUMERIC),
            features.shape[1],
        )
        for rows in (slice(0, 1_000), slice(1, 1_001))
    ]
    assert models[0] != models[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_onnx_and_scikit_learn_agree_on_every_row(family: str) -> None:
    made = trained(family)
    features, labels = matrix()
    worst = check_agreement(made.estimator, made.model, features)
    assert 0 <= worst <= TOLERANCE == 1e-6
    scores = score_matrix(open_session(made.model), features)
    np.testing.assert_allclose(
        scores, made.estimator.predict_proba(features)[:, 1], rtol=0, atol=1e-6
    )
    assert roc_auc_score(labels, scores) > 0.75
    check(made.model)


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_were_never_learnt_agree_too(family: str) -> None:
    features = matrix()[0].copy()
    for column in range(features.shape[1]):
        np.random.default_rng(column).shuffle(features[:, column])
    check_agreement(trained(family).estimator, trained(family).model, features)


def test_another_model_than_the_trained_one_is_not_let_through() -> None:
    with pytest.raises(SluiceError, match="differ by") as caught:
        check_agreement(
            trained("logistic_regression").estimator,
            trained("gradient_boosting").model,
            matrix()[0],
        )
    assert caught.value.exit_code == 1


def test_scores_that_are_no_numbers_are_no_agreement() -> None:
    class Broken:
        def predict_proba(self, features: np.ndarray) -> np.ndarray:
            return np.full((len(features), 2), np.nan)

    with pytest.raises(SluiceError, match="nan"):
        check_agreement(Broken(), trained("logistic_regression").model, matrix()[0])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "numeric", [(True,), (False,), (True, True), (False, False), (True, False)], ids=str
)
def test_any_mix_of_quantities_and_levels_is_fitted_and_converted(
    family: str, numeric: tuple[bool, ...]
) -> None:
    random = np.random.default_rng(0)
    features = random.integers(0, 4, (300, len(numeric))).astype(np.float32)
    estimator = fit(family, PARAMETERS[family], features, random.integers(0, 2, 300), numeric)
    check_agreement(estimator, convert(estimator, len(numeric)), features)


@pytest.mark.parametrize("family", FAMILIES)
def test_columns_that_hold_one_value_do_no_harm(family: str) -> None:
    features, labels = matrix()
    constant = features[:500].copy()
    constant[:, [2, 3]] = 1.0
    with warnings.catch_warnings(record=True) as caught:
        estimator = fit(family, PARAMETERS[family], constant, labels[:500], NUMERIC)
    check_agreement(estimator, convert(estimator, features.shape[1]), constant)
    assert [str(warning.message) for warning in caught] == []


def test_operator_sets_stand_in_an_order_that_is_the_same_in_every_process() -> None:
    """The converter takes them from a set: seen once in some hundred trainings, and then the image
    was another one.
    """
    import onnx

    model = onnx.load_from_string(convert(LogisticRegression().fit(np.eye(4), [0, 1, 1, 0]), 4))
    named = [(opset.domain, opset.version) for opset in model.opset_import]
    assert len(named) > 1
    assert named == sorted(named)


def test_a_fit_warns_of_nothing_when_one_beside_it_has_ended(
    recwarn: pytest.WarningsRecorder,
) -> None:
    """`warnings` is set for a process: the end of one fit must not set it back under another."""
    first, second = ExitStack(), ExitStack()
    first.enter_context(one_thread_each())
    second.enter_context(one_thread_each())
    first.close()
    with second:
        warnings.warn("Bins whose width are too small (of one column)", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in recwarn] == []
