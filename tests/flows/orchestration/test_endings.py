"""How a release ends: the outcome says the verdict, the image and where it was to go."""

from dataclasses import replace

import pytest
from support import releases
from support.releases import Story, Told

from flows.engine.phases import Decision, Report
from flows.orchestration.endings import ended, held_or_refused


@pytest.fixture
def report(promoted: tuple[Story, Told], tools: str) -> Report:
    releases.enter(promoted[0], tools)
    report = releases.planned().report
    assert report is not None
    return report


def elsewhere(report: Report, overlay: str) -> Report:
    """The same release, towards another overlay."""
    decision = report.decision
    request = report.request
    other = replace(request, settings=request.settings.model_copy(update={"overlay": overlay}))
    case = replace(decision.case, candidate=replace(report.candidate, request=other))
    return replace(report, decision=replace(decision, case=case))


def decided(report: Report, verdict: str) -> Report:
    """The same release under another verdict."""
    known = report.decision.decided
    facts = type(known.facts)(verdict, f"why it is {verdict}", refresh=False)
    decision: Decision = replace(report.decision, decided=replace(known, facts=facts))
    return replace(report, decision=decision)


def test_the_end_of_a_release_names_another_overlay(report: Report) -> None:
    outcomes = [ended(known, "hold", "why") for known in (report, elsewhere(report, "staging"))]
    assert [outcome.overlay for outcome in outcomes] == ["", "staging"]


def test_the_end_of_a_release_names_candidate_and_verdict(report: Report) -> None:
    outcome = ended(report, "superseded", "why")
    assert (outcome.outcome, outcome.sentence, outcome.model) == ("superseded", "why", "attrition")
    assert (outcome.tag, outcome.verdict) == (report.candidate.tag, report.decided.verdict)
    assert (outcome.digest, outcome.reference, outcome.commit, outcome.release) == ("", "", "", 0)


@pytest.mark.parametrize(
    ("verdict", "word", "code"),
    [("HOLD", "hold", 0), ("REJECT", "refused", 3), ("INSUFFICIENT", "refused", 3)],
)
def test_a_verdict_that_does_not_promote_ends_the_release(
    verdict: str, word: str, code: int, report: Report
) -> None:
    outcome = held_or_refused(decided(report, verdict))
    assert (outcome.outcome, outcome.exit_code) == (word, code)
    assert (outcome.verdict, outcome.sentence) == (verdict, f"why it is {verdict}")
