"""What is told of a model of a number where the policy holds figures back: with `told = "promoted"`
the figures of the whole of what goes live, with `told = "words"` none; of a group never.
"""

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import deliveries, environment, releases
from support.releases import Story

from flows.adapters.git import git
from flows.audit.find_release import trace
from flows.audit.verify import verify
from flows.decision import told as door
from flows.engine.phases import Report
from flows.evidence.page import summary_markdown
from flows.monitoring.watch import look
from flows.project import settings
from flows.steps import recheck
from sluice.errors import SluiceError
from sluice.gitops.evidence import Evidence, read_evidence
from sluice.model.number.metrics_file import NumberMetrics
from sluice.monitor.numbers import NumberPromise

ROWS = 2_400
NAME = "attrition"  # of the only model of a story
LEVELS = ("promoted", "words")


def promoted(story: Story, level: str, tools: str) -> None:
    """A first release of deliveries, promoted; the policy tells this much."""
    folder = story.project / "models" / NAME
    policy = deliveries.POLICY.replace("[gate]\n", f'[gate]\ntold = "{level}"\n')
    (folder / "contract.toml").write_text(deliveries.CONTRACT, encoding="utf-8")
    (folder / "policy.toml").write_text(policy, encoding="utf-8")
    releases.point(story.project, deliveries.to_csv(ROWS))
    with environment.kept():
        releases.enter(story, tools)
        told = releases.release()
        assert told.steps["Decide"] == "done", told.said
        assert told.outcome["verdict"] == "PROMOTE", told.said
        releases.keep_image()
        assert releases.release().outcome["outcome"] == "promoted"


@pytest.fixture(scope="module")
def stories(
    written: Story, tools: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Story]:
    """One of each level."""
    made = {}
    for level in LEVELS:
        made[level] = releases.copy(written, tmp_path_factory.mktemp(level))
        promoted(made[level], level, tools)
    return made


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def live(stories: dict[str, Story], level: str, tools: str) -> Iterator[Story]:
    releases.enter(stories[level], tools)
    return stories[level]


@pytest.fixture
def report(live: Story) -> Report:
    known = releases.planned().report
    assert known is not None
    return known


@pytest.fixture
def evidence(report: Report) -> Evidence:
    return read_evidence(report.evidence.read("evidence.json"))


def figures(metrics: NumberMetrics) -> set[str]:
    """The figures of groups, as a file has them."""
    found = [one for groups in metrics.segments.values() for one in groups.values()]
    return {repr(figure) for one in found for figure in (one.mae, one.bias)}


def left(live: Story) -> str:
    """All that a release laid out for people or committed."""
    folder = settings.load().home / "evidence" / NAME
    files = [path for path in folder.rglob("*") if path.suffix in (".json", ".html", ".md")]
    state = git.git("show", "main:state/attrition/champion.json", cwd=live.home / "manifests.git")
    return "".join(path.read_text(encoding="utf-8") for path in files) + state


def test_what_is_live_is_sound(report: Report) -> None:
    assert recheck.check(report).verdict == "PROMOTE"
    given = settings.load()
    assert verify(given, trace(given, "live", NAME)).problems == []


def test_no_group_of_the_holdout_is_told(live: Story, report: Report, evidence: Evidence) -> None:
    beside = evidence.number_validation
    assert beside is not None
    hidden = figures(report.decision.number_metrics) - figures(beside)
    assert len(hidden) > 3
    assert not [figure for figure in hidden if figure in left(live)]
    assert "of validation, which decide nothing" in left(live)


def test_the_whole_is_told_where_the_level_says_so(
    level: str, live: Story, report: Report, evidence: Evidence
) -> None:
    measured = report.decision.number_metrics.holdout
    told = door.of(report.decision)
    shown = evidence.number_metrics
    if level == "words":
        assert shown is None
        assert told.line == "PROMOTE"
        assert repr(measured.mae) not in left(live)
        assert "| Metric | Validation | Interval |" in summary_markdown(evidence)
        return
    assert shown is not None
    assert shown.holdout == measured
    assert shown.segments == {}
    assert f"skill {measured.skill:.4f} [" in told.line
    assert "tells figures of the whole holdout" in report.decided.sentence
    assert "| Metric | Holdout | Interval | Validation |" in summary_markdown(evidence)


def test_what_is_live_is_watched_where_figures_were_promised(
    level: str, live: Story, tmp_path: Path
) -> None:
    given, log = settings.load(), tmp_path / "log"
    log.mkdir()
    today = datetime.datetime.now(datetime.UTC).date()
    if level == "words":
        with pytest.raises(SluiceError, match="tells no figure") as caught:
            look(given, NAME, str(log), today)
        assert 'told = "promoted"' in caught.value.fix
        return
    promise = look(given, NAME, str(log), today).watched.promise
    assert isinstance(promise, NumberPromise)
    assert promise.groups


def test_of_one_that_is_refused_nothing_is_told(live: Story, tools: str, tmp_path: Path) -> None:
    story = releases.copy(live, tmp_path)
    header, *lines = deliveries.to_csv(ROWS).decode().splitlines()
    outcomes = np.random.default_rng(4).permutation([line.rpartition(",")[2] for line in lines])
    rows = [f"{line.rpartition(',')[0]},{one}" for line, one in zip(lines, outcomes, strict=True)]
    releases.point(story.project, "\n".join([header, *rows]).encode())
    releases.enter(story, tools)
    told = releases.release()
    assert told.outcome["verdict"] == "NOT PROMOTED", told.said
    report = releases.planned().report
    assert report is not None
    measured = report.decision.number_metrics.holdout
    shown = read_evidence(report.evidence.read("evidence.json"))
    assert shown.number_metrics is None
    assert shown.number_validation == report.decision.number_validation
    for figure in (measured.mae, measured.skill, measured.bias):
        assert repr(figure) not in told.said + left(story)
