"""What is told with `told = "promoted"` of a model of several classes: the mean recall of what goes
live, and nothing else of the holdout; beside it what validation says, class by class.
"""

import datetime
import json
from pathlib import Path

import numpy as np
import pytest
from support import environment, parcels, releases
from support.releases import Story, Told

from flows.adapters.git import git
from flows.audit.find_release import trace
from flows.audit.verify import verify
from flows.decision import told as door
from flows.decision.scores_file import read_scores, write_scores
from flows.engine.phases import Report
from flows.gitops import manifest_repo
from flows.monitoring.watch import look
from flows.project import settings
from flows.steps import recheck
from sluice.errors import Refused
from sluice.gitops.evidence import read_evidence
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.monitor.classes import ClassPromise
from sluice.policy import load_policy

ROWS = 2_400
_LONG = 10  # signs of a share that no other number is by chance
NAME = "attrition"  # of the only model of a story
POLICY = parcels.POLICY.replace("[gate]\n", '[gate]\ntold = "promoted"\n')


def mixed(content: bytes) -> bytes:
    """The same rows, each with the outcome of another one."""
    header, *lines = content.decode().splitlines()
    outcomes = np.random.default_rng(4).permutation([line.rpartition(",")[2] for line in lines])
    rows = [f"{line.rpartition(',')[0]},{one}" for line, one in zip(lines, outcomes, strict=True)]
    return "\n".join([header, *rows]).encode()


@pytest.fixture(scope="module")
def live(written: Story, tools: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A first release, promoted."""
    assert load_policy(POLICY).gate.told == "promoted"
    story = releases.copy(written, tmp_path_factory.mktemp("classes"))
    folder = story.project / "models" / NAME
    (folder / "contract.toml").write_text(parcels.CONTRACT, encoding="utf-8")
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    releases.point(story.project, parcels.to_csv(ROWS))
    with environment.kept():
        releases.enter(story, tools)
        told = releases.release()
        assert told.steps["Decide"] == "done", told.said
        releases.keep_image()
        assert releases.release().outcome["outcome"] == "promoted"
    return story


@pytest.fixture(scope="module")
def after(live: Story, tools: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Story, Told]:
    """After it a candidate that knows nothing, in a story of its own."""
    story = releases.copy(live, tmp_path_factory.mktemp("refused"))
    with environment.kept():
        releases.point(story.project, mixed(parcels.to_csv(ROWS)))
        releases.enter(story, tools)
        return story, releases.release()


@pytest.fixture
def refused(after: tuple[Story, Told], tools: str) -> Told:
    """What that told; the test plays in its story."""
    releases.enter(after[0], tools)
    return after[1]


def planned() -> Report:
    known = releases.planned().report
    assert known is not None
    return known


def figures_of_classes(metrics: ClassMetrics) -> set[str]:
    """Recall and precision of each class, as a file has them."""
    found = metrics.classes.values()
    shares = {repr(share) for one in found for share in (one.recall, one.precision)}
    return {share for share in shares if len(share) > _LONG}


def test_of_what_is_promoted_the_mean_recall_is_told(live: Story, tools: str) -> None:
    releases.enter(live, tools)
    report = planned()
    assert recheck.check(report).verdict == "PROMOTE"
    given = settings.load()
    assert verify(given, trace(given, "live", NAME)).problems == []
    told = door.of(report.decision)
    measured = report.decision.class_metrics
    evidence = read_evidence(report.evidence.read("evidence.json"))
    folder = given.home / "evidence" / NAME
    laid_out = "".join(
        path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in (".json", ".html", ".md")
    )
    state = git.git("show", "main:state/attrition/champion.json", cwd=live.home / "manifests.git")
    shown = f"{measured.holdout.recall:.4f} ["
    assert told.line.startswith(f"PROMOTE: mean recall over 3 classes {shown}")
    assert "least of" not in told.line
    assert "tells the mean recall on the holdout" in report.decided.sentence
    assert evidence.class_metrics is evidence.metrics is None
    assert evidence.untold
    assert evidence.class_validation is not None
    assert tuple(evidence.class_validation.classes) == parcels.CLASSES
    hidden = figures_of_classes(measured) | {repr(measured.holdout.accuracy)}
    hidden -= figures_of_classes(evidence.class_validation)
    assert len(hidden) >= len(parcels.CLASSES)
    assert not [figure for figure in hidden if figure in laid_out + state]
    assert "recall" not in json.loads(state)
    assert evidence.mean_recall == round(measured.holdout.recall, 4)
    assert "of validation, which decide nothing." in laid_out


def test_what_is_live_is_held_against_the_mean_that_was_told(
    live: Story, tools: str, tmp_path: Path
) -> None:
    releases.enter(live, tools)
    given, log = settings.load(), tmp_path / "log"
    log.mkdir()
    watched = look(given, NAME, str(log), datetime.datetime.now(datetime.UTC).date()).watched
    promise = watched.promise
    assert isinstance(promise, ClassPromise)
    measured = planned().decision.class_metrics
    assert promise.recall == round(measured.holdout.recall, 4)
    beside = planned().decision.class_validation
    assert {name: one.share for name, one in promise.classes.items()} == {
        name: one.recall for name, one in beside.classes.items()
    }


def test_a_refusal_tells_no_figure_of_the_holdout_and_all_of_validation(refused: Told) -> None:
    assert (refused.code, refused.outcome["verdict"]) == (3, "NOT PROMOTED")
    sentence = refused.outcome["sentence"]
    assert "On the validation rows, which decide nothing, " in sentence
    assert "Mean recall over 3 classes is " in sentence
    report = planned()
    evidence = read_evidence(report.evidence.read("evidence.json"))
    assert evidence.class_metrics is evidence.metrics is None
    assert evidence.class_validation == report.decision.class_validation
    rules = {rule.rule for rule in evidence.judged.validation}
    assert {"signal", "recall_floor", "better", "not_worse"} <= rules
    page = report.evidence.read("evidence.html").decode()
    for name in parcels.CLASSES:
        assert f'<th scope="row">{name}</th>' in page
    given = settings.load()
    kept = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("evidence", "outcomes")
        for path in (given.home / folder).rglob("*")
        if path.suffix in (".json", ".html", ".md")
    )
    assert manifest_repo.there(given)
    log = git.git("log", "--all", "--format=%B", cwd=Path(str(given.home)) / "manifests.git")
    shown = f"{kept}{log}{refused.said}{json.dumps(refused.outcome)}"
    measured = report.decision.class_metrics
    hidden = {repr(measured.holdout.recall), repr(measured.holdout.roc_auc)}
    hidden |= {f"{measured.holdout.recall:.4f} [", f"{measured.holdout.roc_auc:.4f}"}
    assert not [figure for figure in hidden if figure in shown]


def test_probabilities_of_validation_that_were_changed_are_found(refused: Told) -> None:
    assert refused.code == 3
    report = planned()
    path = report.decision.scored.folder / "validation" / "scores.parquet"
    kept = path.read_bytes()
    scores = read_scores(kept)
    scores.candidate[0] = scores.candidate[0][[1, 2, 0]]
    path.chmod(0o600)
    try:
        path.write_bytes(write_scores(scores))
        with pytest.raises(Refused):
            recheck.check(report)
    finally:
        path.write_bytes(kept)
