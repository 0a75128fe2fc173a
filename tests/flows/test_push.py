"""Pushes to a repository with two models, from what changed to the commit that a release makes."""

import json
import os
import pty
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support import releases
from support.command_line import Sluice
from support.releases import Story, Told

from flows.adapters.git import git
from flows.project.root import ROOT

PERSON = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A"), ("EMAIL", "a@example.com"))
}
OTHER = "turnover"


def committed(project: Path) -> str:
    """Commit what lies in the project; the commit."""
    git.git("add", "--all", cwd=project)
    git.git("commit", "--quiet", "-m", "Change", cwd=project, env=PERSON)
    return git.git("rev-parse", "HEAD", cwd=project).strip()


@pytest.fixture
def here(first: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    """Two models in a repository. One was trained, and nothing is committed in the manifest repo;
    its data have a pointer since the newest commit.
    """
    story = releases.copy(first[0], tmp_path)
    releases.enter(story, tools)
    shutil.copytree(story.project / "models" / "attrition", story.project / "models" / OTHER)
    pointer = story.project / "data" / "attrition.toml"
    shutil.copy(pointer, pointer.with_name(f"{OTHER}.toml"))
    text = pointer.read_text()
    pointer.write_text('reference = "file:older.csv"\n')
    git.git("init", "--quiet", "--initial-branch=main", cwd=story.project)
    committed(story.project)
    pointer.write_text(text)
    committed(story.project)
    return story


def pushed(sluice: Sluice, before: str) -> list[str]:
    """The models that a push from this commit to HEAD would release."""
    told = sluice("changed", "--base", before, "--json")
    assert told.code == 0, told.err
    return [found["model"] for found in json.loads(told.out)["models"]]


def released(sluice: Sluice, models: list[str]) -> list[tuple[int, str]]:
    """How the release of each of them ends, as a matrix does it."""
    ended = []
    for model in models:
        told = sluice("release", model, "--json")
        ended.append((told.code, json.loads(told.out)["outcome"]))
    return ended


def test_a_pointer_of_one_ends_in_one_commit_for_it_however_often_it_is_pushed(
    here: Story, sluice: Sluice
) -> None:
    releases.keep_image()
    manifests = here.home / "manifests.git"
    assert pushed(sluice, "HEAD^") == ["attrition"]
    assert released(sluice, ["attrition"]) == [(0, "promoted")]
    files = git.git("diff", "--name-only", "main^", "main", cwd=manifests).split()
    assert {file for file in files if file.startswith("state/")} == {
        "state/attrition/anchor.json",
        "state/attrition/champion.json",
    }
    tip = git.git("rev-list", "main", cwd=manifests).split()
    assert len(tip) == 2  # the template, and the release
    assert released(sluice, pushed(sluice, "HEAD^")) == [(0, "nothing to do")]
    assert git.git("rev-list", "main", cwd=manifests).split() == tip


def test_shared_rules_release_both_and_documentation_none(here: Story, sluice: Sluice) -> None:
    (here.project / "sluice" / "gate").mkdir(parents=True)
    (here.project / "sluice" / "gate" / "rules.py").write_text("# changed\n")
    committed(here.project)
    assert pushed(sluice, "HEAD^") == ["attrition", OTHER]
    (here.project / "docs").mkdir()
    (here.project / "docs" / "gate.md").write_text("# The gate\n")
    (here.project / "README.md").write_text("# Models\n")
    committed(here.project)
    assert pushed(sluice, "HEAD^") == []
    assert pushed(sluice, "0" * 40) == ["attrition", OTHER]


def test_the_next_job_and_the_page_are_told(
    here: Story, sluice: Sluice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a runner reads of a step, and what a person reads of it."""
    outputs, page = tmp_path / "outputs", tmp_path / "page"
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    told = sluice("changed", "--base", "HEAD^", "--only", "")
    assert told.out == "attrition data (data/attrition.toml)\n"
    assert outputs.read_text() == 'models=["attrition"]\n'
    assert page.read_text() == "- `attrition`: data (data/attrition.toml)\n"
    told = sluice("changed", "--base", "HEAD")
    assert told.out == "No model is touched.\n"
    assert outputs.read_text().splitlines()[-1] == "models=[]"
    assert page.read_text().splitlines()[-1] == "No model is touched: nothing is released."
    sluice("changed", "--base", "unheard", "--only", OTHER)
    assert tomllib.loads(outputs.read_text().splitlines()[-1]) == {"models": [OTHER]}


def test_a_schedule_looks_at_every_model(here: Story, sluice: Sluice) -> None:
    told = sluice("changed", "--all")
    assert told.out.splitlines() == [
        "attrition every model is looked at",
        f"{OTHER:9} every model is looked at",
    ]
    told = sluice("changed")
    assert told.code == 2
    assert "no commit is named to compare with" in told.err


def test_a_plan_is_kept_as_data_and_so_is_why_there_is_none(
    here: Story, sluice: Sluice, tmp_path: Path
) -> None:
    """What the job of a pull request leaves for the one that comments on it."""
    file = tmp_path / "plan.json"
    told = sluice("plan", "attrition", "--json-file", file)
    assert (told.code, json.loads(file.read_text())["model"]) == (0, "attrition")
    assert json.loads(sluice("plan", "attrition", "--json").out) == json.loads(file.read_text())
    pointer = here.project / "data" / "attrition.toml"
    pointer.write_text('reference = "s3://k:s@bucket/rows.csv"\n')
    assert sluice("plan", "attrition", "--json-file", file).code == 2
    refused = json.loads(file.read_text())
    assert refused["model"] == "attrition"
    assert "holds a login" in refused["refused"]
    assert "k:s" not in file.read_text()


def test_a_plan_tells_verdict_and_change_once_they_are_known(here: Story, sluice: Sluice) -> None:
    assert released(sluice, ["attrition"]) == [(0, "no builder")]
    judged = json.loads(sluice("plan", "attrition", "--json").out)
    assert judged["verdict"].startswith("PROMOTE: recall ")
    assert judged["diff"] == ""  # there is no image yet
    releases.keep_image()
    imaged = json.loads(sluice("plan", "attrition", "--json").out)
    assert imaged["verdict"] == judged["verdict"]
    assert "newTag: " in imaged["diff"]


def test_with_two_models_a_command_wants_one_named(here: Story, sluice: Sluice) -> None:
    told = sluice("status")
    assert told.code == 2
    assert f"2 models are there and none is named: attrition, {OTHER}" in told.err
    for group in ("anchor", "quarantine"):
        assert "none is named" in sluice(group).err
        assert "none is named" not in sluice(group, "--model", OTHER).err
    for words in (["history", "--help"], ["quarantine", "add", "--help"]):
        assert "unless given, the only one, or asked for" in " ".join(sluice(*words).out.split())


def test_a_person_at_a_terminal_is_asked_until_the_answer_is_a_model(here: Story) -> None:
    """On a terminal of its own, as a person has one; what is printed for programs stays clean."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"unheard\n2\n")
    done = subprocess.run(
        [sys.executable, "-c", "from flows.cli.main import main; main()", "status", "--json"],
        cwd=ROOT,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        check=False,
    )
    os.close(terminal)
    asked = os.read(keyboard, 10_000).decode()
    os.close(keyboard)
    assert done.returncode == 0, asked
    assert json.loads(done.stdout)["model"] == OTHER
    assert asked.count(f"Which model? 1 attrition, 2 {OTHER}:") == 2
