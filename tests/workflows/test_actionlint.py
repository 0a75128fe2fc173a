"""The workflows under actionlint: expressions, contexts and inputs, which no schema sees.

It is built from Go once for a machine, and kept in its cache; where it is on PATH it is that one.
"""

import shutil
from pathlib import Path

import pytest

from flows.adapters.image import golang
from flows.adapters.process import run

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
VERSION = "1.7.12"


@pytest.fixture(scope="session")
def actionlint() -> Path:
    here = shutil.which("actionlint")
    if here and VERSION in run([here, "-version"], check=False).stdout:
        return Path(here)
    return golang.build("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", VERSION)


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    assert run([actionlint, "-no-color", *sorted(FOLDER.glob("*.yml"))]).stdout == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("inputs.environment ||", "input.environment ||"),
        ("vars.SLUICE_REGISTRY != ''", "vars.SLUICE_REGISTRY != "),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-25.13"),
    ],
)
def test_actionlint_would_find_something(
    right: str, wrong: str, actionlint: Path, tmp_path: Path
) -> None:
    text = (FOLDER / "release.yml").read_text()
    assert right in text
    (tmp_path / "release.yml").write_text(text.replace(right, wrong))
    assert run([actionlint, "-no-color", tmp_path / "release.yml"], check=False).code == 1
