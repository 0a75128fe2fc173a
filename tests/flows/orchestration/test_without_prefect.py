"""A release goes on where Prefect does not: the view takes nothing down."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from flows.adapters.server import free_port
from flows.engine.outcome import Outcome, record
from flows.engine.perform import Plainly
from flows.orchestration.run_page import LOST, WhileItAnswers
from flows.orchestration.shown import DELAYS, Shown
from sluice.errors import Retryable, SluiceError


class Page:
    """Counts what it is told; fails as Prefect's client does where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.error = error

    def _told(self, *_: object) -> None:
        self.calls += 1
        if self.error:
            raise self.error

    number = evidence = refusal = delivery = ended = _told


CALLS = 5


def tell_all(page: WhileItAnswers) -> None:
    """Call everything that a release calls."""
    given: Any = SimpleNamespace()
    page.number(given, 1)
    page.evidence(given)
    page.refusal(given, given)
    page.delivery(given, given)
    page.ended(given)


def test_a_page_that_answers_is_shown_everything() -> None:
    shown, said = Page(), list[str]()
    tell_all(WhileItAnswers(shown, said.append, lambda: True))
    assert (shown.calls, said) == (CALLS, [])


@pytest.mark.parametrize("after", range(CALLS))
def test_one_line_is_said_wherever_the_server_goes(after: int) -> None:
    shown, said, answers = Page(), list[str](), iter([True] * after + [False])
    tell_all(WhileItAnswers(shown, said.append, lambda: next(answers)))
    assert (shown.calls, said) == (after, [LOST])


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadError("cut"), httpx.ReadTimeout("slow")]
)
def test_a_call_that_fails_in_between_is_the_last(error: Exception) -> None:
    shown, said = Page(error), list[str]()
    tell_all(WhileItAnswers(shown, said.append, lambda: True))
    assert (shown.calls, said) == (1, [LOST])


def test_what_is_wrong_with_the_release_is_not_swallowed() -> None:
    page = WhileItAnswers(Page(SluiceError("no")), print, lambda: True)
    with pytest.raises(SluiceError, match="no"):
        tell_all(page)


@pytest.mark.parametrize("failing", range(len(DELAYS) + 2))
def test_an_action_is_tried_as_often_as_with_prefect(tmp_path: Path, failing: int) -> None:
    waited: list[float] = []
    tries: list[int] = []

    def action() -> int:
        tries.append(1)
        if len(tries) <= failing:
            raise Retryable("later")
        return len(tries)

    runner = Shown(Plainly(tmp_path, "attrition"), waited.append)
    if failing > len(DELAYS):
        with pytest.raises(Retryable):
            runner.call("Act", action)
    else:
        assert runner.call("Act", action) == failing + 1
    assert waited == list(DELAYS[:failing])


def releases(home: Path, flow: Any) -> Any:
    """A flow that ends as told, and a plain release that keeps an outcome."""
    from flows.orchestration.start import Releases

    def plainly(model: str, data: str | None, cache: bool) -> Outcome:
        del data, cache
        outcome = Outcome("hold", "plainly", model)
        record(home, outcome)
        return outcome

    return Releases(flow, plainly)


@pytest.mark.parametrize("kept", [True, False])
def test_a_flow_whose_server_dies_comes_to_an_end(
    tmp_path: Path, kept: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the flow left counts; where it left nothing the release is done plainly."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.orchestration.start import Wanted, _followed

    def flow(*_: object, **__: object) -> None:
        if kept:
            record(tmp_path, Outcome("hold", "by the flow", "attrition"))
        raise httpx.ConnectError("[Errno 111] Connection refused")

    wanted = Wanted("attrition", None, cache=True, trains=False)
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        outcome = _followed(tmp_path, releases(tmp_path, flow), wanted, "mark")
    assert outcome.sentence == ("by the flow" if kept else "plainly")
    assert capsys.readouterr().err.count("goes on without it") == (0 if kept else 1)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("the server ended with exit code 1; it printed:\nINFO\nno space left", "No space left."),
        (
            "the server was not ready after 60 seconds and printed nothing",
            "The server was not ready after 60 seconds and printed nothing.",
        ),
    ],
)
def test_one_line_says_why_it_goes_on(what: str, said: str) -> None:
    from flows.orchestration.start import _without

    assert _without(SluiceError(what)) == f"{said} The release goes on without Prefect."
