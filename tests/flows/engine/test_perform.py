"""Keys follow content: never a path or a time, and a change moves the steps that take it and no
others.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import releases
from support.releases import Story, Told

from flows.decision import baselines
from flows.engine.perform import Plainly, inputs_of, key_of, lookup, perform
from flows.engine.phases import Candidate, Case, Decision
from flows.engine.request import Request, begin
from flows.engine.step import Step
from flows.engine.store import Result
from flows.facts.imaged import Imaged
from flows.orchestration import pipeline
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.project.root import ROOT
from flows.steps.evidence import EVIDENCE
from flows.steps.gate import GATE
from flows.steps.image import IMAGE
from flows.steps.order import STEPS, TO_MODEL, TO_VERDICT, AnyStep
from flows.steps.package import PACKAGE, Packaged
from flows.steps.replay import REPLAY
from flows.steps.score import SCORE
from flows.steps.smoke import SMOKE
from flows.steps.split import SPLIT
from flows.steps.train import TRAIN
from flows.steps.tune import TUNE
from flows.steps.validate import VALIDATE
from sluice.gate import ledger
from sluice.gitops.state import Reference
from sluice.identity import code_files, code_hash

BEFORE_IMAGE = TO_MODEL + TO_VERDICT
# How a release is asked for, carried out and shown: no step runs any of it.
AROUND = {
    "flows/gitops/manifest_repo.py",
    "flows/release.py",
    "flows/orchestration/tasks.py",
    "flows/engine/perform.py",
    "flows/engine/phases.py",
    "flows/engine/request.py",
    "flows/engine/store.py",
    "flows/engine/release_tools.py",
    "flows/views/terminal.py",
}
GIT = "flows/adapters/git/git.py"


@dataclass(frozen=True)
class Ended:
    """A release in which every step was done: its decision, Bento and image."""

    decision: Decision
    packaged: Result[Packaged]
    imaged: Result[Imaged]
    taken: Mapping[AnyStep, tuple[object, ...]]

    @property
    def candidate(self) -> Candidate:
        return self.decision.candidate

    @property
    def request(self) -> Request:
        return self.decision.request

    def with_case(self, case: Case) -> "Ended":
        return replace(self, decision=replace(self.decision, case=case))

    def with_candidate(self, candidate: Candidate) -> "Ended":
        return self.with_case(replace(self.decision.case, candidate=candidate))

    def with_request(self, request: Request) -> "Ended":
        return self.with_candidate(replace(self.candidate, request=request))

    def with_part(self, name: str, sha256: str) -> "Ended":
        """The same where the split put out another file of this name."""
        split = self.candidate.split
        other = replace(split, outputs={**split.outputs, name: sha256})
        return self.with_candidate(replace(self.candidate, split=other))


# What steps take: as the one release has it, so another has it too.
PARTS: tuple[Callable[[Ended], object], ...] = (
    lambda ended: ended.request,
    lambda ended: ended.candidate.validated,
    lambda ended: ended.candidate.split,
    lambda ended: ended.candidate.tuned,
    lambda ended: ended.candidate,
    lambda ended: ended.decision.case,
    lambda ended: ended.decision.scored,
    lambda ended: ended.decision.standing,
    lambda ended: ended.decision,
    lambda ended: ended.packaged,
    lambda ended: ended.imaged,
)


@dataclass
class Recorder:
    """Looks every step up, and remembers what it took."""

    place: Plainly
    taken: dict[AnyStep, tuple[object, ...]] = field(default_factory=dict)

    def do(self, step: AnyStep, *args: Any) -> Result[Any]:
        self.taken[step] = args
        result = lookup(self.place, step, *args)
        assert result is not None, step.name
        return result


@pytest.fixture
def ended(promoted: tuple[Story, Told], tools: str) -> Ended:
    releases.enter(promoted[0], tools)
    planned = releases.planned()
    assert planned.report is not None
    request = planned.request
    recorder = Recorder(Plainly(request.settings.home, request.model))
    case = pipeline.oppose(pipeline.train(request, recorder))
    report = pipeline.judge(case, ledger.Counted(planned.report.decision.standing.uses), recorder)
    packaged = recorder.do(PACKAGE, report.candidate)
    imaged = recorder.do(IMAGE, report.candidate, packaged)
    recorder.do(SMOKE, report.candidate, imaged)
    return Ended(report.decision, packaged, imaged, recorder.taken)


def arguments(before: Ended, after: Ended) -> dict[AnyStep, tuple[Any, ...]]:
    """What each step takes in a release that differs from the one before in some parts."""
    return {
        step: tuple(_in_place_of(argument, before, after) for argument in taken)
        for step, taken in before.taken.items()
    }


def _in_place_of(argument: object, before: Ended, after: Ended) -> object:
    for part in PARTS:
        if part(before) == argument:
            return part(after)
    return argument


def keys(ended: Ended, after: Ended | None = None) -> dict[str, str]:
    """The key of each step: of the release itself, or of the one `after` it."""
    taken = arguments(ended, after or ended)
    return {step.name: key_of(step, *taken[step]) for step in STEPS}


def differ(before: Ended, after: Ended) -> set[str]:
    """The steps whose key differs."""
    old, new = keys(before), keys(before, after)
    return {name for name in old if old[name] != new[name]}


def moved(ended: Ended, project: Path) -> set[str]:
    """The steps whose key differs when the model of another project is released, all else equal."""
    other = ended.request.settings.model_copy(update={"project": project})
    request = begin(other, real_tools(), "attrition")
    return differ(ended, ended.with_request(replace(request, data=ended.request.data)))


def test_the_keys_are_those_under_which_the_release_kept_its_results(ended: Ended) -> None:
    candidate, decision = ended.candidate, ended.decision
    results: tuple[Result[Any], ...] = (
        candidate.validated,
        candidate.split,
        candidate.tuned,
        candidate.trained,
        decision.scored,
        decision.decided,
        ended.packaged,
        ended.imaged,
    )
    known = keys(ended)
    assert {result.step: result.key for result in results}.items() <= known.items()
    assert lookup(Plainly(ended.request.settings.home, "attrition"), EVIDENCE, decision) is not None


def test_each_step_has_a_key_of_its_own(ended: Ended) -> None:
    known = keys(ended)
    assert list(known) == [step.name for step in ended.taken] == [step.name for step in STEPS]
    assert len(set(known.values())) == len(known)


def test_no_key_takes_a_path_or_a_time(ended: Ended) -> None:
    request = ended.request
    inputs = {step.name: inputs_of(step, *taken) for step, taken in ended.taken.items()}
    text = json.dumps(inputs)
    for stray in (
        str(request.settings.home),
        str(request.settings.project),
        str(ROOT),
        str(Path.home()),
        str(request.data.path.parent),
    ):
        assert stray not in text
    assert not re.search(r"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d", text)
    assert len(inputs) == len(STEPS)
    for taken in inputs.values():
        assert {"code", "lock", "interpreter", "platform"} <= taken.keys()


def test_another_place_another_name_and_another_time_give_the_same_keys(
    ended: Ended, promoted: tuple[Story, Told], tmp_path: Path
) -> None:
    other = Path(shutil.copytree(promoted[0].project, tmp_path / "other"))
    named = other / "named otherwise.txt"
    (other / "rows.csv").rename(named)
    os.utime(named, (0, 0))
    elsewhere = settings.Settings(home=tmp_path / "home", project=other)
    request = begin(elsewhere, real_tools(), "attrition", named)
    assert request.data.reference != ended.request.data.reference
    assert request.settings.home != ended.request.settings.home
    candidate = replace(ended.candidate, request=request)
    # There is no manifest repo elsewhere: what is known of the ledger is handed on.
    assert differ(ended, ended.with_case(baselines.oppose(candidate))) == set()


def test_one_byte_of_the_data_is_another_key(ended: Ended) -> None:
    data = replace(ended.request.data, sha256="0" * 64)
    other = ended.with_request(replace(ended.request, data=data))
    assert differ(ended, other) == {"validate", "evidence"}


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({"data": {"minimum_rows": 2_001}}, {"validate", "train", "evidence"}),
        ({"split": {"salt": "another"}}, {"split", "train", "evidence"}),
        ({"search": {"trials": 3}}, {"tune", "train", "evidence"}),
        ({"search": {"families": ["gradient_boosting"]}}, {"tune", "train", "evidence"}),
        ({"operating_point": {"precision_slack": 0.03}}, {"train", "evidence"}),
        ({"gate": {"recall_floor": 0.51}}, {"gate", "train", "evidence"}),
        ({"canary": {"replay_changed": 0.3}}, {"replay", "train", "evidence"}),
        ({}, set()),
    ],
    ids=lambda value: str(sorted(value)),  # a set has another order in each process
)
def test_a_table_of_the_policy_moves_the_steps_that_take_it(
    table: Mapping[str, Mapping[str, Any]],
    wanted: set[str],
    ended: Ended,
    tmp_path: Path,
) -> None:
    """Training takes all of it, because it ships in the artifact; the evidence, because it is
    sealed.
    """
    project = Path(shutil.copytree(ended.request.settings.project, tmp_path / "project"))
    releases.change_policy(project, **table)
    assert moved(ended, project) == wanted


def test_the_contract_moves_what_reads_it(ended: Ended, tmp_path: Path) -> None:
    project = Path(shutil.copytree(ended.request.settings.project, tmp_path / "project"))
    with (project / "models" / "attrition" / "contract.toml").open("a") as file:
        file.write("# a comment, which ships too\n")
    gone = moved(ended, project)
    assert {"validate", "split", "tune", "train", "evidence"} <= gone
    assert not gone & {"score", "gate", "package", "image", "smoke"}


def test_the_words_of_the_contract_move_the_gate_that_says_them(
    ended: Ended, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(ended.request.settings.project, tmp_path / "project"))
    contract = project / "models" / "attrition" / "contract.toml"
    text = contract.read_text(encoding="utf-8")
    assert text.count('singular = "leaver"') == 1
    contract.write_text(text.replace('singular = "leaver"', 'singular = "quitter"'))
    gone = moved(ended, project)
    assert {"validate", "split", "tune", "train", "gate", "evidence"} <= gone
    assert not gone & {"score", "package", "image", "smoke"}


def test_what_a_step_put_out_moves_the_steps_that_take_it(ended: Ended) -> None:
    assert differ(ended, ended.with_part("holdout.parquet", "0" * 64)) == {"score", "replay"}
    assert differ(ended, ended.with_part("train.parquet", "0" * 64)) == {
        "tune",
        "train",
        "score",
        "package",
        "image",
    }


@pytest.mark.parametrize(("name", "named"), [("champion", {"gate", "replay"}), ("anchor", set())])
def test_another_opponent_moves_the_comparison_and_not_the_model(
    name: str, named: set[str], ended: Ended
) -> None:
    """The verdict names the number of the champion's release."""
    other = Reference("0" * 16, "sha256:0", "0" * 64)
    against = ended.with_case(replace(ended.decision.case, **{name: other}))
    assert differ(ended, against) == {"score", "evidence"} | named


