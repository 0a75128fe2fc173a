"""The looks of the judge at a canary, in their order, as the analysis runs kept them."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from sluice.canary.rollout import AnalysisRun, Seen, weight_at
from sluice.canary.verdict import Measure, Verdict

FLAGGED = "flagged"  # the measure that passes a step


@dataclass(frozen=True)
class Look:
    """What the judge said at a moment; `weight` is the share of the traffic in percent that the
    step gave the canary, `step` counts from 0.
    """

    at: str
    step: int
    weight: int
    verdict: Verdict

    @property
    def flagged(self) -> Measure | None:
        """The measure that passes a step; None where the judge did not come that far."""
        return next((one for one in self.verdict.measures if one.name == FLAGGED), None)


def looks(seen: Seen) -> tuple[Look, ...]:
    """The looks at the version that is to be; none where another analysis is asked. Of each step
    the controller keeps the newest ones only.
    """
    found = [look for run in seen.own_runs for look in _of_run(seen, run)]
    return tuple(sorted(found, key=lambda look: (look.at, look.step)))


def _of_run(seen: Seen, run: AnalysisRun) -> Iterator[Look]:
    step = run.step if run.step is not None else -1
    for result in run.status.metric_results:
        for measurement in result.measurements:
            verdict = said(measurement.value)
            if verdict is not None and not result.dry_run:
                weight = weight_at(seen.rollout.steps, run.step)
                yield Look(measurement.finished_at or "", step, weight, verdict)


def said(value: str) -> Verdict | None:
    """What the judge said; None where this is no answer of it."""
    try:
        return msgspec.json.decode(value, type=Verdict)
    except (ValueError, RecursionError):
        return None
