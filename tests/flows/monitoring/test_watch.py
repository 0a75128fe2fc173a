"""What is live is looked at on a real release: a quiet world, months for years, labels that come
late, and outcomes that no longer follow the columns.
"""

import datetime
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import environment, releases
from support.prediction_logs import in_months, label_csv, poorer, write_days
from support.releases import Story, Told

from flows.adapters.git import git
from flows.audit.find_release import artifact, trace
from flows.cli.live.labels import run_add
from flows.cli.live.monitor import Wanted, run_monitor
from flows.gitops.ledger import LEDGER
from flows.monitoring.triggers import path
from flows.project import settings
from sluice.errors import UsageError
from sluice.identity import sha256
from sluice.served.scoring import Model, load_model

DAYS = 30
MATURITY = 30  # days, of the policy that ships


@dataclass(frozen=True)
class Live:
    """What is live in a story: its model, the digest that its log names, and the day after the
    release.
    """

    story: Story
    model: Model
    digest: str
    begins: datetime.date

    @property
    def days(self) -> list[datetime.date]:
        return [self.begins + datetime.timedelta(days=at) for at in range(DAYS)]


@pytest.fixture(scope="module")
def released(
    promoted: tuple[Story, Told], tmp_path_factory: pytest.TempPathFactory, tools: str
) -> Live:
    with environment.kept():
        releases.enter(promoted[0], tools)
        files = artifact(trace(settings.load(), "live", "attrition"))
    folder = tmp_path_factory.mktemp("artifact")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    today = datetime.datetime.now(datetime.UTC).date()
    return Live(promoted[0], load_model(folder), f"sha256:{sha256(files['model.onnx'])}", today)


@pytest.fixture
def live(released: Live, tools: str, tmp_path: Path) -> Live:
    own = releases.copy(released.story, tmp_path)
    releases.enter(own, tools)
    return Live(own, released.model, released.digest, released.begins)


def looked(
    live: Live,
    log: Path,
    capsys: pytest.CaptureFixture[str],
    after: int = DAYS - 1,
    **given: Any,
) -> tuple[int, dict[str, Any]]:
    """Exit code and report so many days after the first."""
    now = noon(live.begins + datetime.timedelta(days=after))
    wanted = Wanted(str(log), **given)
    code = run_monitor(settings.load(), "attrition", now, wanted, nobody, as_json=True)
    return code, json.loads(capsys.readouterr().out)


def noon(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(12), datetime.UTC)


def nobody() -> tuple[str, str]:
    raise AssertionError("a candidate was released, and nobody asked for one")


