"""A report of the monitor in which nothing is wrong, and its metrics."""

import datetime

from msgspec.structs import replace

from flows.views.live.monitor_metrics import render
from sluice.monitor.report import Figures, Live, LiveNumber, Promised, Report, Week
from sluice.policy import MonitorPolicy

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)

QUIET = Report(
    model="m",
    release=3,
    since="2026-01-05",
    day="2026-11-29",
    verdict="fine",
    sentence="",
    level=0.05,
    findings=(),
    promised=Promised(recall=0.75, precision=0.68, brier=0.2, flagged=0.4, prevalence=0.4),
    live=Live(labelled=900, positives=400, recall=0.74, precision=None, brier=0.21, below=0.8),
    weeks=(
        Week(
            start="2026-11-23",
            rows=700,
            flagged=0.41,
            positives=300,
            recall=0.74,
            below=0.8,
            drift={'a "column"\\': 0.02, "Age": 0.3},
        ),
    ),
    rows=50_000,
    days=300,
    newest_answer="2026-11-28",
    newest_label="2026-11-01",
)


PROMISED = Figures(mae=48_000.0, bias=-120.0, skill=0.71, within=0.52)
OF_NUMBER = replace(
    QUIET,
    promised=None,
    live=Live(labelled=900, positives=0, recall=None, precision=None, brier=None),
    weeks=(replace(QUIET.weeks[0], flagged=None, recall=None, skill=0.69, below=0.8),),
    number=LiveNumber(
        unit="EUR",
        band=40_000.0,
        promised=PROMISED,
        now=Figures(mae=51_000.0, bias=900.0, skill=0.69, within=0.5),
        anchor=0.7,
        below=0.8,
    ),
)


def metrics(report: Report = QUIET, *, breaker_open: bool = False) -> str:
    return render(report, MonitorPolicy(), NOW, breaker_open=breaker_open)
