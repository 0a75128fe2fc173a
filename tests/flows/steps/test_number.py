"""A model of a number from its table to the commit, worked out anew before that, and what its
evidence says.
"""

import datetime
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import deliveries, environment, releases
from support.releases import Story

from flows.audit.find_release import artifact, trace
from flows.audit.verify import verify
from flows.cli.begin.init import run_update
from flows.cli.gating.power import Question, run_power
from flows.cli.releases.status import run_status
from flows.cli.releases.validate import run_validate
from flows.decision.scores_file import read_scores, write_scores
from flows.engine.request import begin
from flows.evidence.page import summary_markdown
from flows.facts.step_files import METRICS, MODEL, SCORES
from flows.monitoring.labels import add
from flows.monitoring.watch import watch
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.steps import recheck
from sluice.errors import Refused, UsageError
from sluice.gitops.evidence import read_evidence
from sluice.identity import sha256
from sluice.model.json_file import read_json
from sluice.model.number.metrics_file import NumberMetrics
from sluice.served.quantity import binned
from sluice.served.scoring import Model, load_model

ROWS = 2_400
NAME = "attrition"  # of the only model of a story


def of_number(project: Path) -> None:
    """Let the model of a story be one of deliveries."""
    folder = project / "models" / NAME
    (folder / "contract.toml").write_text(deliveries.CONTRACT, encoding="utf-8")
    (folder / "policy.toml").write_text(deliveries.POLICY, encoding="utf-8")


