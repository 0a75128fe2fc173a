"""What Prefect shows of a release that ended: its colour, and what the page about it is called."""

import pytest

from flows.engine.outcome import EXIT, Outcome
from flows.gitops.writer import Written
from flows.orchestration.automations import ENDS
from flows.orchestration.run_page import (
    artifact_key,
    delivery_key,
    failed,
    how_it_goes_on,
    state_of,
    state_of_rollback,
)
from sluice.errors import Refused, UsageError

DELIVERED = {"promoted", "nothing to do", "proposed"}


@pytest.mark.parametrize("outcome", EXIT)
def test_only_what_was_delivered_is_green_and_called_so(outcome: str) -> None:
    ended = Outcome(outcome, "why", "attrition")
    state = state_of(ended)
    delivered = outcome in DELIVERED
    assert state.is_completed() == delivered
    assert state.is_failed() == (EXIT[outcome] == 3)
    assert (state.name, state.message) == (outcome.capitalize(), "Why")
    assert delivery_key("attrition", ended) == f"attrition-{'delivery' if delivered else 'outcome'}"


@pytest.mark.parametrize("model", ["churn", "from_excel", "a_1_"])
def test_prefect_takes_the_key_of_every_model(model: str) -> None:
    """A name of several words stopped the release of it behind its verdict."""
    from prefect.client.schemas.actions import ArtifactCreate

    ended = Outcome("promoted", "why", model)
    for key in (artifact_key(model, "verdict"), delivery_key(model, ended)):
        assert ArtifactCreate(key=key, type="markdown").key == key


ENDINGS = ("committed", "proposed", "already there", "superseded", "held", "parked", "dry run")


@pytest.mark.parametrize("outcome", ENDINGS)
def test_a_rollback_is_green_only_where_something_was_written(outcome: str) -> None:
    state = state_of_rollback(Written(outcome, "a sentence"))
    assert state.is_completed() == (outcome in ("committed", "proposed"))
    assert not state.is_failed()
    assert state.name in ENDS


def test_an_error_of_ours_is_red_with_its_sentence() -> None:
    refused = failed(Refused("it is barred", "Lift it."))
    wrong = failed(UsageError("nothing is live", "Release it."))
    assert [(state.name, state.is_failed()) for state in (refused, wrong)] == [
        ("Refused", True),
        ("Failed", True),
    ]
    assert wrong.message == "nothing is live\n  Release it."
    assert {refused.name, wrong.name} <= set(ENDS)


@pytest.mark.parametrize("outcome", EXIT)
def test_the_server_knows_each_name_of_an_end(outcome: str) -> None:
    assert state_of(Outcome(outcome, "a sentence", "churn")).name in ENDS


def test_a_run_that_waits_for_people_says_how_they_answer() -> None:
    text = how_it_goes_on(Outcome("held for approval", "it waits", "attrition"))
    for command in ("approvals attrition", "approve attrition", "reject attrition --reason TEXT"):
        assert f"`sluice {command}`" in text
    assert "nobody here has a name" in text
    assert "the deployment `attrition-reject`" in text
    assert how_it_goes_on(Outcome("promoted", "why", "attrition")) == ""
