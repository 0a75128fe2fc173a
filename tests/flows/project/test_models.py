"""The models of a project, and errors that name the model or the file that is not there."""

import shlex
from pathlib import Path

import pytest

from flows.project.models import model_folder, models, project_text
from sluice.errors import UsageError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two models, and a folder that is none."""
    for name in ("turnover", "attrition", "notes"):
        (tmp_path / "models" / name).mkdir(parents=True)
    for name in ("turnover", "attrition"):
        (tmp_path / "models" / name / "contract.toml").write_text("schema = 1\n")
    return tmp_path


def test_a_model_is_a_folder_with_a_contract(project: Path) -> None:
    assert models(project) == ["attrition", "turnover"]
    assert model_folder("turnover", project) == project / "models" / "turnover"


def test_a_project_without_models_says_so(tmp_path: Path) -> None:
    assert models(tmp_path) == []
    with pytest.raises(UsageError, match="there is no model 'attrition'") as raised:
        model_folder("attrition", tmp_path)
    assert raised.value.fix.endswith("holds: none.")


@pytest.mark.parametrize("name", ["unheard", "notes", "../models/attrition", "", "attrition/"])
def test_an_unknown_model_names_those_there_are(name: str, project: Path) -> None:
    with pytest.raises(UsageError, match="there is no model") as raised:
        model_folder(name, project)
    assert raised.value.fix.endswith("holds: attrition, turnover.")


def test_a_file_that_is_missing_is_named_within_the_project(project: Path) -> None:
    path = project / "models" / "attrition" / "policy.toml"
    with pytest.raises(
        UsageError, match=r"^models/attrition/policy\.toml cannot be read"
    ) as raised:
        project_text(path, project)
    assert raised.value.fix


def test_a_file_that_is_no_text_is_named_within_the_project(project: Path) -> None:
    path = project / "models" / "attrition" / "contract.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"^models/attrition/contract\.toml cannot be read"):
        project_text(path, project)


@pytest.mark.parametrize(
    "name",
    ["employees.csv", "./x/employees.CSV", "a b.parquet", "/data/people.xlsx", "people.tsv"],
)
def test_a_file_in_the_place_of_a_model_is_understood(name: str, project: Path) -> None:
    with pytest.raises(UsageError, match="there is no model") as raised:
        model_folder(name, project)
    assert raised.value.fix.startswith(f"Did you mean --data {shlex.quote(name)}? ")


def test_a_file_that_is_there_is_understood_whatever_its_name(project: Path) -> None:
    (project / "people").write_text("")
    with pytest.raises(UsageError) as raised:
        model_folder(str(project / "people"), project)
    assert raised.value.fix.startswith("Did you mean --data ")