def test_what_is_known_besides_the_scores_moves_the_gate_alone(ended: Ended) -> None:
    standing = msgspec.structs.replace(ended.decision.standing, uses=7)
    other = replace(ended, decision=replace(ended.decision, standing=standing))
    assert differ(ended, other) == {"gate"}


def closure(step: AnyStep) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in code_files(ROOT, [step.module])}


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (VALIDATE, {"gx/validation.py", "sluice/model/data/table.py", "sluice/served/contract.py"}),
        (SPLIT, {"sluice/model/data/split.py", "sluice/policy.py"}),
        (
            TUNE,
            {
                "sluice/model/fit/training.py",
                "sluice/served/encoding.py",
                "sluice/served/expressions.py",
            },
        ),
        (
            TRAIN,
            {
                "sluice/model/fit/training.py",
                "sluice/model/fit/conversion.py",
                "sluice/model/quality/operating_point.py",
                "sluice/model/artifact/model_artifact.py",
            },
        ),
        (
            SCORE,
            {
                "sluice/served/scoring.py",
                "sluice/model/quality/metrics.py",
                "sluice/model/quality/statistics.py",
            },
        ),
        (GATE, {"sluice/gate/decide.py", "sluice/model/quality/statistics.py"}),
        (REPLAY, {"sluice/canary/replay.py", "flows/adapters/prediction_days.py"}),
        (
            EVIDENCE,
            {"flows/evidence/page.py", "flows/evidence/pictures.py", "flows/adapters/drift.py"},
        ),
        (PACKAGE, {"flows/adapters/image/bento.py"}),
        (IMAGE, {"flows/adapters/image/model_image.py", "flows/adapters/registry/registry.py"}),
        (SMOKE, {"flows/adapters/service_client.py", "sluice/model/artifact/model_artifact.py"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_key_takes_the_code_that_the_step_runs(step: AnyStep, code: set[str]) -> None:
    assert step.module == f"flows.steps.{step.name}"
    assert code | {f"flows/steps/{step.name}.py", "flows/engine/step.py"} <= closure(step)


def test_the_names_of_the_story_are_those_of_files() -> None:
    for name in (*AROUND, GIT, "flows/cli/main.py"):
        assert (ROOT / name).is_file()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: str(step.name))
def test_a_key_takes_no_code_of_the_story_around_it(step: AnyStep) -> None:
    """Mending the command line, or how steps are carried out, trains nothing anew."""
    code = closure(step)
    assert not code & AROUND
    assert not [path for path in code if path.startswith(("flows/cli/", "models/", "bento/"))]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: str(step.name))
