"""The real DVC, in an environment of its own: what `dvc add` writes is read, and what it names is
brought.
"""

import shutil
from pathlib import Path

import pytest
from support.command_line import Sluice
from support.installed_programs import environment
from support.releases import Story

from flows.adapters import dvc
from flows.adapters.git import git
from flows.adapters.process import run
from flows.project import settings
from flows.project.data_pointer import add, standing
from flows.project.data_source import from_pointer
from sluice.errors import SluiceError, UsageError


@pytest.fixture(scope="session")
def program() -> Path:
    return environment("dvc", "3.67.1") / "bin"


@pytest.fixture
def here(
    unreleased: Story, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Story:
    """A project whose table DVC keeps in a folder elsewhere, and that has no copy of it."""
    project, rows = unreleased.project, unreleased.rows
    monkeypatch.setenv("PATH", f"{program}:/usr/bin:/bin")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "true")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    git.git("init", "--quiet", cwd=project)
    for words in (
        ("init", "--quiet"),
        ("remote", "add", "-d", "store", str(tmp_path / "store")),
        ("add", "--quiet", rows.name),
        ("push", "--quiet"),
    ):
        run([program / "dvc", *words], cwd=project, without=("PYTHONPATH",))
    rows.unlink()
    shutil.rmtree(project / ".dvc" / "cache")
    return unreleased


def test_what_dvc_keeps_is_brought_checked_and_recorded(here: Story, sluice: Sluice) -> None:
    told = sluice("data", "add", here.project / "rows.csv.dvc")
    assert told.code == 0, told.err
    assert "git add data/attrition.toml rows.csv.dvc; a push of them" in told.out
    text = (here.project / "data" / "attrition.toml").read_text()
    assert 'reference = "dvc:rows.csv.dvc"' in text
    [found] = standing(settings.load())
    assert found.state == "here"
    kept = from_pointer(settings.load(), "attrition")
    kept.path.unlink()
    [found] = standing(settings.load())
    assert found.state == "there"
    here.rows.unlink()
    [found] = standing(settings.load())
    assert found.state == "elsewhere"
    assert from_pointer(settings.load(), "attrition").sha256 == kept.sha256
    here.rows.write_text("changed")
    kept.path.unlink()
    [found] = standing(settings.load())
    assert found.state == "changed"


def test_another_version_in_git_is_told_and_the_kept_one_used(
    here: Story, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(settings.load(), "attrition", str(here.project / "rows.csv.dvc"))
    here.rows.chmod(0o600)
    here.rows.write_text("other")
    run([program / "dvc", "add", "--quiet", "rows.csv"], cwd=here.project, without=("PYTHONPATH",))
    from_pointer(settings.load(), "attrition")
    said = " ".join(capsys.readouterr().err.split())
    assert "Warning: rows.csv.dvc names other bytes than data/attrition.toml" in said


def test_what_the_store_lost_is_told_in_a_sentence(here: Story, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(SluiceError, match=r"dvc could not bring rows\.csv\.dvc") as raised:
        add(settings.load(), "attrition", str(here.project / "rows.csv.dvc"))
    assert "Traceback" not in str(raised.value)
    assert not here.rows.exists()


def test_a_folder_that_dvc_keeps_is_refused(here: Story, program: Path) -> None:
    folder = here.project / "tables"
    folder.mkdir()
    (folder / "a.csv").write_text("a")
    run([program / "dvc", "add", "--quiet", "tables"], cwd=here.project, without=("PYTHONPATH",))
    with pytest.raises(UsageError, match=r"tables\.dvc names a folder; a file is required"):
        dvc.read(here.project, "tables.dvc")


def test_a_remote_that_is_not_allowed_is_not_asked(
    here: Story, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_DATA_FROM", "s3://people-data")
    words = ("remote", "modify", "store", "url", "s3://somebody-else/x")
    run([program / "dvc", *words], cwd=here.project, without=("PYTHONPATH",))
    with pytest.raises(UsageError, match="data come from s3://somebody-else; one of"):
        add(settings.load(), "attrition", str(here.project / "rows.csv.dvc"))
