"""How a release ended, as it is kept: the newest of all, and apart from it the newest refusal."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.engine.outcome import EXIT, Outcome, forget, record, recorded

OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(sorted(EXIT)),
    st.text(),
    st.just("attrition"),
    verdict=st.text(),
    digest=st.text(),
    release=st.integers(0, 10**9),
    summary=st.text(),
    overlay=st.text(),
)


@pytest.mark.parametrize("outcome", EXIT)
def test_a_refusal_exits_with_3_and_everything_else_with_0(outcome: str) -> None:
    refusals = {"refused", "quarantined"}
    assert Outcome(outcome, "", "attrition").exit_code == (3 if outcome in refusals else 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(OUTCOMES, min_size=1, max_size=4))
def test_the_newest_and_the_newest_refusal_are_kept(
    tmp_path_factory: pytest.TempPathFactory, outcomes: list[Outcome]
) -> None:
    home = tmp_path_factory.mktemp("home")
    for outcome in outcomes:
        record(home, outcome)
    refused = [outcome for outcome in outcomes if outcome.exit_code == 3]
    assert recorded(home, "attrition", "last") == outcomes[-1]
    assert recorded(home, "attrition", "refused") == (refused[-1] if refused else None)


def test_models_do_not_share_their_outcomes(tmp_path: Path) -> None:
    record(tmp_path, Outcome("refused", "why", "attrition"))
    assert recorded(tmp_path, "churn", "last") is None
    assert recorded(tmp_path, "churn", "refused") is None


def test_the_newest_is_forgotten_and_the_refusal_is_not(tmp_path: Path) -> None:
    outcome = Outcome("refused", "why", "attrition")
    forget(tmp_path, "attrition")
    record(tmp_path, outcome)
    forget(tmp_path, "attrition")
    assert recorded(tmp_path, "attrition", "last") is None
    assert recorded(tmp_path, "attrition", "refused") == outcome
