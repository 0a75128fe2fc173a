"""What Prefect shows of a release that ended: its colour, and what the page about it is called."""

import pytest

from flows.engine.outcome import EXIT, Outcome
from flows.orchestration.run_page import delivery_key, how_it_goes_on, state_of

DELIVERED = {"promoted", "nothing to do", "proposed"}


@pytest.mark.parametrize("outcome", EXIT)
def test_only_what_was_delivered_is_green_and_called_so(outcome: str) -> None:
    ended = Outcome(outcome, "why", "attrition")
    state = state_of(ended)
    delivered = outcome in DELIVERED
    assert state.is_completed() == delivered
    assert state.is_failed() == (EXIT[outcome] == 3)
    assert (state.name, state.message) == (outcome.capitalize(), "why")
    assert delivery_key("attrition", ended) == f"attrition-{'delivery' if delivered else 'outcome'}"


def test_a_run_that_waits_for_people_says_how_they_answer() -> None:
    text = how_it_goes_on(Outcome("held for approval", "it waits", "attrition"))
    for command in ("approvals attrition", "approve attrition", "reject attrition --reason TEXT"):
        assert f"`sluice {command}`" in text
    assert "nobody here has a name" in text
    assert how_it_goes_on(Outcome("promoted", "why", "attrition")) == ""
