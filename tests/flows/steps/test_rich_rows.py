"""Rows with missing numbers, dates, towns and weights, from the table to the verdict and back: what
is worked out anew before a promotion is what was worked out.
"""

import csv
import io

import numpy as np
import pytest
from support import environment, releases
from support.releases import Story

from flows.facts.step_files import METRICS, MODEL, TRAIN_ROWS
from flows.steps import recheck
from sluice.model.artifact.model_artifact import check_golden
from sluice.model.data.table import from_parquet
from sluice.model.json_file import parse_json
from sluice.model.quality.metrics_file import TrainedMetrics
from sluice.served.days import written as day_written

MORE = """
[columns."Weight"]
role = "weight"
kind = "number"
minimum = 0
maximum = 10

[columns."Seen"]
role = "feature"
kind = "date"
minimum = 2015-01-01
maximum = 2030-12-31
missing = "keep"

[columns."Paid"]
role = "feature"
kind = "number"
minimum = 0
maximum = 100
missing = "keep"

[columns."Town"]
role = "feature"
kind = "category"
values = [{towns}, "other"]
other = "other"
encoding = "target"
minimum_count = 5

[derived.seen_month]
expression = "month(seen)"

[derived.unseen]
expression = "is_missing(seen)"
"""
"""What is added to the contract of the repository."""


def cells(place: int) -> list[str]:
    """The cells that a row has more."""
    seen = "" if place % 5 == 0 else day_written(17_000 + place % 3_000)
    paid = "" if place % 7 == 0 else f"{place % 100}.5"
    return [f"{1 + place % 3}", seen, paid if place % 100 < 99 else "1", f"town {place % 70}"]


@pytest.fixture(scope="module")
def rich(written: Story, tools: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A release of a table with all of it."""
    story = releases.copy(written, tmp_path_factory.mktemp("rich"))
    contract = story.project / "models" / "attrition" / "contract.toml"
    towns = ", ".join(f'"town {number}"' for number in range(60))
    head, tail = contract.read_text(encoding="utf-8"), MORE.format(towns=towns)
    contract.write_text(f"{head}\n{tail}", encoding="utf-8")
    rows = list(csv.reader(io.StringIO(story.rows.read_text(encoding="utf-8"))))
    table = io.StringIO()
    lines = [[*row, *cells(place)] for place, row in enumerate(rows[1:])]
    names = ["Weight", "Seen", "Paid", "Town"]
    csv.writer(table, lineterminator="\n").writerows([[*rows[0], *names], *lines])
    releases.point(story.project, table.getvalue().encode())
    with environment.kept():
        releases.enter(story, tools)
        told = releases.release()
        assert told.steps["Decide"] == "done", told.said
    return story


@pytest.fixture
def report(rich: Story, tools: str) -> recheck.Report:
    """What the plan knows of it."""
    releases.enter(rich, tools)
    known = releases.planned().report
    assert known is not None
    return known


def test_it_is_the_same_when_it_is_worked_out_anew(report: recheck.Report) -> None:
    assert recheck.check(report).verdict == report.decided.verdict


def test_the_weights_are_with_the_rows_that_teach_and_said_of_all_metrics(
    report: recheck.Report,
) -> None:
    columns = from_parquet(report.candidate.split.read(TRAIN_ROWS))
    assert set(np.unique(columns["weight"])) == {1.0, 2.0, 3.0}
    trained = report.candidate.trained.parsed(f"{MODEL}/metrics.json", TrainedMetrics)
    assert trained.weighted_by == "Weight"
    metrics = parse_json(report.decision.scored.read(METRICS), METRICS)
    assert metrics["weighted_by"] == "Weight"
    counts = metrics["confusion"]
    assert sum(counts.values()) == metrics["rows"]["holdout"]
    card = report.candidate.trained.read(f"{MODEL}/card.md").decode()
    assert "every metric counts each row once" in card


def test_the_artifact_answers_its_golden_records(report: recheck.Report) -> None:
    assert check_golden(report.candidate.trained.folder / MODEL) <= 1e-6