def test_only_the_key_of_the_evidence_takes_git(step: AnyStep) -> None:
    """Mending how git is asked trains and builds nothing anew: the evidence says which commit it
    was.
    """
    assert (GIT in closure(step)) == (step is EVIDENCE)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: str(step.name))
def test_no_key_takes_the_look_of_things_settings_or_the_ledger(step: AnyStep) -> None:
    views = [path for path in closure(step) if path.startswith("flows/views/")]
    assert not closure(step) & {"flows/project/settings.py", "sluice/gate/ledger.py"}
    assert views == []


def test_the_key_of_the_bento_takes_no_registry() -> None:
    assert not [path for path in closure(PACKAGE) if path.startswith("flows/adapters/registry/")]


def test_a_change_deep_in_the_code_is_another_key(tmp_path: Path) -> None:
    for room in ("sluice", "flows", "gx", "models", "bento"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    before = {step: code_hash(tmp_path, [step.module]) for step in BEFORE_IMAGE}
    assert before[TUNE] == code_hash(ROOT, [TUNE.module])
    with (tmp_path / "sluice" / "model" / "fit" / "training.py").open("a") as file:
        file.write("# changed\n")
    (tmp_path / "flows" / "cli" / "main.py").write_text("# changed\n")
    (tmp_path / "flows" / "engine" / "perform.py").write_text("# changed\n")
    after = {step: code_hash(tmp_path, [step.module]) for step in BEFORE_IMAGE}
    changed = {step.name for step in BEFORE_IMAGE if before[step] != after[step]}
    assert changed == {"tune", "train", "evidence"}


def test_the_page_of_the_evidence_is_part_of_its_key(ended: Ended) -> None:
    assert "page" in inputs_of(EVIDENCE, ended.decision)


class Counted(msgspec.Struct, frozen=True):
    """How often a step worked."""

    times: int


Counting = Step[[], Counted]


def counting(name: str = "split", **inputs: str) -> Counting:
    """A step that counts how often it worked, and puts the count out."""
    times: list[None] = []

    def work(folder: Path) -> Counted:
        times.append(None)
        (folder / "times.txt").write_text(str(len(times)))
        return Counted(len(times))

    work.__module__ = f"flows.steps.{name}"
    return Step(name, name.capitalize(), Counted, ("times.txt",), lambda: inputs, work)


def times(result: Result[Counted]) -> tuple[int, str]:
    """The count as a fact, and as a file."""
    return result.facts.times, result.read("times.txt").decode()


def test_a_step_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    step, place = counting(data="1"), Plainly(tmp_path, "attrition")
    assert lookup(place, step) is None
    first = place.do(step)
    assert (times(first), first.step, first.inputs["data"]) == ((1, "1"), "split", "1")
    assert place.do(step) == perform(place, step) == lookup(place, step) == first


def test_other_inputs_are_done_apart(tmp_path: Path) -> None:
    place = Plainly(tmp_path, "attrition")
    first, second = place.do(counting(data="1")), place.do(counting(data="2"))
    assert first.key != second.key
    assert lookup(place, counting(data="1")) == first


def test_without_the_cache_it_is_done_again_and_what_it_puts_out_replaces_the_old(
    tmp_path: Path,
) -> None:
    step, place = counting(data="1"), Plainly(tmp_path, "attrition")
    without = replace(place, cache=False)
    place.do(step)
    assert times(without.do(step)) == (2, "2")
    assert lookup(without, step) is None
    result = lookup(place, step)
    assert result is not None
    assert times(result) == (2, "2")


def test_again_does_one_step_anew_and_replaces_what_it_put_out(tmp_path: Path) -> None:
    step, place = counting(data="1"), Plainly(tmp_path, "attrition")
    place.do(step)
    assert times(place.again(step)) == (2, "2")
    assert times(place.do(step)) == (2, "2")


def test_a_call_is_carried_out_each_time_and_not_kept(tmp_path: Path) -> None:
    calls: list[str] = []

    def note(word: str) -> int:
        calls.append(word)
        return len(calls)

    place = Plainly(tmp_path, "attrition")
    assert [place.call("Note", note, "a"), place.call("Note", note, "a")] == [1, 2]
    assert list(tmp_path.iterdir()) == []
