"""The alerts on canaries fire on what controller and judge tell, by Prometheus's own tool."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.prometheus import PROGRAM

from flows.canary.judge_metrics import Answers
from flows.canary.scrapes import HASH
from flows.project.root import ROOT

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs promtool (apt-get install prometheus)")

ALERTS = Path(ROOT) / "deploy" / "prometheus" / "canary.yaml"
ROLLOUT = 'rollout_info{namespace="attrition",name="attrition",phase="%s"}'
RUNNING = 'analysis_run_info{namespace="attrition",name="attrition-1-2",phase="Running"}'
LAST = "sluice_judge_last_answer_timestamp_seconds"
SAID = 'sluice_judge_answers_total{verdict="%s"}'
ALL = {"SluiceCanaryPaused", "SluiceCanaryAborted", "SluiceJudgeSilent", "SluiceJudgeCannotTell"}
# A minute between two values: what is scraped, after how many minutes, and what fires then.
SITUATIONS: dict[str, tuple[dict[str, str], int, set[str]]] = {
    "healthy": ({ROLLOUT % "Healthy": "1x60"}, 60, set()),
    "a pause between steps": ({ROLLOUT % "Paused": "1 1 _x60"}, 20, set()),
    "paused": ({ROLLOUT % "Paused": "1x60"}, 17, {"SluiceCanaryPaused"}),
    "aborted": ({ROLLOUT % "Degraded": "_ 1 stale"}, 12, {"SluiceCanaryAborted"}),
    "aborted long ago": ({ROLLOUT % "Degraded": "_ 1 stale"}, 40, set()),
    "judged": ({RUNNING: "1x60", LAST: "0+60x60"}, 30, set()),
    "judged by whoever is asked about nothing": ({LAST: "0x60"}, 60, set()),
    "silent": ({RUNNING: "1x60", LAST: "0x60"}, 20, {"SluiceJudgeSilent"}),
    "gone": ({RUNNING: "1x60"}, 20, {"SluiceJudgeSilent"}),
    "in the dark": (
        {SAID % "inconclusive": "0+1x60", SAID % "pass": "0x60", SAID % "fail": "0x60"},
        40,
        {"SluiceJudgeCannotTell"},
    ),
    "in the light": (
        {SAID % "inconclusive": "0+1x60", SAID % "pass": "0+1x60", SAID % "fail": "0x60"},
        40,
        set(),
    ),
}


def test_every_alert_is_tried() -> None:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["spec"]["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"]} == ALL
    assert set().union(*(fires for _, _, fires in SITUATIONS.values())) == ALL


def test_the_judge_tells_what_the_alerts_ask() -> None:
    answers = Answers()
    answers.count("pass", 1_790_000_040.0)
    text = answers.text()
    read = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (read.returncode, read.stdout, read.stderr) == (0, b"", b"")
    for word in ("pass", "fail", "inconclusive"):
        assert f"\n{SAID % word} ".encode() in text
    assert f"\n{LAST} 1.79000004e+09\n".encode() in text


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_alert_fires_on_its_situation_and_on_no_other(name: str, tmp_path: Path) -> None:
    series, minutes, fires = SITUATIONS[name]
    rules = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["spec"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    test: dict[str, Any] = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": named, "values": values} for named, values in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": f"{minutes}m",
                        "exp_samples": [
                            {"labels": f'{{alertname="{alert}"}}', "value": 1}
                            for alert in sorted(fires)
                        ],
                    }
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_scraped_has_the_labels_that_the_judge_asks_by(tmp_path: Path) -> None:
    """As the operator's PodMonitor has it: the same label, at the same pace."""
    text = (ALERTS.parent / "scrape.yaml").read_text(encoding="utf-8")
    # The tool of Debian is built without Kubernetes: the rest of each job is checked.
    known = text.replace("kubernetes_sd_configs:\n      - role: pod", "static_configs: []")
    assert "kubernetes_sd_configs" not in known
    (tmp_path / "prometheus.yml").write_text(known, encoding="utf-8")
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", "prometheus.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    service, *_ = yaml.safe_load(text)["scrape_configs"]
    labels = {one["target_label"] for one in service["relabel_configs"] if "target_label" in one}
    assert labels == {"namespace", "pod", HASH}
    folder = ALERTS.parents[1] / "argocd" / "components"
    monitor = yaml.safe_load((folder / "pod-monitor" / "monitor.yaml").read_text())["spec"]
    [endpoint] = monitor["podMetricsEndpoints"]
    assert endpoint["interval"] == service["scrape_interval"]
    [kept] = [one for one in service["relabel_configs"] if one.get("action") == "keep"]
    assert kept["regex"] == f"true;{endpoint['port']}"
