"""The Bento: built by BentoML, the same bytes from the same inputs, nothing in it but what ships,
and it answers.
"""

import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec import convert
from support.model_artifacts import PROJECT, scores, small_artifact

from flows.adapters.image import bento
from flows.adapters.image.image_tools import REAL
from flows.adapters.process import run
from sluice.errors import SluiceError, UsageError
from sluice.model.artifact.model_artifact import Golden, compare_golden

VERSION = "0123456789abcdef"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("artifact") / "model")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state") / ".hidden" / "bentoml"


@pytest.fixture(scope="module")
def built(artifact: Path, home: Path) -> Path:
    return bento.build(PROJECT, artifact, VERSION, home, name="attrition", tools=REAL)


@pytest.fixture(scope="module")
def client(built: Path, home: Path) -> Iterator[httpx2.Client]:
    with bento.serve(built, home) as url, httpx2.Client(base_url=url) as client:
        yield client


@pytest.fixture(scope="module")
def golden(artifact: Path) -> Any:
    return json.loads((artifact / "golden.json").read_text())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_lies_where_its_tag_says(built: Path, home: Path) -> None:
    assert built == home / "bentos" / "attrition" / VERSION
    assert (built.parent / "latest").read_text() == VERSION
    assert f"version: {VERSION}\n" in (built / "bento.yaml").read_text()


def test_only_what_ships_is_inside(built: Path, artifact: Path) -> None:
    listed = {
        *bento.served_files(PROJECT),
        *(f"model/{path.name}" for path in artifact.iterdir()),
        "bentofile.yaml",
    }
    assert set(contents(built / "src")) == listed
    assert not any(path.startswith(("flows/", "gx/")) or "training" in path for path in listed)


def test_every_requirement_is_pinned_with_hashes(built: Path) -> None:
    lines = (built / "env" / "python" / "requirements.txt").read_text().split("\n")
    names = [line for line in lines if line and not line.startswith(" ")]
    assert all("==" in name and name.endswith("\\") for name in names)
    assert any(name.startswith("onnxruntime==") for name in names)
    assert not any(
        name.startswith(("pandas", "scikit-learn", "prefect", "mlflow")) for name in names
    )


def test_the_same_inputs_give_the_same_bytes(built: Path, artifact: Path, tmp_path: Path) -> None:
    again = bento.build(
        PROJECT, artifact, VERSION, tmp_path / "elsewhere", name="attrition", tools=REAL
    )
    assert contents(again) == contents(built)


def test_a_complete_one_is_adopted_and_a_half_written_one_replaced(
    artifact: Path, tmp_path: Path
) -> None:
    half = tmp_path / "bentos" / "attrition" / VERSION
    half.mkdir(parents=True)
    (half / "bento.yaml").write_text("half")
    built = bento.build(PROJECT, artifact, VERSION, tmp_path, name="attrition", tools=REAL)
    assert "half" not in (built / "bento.yaml").read_text()
    before = (built / "bento.yaml").stat().st_mtime_ns
    bento.build(PROJECT, artifact, VERSION, tmp_path, name="attrition", tools=REAL)
    assert (built / "bento.yaml").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".build-")] == []


def test_it_answers_the_golden_records(client: httpx2.Client, golden: Any) -> None:
    answers = client.post("/predict_batch", json=golden["records"]).json()
    assert compare_golden(convert(golden, Golden), scores(answers)) < 1e-6
    single = client.post("/predict", json=golden["records"][0]).json()
    assert single["probability"] == pytest.approx(golden["scores"][0], abs=1e-6)
    assert single["prediction"] == (golden["scores"][0] >= 0.5)
    assert single["label"] in ("Leave", "Stay")
    assert (single["threshold"], single["model"]) == (0.5, f"attrition:{VERSION}")


def test_an_empty_list_has_no_answers(client: httpx2.Client) -> None:
    assert client.post("/predict_batch", json=[]).json() == []


@pytest.mark.parametrize("path", ["/predict", "/predict_batch"])
def test_a_bad_field_is_named_with_its_value_and_what_is_allowed(
    path: str, client: httpx2.Client, golden: Any
) -> None:
    record = golden["records"][0] | {"age": 3}
    answer = client.post(
        path, json=record if path == "/predict" else [golden["records"][1], record]
    )
    assert answer.status_code == 400
    [field] = answer.json()["fields"]
    assert (field["field"], field["value"], field["row"]) == (
        "Age",
        "3",
        0 if path == "/predict" else 1,
    )
    assert "18" in field["allowed"]


