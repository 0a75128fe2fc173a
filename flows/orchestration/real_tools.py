"""The real tools of a release."""

import datetime
from typing import TYPE_CHECKING

from flows.adapters.image.image_tools import ImageTools
from flows.engine.release_tools import Progress, Tools
from flows.steps.smoke import check_service
from flows.views import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.engine.outcome import Outcome
    from flows.engine.phases import Report
    from flows.engine.request import Request
    from flows.engine.runs import StepLine
    from sluice.errors import Refused


class NoPage:
    """A page that nobody looks at: outside a flow run nothing is shown."""

    def number(self, request: "Request", number: int) -> None:
        """Show nothing."""

    def evidence(self, report: "Report") -> None:
        """Show nothing."""

    def refusal(self, request: "Request", refused: "Refused") -> None:
        """Show nothing."""

    def delivery(self, request: "Request", outcome: "Outcome") -> None:
        """Show nothing."""

    def steps(self, model: str, steps: "Sequence[StepLine]") -> None:
        """Show nothing."""

    def ended(self, outcome: "Outcome") -> None:
        """Show nothing."""


def track(report: "Report", outcome: "Outcome") -> str:
    """Log to MLflow; a sentence says where the release is, or why it is not there yet."""
    from flows.evidence.tracking import log

    return log(report, outcome)


def today() -> datetime.date:
    """The day in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


def real_tools() -> Tools:
    """What a release outside a flow run uses; the flow puts its own page in."""
    return Tools(
        images=ImageTools(),
        check_service=check_service,
        track=track,
        today=today,
        page=NoPage(),
        progress=Progress(progress.trials, progress.say),
    )
