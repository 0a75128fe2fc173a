"""The metrics of the monitor say what is known, and the dashboard shows each of them."""

import json
import re
from pathlib import Path

from msgspec.structs import replace
from support.monitor_reports import NOW, OF_NUMBER, QUIET, metrics

from flows.project.root import ROOT


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


def test_of_a_number_the_errors_are_told_in_the_place_of_recall() -> None:
    lines = metrics(OF_NUMBER).splitlines()
    assert 'sluice_monitor_live{model="m",measure="mae"} 51000' in lines
    assert 'sluice_monitor_promised{model="m",measure="skill"} 0.71' in lines
    assert 'sluice_monitor_skill_surely_below{model="m"} 0.8' in lines
    assert not any("recall" in line or "flagged" in line for line in lines)
    unlabelled = replace(OF_NUMBER, number=replace(OF_NUMBER.number, now=None))
    assert not any("monitor_live{" in line for line in metrics(unlabelled).splitlines())
