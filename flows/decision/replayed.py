"""Whether what a replay foretold lets a candidate go live."""

from flows.decision import baselines
from flows.engine.phases import Report


def refused(report: Report) -> str:
    """Why the replay refuses a candidate whose verdict promotes it, in a sentence; else empty.

    Of a champion that is decided again on the same data it refuses nothing: it runs already.
    """
    foretold = report.decision.replayed.facts
    if not report.decided.promotes or foretold.within:
        return ""
    if baselines.standing_champion(report.candidate):
        return ""
    return foretold.sentence


def may_go_live(report: Report) -> bool:
    """Whether verdict and replay let the candidate go live."""
    return report.decided.promotes and not refused(report)
