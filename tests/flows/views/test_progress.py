"""Progress goes to standard error, and a bar to a terminal alone."""

from types import SimpleNamespace

import pytest

from flows.views.progress import done_of, say, share, trials


def test_a_line_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("building the base")
    assert capsys.readouterr() == ("", "  building the base\n")


def test_off_a_terminal_a_search_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with trials(2) as tell:
        tell(SimpleNamespace(family="logistic_regression", score=0.5))
        tell(SimpleNamespace(family="gradient_boosting", score=0.4))
    assert capsys.readouterr() == ("", "")


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
