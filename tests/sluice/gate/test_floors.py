"""What validation says of the threshold, and what the scores alone promise."""

import numpy as np
import pytest
from support.holdouts import Trial, first

from sluice.gate.case import Case
from sluice.gate.decide import case_of
from sluice.gate.floors import Aim, Promised, _aim, _by_its_own_probabilities


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
    reached = [k for k in range(1, len(scores)) if np.mean(scores[:k]) >= precision]
    wanted = sum(scores[: reached[-1]]) / sum(scores)
    found = _by_its_own_probabilities(case(trial), Promised(precision))
    assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("precision", [0.0, 1.0])
def test_scores_that_never_or_always_reach_it_promise_nothing(precision: float) -> None:
    assert _by_its_own_probabilities(case(first()), Promised(precision)) == 1.0
