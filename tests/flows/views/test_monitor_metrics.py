"""The metrics of the monitor are read by Prometheus's own tool, and its alerts fire on them."""

import datetime
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from support.prometheus import PROGRAM

from flows.project.root import ROOT
from flows.views.monitor_metrics import render
from sluice.monitor.report import ACT, WATCH, Finding, Live, Promised, Report, Week
from sluice.policy import MonitorPolicy

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
ALERTS = Path(ROOT) / "deploy" / "prometheus" / "monitor.yaml"
needs_promtool = pytest.mark.skipif(
    not PROGRAM, reason="needs promtool (apt-get install prometheus)"
)


def finding(kind: str, severity: str) -> Finding:
    return Finding(kind=kind, severity=severity, sentence="", response="")


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


def metrics(report: Report = QUIET, *, breaker_open: bool = False) -> str:
    return render(report, MonitorPolicy(), NOW, breaker_open=breaker_open)


def test_what_is_known_is_told_and_what_is_not_is_left_out() -> None:
    lines = metrics().splitlines()
    assert 'sluice_monitor_live{model="m",measure="recall"} 0.74' in lines
    assert not any('live{model="m",measure="precision"' in line for line in lines)
    assert 'sluice_monitor_age_seconds{model="m",of="answer"} 86400' in lines
    assert 'sluice_monitor_age_seconds{model="m",of="label"} 2419200' in lines
    assert 'sluice_monitor_drift{model="m",column="a \\"column\\"\\\\"} 0.02' in lines
    assert 'sluice_monitor_findings{model="m",kind="data",severity="act"} 0' in lines
    assert f'sluice_monitor_run_timestamp_seconds{{model="m"}} {NOW.timestamp():.10g}' in lines
    nothing = metrics(replace(QUIET, weeks=(), newest_answer="", newest_label=""))
    assert "drift" not in nothing
    assert "age_seconds{" not in nothing


@needs_promtool
def test_the_tool_of_prometheus_reads_them() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics(), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


SITUATIONS: dict[str, tuple[str, set[str]]] = {
    "quiet": (metrics(), set()),
    "fallen": (
        metrics(replace(QUIET, findings=(finding("concept", ACT),), verdict=ACT)),
        {"SluicePerformanceBelowPromise"},
    ),
    "broken": (
        metrics(replace(QUIET, findings=(finding("data", ACT),), verdict=ACT)),
        {"SluiceDataBroken"},
    ),
    "drifted": (
        metrics(replace(QUIET, findings=(finding("data", WATCH),), verdict=WATCH)),
        {"SluiceDrift"},
    ),
    "late": (metrics(replace(QUIET, newest_label="2026-09-01")), {"SluiceLabelsLate"}),
    "silent": (
        metrics(
            replace(
                QUIET, newest_answer="2026-11-01", findings=(finding("data", ACT),), verdict=ACT
            )
        ),
        {"SluiceLogSilent"},
    ),
    "open": (metrics(breaker_open=True), {"SluiceBreakerOpen"}),
}
ALL = {
    "SluicePerformanceBelowPromise",
    "SluiceDataBroken",
    "SluiceDrift",
    "SluiceLabelsLate",
    "SluiceLogSilent",
    "SluiceBreakerOpen",
    "SluiceMonitorSilent",
}


def test_every_alert_is_tried() -> None:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["spec"]["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"]} == ALL


@needs_promtool
@pytest.mark.parametrize("name", SITUATIONS)
def test_each_alert_fires_on_what_the_monitor_writes_and_on_nothing_else(
    name: str, tmp_path: Path
) -> None:
    """For three days, by `promtool test rules` on the very rules; then the job no longer runs."""
    text, fires = SITUATIONS[name]
    tried(tmp_path, text, "2d12h", fires, since=0)
    tried(tmp_path, text, "3d", fires | {"SluiceMonitorSilent"}, since=-2 * 86_400)


def tried(folder: Path, text: str, at: str, fires: set[str], since: int) -> None:
    """Have the alerts evaluated after this time; `since` is when the job ran last, beside it."""
    rules = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["spec"]
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1h",
        "tests": [
            {
                "interval": "1h",
                "input_series": [series(line, since) for line in samples(text)],
                "promql_expr_test": [
                    {
                        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": at,
                        "exp_samples": [
                            {"labels": f'{{alertname="{alert}"}}', "value": 1}
                            for alert in sorted(fires)
                        ],
                    }
                ],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def samples(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def series(line: str, since: int) -> dict[str, Any]:
    """A series that has its value all the time. The job runs each hour, or ended a while ago: the
    clock of the tool begins at 0.
    """
    found = re.fullmatch(r"(.*\}) (\S+)", line)
    assert found
    if "run_timestamp" in line:
        return {"series": found[1], "values": f"{since}+{0 if since else 3600}x100"}
    return {"series": found[1], "values": f"{found[2]}x100"}


def test_the_dashboard_shows_every_metric_and_names_none_that_is_not_there() -> None:
    text = (Path(ROOT) / "deploy" / "grafana" / "monitor.json").read_text(encoding="utf-8")
    panels = json.loads(text)["panels"]
    asked = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    written = set(re.findall(r"^# TYPE (\w+) ", metrics(), re.MULTILINE))
    apart = {"run_timestamp_seconds", "age_limit_seconds", "labelled_rows", "answers"}
    assert set(re.findall(r"sluice_monitor_\w+", asked)) == written - {
        f"sluice_monitor_{name}" for name in apart
    }
    taken = [
        (p["gridPos"]["x"] + x, p["gridPos"]["y"] + y)
        for p in panels
        for x in range(p["gridPos"]["w"])
        for y in range(p["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
