"""Progress goes to standard error, and a bar to a terminal alone."""

import pytest

from flows.views.progress import say, trials
from sluice.model.training import Trial


def test_a_line_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("building the base")
    assert capsys.readouterr() == ("", "  building the base\n")


def test_off_a_terminal_a_search_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with trials(2) as tell:
        tell(Trial(0, "logistic_regression", {}, (0.5,), (0.7,)))
        tell(Trial(1, "gradient_boosting", {}, (0.4,), (0.6,)))
    assert capsys.readouterr() == ("", "")
