"""A model of several classes from its table to the commit, worked out anew before that, and what
its evidence says.
"""

import datetime
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import environment, parcels, releases
from support.releases import Story

from flows.audit.find_release import artifact, trace
from flows.audit.verify import verify
from flows.cli.gating.power import Question, run_power
from flows.cli.live.labels import run_add
from flows.cli.live.monitor import Wanted as Watch
from flows.cli.live.monitor import run_monitor
from flows.cli.live.replay import Wanted, run_replay
from flows.cli.releases.validate import run_validate
from flows.decision.scores_file import read_scores, write_scores
from flows.engine.request import begin
from flows.evidence.page import summary_markdown
from flows.facts.replayed import Forecast
from flows.facts.step_files import FORECAST, METRICS, MODEL, SCORES
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.steps import recheck
from sluice.errors import Refused, UsageError
from sluice.gitops.evidence import read_evidence
from sluice.identity import sha256
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.data.table import read_table, typed
from sluice.model.json_file import read_json
from sluice.served.scoring import load_model

ROWS = 2_400
NAME = "attrition"  # of the only model of a story


def of_classes(project: Path) -> None:
    """Let the model of a story be one of parcels."""
    folder = project / "models" / NAME
    (folder / "contract.toml").write_text(parcels.CONTRACT, encoding="utf-8")
    (folder / "policy.toml").write_text(parcels.POLICY, encoding="utf-8")


