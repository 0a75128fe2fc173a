"""The example of the artifact outside of the service: run as it stands in the docs, where there is
nothing but numpy, ONNX Runtime and the rooms that ship.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import onnxruntime
import pytest
from support.model_artifacts import small_artifact

from flows.project.root import ROOT

PAGE = (ROOT / "docs" / "ways-to-serve.md").read_text()
# Packages that ONNX Runtime and numpy bring or need, and nothing of a service.
NEEDED = ("numpy", "numpy.libs", "onnxruntime", "flatbuffers", "google", "packaging")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example and what it imports, and no other package."""
    folder = tmp_path_factory.mktemp("alone")
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (folder / "score.py").write_text(example)
    (folder / "sluice").mkdir()
    for name in ("errors.py", "toml_text.py"):
        shutil.copyfile(ROOT / "sluice" / name, folder / "sluice" / name)
    shutil.copytree(ROOT / "sluice" / "served", folder / "sluice" / "served")
    for package in (numpy, onnxruntime):
        place = Path(package.__file__ or "").parent
        for name in NEEDED:
            if (place.parent / name).is_dir() and not (folder / name).exists():
                (folder / name).symlink_to(place.parent / name)
    return folder


def score(alone: Path, artifact: Path, lines: str) -> "subprocess.CompletedProcess[str]":
    """`python score.py model`, without the packages of this environment."""
    words = [sys.executable, "-S", str(alone / "score.py"), str(artifact)]
    return subprocess.run(words, input=lines, capture_output=True, text=True, env={"PATH": ""})


def test_the_example_agrees_with_the_golden_records(alone: Path, tmp_path: Path) -> None:
    artifact = small_artifact(tmp_path / "model")
    golden = json.loads((artifact / "golden.json").read_text())
    lines = "".join(f"{json.dumps(record)}\n" for record in golden["records"])
    ran = score(alone, artifact, lines)
    assert ran.returncode == 0, ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(answers) == len(golden["scores"]) == 50
    for answer, wanted in zip(answers, golden["scores"], strict=True):
        assert abs(answer["probability"] - wanted) < 1e-6
        assert answer["flagged"] == (answer["probability"] >= golden["threshold"])


def test_a_record_that_is_not_allowed_is_named(alone: Path, tmp_path: Path) -> None:
    artifact = small_artifact(tmp_path / "model")
    golden = json.loads((artifact / "golden.json").read_text())
    field = sorted(golden["records"][0])[0]
    ran = score(alone, artifact, json.dumps({**golden["records"][0], field: [1]}) + "\n")
    assert ran.returncode != 0
    assert field in ran.stderr.lower()


def test_the_page_says_how_many_files_an_artifact_has(tmp_path: Path) -> None:
    assert len(list(small_artifact(tmp_path / "model").iterdir())) == 7
    assert PAGE.count("seven files") == 2
