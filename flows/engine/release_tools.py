"""What a release needs from outside, handed in as one: the real tools, or a drill's."""

import datetime
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from flows.adapters.image.image_tools import ImageTools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.engine.outcome import Outcome
    from flows.engine.phases import Report
    from flows.engine.request import Request
    from flows.engine.runs import StepLine
    from sluice.errors import Refused
    from sluice.model.artifact.model_artifact import Golden
    from sluice.model.fit.tuning_file import Trial


class RunPage(Protocol):
    """What a run shows of itself while it goes on."""

    def number(self, request: "Request", number: int) -> None:
        """The number of the release that the run became."""

    def evidence(self, report: "Report") -> None:
        """Verdict and metrics, as soon as they are known."""

    def refusal(self, request: "Request", refused: "Refused") -> None:
        """What was refused before a verdict; counts, and no value of a row."""

    def delivery(self, request: "Request", outcome: "Outcome") -> None:
        """What was built and committed."""

    def steps(self, model: str, steps: "Sequence[StepLine]") -> None:
        """Which steps were done and which taken from before, and how long they took."""

    def ended(self, outcome: "Outcome") -> None:
        """How the run ended, so that it is found among others."""


@dataclass(frozen=True)
class Progress:
    """What a person is shown of work that takes longer than two seconds.

    It is handed in, so that its look is no part of the key of a step that shows it. `trials` shows
    how far a search of so many fits is, and its block tells each trial that ended; `say` shows a
    line about something that takes a while.
    """

    trials: Callable[[int], AbstractContextManager[Callable[["Trial"], None]]]
    say: Callable[[str], None]


class Service(Protocol):
    """A service that runs, asked over HTTP."""

    def __call__(self, url: str, golden: "Golden") -> float:
        """The largest difference to the scores of the golden records. Raises SluiceError."""
        ...


@dataclass(frozen=True)
class Tools:
    """The outside of a release.

    `images` makes and starts model images; `today` is the day in UTC; `track` logs a report and
    how its release ended, and says in a sentence what came of it.
    """

    images: ImageTools
    check_service: Service
    track: Callable[["Report", "Outcome"], str]
    today: Callable[[], datetime.date]
    page: RunPage
    progress: Progress