@pytest.fixture(scope="module")
def live(written: Story, tools: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A first release, promoted: its distances are mixed up, so that it knows little."""
    story = releases.copy(written, tmp_path_factory.mktemp("classes"))
    of_classes(story.project)
    releases.point(story.project, parcels.to_csv(ROWS, telling=False))
    with environment.kept():
        releases.enter(story, tools)
        told = releases.release()
        assert told.steps["Decide"] == "done", told.said
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


def test_probabilities_that_were_changed_are_found(report: recheck.Report) -> None:
    path = report.decision.scored.folder / SCORES
    kept = path.read_bytes()
    scores = read_scores(kept)
    assert scores.candidate.shape == (len(scores.labels), 3)
    assert write_scores(scores) == kept
    scores.candidate[0] = scores.candidate[0][[1, 2, 0]]
    path.chmod(0o600)
    try:
        path.write_bytes(write_scores(scores))
        with pytest.raises(Refused):
            recheck.check(report)
    finally:
        path.write_bytes(kept)


def test_the_artifact_ships_weights_and_no_threshold(report: recheck.Report) -> None:
    trained = report.candidate.trained
    policy = tomllib.loads(trained.read(f"{MODEL}/policy.toml").decode())
    assert trained.facts.threshold is None
    assert policy["classes"]["weights"] == {"damaged": 3.0}
    assert "operating_point" not in policy
    golden = json.loads(trained.read(f"{MODEL}/golden.json"))
    assert np.array(golden["scores"]).shape == (50, 3)
    card = trained.read(f"{MODEL}/card.md").decode()
    assert "the one with the largest product" in card


def test_evidence_and_metrics_name_every_class(report: recheck.Report) -> None:
    metrics = read_json(report.decision.scored.read(METRICS), ClassMetrics, METRICS)
    assert tuple(metrics.classes) == parcels.CLASSES
    evidence = read_evidence(report.evidence.read("evidence.json"))
    assert evidence.metrics is None
    assert evidence.class_metrics is not None
    assert evidence.class_metrics.holdout == metrics.holdout
    page = report.evidence.read("evidence.html").decode()
    for name in parcels.CLASSES:
        assert f'<th scope="row">{name}</th>' in page
        assert f"| {name} |" in summary_markdown(evidence)


def test_the_release_is_verified(entered: Story) -> None:
    given = settings.load()
    assert verify(given, trace(given, "live", NAME)).problems == []


def test_a_better_model_takes_its_place_and_a_worse_one_does_not(
    live: Story, tools: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = releases.copy(live, tmp_path)
    allow(story.project, 0.9)
    releases.point(story.project, parcels.to_csv(ROWS))
    releases.enter(story, tools)
    told = releases.release()
    assert told.outcome["verdict"] == "PROMOTE", told.said
    replayed_beside_the_champion(capsys)
    releases.keep_image()
    assert releases.release().outcome["outcome"] == "promoted"
    shuffled = parcels.to_csv(ROWS).decode().splitlines()
    outcomes = [line.rpartition(",")[2] for line in shuffled[1:]]
    mixed = np.random.default_rng(4).permutation(outcomes)
    rows = [
        f"{line.rpartition(',')[0]},{one}" for line, one in zip(shuffled[1:], mixed, strict=True)
    ]
    releases.point(story.project, "\n".join([shuffled[0], *rows]).encode())
    worse = releases.release()
    assert worse.outcome["verdict"] == "REJECT", worse.said


def allow(project: Path, changed: float) -> None:
    """Let so large a share of the rows be answered with another class."""
    path = project / "models" / NAME / "policy.toml"
    path.write_text(f"{parcels.POLICY}\n[canary]\nreplay_changed = {changed}\n", encoding="utf-8")


def replayed_beside_the_champion(capsys: pytest.CaptureFixture[str]) -> None:
    """What step, page and command say of the candidate that was trained last."""
    known = releases.planned().report
    assert known is not None
    forecast = known.decision.replayed.parsed(FORECAST, Forecast)
    found = forecast.found
    assert (forecast.origin, found.within) == ("holdout", True)
    assert tuple(found.said_candidate.tiers) == parcels.CLASSES
    assert sum(sum(row.values()) for row in found.tiers.values()) == found.rows
    changes = {name: change.change for name, change in found.expected.tiers.items()}
    assert sum(changes.values()) == pytest.approx(0, abs=1e-5)
    assert max(changes.values()) > 0.02
    page = known.evidence.read("evidence.html").decode()
    assert "have the same class" in page
    assert "flagged" not in page.partition("The canary to come")[2].partition("</section>")[0]
    capsys.readouterr()
    assert run_replay(settings.load(), NAME, Wanted(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "Classes: live down, candidate across" in out
    assert "Probability of each class" in out
    assert "flag" not in out.replace("--flag", "")


def test_a_candidate_that_answers_too_many_rows_otherwise_is_refused(
    live: Story, tools: str, tmp_path: Path
) -> None:
    story = releases.copy(live, tmp_path)
    allow(story.project, 0.01)
    releases.point(story.project, parcels.to_csv(ROWS))
    releases.enter(story, tools)
    told = releases.release()
    assert told.outcome["outcome"] == "refused", told.said
    assert "share of rows whose class changes is" in told.said
    assert "at most 1.0 % is required" in told.said


def test_a_policy_of_another_kind_is_refused_before_anything_is_done(
    live: Story, tools: str, tmp_path: Path
) -> None:
    story = releases.copy(live, tmp_path)
    path = story.project / "models" / NAME / "policy.toml"
    path.write_text(parcels.POLICY.replace('"on time" = 0.3', '"lost" = 0.3'), encoding="utf-8")
    releases.enter(story, tools)
    with pytest.raises(UsageError, match="names 'lost'"):
        begin(settings.load(), real_tools(), NAME)


def test_its_data_have_a_page(
    entered: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings.load()
    assert run_validate(given, NAME, None, tmp_path / "docs", as_json=False) == 0
    assert "<small>Most frequent</small>" in (tmp_path / "docs" / "index.html").read_text("utf-8")
    assert "Not yet" not in capsys.readouterr().err


def logged(folder: Path, files: dict[str, bytes], first: datetime.date, days: int) -> list[str]:
    """Write a log of answers, 60 a day, as the service has it, and return a label for each; the
    outcomes are those of rows that the model never saw.
    """
    artifact_folder = folder / "artifact"
    artifact_folder.mkdir(parents=True)
    for name, content in files.items():
        (artifact_folder / name).write_bytes(content)
    model = load_model(artifact_folder)
    table = read_table(parcels.to_csv(60 * days, seed=9), model.contract, "rows")
    columns = typed(table, model.contract)
    features = [(column.key, column.kind == "integer") for column in model.contract.features]
    rows = {key: columns[key].tolist() for key, _ in features}
    places = columns[model.contract.target.column]
    (folder / "log").mkdir()
    labels = ["id,outcome,known_at"]
    for at in range(days):
        day, lines = first + datetime.timedelta(days=at), []
        for row in range(60 * at, 60 * at + 60):
            inputs = {
                key: int(rows[key][row]) if whole else rows[key][row] for key, whole in features
            }
            [scores] = model.score_records([inputs])
            [place] = model.answers(np.array([scores]))
            line = {
                "kind": "prediction",
                "time": f"{day}T12:00:00.000Z",
                "request": f"r{row}",
                "id": f"a{row}",
                "probability": float(scores[place]),
                "prediction": parcels.CLASSES[place],
                "probabilities": dict(zip(parcels.CLASSES, map(float, scores), strict=True)),
                "model": NAME,
                "image": None,
                "inputs": inputs,
                "model_digest": f"sha256:{sha256(files['model.onnx'])}",
            }
            lines.append(json.dumps(line) + "\n")
            known = day + datetime.timedelta(days=2)
            labels.append(f"a{row},{parcels.CLASSES[int(places[row])]},{known}")
        (folder / "log" / f"predictions-{day:%Y%m%d}-0badcafe-0.jsonl").write_text("".join(lines))
    return labels


def test_what_is_live_is_watched_class_by_class(
    live: Story, tools: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = releases.copy(live, tmp_path / "story")
    releases.enter(story, tools)
    given = settings.load()
    files = artifact(trace(given, "live", NAME))
    today = datetime.datetime.now(datetime.UTC).date()
    labels = logged(tmp_path, files, today, 20)
    now = datetime.datetime.combine(
        today + datetime.timedelta(days=60), datetime.time(12), datetime.UTC
    )
    (tmp_path / "labels.csv").write_text("\n".join(labels) + "\n", encoding="utf-8")
    assert run_add(given, NAME, tmp_path / "labels.csv", now, as_json=False) == 0
    capsys.readouterr()
    wanted = Watch(str(tmp_path / "log"), tmp_path / "page.html", tmp_path / "metrics.prom")
    run_monitor(given, NAME, now, wanted, nobody, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["live"]["labelled"]) == (1_200, 1_200)
    assert [one["name"] for one in report["classes"]] == list(parcels.CLASSES)
    recalls = [one["recall"] for one in report["classes"]]
    assert report["live"]["recall"] == pytest.approx(float(np.mean(recalls)))
    evidence = trace(given, "live", NAME).evidence
    assert evidence is not None
    assert evidence.class_metrics is not None
    assert report["promised"]["recall"] == evidence.class_metrics.holdout.recall
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "mean recall" in page
    assert "rows with a label" in page
    assert "positives" not in page
    metrics = (tmp_path / "metrics.prom").read_text(encoding="utf-8")
    assert f'sluice_monitor_class_recall{{model="{NAME}",class="late"}}' in metrics
    assert "flagged_share" not in metrics
    run_monitor(given, NAME, now, Watch(str(tmp_path / "log")), nobody, as_json=False)
    said = capsys.readouterr().out
    assert '"damaged": recall ' in said
    assert "mean recall" in said


def nobody() -> tuple[str, str]:
    raise AssertionError("a candidate was released, and nobody asked for one")


def test_power_tells_of_the_mean_and_of_each_class(
    entered: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    given, usual = settings.load(), Question()
    assert run_power(given, NAME, None, usual, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["classes"]] == list(parcels.CLASSES)
    assert sum(one["rows"] for one in told["classes"]) == told["rows"]
    assert told["at_level"] < told["at_use"]
    assert run_power(given, NAME, None, usual, as_json=False) == 0
    out = capsys.readouterr().out
    assert "mean recall" in out
    assert "positives" not in out
    with pytest.raises(UsageError, match="--positives is 70 and the target has 3 classes"):
        run_power(given, NAME, None, Question(positives=70), as_json=False)
