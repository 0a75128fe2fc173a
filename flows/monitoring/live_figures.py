"""What MLflow is told of how good a release is: its live figures, one point a day."""

from flows.adapters.tracking import Live, log_live
from flows.project.settings import Settings
from sluice.monitor.report import Report


def track(settings: Settings, report: Report) -> str:
    """Log the live figures on the version of the release; a sentence says where, or why not."""
    live = report.live
    figures = {"recall": live.recall, "precision": live.precision, "brier": live.brier}
    if report.number and report.number.now:
        now = report.number.now
        figures = {"mae": now.mae, "skill": now.skill, "within": now.within, "bias": now.bias}
    values = {name: value for name, value in figures.items() if value is not None}
    if report.weeks and report.weeks[-1].flagged is not None:
        values["flagged_share"] = report.weeks[-1].flagged
    told = Live(report.model, report.release, report.day, report.verdict, values)
    return log_live(settings.tracking, told)
