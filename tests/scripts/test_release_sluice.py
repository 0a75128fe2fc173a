"""A release of Sluice itself: version, changelog, lock, commit and tag, with real git and uv."""

import datetime
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts import release_sluice
from scripts.release_sluice import main

DAY = datetime.date(2027, 3, 1)
CHANGELOG = """# Changelog

## [Unreleased]

### Added

- A command that was missing.

### Fixed

- An answer that was wrong.

## [0.1.0] - 2026-11-28

### Added

- Everything.

[Unreleased]: ../../compare/v0.1.0...HEAD
[0.1.0]: ../../releases/tag/v0.1.0
"""
MANIFEST = """[project]
name = "sluice"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = []

[tool.other]
about = "a table with a version of its own"
"""
UV = Path(sys.executable).with_name("uv")


def git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(project: Path, **files: str) -> None:
    """Commit these files; `_` stands for the dot in a name."""
    for name, text in files.items():
        (project / name.replace("_", ".")).write_text(text, encoding="utf-8")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Change something")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository on main that could be released."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "config", "user.name", "Somebody")
    git(tmp_path, "config", "user.email", "somebody@example.com")
    git(tmp_path, "config", "commit.gpgsign", "false")
    git(tmp_path, "config", "tag.gpgsign", "false")
    (tmp_path / "pyproject.toml").write_text(MANIFEST, encoding="utf-8")
    lock(tmp_path)
    commit(tmp_path, CHANGELOG_md=CHANGELOG)
    return tmp_path


def lock(project: Path) -> None:
    """Write uv.lock as uv does."""
    subprocess.run([UV, "lock", "--quiet", "--python", sys.executable], cwd=project, check=True)


def state(project: Path) -> tuple[str, str, str]:
    """The commit, the changed files and the tags."""
    return (
        git(project, "rev-parse", "HEAD"),
        git(project, "status", "--porcelain"),
        git(project, "tag", "--list"),
    )


def test_one_commit_sets_the_version_everywhere(project: Path) -> None:
    before = git(project, "rev-parse", "HEAD")
    assert main(["0.2.0"], project, DAY) == 0
    assert git(project, "rev-parse", "HEAD^") == before
    assert git(project, "show", "--name-only", "--format=%s").split() == [
        "Release",
        "0.2.0",
        "CHANGELOG.md",
        "pyproject.toml",
        "uv.lock",
    ]
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"] == "0.2.0"
    [own] = tomllib.loads((project / "uv.lock").read_text())["package"]
    assert own["version"] == "0.2.0"
    assert git(project, "status", "--porcelain") == ""


def test_the_changelog_is_dated_and_a_new_section_begins(project: Path) -> None:
    assert main(["0.2.0"], project, DAY) == 0
    dated = CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n## [0.2.0] - 2027-03-01\n")
    dated = dated.replace(
        "[Unreleased]: ../../compare/v0.1.0...HEAD",
        "[Unreleased]: ../../compare/v0.2.0...HEAD\n[0.2.0]: ../../compare/v0.1.0...v0.2.0",
    )
    assert (project / "CHANGELOG.md").read_text() == dated


def test_the_tag_is_annotated_with_the_section(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["0.2.0"], project, DAY) == 0
    assert git(project, "cat-file", "-t", "v0.2.0") == "tag"
    assert git(project, "rev-parse", "v0.2.0^{commit}") == git(project, "rev-parse", "HEAD")
    message = git(project, "tag", "--list", "--format=%(contents)", "v0.2.0")
    assert message.startswith(
        "Sluice 0.2.0\n\n### Added\n\n- A command that was missing.\n\n### Fixed"
    )
    assert "Everything" not in message
    assert capsys.readouterr().out.startswith("Released: v0.2.0 is commit ")


def test_two_releases_follow_each_other(project: Path) -> None:
    assert main(["0.2.0"], project, DAY) == 0
    text = (project / "CHANGELOG.md").read_text()
    commit(
        project, CHANGELOG_md=text.replace("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n", 1)
    )
    assert main(["1.0.0"], project, DAY) == 0
    text = (project / "CHANGELOG.md").read_text()
    assert (
        "[1.0.0]: ../../compare/v0.2.0...v1.0.0\n[0.2.0]: ../../compare/v0.1.0...v0.2.0\n" in text
    )
    assert git(project, "tag", "--list").split() == ["v0.2.0", "v1.0.0"]


def test_a_dry_run_shows_the_section_and_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(project)
    assert main(["0.2.0", "--dry-run"], project, DAY) == 0
    shown = capsys.readouterr().out
    assert "- A command that was missing." in shown
    assert shown.endswith("Dry run: 0.1.0 would become 0.2.0; nothing was written.\n")
    assert state(project) == before


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("0.2", "VERSION is '0.2'; one of the form X.Y.Z is required."),
        ("v0.2.0", "VERSION is 'v0.2.0'; one of the form X.Y.Z is required."),
        ("0.02.0", "VERSION is '0.02.0'; one of the form X.Y.Z is required."),
        ("0.1.0", "VERSION is 0.1.0; more than 0.1.0 is required."),
        ("0.0.9", "VERSION is 0.0.9; more than 0.1.0 is required."),
    ],
)
def test_a_version_that_is_no_step_forward_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], version: str, sentence: str
) -> None:
    before = state(project)
    assert main([version], project, DAY) == 3
    assert capsys.readouterr().err.startswith(f"Refused: {sentence}")
    assert state(project) == before


