"""What of a working tree goes into the pipeline image, and what does not."""

import subprocess
from pathlib import Path

import pytest

from flows.adapters.image.pipeline.source import source
from flows.project.root import ROOT

GIT = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in (
        "flows/a.py",
        "models/m/policy.toml",
        "data/m.toml",
        "data/rows.csv",
        "uv.lock",
        "pyproject.toml",
        "docs/x.md",
        "flows/__pycache__/a.pyc",
        ".env",
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return folder


WANTED = ["data/m.toml", "flows/a.py", "models/m/policy.toml", "pyproject.toml", "uv.lock"]


def test_rows_secrets_and_bytecode_stay_behind(tree: Path) -> None:
    found = source(tree, tree)
    assert list(found.files) == WANTED
    assert found.commit == ""


def test_of_a_working_tree_only_what_git_tracks(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", tree], check=True)
    subprocess.run([*GIT, "add", "."], cwd=tree, check=True)
    subprocess.run([*GIT, "commit", "-qm", "x"], cwd=tree, check=True)
    (tree / "flows" / "notes.txt").write_text("a password")
    found = source(tree, tree)
    assert [name for name in found.files if "pycache" not in name] == WANTED
    assert found.commit.endswith("-dirty")


def test_models_may_lie_elsewhere(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "own"
    (other / "models" / "x").mkdir(parents=True)
    (other / "models" / "x" / "policy.toml").touch()
    found = source(tree, other)
    assert found.files["models/x/policy.toml"] == other / "models" / "x" / "policy.toml"
    assert "models/m/policy.toml" not in found.files


def test_the_real_one_has_lock_manifests_and_models() -> None:
    found = source(ROOT, ROOT).files
    assert {"uv.lock", "deploy/argocd/base/rollout.yaml", "bento/base.lock"} <= set(found)
    assert not [name for name in found if name.startswith(("tests/", "docs/", ".sluice"))]
