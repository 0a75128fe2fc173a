"""`sluice deploy-files`: into a folder, or as a commit."""

import json
from pathlib import Path

import pytest
from support.command_line import Sluice


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_folder_gets_the_files(tmp_path: Path, sluice: Sluice) -> None:
    ended = sluice("deploy-files", "attrition", "--to", tmp_path / "there", "--json")
    assert ended.code == 0
    files = json.loads(ended.out)["files"]
    assert "overlays/production/attrition/kustomization.yaml" in files
    assert all((tmp_path / "there" / path).is_file() for path in files)


def test_a_model_that_runs_already_needs_no_commit(sluice: Sluice, home: Path) -> None:
    ended = sluice("deploy-files", "attrition", "--json")
    said = json.loads(ended.out)
    assert (said["outcome"], said["files"]) == ("already there", [])
    told = sluice("deploy-files", "attrition")
    assert told.err == "The manifest repo runs attrition already.\n"
    assert (home / "manifests.git").is_dir()


def test_an_unknown_model_is_named(sluice: Sluice) -> None:
    ended = sluice("deploy-files", "unheard")
    assert (ended.code, "there is no model 'unheard'" in ended.err) == (2, True)