def test_a_quiet_month_is_fine(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_days(tmp_path / "log", live.model, live.digest, live.days, 60)
    code, report = looked(live, tmp_path / "log", capsys)
    assert (code, report["verdict"], report["findings"]) == (0, "fine", [])
    assert report["rows"] == 60 * DAYS
    assert report["live"]["recall"] is None  # nothing has matured


def test_months_for_years_are_named_on_the_first_day(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = live.days[:2]
    write_days(tmp_path / "log", live.model, live.digest, first[:1], 400)
    write_days(tmp_path / "log", live.model, live.digest, first[1:], 1_500, change=in_months)
    code, report = looked(live, tmp_path / "log", capsys, after=1)
    assert (code, report["verdict"]) == (3, "act")
    said = [finding["sentence"] for finding in report["findings"] if finding["severity"] == "act"]
    assert said == [
        f"Years at Company comes in another unit since {first[1]}, not in years: its values are 12"
        " times what they were (months for years)."
    ]


def test_outcomes_that_no_longer_follow_are_found_from_labels_that_matured(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = write_days(tmp_path / "log", live.model, live.digest, live.days, 120)
    turned = [
        (name, (place % 3 > 0) ^ outcome, day) for place, (name, outcome, day) in enumerate(known)
    ]
    table = label_csv(tmp_path / "labels.csv", turned, days=20)
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=80)
    assert run_add(settings.load(), "attrition", table, now, as_json=False) == 0
    assert capsys.readouterr().out == "Kept: 3,600 labels, 3,600 answers labelled.\n"
    _, early = looked(live, tmp_path / "log", capsys)
    assert early["live"]["labelled"] == 120 * (DAYS - MATURITY)
    code, report = looked(live, tmp_path / "log", capsys, after=DAYS + MATURITY)
    assert report["live"]["labelled"] == 3_600
    assert (code, report["verdict"]) == (3, "act")
    concept = [found for found in report["findings"] if found["kind"] == "concept"]
    assert any("Live recall is" in found["sentence"] for found in concept)
    assert all("revisit the features" in found["response"] for found in concept[:1])


def test_days_are_known_when_their_rows_are_gone(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    write_days(log, live.model, live.digest, live.days[:3], 60)
    _, before = looked(live, log, capsys, after=2)
    for file in log.iterdir():
        file.unlink()
    _, after = looked(live, log, capsys, after=2)
    assert after == before
    kept = [path for path in (live.story.home / "monitor").rglob("*") if path.is_file()]
    assert len(kept) == 3
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_answers_of_other_models_and_broken_lines_are_passed_over(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    write_days(log, live.model, "sha256:other", live.days[:1], 60)
    write_days(log, live.model, live.digest, live.days[1:2], 60)
    last = sorted(log.iterdir())[-1]
    last.write_text("{no line\n" + last.read_text() + '{"kind": "predic', encoding="utf-8")
    _, report = looked(live, log, capsys, after=1)
    assert report["rows"] == 60
    assert "1 lines of the log cannot be read." in report["notes"]


def test_a_silent_log_is_found(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_days(tmp_path / "log", live.model, live.digest, live.days[:1], 60)
    assert looked(live, tmp_path / "log", capsys, after=7)[0] == 0
    code, report = looked(live, tmp_path / "log", capsys, after=8)
    assert code == 3
    assert report["sentence"] == (
        "The newest answer in the log is 8 days old; at most 7 are required."
    )


def test_a_person_reads_verdict_and_findings(
    live: Live,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# Before\n\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    write_days(tmp_path / "log", live.model, live.digest, live.days[:1], 60)
    page = tmp_path / "monitor.html"
    metrics = tmp_path / "sluice.prom"
    wanted = Wanted(str(tmp_path / "log"), page, metrics)
    now = noon(live.days[0])
    code = run_monitor(settings.load(), "attrition", now, wanted, nobody, as_json=False)
    said = capsys.readouterr().out
    assert code == 0
    assert "FINE: release 1 of attrition." in said
    assert "at most 5 %, however often it is looked at" in said.replace("\n", " ")
    assert "FINE" in page.read_text(encoding="utf-8")
    shown = summary.read_text(encoding="utf-8")
    assert shown.startswith("# Before\n\n# FINE: release 1 of attrition\n")
    assert "- **Pictures**: in monitor.html, which this run keeps\n" in shown
    assert 'sluice_monitor_verdict{model="attrition"} 0' in metrics.read_text(encoding="utf-8")
    assert metrics.stat().st_mode & 0o777 == 0o644


def test_evidently_shows_the_last_week_from_counts_alone(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows are gone by then: what is kept of the days is enough."""
    log, page = tmp_path / "log", tmp_path / "drift.html"
    write_days(log, live.model, live.digest, live.days[:9], 60)
    looked(live, log, capsys, after=8)
    for file in log.iterdir():
        file.unlink()
    assert looked(live, log, capsys, after=8, drift=page)[0] == 0
    text = page.read_text(encoding="utf-8")
    when = f"{live.days[2]} to {live.days[8]} beside the training data, from counts"
    assert f"<title>Employee attrition: {when}</title>" in text
    assert "Monthly Income" in text
    assert len(text) < 5_000_000
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?(?:https?:)?//", text)
    assert "evidence.html" not in text
    shutil.rmtree(live.story.home / "monitor")
    with pytest.raises(UsageError, match="no day has a row"):
        looked(live, log, capsys, after=8, drift=page)


def test_a_drift_is_a_reason_that_is_noted_once_and_waits_for_its_window(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    write_days(log, live.model, live.digest, live.days[1:6], 200, change=poorer)
    _, dry = looked(live, log, capsys, after=5, dry_run=True)
    assert not dry["candidate"]["due"]
    assert dry["candidate"]["brakes"][0].startswith("The first reason is 0 days old; 3 are")
    with git.clone(settings.load().remote, LEDGER) as repo:
        assert git.file(repo, path("attrition")) is None
        before = repo.tip
    for _ in range(2):
        looked(live, log, capsys, after=5, record=True)
    with git.clone(settings.load().remote, LEDGER) as repo:
        noted = json.loads(git.file(repo, path("attrition")) or b"")
        assert repo.tip != before
    assert [(found["kind"], found["day"]) for found in noted["reasons"]] == [
        ("drift", live.days[5].isoformat())
    ]
    assert "Monthly Income has drifted" in noted["reasons"][0]["sentence"]
    write_days(log, live.model, live.digest, live.days[6:9], 200, change=poorer)
    _, later = looked(live, log, capsys, after=8, dry_run=True)
    assert later["candidate"]["due"]


def test_a_breaker_that_is_closed_is_not_closed_again(live: Live) -> None:
    wanted = Wanted("", close="the export is right again")
    with pytest.raises(UsageError, match="the breaker is closed already"):
        run_monitor(settings.load(), "attrition", noon(live.days[0]), wanted, nobody, as_json=False)
