"""The split by time, from the table to the verdict: the holdout moves on with newer rows, and a
champion is judged on rows that are later than all it was made with.
"""

import csv
import datetime
import io
import re
from pathlib import Path

import numpy as np
import pytest
from support import environment, releases
from support.releases import Story

from flows.cli.releases.validate import run_validate
from flows.decision.case_file import CaseFile
from flows.decision.scores_file import read_scores
from flows.engine.request import begin
from flows.facts.step_files import CASE, HOLDOUT_ROWS, MODEL, SCORES, TRAIN_ROWS
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.steps import recheck
from models.attrition import sample
from sluice.errors import UsageError
from sluice.model.data.table import from_parquet
from sluice.model.data.times import TIME
from sluice.model.json_file import read_json
from sluice.model.quality.metrics_file import TrainedMetrics

FIRST = datetime.date(2025, 1, 1)
A_DAY = 12  # rows of one day
ROWS = 2_400


def dated(rows: int) -> bytes:
    """A table in which each dozen of rows is of one day, in an order by lot."""
    lines = list(csv.reader(io.StringIO(sample.to_csv(sample.generate(rows)).decode())))
    days = [(FIRST + datetime.timedelta(place // A_DAY)).isoformat() for place in range(rows)]
    body = [[*line, day] for line, day in zip(lines[1:], days, strict=True)]
    order = np.random.default_rng(1).permutation(rows)
    table = io.StringIO()
    chosen = [[*lines[0], "Seen on"], *(body[place] for place in order)]
    csv.writer(table, lineterminator="\n").writerows(chosen)
    return table.getvalue().encode()


def by_time(story: Story) -> None:
    """Let contract and policy say that the newest rows decide."""
    contract = story.project / "models" / "attrition" / "contract.toml"
    text = re.sub(r"^row = ", 'as_of = "Seen on"\nrow = ', contract.read_text(), flags=re.M)
    contract.write_text(f'{text}\n[columns."Seen on"]\nrole = "ignored"\n', encoding="utf-8")
    # Fewer rows are flagged than all, and floors that a few hundred rows can clear.
    releases.change_policy(
        story.project,
        split={"by": "time", "train": 0.4, "validation": 0.2},
        operating_point={"precision_slack": 0.1},
        gate={"precision_floor": 0.5, "recall_floor": 0.3},
    )


@pytest.fixture(scope="module")
def live(written: Story, tools: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A first release by time, promoted."""
    story = releases.copy(written, tmp_path_factory.mktemp("newest"))
    by_time(story)
    releases.point(story.project, dated(ROWS))
    with environment.kept():
        releases.enter(story, tools)
        told = releases.release()
        assert told.steps["Decide"] == "done", told.said
        releases.keep_image()
        again = releases.release()
        assert again.outcome["outcome"] == "promoted", again.said
    return story


@pytest.fixture
def report(live: Story, tools: str) -> recheck.Report:
    """What the plan knows of it."""
    releases.enter(live, tools)
    known = releases.planned().report
    assert known is not None
    return known


def test_the_newest_rows_decide_and_all_is_worked_out_anew(report: recheck.Report) -> None:
    candidate = report.candidate
    held = from_parquet(candidate.split.read(HOLDOUT_ROWS))[TIME]
    learnt = from_parquet(candidate.split.read(TRAIN_ROWS))[TIME]
    assert learnt.max() < held.min()
    assert len(np.unique(held)) == len(held) / A_DAY
    metrics = candidate.trained.parsed(f"{MODEL}/metrics.json", TrainedMetrics)
    day = held.min() - np.timedelta64(1, "D")
    assert metrics.made_until == str(day)
    assert recheck.check(report).verdict == report.decided.verdict


def test_newer_rows_move_the_holdout_on_and_the_champion_has_seen_none_of_them(
    live: Story, tools: str, tmp_path: Path
) -> None:
    story = releases.copy(live, tmp_path)
    releases.point(story.project, dated(ROWS + 600))
    releases.enter(story, tools)
    told = releases.release()
    assert told.steps["Decide"] in ("done", "refused"), told.said
    folders = sorted(
        (story.home / "store" / "score").iterdir(), key=lambda one: one.stat().st_mtime
    )
    case = read_json((folders[-1] / CASE).read_bytes(), CaseFile, CASE)
    scores = read_scores((folders[-1] / SCORES).read_bytes())
    assert case.champion is not None
    assert case.facts.left_out == 0
    assert len(scores.labels) == pytest.approx(0.4 * (ROWS + 600), abs=A_DAY)
    assert scores.champion is not None
    assert np.isfinite(scores.champion).all()
    assert "sluice extend" not in told.said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS - 300, "The split changed: 180 rows that a compared model has seen are left out"),
        (ROWS - 1_200, "480 rows of the holdout were seen by a model that it is compared with"),
    ],
)
def test_rows_that_the_champion_may_have_seen_are_left_out(
    rows: int, said: str, live: Story, tools: str, tmp_path: Path
) -> None:
    """The table lost its newest rows: its holdout is what the champion learnt from."""
    story = releases.copy(live, tmp_path)
    few = {"minimum_rows": 500}
    releases.change_policy(story.project, gate={"least_positives": 800}, data=few)
    releases.point(story.project, dated(rows))
    releases.enter(story, tools)
    told = releases.release()
    assert told.outcome["outcome"] in ("hold", "refused")
    assert said in told.outcome["sentence"]


def test_a_policy_by_time_needs_a_column_of_times(
    unreleased: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    releases.change_policy(unreleased.project, split={"by": "time"})
    with pytest.raises(UsageError) as wrong:
        begin(settings.load(), real_tools(), "attrition")
    assert str(wrong.value) == (
        '[split] by is "time", and models/attrition/contract.toml names no column of times\n'
        '  Write as_of = "NAME OF THE COLUMN" above its tables.'
    )


def test_a_row_without_a_time_is_found_before_anything_is_split(
    unreleased: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    by_time(unreleased)
    releases.point(unreleased.project, dated(ROWS).replace(b"2025-01-03", b"", 1))
    code = run_validate(settings.load(), "attrition", None, None, as_json=False)
    assert code == 3
    assert "Seen on" in capsys.readouterr().out