@pytest.fixture(scope="module")
def live(written: Story, tools: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A first release, promoted: its weights are mixed up, so that it knows little."""
    story = releases.copy(written, tmp_path_factory.mktemp("number"))
    of_number(story.project)
    releases.point(story.project, deliveries.to_csv(ROWS, telling=False))
    with environment.kept():
        releases.enter(story, tools)
        told = releases.release()
        assert told.steps["Decide"] == "done", told.said
        assert told.outcome["verdict"] == "PROMOTE", told.said
        releases.keep_image()
        again = releases.release()
        assert again.outcome["outcome"] == "promoted", again.said
    return story


@pytest.fixture
def entered(live: Story, tools: str) -> Iterator[Story]:
    releases.enter(live, tools)
    return live


@pytest.fixture
def report(entered: Story) -> recheck.Report:
    """What the plan knows of it."""
    known = releases.planned().report
    assert known is not None
    return known


def test_all_that_the_verdict_rests_on_is_worked_out_anew(report: recheck.Report) -> None:
    assert recheck.check(report).verdict == "PROMOTE"


def test_answers_that_were_changed_are_found(report: recheck.Report) -> None:
    path = report.decision.scored.folder / SCORES
    kept = path.read_bytes()
    scores = read_scores(kept)
    assert scores.candidate.shape == scores.labels.shape
    assert write_scores(scores) == kept
    moved = scores.candidate.copy()
    moved[0] += 0.01
    path.chmod(0o600)
    try:
        path.write_bytes(write_scores(replace(scores, candidate=moved)))
        with pytest.raises(Refused):
            recheck.check(report)
    finally:
        path.write_bytes(kept)


def test_the_artifact_ships_bins_and_no_threshold(report: recheck.Report) -> None:
    trained = report.candidate.trained
    policy = tomllib.loads(trained.read(f"{MODEL}/policy.toml").decode())
    assert trained.facts.threshold is None
    assert trained.facts.unit == "min"
    bins = policy["number"]["bins"]
    assert len(bins) == 9
    assert bins == sorted(bins)
    golden = json.loads(trained.read(f"{MODEL}/golden.json"))
    assert np.array(golden["scores"]).shape == (50,)
    card = trained.read(f"{MODEL}/card.md").decode()
    assert 'The output is "Minutes", a number from 0.0 min to 240.0 min' in card
    assert "| Mean absolute error |" in card


def test_evidence_and_metrics_say_how_far_answers_are_off(report: recheck.Report) -> None:
    metrics = read_json(report.decision.scored.read(METRICS), NumberMetrics, METRICS)
    assert metrics.unit == "min"
    assert set(metrics.segments["zone"]) == {"city", "rural", "suburb"}
    low, high = metrics.intervals.mae
    assert 0 < low < metrics.holdout.mae < high < metrics.holdout.naive_mae
    evidence = read_evidence(report.evidence.read("evidence.json"))
    assert evidence.metrics is None
    assert evidence.number_metrics is not None
    assert evidence.number_metrics.holdout == metrics.holdout
    page = report.evidence.read("evidence.html").decode()
    assert "<h3>Mean absolute error</h3>" in page
    assert '<th scope="row">rural</th>' in page
    assert "| Mean absolute error |" in summary_markdown(evidence)


def test_the_release_is_verified(entered: Story) -> None:
    given = settings.load()
    assert verify(given, trace(given, "live", NAME)).problems == []


def test_history_and_status_tell_its_skill(
    entered: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings.load()
    capsys.readouterr()
    run_status(given, NAME, as_json=False)
    assert "skill 0." in capsys.readouterr().out


def test_a_better_model_takes_its_place_and_a_worse_one_does_not(
    live: Story, tools: str, tmp_path: Path
) -> None:
    story = releases.copy(live, tmp_path)
    path = story.project / "models" / NAME / "policy.toml"  # most answers are to move
    path.write_text(f"{deliveries.POLICY}\n[canary]\nreplay_changed = 0.9\n", encoding="utf-8")
    releases.point(story.project, deliveries.to_csv(ROWS))
    releases.enter(story, tools)
    told = releases.release()
    assert told.outcome["verdict"] == "PROMOTE", told.said
    releases.keep_image()
    again = releases.release()
    assert again.outcome["outcome"] == "promoted", again.said
    lines = deliveries.to_csv(ROWS).decode().splitlines()
    outcomes = [line.rpartition(",")[2] for line in lines[1:]]
    mixed = np.random.default_rng(4).permutation(outcomes)
    rows = [f"{line.rpartition(',')[0]},{one}" for line, one in zip(lines[1:], mixed, strict=True)]
    releases.point(story.project, "\n".join([lines[0], *rows]).encode())
    worse = releases.release()
    assert worse.outcome["verdict"] == "REJECT", worse.said


def test_a_policy_of_another_kind_is_refused_before_anything_is_done(
    live: Story, tools: str, tmp_path: Path
) -> None:
    story = releases.copy(live, tmp_path)
    path = story.project / "models" / NAME / "policy.toml"
    path.write_text((releases.MODEL / "policy.toml").read_text(), encoding="utf-8")
    releases.enter(story, tools)
    with pytest.raises(UsageError, match="the target is a number"):
        begin(settings.load(), real_tools(), NAME)


def test_what_is_live_is_watched_by_labels_that_are_numbers(
    live: Story, tools: str, tmp_path: Path
) -> None:
    """Three weeks of answers that are off as was promised, then three times as much."""
    releases.enter(releases.copy(live, tmp_path), tools)
    given = settings.load()
    files = artifact(trace(given, "live", NAME))
    folder = tmp_path / "artifact"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    model, today = load_model(folder), datetime.datetime.now(datetime.UTC).date()
    known = write_answers(tmp_path / "log", model, [today + DAY * at for at in range(40)])
    said = ["id,outcome,known_at", *(f"{name},{one},{day}" for name, one, day in known)]
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("\n".join(said) + "\n", encoding="utf-8")
    now = datetime.datetime.now(datetime.UTC) + 90 * DAY
    assert add(given, NAME, outcomes, now).ids == len(known)
    quiet = watch(given, NAME, str(tmp_path / "log"), today + 46 * DAY)
    assert quiet.number is not None
    assert quiet.number.now is not None
    assert quiet.number.unit == "min"
    assert quiet.live.labelled == 17 * PER_DAY
    assert [found.sentence for found in quiet.findings if found.severity == "act"] == []
    assert quiet.number.now.mae == pytest.approx(quiet.number.promised.mae, rel=0.15)
    later = watch(given, NAME, str(tmp_path / "log"), today + 46 * DAY + 23 * DAY)
    assert later.verdict == "act"
    assert any("Live skill is" in found.sentence for found in later.findings)


DAY, PER_DAY = datetime.timedelta(days=1), 80


def write_answers(
    folder: Path, model: Model, days: list[datetime.date]
) -> list[tuple[str, float, datetime.date]]:
    """A log as the service writes it, and the id, outcome and day of each answer: outcomes are
    those of the rows, and from the 21st day on three times as far from the answer.
    """
    columns = deliveries.columns(PER_DAY * len(days), seed=5)
    outcomes = columns[model.contract.target.column]
    keys = [column.key for column in model.contract.features]
    records = [
        dict(zip(keys, row, strict=True))
        for row in zip(*(columns[key].tolist() for key in keys), strict=True)
    ]
    scores = model.score_records(records)
    bins, digest = binned(scores, model.bins), digest_of(folder.parent / "artifact")
    folder.mkdir()
    known = []
    for at, day in enumerate(days):
        lines = []
        for row in range(at * PER_DAY, (at + 1) * PER_DAY):
            answer, outcome = float(scores[row]), float(outcomes[row])
            if at > 20:
                outcome = float(np.clip(answer + 3 * (outcome - answer), 0.0, 240.0))
            known.append((f"d{row}", outcome, day + DAY))
            line = {
                "kind": "prediction",
                "time": f"{day}T12:00:00.000Z",
                "request": f"d{row}",
                "id": f"d{row}",
                "value": answer,
                "outside": False,
                "bin": int(bins[row]) + 1,
                "model": "deliveries:tag",
                "image": None,
                "inputs": records[row],
                "model_digest": digest,
                "contract_digest": "sha256:0",
            }
            lines.append(json.dumps(line) + "\n")
        path = folder / f"predictions-{day:%Y%m%d}-0badcafe-0.jsonl"
        path.write_text("".join(lines), encoding="utf-8")
    return known


def digest_of(folder: Path) -> str:
    """What the log calls the model of an artifact."""
    return f"sha256:{sha256((folder / 'model.onnx').read_bytes())}"


def test_its_data_have_a_page_and_a_newer_table_is_held_against_its_contract(
    entered: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings.load()
    assert run_validate(given, NAME, None, tmp_path / "docs", as_json=False) == 0
    assert "the median of Minutes" in (tmp_path / "docs" / "index.html").read_text("utf-8")
    newer = tmp_path / "newer.csv"
    newer.write_bytes(deliveries.to_csv(400).replace(b",rural,", b",island,"))
    assert run_update(given, newer, NAME, as_json=False) == 0
    assert '"island"' in capsys.readouterr().out


def test_power_tells_of_skill_and_of_the_error_in_its_unit(
    entered: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings.load()
    assert run_power(given, NAME, None, Question(), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    whole, *zones = told["groups"]
    assert (whole["name"], sum(zone["rows"] for zone in zones)) == ("all", whole["rows"])
    assert whole["at_level"] < whole["at_use"] < min(zone["at_use"] for zone in zones)
    assert run_power(given, NAME, None, Question(differences=(0.02,)), as_json=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    lower = f"a mean absolute error that is {whole['at_use'] * told['unit_error']:.4f} min lower"
    assert f"finds gains in skill of {whole['at_use']:.4f} or more, {lower} (the" in said
    assert "positives" not in said
    few = Question(rows=whole["rows"], spread=0.2)
    assert run_power(given, NAME, None, few, as_json=True) == 0
    half = json.loads(capsys.readouterr().out)
    assert half["groups"][0]["at_use"] == pytest.approx(whole["at_use"] / 2)
    assert half["unit_error"] is None


def test_power_tells_a_number_the_ways_to_its_first_release(
    entered: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings.load()
    assert run_power(given, NAME, None, Question(), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    first, rows = told["first"], told["groups"][0]["rows"]
    assert (first["rows"], first["holdout"]) == (rows, pytest.approx(0.3))
    assert first["highest"] < first["floor"] < first["clears"]
    assert run_power(given, NAME, None, Question(rows=10 * rows), as_json=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"With {10 * rows:,} rows, a first release with a true skill of 0." in said
    assert "The holdout has" not in said
    few = Question(rows=10 * rows)
    assert run_power(given, NAME, None, few, as_json=True) == 0
    more = json.loads(capsys.readouterr().out)["first"]
    assert more["clears"] < first["clears"]


@pytest.mark.parametrize(
    ("question", "what"),
    [
        (Question(positives=70), "--positives is 70 and the target is a number"),
        (Question(discordant=0.2), "--discordant is 0.2 and the target is a number"),
        (Question(differences=(1.5,)), "--difference is 1.5; a gain in skill above 0 and up to 1"),
        (Question(spread=0.0), "--spread is 0; a number above 0 is required"),
        (Question(spread=float("nan")), "--spread is nan; a number above 0 is required"),
        (Question(rows=0), "--rows is 0; at least 1 is required"),
    ],
)
def test_what_power_cannot_be_asked_of_a_number(
    entered: Story, question: Question, what: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(what)):
        run_power(settings.load(), NAME, None, question, as_json=False)
