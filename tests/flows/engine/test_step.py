"""Keys follow content: never a path or a time, and a change moves the steps that take it and no
others.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from flows.engine.run import Run, begin
from support import releases
from support.releases import Story, Told

from flows.engine import step as engine
from flows.engine.step import Done
from flows.orchestration import plan
from flows.orchestration.plan import TO_IMAGE, TO_MODEL
from flows.project import settings
from flows.project.settings import ROOT
from flows.steps import evidence, gate, image, package, score, smoke, split, train, tune, validate
from sluice.gitops.state import Reference
from sluice.identity import code_files, code_hash

TO_VERDICT = (score, gate, evidence)
STEPS: tuple[ModuleType, ...] = (*TO_MODEL, *TO_VERDICT, *TO_IMAGE)
BEFORE_IMAGE = (*TO_MODEL, *TO_VERDICT)


@pytest.fixture
def ended(promoted: tuple[Story, Told], tools: str) -> tuple[Run, Done]:
    """A run in which every step was done, and what they put out."""
    releases.enter(promoted[0], tools)
    found = releases.planned()
    return found.run, found.done


def keys(run: Run, done: Done, steps: tuple[ModuleType, ...] = STEPS) -> dict[str, str]:
    return {step.NAME: engine.key_of(step, run, done) for step in steps}


def moved(ended: tuple[Run, Done], project: Path) -> set[str]:
    """The steps whose key differs when the model of another project is released, all else equal."""
    run, done = ended
    changed = begin(run.settings.model_copy(update={"project": project}), "attrition")
    changed = replace(
        changed, data=run.data, against=run.against, anchor=run.anchor, standing=run.standing
    )
    before, after = keys(run, done), keys(changed, done)
    return {name for name in before if before[name] != after[name]}


def test_each_step_has_a_key_of_its_own(ended: tuple[Run, Done]) -> None:
    found = keys(*ended)
    assert " ".join(found) == "validate split tune train score gate evidence package image smoke"
    assert len(set(found.values())) == len(found)


def test_no_key_takes_a_path_or_a_time(ended: tuple[Run, Done]) -> None:
    run, done = ended
    taken = {step.NAME: engine.inputs_of(step, run, done) for step in STEPS}
    text = json.dumps(taken)
    for stray in (
        str(run.settings.home),
        str(run.settings.project),
        str(ROOT),
        str(Path.home()),
        run.data.path.parent,
    ):
        assert str(stray) not in text
    assert not re.search(r"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d", text)
    assert all(
        {"code", "lock", "interpreter", "platform"} <= inputs.keys() for inputs in taken.values()
    )


def test_another_place_another_name_and_another_time_give_the_same_keys(
    ended: tuple[Run, Done], promoted: tuple[Story, Told], tmp_path: Path
) -> None:
    run, done = ended
    other = Path(shutil.copytree(promoted[0].project, tmp_path / "other"))
    named = other / "named otherwise.txt"
    (other / "rows.csv").rename(named)
    os.utime(named, (0, 0))
    elsewhere = Story(other, tmp_path / "home")
    again = begin(settings.Settings(home=elsewhere.home, project=other), "attrition", named)
    # what ledger and champion said; there is none elsewhere
    again = replace(again, standing=run.standing)
    assert again.data.reference != run.data.reference
    assert keys(again, done) == keys(run, done)


def test_one_byte_of_the_data_is_another_key(ended: tuple[Run, Done]) -> None:
    run, done = ended
    other = replace(run, data=replace(run.data, sha256="0" * 64))
    before, after = keys(run, done), keys(other, done)
    assert {name for name in before if before[name] != after[name]} == {"validate", "evidence"}


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({"data": {"minimum_rows": 2_001}}, {"validate", "train", "evidence"}),
        ({"split": {"salt": "another"}}, {"split", "train", "evidence"}),
        ({"search": {"trials": 3}}, {"tune", "train", "evidence"}),
        ({"search": {"families": ["gradient_boosting"]}}, {"tune", "train", "evidence"}),
        ({"operating_point": {"precision_slack": 0.03}}, {"train", "evidence"}),
        ({"gate": {"recall_floor": 0.51}}, {"gate", "train", "evidence"}),
        ({}, set()),
    ],
    ids=lambda value: str(sorted(value)),  # a set has another order in each process
)
def test_a_table_of_the_policy_moves_the_steps_that_take_it(
    table: Mapping[str, Mapping[str, Any]],
    wanted: set[str],
    ended: tuple[Run, Done],
    tmp_path: Path,
) -> None:
    """Training takes all of it, because it ships in the artifact; the evidence, because it is
    sealed.
    """
    project = Path(shutil.copytree(ended[0].settings.project, tmp_path / "project"))
    releases.change_policy(project, **table)
    assert moved(ended, project) == wanted


def test_the_contract_moves_what_reads_it(ended: tuple[Run, Done], tmp_path: Path) -> None:
    project = Path(shutil.copytree(ended[0].settings.project, tmp_path / "project"))
    with (project / "models" / "attrition" / "contract.toml").open("a") as file:
        file.write("# a comment, which ships too\n")
    assert moved(ended, project) == {"validate", "split", "tune", "train", "evidence"}


def test_what_a_step_put_out_moves_the_steps_that_take_it(ended: tuple[Run, Done]) -> None:
    run, done = ended
    holdout = replace(done["split"], outputs={**done["split"].outputs, "holdout.parquet": "0" * 64})
    before, after = keys(run, done), keys(run, {**done, "split": holdout})
    assert {name for name in before if before[name] != after[name]} == {"score"}
    training = replace(done["split"], outputs={**done["split"].outputs, "train.parquet": "0" * 64})
    after = keys(run, {**done, "split": training})
    assert {name for name in before if before[name] != after[name]} == {
        "tune",
        "train",
        "score",
        "package",
        "image",
    }


def test_another_champion_moves_the_comparison_and_not_the_model(ended: tuple[Run, Done]) -> None:
    run, done = ended
    against = replace(run, against=Reference("0" * 16, "sha256:0", "0" * 64))
    before, after = keys(run, done), keys(against, done)
    assert {name for name in before if before[name] != after[name]} == {"score", "evidence"}


def closure(step: ModuleType) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in code_files(ROOT, [step.__name__])}


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (validate, {"gx/validation.py", "sluice/model/table.py", "sluice/served/contract.py"}),
        (split, {"sluice/model/split.py", "sluice/policy.py"}),
        (
            tune,
            {
                "sluice/model/training.py",
                "sluice/served/encoding.py",
                "sluice/served/expressions.py",
            },
        ),
        (
            train,
            {
                "sluice/model/training.py",
                "sluice/model/conversion.py",
                "sluice/model/operating_point.py",
                "sluice/model/model_artifact.py",
            },
        ),
        (
            score,
            {"sluice/served/scoring.py", "sluice/model/metrics.py", "sluice/model/statistics.py"},
        ),
        (gate, {"sluice/gate/decide.py", "sluice/model/statistics.py"}),
        (
            evidence,
            {"flows/evidence/page.py", "flows/evidence/pictures.py", "flows/adapters/drift.py"},
        ),
        (package, {"flows/adapters/image/bento.py"}),
        (image, {"flows/adapters/image/model_image.py", "flows/adapters/registry/registry.py"}),
        (smoke, {"flows/adapters/service_client.py", "sluice/model/model_artifact.py"}),
    ],
    ids=lambda value: getattr(value, "NAME", ""),
)
def test_a_key_takes_the_code_that_the_step_runs(step: ModuleType, code: set[str]) -> None:
    assert code | {f"flows/steps/{step.NAME}.py"} <= closure(step)


@pytest.mark.parametrize(
    "step", [validate, split, tune, train, score, gate], ids=lambda step: str(step.NAME)
)
def test_a_key_takes_no_code_of_the_story_around_it(step: ModuleType) -> None:
    """Mending the command line, or how git is asked, trains nothing anew."""
    told = {
        "flows/adapters/git/git.py",
        "flows/gitops/manifest_repo.py",
        "flows/cli/main.py",
        "flows/release.py",
        "flows/orchestration/tasks.py",
    }
    assert not closure(step) & (
        told | {"flows/engine/step.py", "flows/engine/run.py", "flows/views/terminal.py"}
    )
    assert not any(path.startswith(("models/", "bento/")) for path in closure(step))


def test_a_change_deep_in_the_code_is_another_key(tmp_path: Path) -> None:
    for room in ("sluice", "flows", "gx", "models", "bento"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    before = {step: code_hash(tmp_path, [step.__name__]) for step in BEFORE_IMAGE}
    assert before[tune] == code_hash(ROOT, [tune.__name__])
    with (tmp_path / "sluice" / "model" / "training.py").open("a") as file:
        file.write("# changed\n")
    (tmp_path / "flows" / "cli" / "main.py").write_text("# changed\n")
    after = {step: code_hash(tmp_path, [step.__name__]) for step in BEFORE_IMAGE}
    assert before[tune] != after[tune]
    assert before[gate] == after[gate]


def test_the_page_of_the_evidence_is_part_of_its_key(ended: tuple[Run, Done]) -> None:
    assert "page" in engine.inputs_of(evidence, *ended)


@pytest.fixture
def run(ended: tuple[Run, Done], tmp_path: Path) -> Run:
    return replace(ended[0], settings=ended[0].settings.model_copy(update={"home": tmp_path}))


def counting(name: str = "split", **inputs: str) -> Any:
    """A step that counts how often it worked, and puts the count out."""
    step = SimpleNamespace(
        NAME=name, TITLE=name.capitalize(), __name__=f"flows.steps.{name}", times=0
    )

    def work(run: Run, done: Done, folder: Path) -> dict[str, int]:
        step.times += 1
        (folder / "times.txt").write_text(str(step.times))
        return {"times": step.times}

    step.inputs, step.work = (lambda run, done: inputs), work
    return step


def test_a_step_that_was_done_is_not_done_again(run: Run) -> None:
    step = counting(data="1")
    done: Done = {}
    first = engine.perform(step, run, done)
    assert (engine.perform(step, run, {}), step.times, done) == (first, 1, {"split": first})


def test_without_the_cache_it_is_done_again_and_what_it_puts_out_replaces_the_old(run: Run) -> None:
    step = counting(data="1")
    engine.perform(step, run, {})
    assert engine.perform(step, replace(run, cache=False), {}).facts == {"times": 2}
    assert engine.lookup(step, replace(run, cache=False), {}) is None
    found = engine.lookup(step, run, {})
    assert found is not None
    assert (found.folder / "times.txt").read_text() == "2"


def test_a_plan_says_hit_or_miss_and_why(run: Run) -> None:
    steps: Any = [
        counting("split", data="1"),
        counting("tune", data="1"),
        counting("train", data="1"),
    ]
    never = "never done before with these inputs"
    assert [plan.cause for plan in engine.plan(steps, run, {})] == [
        never,
        *["waits for what split puts out"] * 2,
    ]
    for step in steps:
        engine.perform(step, run, {})
    done: Done = {}
    assert [plan.hit for plan in engine.plan(steps, run, done)] == [True, True, True]
    assert list(done) == ["split", "tune", "train"]
    steps[1] = counting("tune", data="2", policy="1")
    plans = [(plan.hit, plan.cause) for plan in engine.plan(steps, run, {})]
    assert plans == [
        (True, ""),
        (False, "changed: data, policy"),
        (False, "waits for what tune puts out"),
    ]
    assert [plan.cause for plan in engine.plan(steps[:1], replace(run, cache=False), {})] == [
        "--no-cache"
    ]
    assert [plan.cause for plan in engine.plan(steps[:1], run, {}, blocked="validate")] == [
        "waits for what validate puts out"
    ]
    assert steps[1].times == 0


def test_the_end_of_a_release_names_another_overlay(ended: tuple[Run, Done]) -> None:
    run, done = ended
    staging = replace(run, settings=run.settings.model_copy(update={"overlay": "staging"}))
    assert [plan.ended(there, done, "hold", "why").overlay for there in (run, staging)] == [
        "",
        "staging",
    ]