@pytest.mark.parametrize("name", ["Gender", "Employee ID", "unheard of"])
def test_what_the_model_is_not_fed_is_not_taken(
    name: str, client: httpx2.Client, golden: Any
) -> None:
    assert client.post("/predict", json=golden["records"][0] | {name: "x"}).status_code == 400


@pytest.mark.parametrize(
    "kind", ["application/vnd.bentoml+pickle", "Application/Vnd.Bentoml+Pickle; a=b"]
)
def test_a_pickle_is_never_opened(kind: str, client: httpx2.Client, tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "pwned"),)

    answer = client.post("/predict", content=pickle.dumps(Attack()), headers={"Content-Type": kind})
    assert answer.status_code >= 400
    assert not (tmp_path / "pwned").exists()


def test_a_server_that_cannot_start_says_why(built: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(SluiceError, match="ended with exit code"),
        bento.serve(tmp_path / "no-bento", tmp_path / "home"),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_ROWS", "many"), ("MODEL_DIR", "/nonexistent"), ("PREDICTION_LOG", "nowhere://x")],
)
def test_a_server_whose_settings_are_wrong_ends_with_one_line(
    built: Path, home: Path, name: str, value: str
) -> None:
    with (
        pytest.raises(UsageError, match=rf"^SLUICE_{name} is '{value}'[^\n]+$") as raised,
        bento.serve(built, home, env={f"SLUICE_{name}": value}),
    ):
        pass
    assert raised.value.exit_code == 2


def project_of(folder: Path, *paths: str, include: str) -> Path:
    """A project with these files, empty, and this list of what ships."""
    for path in ("bento/bentofile.yaml", *paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    entries = "".join(f"  - {entry}\n" for entry in include.split())
    (folder / "bento" / "bentofile.yaml").write_text(f"service: x\ninclude:\n{entries}python:\n")
    return folder


def test_what_ships_of_the_rooms_is_every_file_that_git_knows_there_but_recipe_and_lock() -> None:
    stay = {"bento/bentofile.yaml", "bento/Containerfile", "bento/base.lock"}
    rooms = ("bento", "sluice/served")
    known = run(["git", "ls-files", *rooms], cwd=PROJECT, timeout=30).stdout.split()
    served = bento.served_files(PROJECT)
    assert served == tuple(sorted(served))
    single = {"sluice/__init__.py", "sluice/errors.py", "sluice/toml_text.py"}
    on_disk = {path for path in known if (PROJECT / path).is_file()}
    assert set(served) & set(known) == on_disk - stay
    assert (
        not {path for path in served if not path.startswith(("bento/", "sluice/served/"))} - single
    )


def test_a_new_module_of_a_room_ships_without_an_entry(tmp_path: Path) -> None:
    project = project_of(
        tmp_path,
        "sluice/served/__init__.py",
        "sluice/served/newcomer.py",
        "sluice/served/deeper/module.py",
        "sluice/served/notes.md",
        "sluice/served/.#newcomer.py",
        "sluice/served/__pycache__/newcomer.cpython-311.pyc",
        "sluice/errors.py",
        "sluice/identity.py",
        include="sluice/served/ sluice/errors.py model/",
    )
    assert bento.served_files(project) == (
        "sluice/errors.py",
        "sluice/served/__init__.py",
        "sluice/served/deeper/module.py",
        "sluice/served/newcomer.py",
    )


def test_a_list_without_the_artifact_is_refused(tmp_path: Path) -> None:
    project = project_of(tmp_path, "bento/service.py", include="bento/")
    with pytest.raises(UsageError, match="`include` does not name model/"):
        bento.served_files(project)


@pytest.mark.parametrize("entry", ["sluice/served/", "sluice/errors.py"])
def test_an_entry_that_names_nothing_is_refused(entry: str, tmp_path: Path) -> None:
    project = project_of(tmp_path, "bento/service.py", include=f"bento/ {entry} model/")
    with pytest.raises(UsageError, match=f"names {entry}"):
        bento.served_files(project)
