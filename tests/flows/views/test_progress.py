"""Progress goes to standard error, and a bar to a terminal alone."""

from types import SimpleNamespace

import pytest

from flows.views.progress import say, trials


def test_a_line_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("building the base")
    assert capsys.readouterr() == ("", "  building the base\n")


def test_off_a_terminal_a_search_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with trials(2) as tell:
        tell(SimpleNamespace(family="logistic_regression", score=0.5))
        tell(SimpleNamespace(family="gradient_boosting", score=0.4))
    assert capsys.readouterr() == ("", "")
