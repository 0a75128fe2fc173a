"""`sluice predict` of a model of a number, by the newest Bento on this machine."""

import csv
import io
import sys
from pathlib import Path

import pytest
from support import deliveries

from flows.cli.serving.predict import run_file, run_one
from flows.predict.answers import Service, local
from flows.project.settings import Settings
from sluice.served.scoring import load_model

TAG = "0123456789abcdef"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that holds a Bento's artifact, and nothing else."""
    home = tmp_path_factory.mktemp("home")
    bentos = home / "bentoml" / "bentos" / "deliveries"
    deliveries.artifact(bentos / TAG / "src" / "model")
    (bentos / "latest").write_text(TAG)
    return home


@pytest.fixture
def service(home: Path) -> Service:
    return local(Settings(home=home), "deliveries")


def test_a_person_reads_the_number_and_its_reasons_in_its_unit(
    service: Service,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("4.2\n14\nno\nrural\n"))
    assert run_one(service, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    model = load_model(home / "bentoml" / "bentos" / "deliveries" / TAG / "src" / "model")
    record = {"Weight kg": 4.2, "Distance km": 14, "Lift": "no", "Zone": "rural"}
    [value] = model.score_records([record])
    assert lines[-1] == f"{value:.1f} min"
    assert lines[0].startswith("Mean answer to others: ") and lines[0].endswith(" min.")
    assert any("lowers the answer by" in line and line.endswith(" min.") for line in lines)
    assert lines[-2] == "Advice: a person decides."
    assert "points" not in "".join(lines)


def test_a_file_is_answered_with_value_unit_and_side(
    service: Service, home: Path, tmp_path: Path
) -> None:
    file, out = tmp_path / "rows.csv", tmp_path / "answers.csv"
    file.write_bytes(deliveries.to_csv(40))
    assert run_file(service, file, out, skip_wrong=False, as_json=False) == 0
    answers = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    model = load_model(home / "bentoml" / "bentos" / "deliveries" / TAG / "src" / "model")
    expected = model.score(deliveries.columns(40))
    assert [float(answer["value"]) for answer in answers] == pytest.approx(expected.tolist())
    assert {answer["unit"] for answer in answers} == {"min"}
    assert [answer["outside"] for answer in answers] == [
        "no" if 0.001 < value < 239.999 else "yes" for value in expected
    ]
    assert [int(answer["bin"]) - 1 for answer in answers] == model.answers(expected).tolist()
