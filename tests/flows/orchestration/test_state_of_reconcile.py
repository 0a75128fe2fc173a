"""How a run that looked at a canary ends in Prefect, and what its page says."""

import pytest

from flows.canary.reconcile import Report
from flows.gitops.writer import Written
from flows.orchestration.automations import ENDS, TOLD
from flows.orchestration.run_page import state_of_reconcile
from flows.views.live.reconcile import markdown
from sluice.canary.ending import Ending
from sluice.canary.progress import Figure

PASSED, HARMFUL = Ending("healthy", "its analysis passed"), Ending("harmful", "its canary failed")
WAITS = Ending("waits", "the analysis at 5 % of the traffic")


def report(ending: Ending, outcome: str, diff: str = "") -> Report:
    return Report("churn", 3, "sha256:0", ending, Written(outcome, "it is written"), None, diff)


@pytest.mark.parametrize(
    ("found", "name", "type"),
    [
        (report(PASSED, "committed"), "Recorded", "COMPLETED"),
        (report(PASSED, "nothing"), "Nothing to do", "COMPLETED"),
        (report(PASSED, "already there"), "Already there", "CANCELLED"),
        (report(WAITS, "waits"), "Waits", "CANCELLED"),
        (report(HARMFUL, "dry run", "-old\n+new"), "Dry run", "CANCELLED"),
        (report(HARMFUL, "superseded"), "Superseded", "CANCELLED"),
        (report(HARMFUL, "committed", "-old\n+new"), "Taken back", "FAILED"),
    ],
)
def test_only_what_was_recorded_is_green(found: Report, name: str, type: str) -> None:
    state = state_of_reconcile(found)
    assert (state.name, state.type.value) == (name, type)
    assert name in ENDS


def test_people_are_told_of_a_canary_that_was_taken_back() -> None:
    assert [told.word for told in TOLD if "Taken back" in told.states] == ["aborted"]


def test_the_page_has_the_figures_with_text_of_others_as_text() -> None:
    ending = Ending("harmful", "its <b>canary</b> failed", (Figure("share", "Failed", "0.31", 4),))
    text = markdown(report(ending, "committed", "-old\n+new"))
    assert text.startswith("# churn, release 3\n\nTaken back: its &lt;b&gt;canary&lt;/b&gt; failed")
    assert text.endswith("\n## What the canary showed\n\n- share: 0.31 (Failed)\n")
