"""A release with nothing left to do: it ends from what was done before, and reserves no number."""

from flows.engine.outcome import Outcome
from flows.engine.phases import Report
from flows.engine.planned import Planned
from flows.evidence.identity import Identity
from flows.evidence.numbered import numbered
from flows.gitops import ledger
from flows.orchestration.endings import note, told
from flows.orchestration.plan import Plan
from flows.orchestration.step_sentences import sentence
from flows.steps.evidence import publish
from flows.views import terminal
from flows.views.wording import upper_first


def settle(planned: Plan) -> Outcome | None:
    """How a release ends whose plan leaves nothing to do; None where something is left.

    It is shown as a release shows it, and where an end leaves no commit the ledger knows it.
    """
    outcome = planned.outcome
    if outcome is None:
        return None
    for step in planned.steps:
        _show(step, planned.request.model)
    page = planned.request.tools.page
    if planned.report:
        publish(planned.report, told(_judged(planned.report, outcome), outcome))
        note(planned.report, outcome)
        page.evidence(planned.report)
    page.delivery(planned.request, outcome)
    return outcome


def _judged(report: Report, outcome: Outcome) -> Identity:
    """What was known of the release when it was judged: its number is that of the ledger."""
    request = report.request
    number = outcome.release or ledger.number_of(
        request.settings, request.model, report.decision.scored.key
    )
    return numbered(report, number)


def _show(step: Planned, model: str) -> None:
    """A line for a step that was done before, or for the refusal that it ended with."""
    if step.facts is not None:
        terminal.step(step.title, "hit", 0.0, sentence(step.facts))
        return
    terminal.step(step.title, "refused", 0.0, "")
    advice = f"These data were refused before. sluice validate {model} shows examples."
    terminal.console().print(f"{upper_first(step.cause)}\n  {advice}", markup=False)
