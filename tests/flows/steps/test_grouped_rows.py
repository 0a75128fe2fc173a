"""Rows that belong together, from the table to the verdict: the gate knows the groups, and a group
that is taken apart afterwards is found.
"""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from support import environment, releases
from support.releases import Story

from flows.cli.gating.power import Question, run_power
from flows.decision import holdout
from flows.decision.scores_file import read_scores
from flows.drills.gate.tampering import copied, found, tampering
from flows.facts.step_files import METRICS, MODEL, SCORES
from flows.project import settings
from flows.steps import recheck
from sluice.errors import Refused
from sluice.model.json_file import parse_json
from sluice.model.quality.metrics_file import TrainedMetrics
from sluice.model.quality.statistics import wilson
from sluice.served.model_quality import model_quality

EACH = 6  # rows of a household


@pytest.fixture(scope="module")
def grouped(written: Story, tools: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A release of a table in which six rows each are of one household."""
    story = releases.copy(written, tmp_path_factory.mktemp("grouped"))
    contract = story.project / "models" / "attrition" / "contract.toml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(f'{text}\n[columns."Household"]\nrole = "group"\n', encoding="utf-8")
    rows = list(csv.reader(io.StringIO(story.rows.read_text(encoding="utf-8"))))
    table = io.StringIO()
    lines = [[*row, f"house {place // EACH}"] for place, row in enumerate(rows[1:])]
    csv.writer(table, lineterminator="\n").writerows([[*rows[0], "Household"], *lines])
    releases.point(story.project, table.getvalue().encode())
    with environment.kept():
        releases.enter(story, tools)
        told = releases.release()
        assert told.steps["Decide"] == "done", told.said
    return story


@pytest.fixture
def report(grouped: Story, tools: str) -> recheck.Report:
    """What the plan knows of it."""
    releases.enter(grouped, tools)
    known = releases.planned().report
    assert known is not None
    return known


def test_scores_and_metrics_know_the_groups(report: recheck.Report) -> None:
    scored = report.decision.scored
    scores = read_scores(scored.read(SCORES))
    assert scores.group_hash is not None
    sizes = np.unique(scores.group_hash, return_counts=True)[1]
    assert sizes.max() == EACH
    metrics = parse_json(scored.read(METRICS), METRICS)
    counts = metrics["confusion"]
    hits = counts["true_positive"]
    by_rows = wilson(hits, hits + counts["false_negative"], metrics["intervals"]["level"])
    low, high = metrics["intervals"]["recall"]
    assert high - low > by_rows[1] - by_rows[0]
    assert metrics["grouped_precision"]["alike"] == pytest.approx(EACH, abs=0.2)
    match = [
        rule
        for rule in parse_json(report.decision.decided.read("verdict.json"), "")["rules"]
        if rule["rule"] == "metrics_match"
    ]
    assert [rule["state"] for rule in match] == ["met"]


def test_the_page_counts_groups_too(report: recheck.Report) -> None:
    trained = report.candidate.trained
    document = parse_json(trained.read(f"{MODEL}/metrics.json"), "metrics.json")
    plain = {name: value for name, value in document.items() if name != "grouped_precision"}
    assert trained.parsed(f"{MODEL}/metrics.json", TrainedMetrics).grouped_precision
    wide, narrow = (model_quality(one).errors.missed for one in (document, plain))
    assert wide is not None
    assert narrow is not None
    assert wide.count == narrow.count
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_ledger_knows_the_holdout_by_its_groups(report: recheck.Report) -> None:
    used = holdout.use(report.candidate, "key")
    assert len(set(used.ids)) == len(used.ids)
    assert all(one.startswith("house ") for one in used.ids)


def test_a_group_that_is_taken_apart_is_found(report: recheck.Report, tmp_path: Path) -> None:
    """The edit of the drill, with all records to match, through the check before a promotion."""
    assert recheck.check(report).verdict == report.decided.verdict
    [attack] = [one for one in tampering() if one.name.startswith("rows that belong together")]
    edited = attack.edit(copied(report, tmp_path))
    with pytest.raises(Refused, match=r"the column of groups in scores\.parquet"):
        recheck.check(found(edited))


def test_power_counts_rows_of_a_group_as_one(
    grouped: Story, tools: str, capsys: pytest.CaptureFixture[str]
) -> None:
    releases.enter(grouped, tools)
    asked = Question()
    assert run_power(settings.load(), "attrition", None, asked, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["grouped_by"] == "Household"
    [whole] = [group for group in told["groups"] if group["name"] == "all"]
    rows = 0.2 * releases.ROWS * 0.47  # of the holdout, about so many are positives
    assert rows / EACH < whole["positives"] < rows / 2
    assert run_power(settings.load(), "attrition", None, asked, as_json=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Rows of one Household belong together: positives of one count as one" in said
