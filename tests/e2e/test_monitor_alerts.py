"""Prometheus's own tool reads the metrics of the monitor, and its alerts fire on them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from support.monitor_reports import QUIET, metrics
from support.prometheus import PROGRAM

from flows.project.root import ROOT
from sluice.monitor.report import ACT, WATCH, Finding

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs promtool (apt-get install prometheus)")

ALERTS = Path(ROOT) / "deploy" / "prometheus" / "monitor.yaml"


def finding(kind: str, severity: str) -> Finding:
    return Finding(kind=kind, severity=severity, sentence="", response="")


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
