"""Settings: from the environment alone, each described, each with an embedded default, wrong ones
named.
"""

from pathlib import Path

import pytest

from flows.gitops import manifest_repo
from flows.project import settings
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import UsageError


def test_everything_has_a_default_under_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_HOME")
    given = settings.load()
    assert given.home == ROOT / ".sluice"
    assert given.project == ROOT
    assert given.manifest_url == str(ROOT / ".sluice" / "manifests.git")
    assert given.tracking == f"sqlite:///{ROOT / '.sluice' / 'mlflow.db'}"
    assert (given.branch, given.overlay, given.registry) == ("main", "production", "")


def test_each_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "REGISTRY": "127.0.0.1:5000/team",
        "MANIFESTS": "https://git.example.com/x.git",
        "BRANCH": "live",
        "OVERLAY": "staging",
        "TRACKING_URI": "http://127.0.0.1:5001",
        "WORKERS": "4",
        "AUTHOR": "Anna <anna@example.com>",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"SLUICE_{name}", value)
    given = settings.load()
    assert given.manifest_url == values["MANIFESTS"]
    assert given.tracking == values["TRACKING_URI"]
    assert (given.branch, given.overlay, given.workers, given.author) == (
        "live",
        "staging",
        4,
        values["AUTHOR"],
    )
    assert manifest_repo.image_name(given, "attrition") == "127.0.0.1:5000/team/attrition"


def test_a_home_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_HOME", "state")
    assert settings.load().home == tmp_path.resolve() / "state"


def test_an_empty_tracking_uri_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TRACKING_URI", "")
    assert settings.load().tracking == ""


def test_they_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load().branch = "other"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "many"),
        ("WORKERS", "0"),
        ("AUTHOR", "Anna"),
        ("AUTHOR", "anna@example.com>"),
        ("REGISTRY", "https://registry.example.com/team"),
        ("OVERLAY", ""),
        ("OVERLAY", "../staging"),
        ("BRANCH", "a..b"),
        ("BRANCH", ""),
        ("BRANCH", "-x"),
    ],
)
def test_a_wrong_one_is_named_with_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SLUICE_{name}", value)
    with pytest.raises(UsageError) as raised:
        settings.load()
    assert f"SLUICE_{name} is '{value}'" in raised.value.what
    assert raised.value.fix


def test_a_branch_may_be_called_as_git_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BRANCH", "deploy/main-2")
    assert settings.load().branch == "deploy/main-2"


def test_a_home_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"SLUICE_HOME is .*file'"):
        settings.load()


def test_clones_share_what_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settings.load().shared == tmp_path / "sluice"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert settings.load().shared == Path.home() / ".cache" / "sluice"
