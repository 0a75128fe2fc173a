"""The phases of a release after the request: candidate, case, decision, report.

Each is made from the one before, so what is not known yet cannot be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.engine import image_identity
from flows.engine.request import Request
from flows.engine.store import Result
from flows.facts.decided import Decided
from flows.facts.evidenced import Evidenced
from flows.facts.replayed import Foretold
from flows.facts.scored import Scored
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import METRICS, ON_VALIDATION
from flows.facts.trained import Trained
from flows.facts.tuned import Tuned
from flows.facts.validated import Validated
from sluice.gitops.state import Reference, Standing
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.number.metrics_file import NumberMetrics
from sluice.model.quality.metrics_file import Metrics


@dataclass(frozen=True)
class Candidate:
    """A model that was trained on validated rows; nothing is known of its worth."""

    request: Request
    validated: Result[Validated]
    split: Result[SplitRows]
    tuned: Result[Tuned]
    trained: Result[Trained]

    @property
    def tag(self) -> str:
        """The tag of its image: a hash of what goes into that, so not of a holdout row."""
        return image_identity.tag(self.ingredients)

    @property
    def ingredients(self) -> dict[str, str]:
        """What its image is made of, by hash."""
        return image_identity.ingredients(self.request, self.split, self.trained)


@dataclass(frozen=True)
class Case:
    """A candidate, and the releases that it is compared with; None for a first release."""

    candidate: Candidate
    champion: Reference | None
    anchor: Reference | None

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.candidate.request

    @property
    def opponents(self) -> Mapping[str, Reference]:
        """Those of `champion` and `anchor` that there are, in this order."""
        known = {"champion": self.champion, "anchor": self.anchor}
        return {name: reference for name, reference in known.items() if reference}


@dataclass(frozen=True)
class Decision:
    """A case with its scores, what was known besides them, the verdict, and what the canary is
    expected to say.
    """

    case: Case
    scored: Result[Scored]
    standing: Standing
    decided: Result[Decided]
    replayed: Result[Foretold]

    @property
    def metrics(self) -> Metrics:
        """What was measured on the holdout. Raises Unreadable where metrics.json is damaged."""
        return self.scored.parsed(METRICS, Metrics)

    @property
    def class_metrics(self) -> ClassMetrics:
        """The same where there are several classes."""
        return self.scored.parsed(METRICS, ClassMetrics)

    @property
    def validation(self) -> Metrics:
        """The same on the validation rows, where no part of the holdout is told: what it calls the
        holdout are these rows.
        """
        return self.scored.parsed(f"{ON_VALIDATION}/{METRICS}", Metrics)

    @property
    def class_validation(self) -> ClassMetrics:
        """The same where there are several classes."""
        return self.scored.parsed(f"{ON_VALIDATION}/{METRICS}", ClassMetrics)

    @property
    def number_metrics(self) -> NumberMetrics:
        """What was measured of a number on the holdout."""
        return self.scored.parsed(METRICS, NumberMetrics)

    @property
    def number_validation(self) -> NumberMetrics:
        """The same on the validation rows, where no part of the holdout is told."""
        return self.scored.parsed(f"{ON_VALIDATION}/{METRICS}", NumberMetrics)

    @property
    def candidate(self) -> Candidate:
        """The candidate that was judged."""
        return self.case.candidate

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.candidate.request


@dataclass(frozen=True)
class Report:
    """A decision with its evidence: pictures, drift and the page."""

    decision: Decision
    evidence: Result[Evidenced]

    @property
    def candidate(self) -> Candidate:
        """The candidate that was judged."""
        return self.decision.candidate

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.decision.request

    @property
    def decided(self) -> Decided:
        """The verdict."""
        return self.decision.decided.facts

    @property
    def results(self) -> tuple[Result[Any], ...]:
        """What every step up to here put out, in the order of the steps."""
        decision, candidate = self.decision, self.candidate
        return (
            candidate.validated,
            candidate.split,
            candidate.tuned,
            candidate.trained,
            decision.scored,
            decision.decided,
            decision.replayed,
            self.evidence,
        )
