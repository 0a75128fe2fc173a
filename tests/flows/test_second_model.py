"""A new user with a second model: from a clone of this repository to the push that releases it,
every file that is touched by hand counted.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.argocd import seed
from support.command_line import Sluice

from flows.adapters.git import git
from flows.project.models import models
from flows.project.root import ROOT

MODEL = "churn"
PERSON = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "New"), ("EMAIL", "new@example.com"))
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with the two URLs set, that of the registry and that of the manifest repo; nobody
    has released from it.
    """
    folder = tmp_path / "clone"
    git.git("clone", "--quiet", str(ROOT), str(folder), cwd=tmp_path)
    monkeypatch.setenv("SLUICE_PROJECT", str(folder))
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLUICE_REGISTRY", "registry.example.com/team")
    monkeypatch.setenv("SLUICE_MANIFESTS", str(seed(tmp_path)))
    monkeypatch.delenv("SLUICE_MODEL", raising=False)
    return folder


def test_no_file_is_touched_but_those_of_the_model(
    clone: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tutorial, and a push; what is made for the model is made by commands."""
    before, others = git.git("rev-parse", "HEAD", cwd=clone).strip(), models(clone)
    table = clone / "data" / f"{MODEL}.csv"
    made = [sys.executable, "-m", "scripts.churn_table", str(table)]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True)
    assert sluice("init", table, "--yes").code == 0
    policy = clone / "models" / MODEL / "policy.toml"
    read = policy.read_text().replace("reviewed = false", "reviewed = true")
    policy.write_text(read)
    told = sluice("validate", MODEL)
    assert (told.code, "Valid: 6,000 rows" in told.out) == (0, True)
    git.git("add", "--all", cwd=clone)
    git.git("commit", "--quiet", "-m", "Add a model", cwd=clone, env=PERSON)

    touched = git.git("diff", "--name-only", before, "HEAD", cwd=clone).split()
    assert touched == [
        f"data/{MODEL}.csv",
        f"data/{MODEL}.toml",
        *(f"models/{MODEL}/{name}.toml" for name in ("contract", "policy", "sample")),
    ]
    assert git.git("status", "--porcelain", cwd=clone) == ""
    changed = json.loads(sluice("changed", "--base", before, "--json").out)
    assert [one["model"] for one in changed["models"]] == [MODEL]

    written = json.loads(sluice("deploy-files", MODEL, "--json").out)
    assert written["outcome"] == "committed"
    assert any(MODEL in file for file in written["files"])
    assert git.git("status", "--porcelain", cwd=clone) == ""
    assert set(models(clone)) == {*others, MODEL}
    monkeypatch.delenv("SLUICE_REGISTRY")  # nothing answers there
    planned = json.loads(sluice("plan", MODEL, "--json").out)
    assert planned["steps"], planned
    assert {step["hit"] for step in planned["steps"]} == {False}
