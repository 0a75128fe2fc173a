"""The alert on numbers fires on what services tell, by Prometheus's own tool."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.model_artifacts import PROJECT
from support.prometheus import PROGRAM

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs promtool (apt-get install prometheus)")

ALERTS = PROJECT / "deploy" / "prometheus" / "answers.yaml"
NUMBER = 'sluice_predictions_total{namespace="deliveries",prediction="%s",tier="%s"}'
CLASS = 'sluice_predictions_total{namespace="doors",prediction="outside",tier="outside"}'
# Answers of a minute by series, and what fires after two hours of them.
SITUATIONS: dict[str, tuple[dict[str, str], set[str]]] = {
    "usual": ({NUMBER % ("inside", "4"): "0+99x120", NUMBER % ("outside", "10"): "0+1x120"}, set()),
    "other rows": (
        {NUMBER % ("inside", "4"): "0+80x120", NUMBER % ("outside", "10"): "0+20x120"},
        {"SluiceAnswersOutside"},
    ),
    "a class of that name": ({CLASS: "0+50x120"}, set()),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_alert_fires_on_its_situation_and_on_no_other(name: str, tmp_path: Path) -> None:
    series, fires = SITUATIONS[name]
    rules = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["spec"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    expected: list[dict[str, Any]] = []
    for alert in alerts:
        labels = {"severity": "warning", "namespace": "deliveries"}
        annotations = {
            key: text.replace("{{ $labels.namespace }}", "deliveries")
            for key, text in rules["groups"][0]["rules"][0]["annotations"].items()
        }
        fired = [{"exp_labels": labels, "exp_annotations": annotations}] if alert in fires else []
        expected.append({"eval_time": "2h", "alertname": alert, "exp_alerts": fired})
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": told} for key, told in series.items()],
                "alert_rule_test": expected,
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    ran = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
