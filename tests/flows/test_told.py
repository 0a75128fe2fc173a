"""What is told with `told = "words"`: two worlds whose holdout labels differ, and whose verdicts do
not, tell the same bytes wherever a release tells something. With `told = "promoted"` figures of the
whole holdout are told of what is promoted, and no others.

Hashes of whole tables differ, and so do the ids that follow from them: nobody can guess thousands
of labels from these. They are named here one by one. The hash of a file that holds a few figures is
not among them.
"""

import contextlib
import datetime
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec
import numpy as np
import pytest
from msgspec import structs
from support import environment, releases
from support.prediction_logs import write_days
from support.releases import Story

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.audit.find_release import artifact, trace
from flows.cli.gating.anchor import run_anchor
from flows.cli.gating.gate import run_gate
from flows.cli.past.history import run_history, run_runs
from flows.cli.past.lineage import run_lineage
from flows.cli.past.verify import run_verify
from flows.cli.releases.status import run_status
from flows.engine.outcome import Outcome
from flows.engine.perform import Plainly
from flows.engine.phases import Report
from flows.engine.request import begin
from flows.engine.step import Step
from flows.engine.store import Result
from flows.evidence import tracking
from flows.gitops import manifest_repo
from flows.monitoring.watch import look
from flows.orchestration import run_page
from flows.orchestration.real_tools import real_tools
from flows.orchestration.run_page import PrefectPage
from flows.orchestration.shown import Shown
from flows.project import settings
from flows.release import carry_out
from flows.views import terminal
from sluice.errors import SluiceError
from sluice.gate.elsewhere import WITHOUT_LABELS
from sluice.identity import sha256
from sluice.model.data.split import parts, row_hashes
from sluice.model.json_file import parse_json, write_json
from sluice.model.quality.metrics_file import Metrics
from sluice.monitor.quality import Promise
from sluice.policy import load_policy
from sluice.served.scoring import load_model

P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)
SWAPPED = 2  # positives of the holdout that become negatives, and negatives that become positives
_SAID = "On the validation rows, which decide nothing, "
# Of these a sentence has no figure where they are met, or is the same on all rows.
ANYWHERE = ("metrics_match",)
_LAST = 20  # of what was told in a place: the refusal was last
_LONG = 10  # signs of a share that no other number is by chance
# The rows themselves, whole; each file has thousands of labels.
WHOLE = ("table.parquet", "holdout.parquet", "scores.parquet")
PLACES = (
    "terminal",
    "steps",
    "page",
    "evidence",
    "registry",
    "commits",
    "state",
    "ledger",
    "tracking",
    "outcome",
)
# What lies in the store of this machine behind the door, and what any command says afterwards.
BEHIND = {
    "score": ("scores.parquet", "metrics.json", "case.json"),
    "gate": ("verdict.json",),
}
AFTERWARDS = ("files", "commands")


@dataclass
class World:
    """All that the releases of one table told, by place, and what may differ in it.

    `refused` is what the gate found of the candidate that was not promoted: sentences of rules that
    look at a label, and their values. `whole` are all numbers that the whole holdout measured of
    what was promoted.
    """

    told: dict[str, list[str]] = field(
        default_factory=lambda: {place: [] for place in (*PLACES, *AFTERWARDS)}
    )
    refused: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    figures: set[str] = field(default_factory=set)
    promoted: set[str] = field(default_factory=set)
    grouped: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    verdicts: list[str] = field(default_factory=list)
    watched: Promise | str = ""
    decided_again: str = ""

    def add(self, place: str, text: str) -> None:
        self.told[place].append(text)

    def same(self, place: str) -> str:
        """What was told there, with each id by its name."""
        text = "\n".join(self.told[place])
        for value, name in sorted(self.ids.items(), key=lambda one: -len(one[0])):
            text = text.replace(value, name)
        return re.sub(r" *\d+\.\d ?s\b", " 0.0 s", text)


