"""Progress goes to standard error, and a bar to a terminal alone."""

import pytest

from flows.views.progress import done_of, found_by, say, share, trials
from sluice.model.fit.training import trial_of


def test_a_line_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("building the base")
    assert capsys.readouterr() == ("", "  building the base\n")


def test_off_a_terminal_a_search_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with trials(2) as tell:
        tell(trial_of(0, "logistic_regression", {}, [(0.5, 0.5)]))
        tell(trial_of(1, "gradient_boosting", {}, [(0.4, 0.5)]))
    assert capsys.readouterr() == ("", "")


def test_a_search_tells_its_fits_its_best_and_the_seconds_that_are_left() -> None:
    whole = trial_of(0, "logistic_regression", {}, [(0.5, 0.5)] * 4)
    early = trial_of(1, "gradient_boosting", {}, [(0.9, 0.9)] * 2)  # ended: its score is no best
    assert found_by([whole], 20, 10.0) == (
        "fit 4 of 20, 20 %, 40 s left, logistic regression, best 0.5000"
    )
    assert found_by([whole, early], 20, 12.0) == (
        "fit 6 of 20, 30 %, 28 s left, gradient boosting, best 0.5000"
    )


@pytest.mark.parametrize(
    ("done", "spent", "said"),
    [
        (0.0, 0.0, "reading, 0 %"),
        (0.25, 5.0, "reading, 25 %, 15 s left"),
        (1.0, 20.0, "reading, 100 %, 0 s left"),
    ],
)
def test_the_seconds_that_are_left_follow_from_the_pace(
    done: float, spent: float, said: str
) -> None:
    assert done_of("reading", done, spent) == said


def test_off_a_terminal_no_share_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    share()("reading", 0.5)
    assert capsys.readouterr() == ("", "")
