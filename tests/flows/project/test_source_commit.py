"""The commit that a release names says so where what shaped it is in no commit."""

from pathlib import Path

import pytest

from flows.adapters.git import git
from flows.project.source_commit import source_commit

US = ("-c", "user.name=A", "-c", "user.email=a@x")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    git.git("init", "--quiet", cwd=tmp_path)
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "models" / "first").mkdir(parents=True)
    (tmp_path / "models" / "first" / "contract.toml").write_text("schema = 2\n")
    git.git("add", ".", cwd=tmp_path)
    git.git(*US, "commit", "--quiet", "-m", "First", cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["models/second/contract.toml", "data/second.toml", "flows/new.py", "overrides/a/b.toml"],
)
def test_a_new_file_that_shapes_a_release_is_in_no_commit(project: Path, name: str) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("a = 1\n")
    assert source_commit(project).endswith("-dirty")
    git.git("add", ".", cwd=project)
    git.git(*US, "commit", "--quiet", "-m", "Second", cwd=project)
    assert not source_commit(project).endswith("-dirty")


@pytest.mark.parametrize("name", ["notes.txt", "out/table.csv", "models/first/run.log"])
def test_other_new_files_change_nothing(project: Path, name: str) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("a = 1\n")
    assert not source_commit(project).endswith("-dirty")
    assert source_commit(project)


def test_outside_of_git_there_is_none(tmp_path: Path) -> None:
    assert source_commit(tmp_path) == ""