class Steps:
    """Carries steps out and keeps what Prefect would be handed."""

    def __init__(self, inner: Shown, world: World) -> None:
        self.inner, self.world = inner, world

    def do(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        result = self.inner.do(step, *args, **kwargs)
        self.world.add("steps", json.dumps(msgspec.to_builtins(result.facts)))
        self._name(result)
        return result

    def again(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        return self.inner.again(step, *args, **kwargs)

    def call(self, title: str, action: Any, *args: Any, **kwargs: Any) -> Any:
        return self.inner.call(title, action, *args, **kwargs)

    def _name(self, result: Result[Any]) -> None:
        """A key rests on the hashes of whole tables; a hash of a file does where it is such."""
        self.world.ids[result.key] = f"<key of {result.step}>"
        for name, value in result.outputs.items():
            if Path(name).name in WHOLE:
                self.world.ids[value] = f"<{name}>"


def table(story: Story, *, swapped: bool) -> bytes:
    """The story's table, with as many positives in its holdout, which may be other rows."""
    content = story.rows.read_bytes()
    if not swapped:
        return content
    header, *lines = content.decode().splitlines()
    rows = [line.split(",") for line in lines]
    columns = header.split(",")
    label, name = columns.index("Attrition"), columns.index("Employee ID")
    policy = load_policy((releases.MODEL / "policy.toml").read_text(encoding="utf-8"))
    hashes = row_hashes(policy.split.salt, np.array([int(row[name]) for row in rows]))
    positive = np.array([row[label] == "Left" for row in rows])
    held = parts(policy.split, hashes, positive)["holdout"]
    left = [place for place in held if positive[place]][:SWAPPED]
    stayed = [place for place in held if not positive[place]][:SWAPPED]
    for place, other in zip(left, stayed, strict=True):
        rows[place][label], rows[other][label] = rows[other][label], rows[place][label]
    return "\n".join([header, *(",".join(row) for row in rows), ""]).encode()


def shares_of_groups(metrics: Metrics) -> set[str]:
    """Recall and precision of each group, as a file has them; without those that are short."""
    groups = [group for segment in metrics.segments.values() for group in segment.values()]
    shares = [repr(share) for group in groups for share in (group.recall, group.precision)]
    return {share for share in shares if len(share) > _LONG}


def of_validation(report: Report) -> set[str]:
    """All numbers that the evidence has of the validation rows: a share of these may be one of the
    holdout by chance.
    """
    evidence = parse_json(report.evidence.read("evidence.json"), "")
    parts = [evidence[name] for name in ("validation", "groups", "diagnostics")]
    return set(re.findall(r"\d\.\d+", json.dumps(parts)))


def found_of_refused(report: Report) -> set[str]:
    """What only a look at the labels of the holdout tells of a candidate that was not promoted."""
    verdict = parse_json(report.decision.decided.read("verdict.json"), "")
    if verdict["verdict"] == "PROMOTE":
        return set()
    rules = [rule for rule in verdict["rules"] if rule["rule"] not in WITHOUT_LABELS]
    values = (repr(rule["value"]) for rule in rules if rule["value"] is not None)
    decided = report.decision.decided
    beside = decided.document("validation.json") if "validation.json" in decided.outputs else []
    found = {rule["sentence"] for rule in rules if rule["rule"] not in ANYWHERE}
    found -= {rule["sentence"] for rule in beside}  # what has no figure is the same in both
    return found | {value for value in values if len(value) > _LONG}


def afterwards(story: Story, world: World) -> None:
    """What lies on the machine by now, but for what is behind the door, and what commands say."""
    for path in sorted(story.home.rglob("*")):
        parts = path.relative_to(story.home).parts
        behind = parts[0] == "store" and parts[-1] in BEHIND.get("".join(parts[1:2]), ())
        if path.is_file() and not (behind and "validation" not in parts):
            world.add("files", path.read_bytes().decode("latin-1"))
    bare = story.home / "manifests.git"
    world.add("files", git.git("log", "--all", "--patch", "--format=%B", cwd=bare))
    given, out = settings.load(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        for as_json in (True, False):
            run_history(given, "attrition", None, 20, as_json=as_json)
            run_runs(given, "attrition", 20, as_json=as_json)
            run_status(given, "attrition", as_json=as_json)
            run_anchor(given, "attrition", as_json=as_json)
            run_lineage(given, "latest", "", "attrition", None, as_json=as_json)
            assert run_verify(given, "latest", "attrition", as_json=as_json) == 0
    world.add("commands", out.getvalue())


def once(world: World) -> Outcome:
    """A release as `sluice release` makes it without Prefect, and all that it tells."""
    given = settings.load()
    manifest_repo.seed(given)
    tracked: list[str] = []

    def track(report: Report, outcome: Outcome) -> str:
        world.verdicts.append(
            parse_json(report.decision.decided.read("verdict.json"), "")["verdict"]
        )
        world.refused |= found_of_refused(report)
        measured = report.decision.metrics.holdout
        figures = {repr(measured.recall), repr(measured.precision), repr(measured.roc_auc)}
        figures |= {f"recall {measured.recall:.4f}", f"precision {measured.precision:.4f}"}
        world.figures |= figures
        if world.verdicts[-1] == "PROMOTE":
            world.promoted |= figures
            everything = structs.replace(report.decision.metrics, segments={})
            world.whole |= set(re.findall(r"\d\.\d+", write_json(everything)))
        world.grouped |= shares_of_groups(report.decision.metrics)
        if request.policy.gate.worded:
            world.elsewhere |= of_validation(report)
        tracked.append(repr(tracking._record(report, outcome)))
        tracked.extend(sorted(path.name for path in report.evidence.folder.iterdir()))
        return "logged"

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        tools = replace(real_tools(), track=track, page=PrefectPage())
        request = begin(given, tools, "attrition")
        world.ids[request.data.sha256] = "<data>"
        world.ids[request.data.sha256[:12]] = "<data>"
        runner = Steps(Shown(Plainly(given.home, "attrition")), world)
        outcome = carry_out(request, runner)
        terminal.summary(outcome)
    world.add("terminal", out.getvalue())
    world.add("outcome", repr(outcome))
    world.told["tracking"] += tracked
    folder = given.home / "evidence" / "attrition"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in WHOLE:
            world.add("evidence", f"{path.name}\n{path.read_text(encoding='utf-8')}")
    assert (folder / "scores.parquet").exists() == (not request.policy.gate.worded)
    return outcome


def kept(story: Story, world: World) -> None:
    """What lies in manifest repo and registry after all releases."""
    given = settings.load()
    bare = story.home / "manifests.git"
    for commit in git.git("rev-list", "--all", cwd=bare).split():
        world.ids |= {commit: "<commit>", commit[:12]: "<commit>"}
    for branch in ("main", "sluice-ledger"):
        log = git.git("log", "--reverse", "--format=%B", branch, cwd=bare)
        world.add("commits", re.sub(r"(?m)^Statement-Key: .*$", "", log))
    for name in ("champion", "anchor"):
        world.add("state", git.git("show", f"main:state/attrition/{name}.json", cwd=bare))
    document = json.loads(git.git("show", "sluice-ledger:attrition.json", cwd=bare))
    fields = ("number", "use", "day", "verdict", "outcome", "decided", "continues", "candidate")
    for one in document["releases"]:
        world.add("ledger", json.dumps({name: one.get(name) for name in fields}))
    champion = json.loads(world.told["state"][0])
    world.ids[champion["evidence"]] = "<evidence>"
    place = manifest_repo.images(given, "attrition")
    for name, content in sorted(registry.pull_files(place, champion["evidence"]).items()):
        world.add("registry", f"{name}\n{content.decode()}")


def decided_again(story: Story) -> str:
    """What `sluice gate` says of what lies beside the evidence of what was promoted."""
    path, out = story.home / "evidence" / "attrition" / "metrics.json", io.StringIO()
    if not path.exists():
        return ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        assert run_gate(settings.load(), path, as_json=False) == 0
    return out.getvalue()


def watched(log: Path) -> Promise | str:
    """What the monitor holds the live release to, after a day; the error where it cannot."""
    given, today = settings.load(), datetime.datetime.now(datetime.UTC).date()
    place = log.with_name("artifact")
    place.mkdir()
    for name, content in artifact(trace(given, "live", "attrition")).items():
        (place / name).write_bytes(content)
    digest = f"sha256:{sha256((place / 'model.onnx').read_bytes())}"
    write_days(log, load_model(place), digest, [today], 60)
    try:
        return look(given, "attrition", str(log), today).watched.promise
    except SluiceError as error:
        return str(error)


def played(first: Story, folder: Path, tools: str, told: str, *, swapped: bool) -> World:
    """A first release, its commit, and a candidate that is not better; in a world of its own."""
    world = World()
    content = table(first, swapped=swapped)
    story = Story(releases.write(folder / "project", gate={"told": told}), folder / "home")
    releases.point(story.project, content)
    with environment.kept(), pytest.MonkeyPatch.context() as patch:
        releases.enter(story, tools)

        def artifact(*shown: Any, **more: Any) -> None:
            world.add("page", repr((shown, more)))

        patch.setattr(run_page, "create_markdown_artifact", artifact)
        patch.setattr(run_page, "create_table_artifact", artifact)
        assert once(world).outcome == "no builder"
        releases.keep_image()
        assert once(world).outcome == "promoted"
        world.decided_again = decided_again(story)
        changed = releases.change(content, releases.row_in("train"), "Monthly Income", 5001)
        releases.point(story.project, changed)
        once(world)
        kept(story, world)
        afterwards(story, world)
        world.watched = watched(folder / "log")
    for number, path in enumerate((folder, folder.parent)):
        world.ids[str(path)] = f"<folder {number}>"
    return world


@pytest.fixture(scope="module")
def worlds(
    written: Story, tmp_path_factory: pytest.TempPathFactory, tools: str
) -> Iterator[dict[tuple[str, bool], World]]:
    yield {
        (told, swapped): played(
            written, tmp_path_factory.mktemp("world"), tools, told, swapped=swapped
        )
        for told, swapped in (
            ("words", False),
            ("words", True),
            ("figures", False),
            ("promoted", False),
        )
    }


@pytest.mark.parametrize("place", PLACES)
def test_other_labels_tell_the_same_bytes_in_words(
    place: str, worlds: dict[tuple[str, bool], World]
) -> None:
    one, other = worlds["words", False], worlds["words", True]
    assert one.told[place]
    assert one.same(place) == other.same(place)


@pytest.mark.parametrize("place", [place for place in PLACES if place != "ledger"])
def test_figures_of_the_holdout_are_told_nowhere_in_words(
    place: str, worlds: dict[tuple[str, bool], World]
) -> None:
    """And everywhere in figures, so that what is looked for is what is told."""
    for told in ("words", "figures"):
        world = worlds[told, False]
        sought = world.figures - world.elsewhere
        assert sought
        assert bool(_among(world, place, sought)) == (told == "figures")


@pytest.mark.parametrize("place", PLACES)
def test_of_what_is_promoted_the_whole_is_told_and_of_no_other_anything(
    place: str, worlds: dict[tuple[str, bool], World]
) -> None:
    """And groups of it as little: each figure of one would say where a champion was unlucky."""
    world = worlds["promoted", False]
    refused = world.figures - world.promoted - world.elsewhere
    assert refused
    assert bool(_among(world, place, world.promoted - world.elsewhere)) == (
        place not in ("ledger", "steps")
    )
    assert not _among(world, place, refused)
    assert not _among(world, place, world.grouped - world.promoted - world.elsewhere)


@pytest.mark.parametrize("level", ["words", "promoted"])
def test_a_refusal_says_what_validation_says(
    level: str, worlds: dict[tuple[str, bool], World]
) -> None:
    """To everybody who sees a refusal: at the terminal, in the run and on the page."""
    world = worlds[level, False]
    for place in ("terminal", "steps", "page", "evidence", "outcome"):
        assert _SAID in "\n".join(world.told[place][-_LAST:]), place
    evidence = [text for text in world.told["evidence"] if text.startswith("evidence.json")][-1]
    document = json.loads(evidence.partition("\n")[2])
    told = {rule["rule"]: rule for rule in document["verdict"]["validation"]}
    assert {"recall_floor", "better", "not_worse", "segments", "anchor_recall"} <= told.keys()
    assert all(rule["value"] is not None for rule in told.values() if rule["limit"] is not None)
    assert {rule["rule"] for rule in document["verdict"]["rules"]} <= set(WITHOUT_LABELS)
    assert document["validation"]["segments"]
    assert document["groups"]
    assert document["diagnostics"]["candidate"]
    assert document["metrics"] is None
    assert world.elsewhere
    assert _among(world, "evidence", world.elsewhere)


@pytest.mark.parametrize("place", [*PLACES, *AFTERWARDS])
def test_a_refused_release_leaves_nothing_of_its_look_anywhere(
    place: str, worlds: dict[tuple[str, bool], World]
) -> None:
    for level in ("words", "promoted"):
        world = worlds[level, False]
        may_be_told = world.elsewhere | (world.whole if level == "promoted" else set())
        sought = world.refused - may_be_told
        assert len(sought) > len(WITHOUT_LABELS)
        assert not _among(world, place, sought)
        assert not _among(world, place, world.figures - world.promoted - may_be_told)


@pytest.mark.parametrize("place", ["evidence", "files", "page"])
def test_what_is_looked_for_is_what_figures_tell(
    place: str, worlds: dict[tuple[str, bool], World]
) -> None:
    world = worlds["figures", False]
    assert _among(world, place, world.refused)


def test_what_lies_beside_the_evidence_of_what_is_live_is_decided_again(
    worlds: dict[tuple[str, bool], World],
) -> None:
    said = {told: worlds[told, False].decided_again for told in ("words", "promoted", "figures")}
    assert said["words"] == ""
    for told in ("promoted", "figures"):
        assert said[told].splitlines()[-1].startswith("PROMOTE: recall 0."), said[told]
    assert "metrics_match" in said["figures"]
    assert "Found least often" not in said["promoted"]


def test_groups_are_told_in_figures(worlds: dict[tuple[str, bool], World]) -> None:
    """So that what is looked for is what is told."""
    world = worlds["figures", False]
    assert _among(world, "evidence", world.grouped - world.promoted)


def _among(world: World, place: str, figures: set[str]) -> set[str]:
    """Those of the figures that were told there."""
    text = "\n".join(world.told[place])
    return {figure for figure in figures if figure in text}


def test_what_is_live_is_held_to_the_whole_where_that_is_told(
    worlds: dict[tuple[str, bool], World],
) -> None:
    figures, promoted = (worlds[told, False].watched for told in ("figures", "promoted"))
    assert isinstance(figures, Promise)
    assert isinstance(promoted, Promise)
    assert figures.groups
    assert promoted == replace(figures, groups={})
    refused = worlds["words", False].watched
    assert isinstance(refused, str)
    assert "tells no figure, so nothing was promised of it" in refused
    assert 'Write told = "promoted"' in refused


@pytest.mark.parametrize("level", ["words", "promoted"])
def test_every_verdict_but_promote_is_the_same_word(
    level: str, worlds: dict[tuple[str, bool], World]
) -> None:
    told = worlds[level, False].told.values()
    text = "\n".join(line for lines in told for line in lines)
    assert re.findall(r"\b(?:HOLD|REJECT|INSUFFICIENT)\b", text) == []
    assert "NOT PROMOTED" in text


def test_the_verdicts_are_those_that_figures_have(worlds: dict[tuple[str, bool], World]) -> None:
    told = [world.verdicts for world in worlds.values()]
    assert all(verdicts == told[0] for verdicts in told)
    assert told[0][:2] == ["PROMOTE", "PROMOTE"]
    assert told[0][2] != "PROMOTE"