def test_versions_are_compared_as_numbers(project: Path) -> None:
    (project / "pyproject.toml").write_text(MANIFEST.replace("0.1.0", "0.9.0"), encoding="utf-8")
    lock(project)
    commit(project)
    assert main(["0.10.0"], project, DAY) == 0


def test_another_branch_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(project, "switch", "--quiet", "--create", "topic")
    assert main(["0.2.0"], project, DAY) == 3
    assert (
        capsys.readouterr().err
        == "Refused: The branch is topic; main is required. Run: git switch main\n"
    )


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.txt"])
def test_a_tree_with_changes_is_refused_and_they_stay(
    project: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (project / name).write_text("not committed")
    assert main(["0.2.0"], project, DAY) == 3
    expected = (
        f"Refused: The number of changed files is 1; 0 is required. Commit or remove them: {name}\n"
    )
    assert capsys.readouterr().err == expected
    assert (project / name).read_text() == "not committed"


@pytest.mark.parametrize("section", ["## [Unreleased]\n\n### Added\n\n", "## [Unreleased]\n\n", ""])
def test_a_changelog_without_entries_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], section: str
) -> None:
    begin, end = CHANGELOG.index("## [Unreleased]"), CHANGELOG.index("## [0.1.0]")
    commit(project, CHANGELOG_md=CHANGELOG[:begin] + section + CHANGELOG[end:])
    assert main(["0.2.0"], project, DAY) == 3
    assert (
        "The number of entries under Unreleased in CHANGELOG.md is 0; 1 or more is required."
        in capsys.readouterr().err
    )


def test_a_changelog_without_its_link_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(project, CHANGELOG_md=CHANGELOG.replace("[Unreleased]: ", "[Later]: "))
    assert main(["0.2.0"], project, DAY) == 3
    assert "in CHANGELOG.md is 0; 1 is required." in capsys.readouterr().err


def test_a_tag_that_is_there_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(project, "tag", "v0.2.0")
    assert main(["0.2.0"], project, DAY) == 3
    assert "The number of tags v0.2.0 is 1; 0 is required." in capsys.readouterr().err


def test_a_lock_that_is_out_of_date_is_refused_and_nothing_stays(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(project, pyproject_toml=MANIFEST.replace('">=3.11"', '">=3.10"'))
    before = state(project)
    assert main(["0.2.0"], project, DAY) == 3
    assert "The exit code of `uv lock` is 1; 0 is required." in capsys.readouterr().err
    assert state(project) == before


def test_a_lock_of_another_version_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(project, pyproject_toml=MANIFEST.replace("0.1.0", "0.1.1"))
    assert main(["0.2.0"], project, DAY) == 3
    expected = "The number of entries of sluice 0.1.1 in uv.lock is 0; 1 is required."
    assert expected in capsys.readouterr().err


def test_only_one_line_of_the_lock_changes(project: Path) -> None:
    before = (project / "uv.lock").read_text().splitlines()
    assert main(["0.2.0"], project, DAY) == 0
    after = (project / "uv.lock").read_text().splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert changed == [('version = "0.1.0"', 'version = "0.2.0"')]


def test_a_hook_that_refuses_the_commit_leaves_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho the check failed >&2\nexit 1\n")
    hook.chmod(0o755)
    before = state(project)
    assert main(["0.2.0"], project, DAY) == 3
    assert (
        "The exit code of `git commit` is 1; 0 is required. the check failed"
        in capsys.readouterr().err
    )
    assert state(project) == before


def test_a_tag_that_cannot_be_made_leaves_no_commit(project: Path) -> None:
    git(project, "tag", "v0.2.0/taken")  # git cannot have a tag and a folder of the same name
    before = state(project)
    assert main(["0.2.0"], project, DAY) == 3
    assert state(project) == before


def test_without_a_version_it_is_a_usage_error(project: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([], project, DAY)
    assert ended.value.code == 2


def test_this_project_could_be_released() -> None:
    """Its own changelog and version are as the script reads them."""
    root = release_sluice.PROJECT
    manifest = (root / "pyproject.toml").read_text(encoding="utf-8")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    version = tomllib.loads(manifest)["project"]["version"]
    assert release_sluice._own_version(manifest) == version
    dated = release_sluice._dated(changelog, "99.0.0", version, DAY)
    assert f"## [{version}] - " in dated
    assert f"compare/v{version}...v99.0.0" in dated
