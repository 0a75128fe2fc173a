"""The workflows under actionlint (built from Go): expressions, contexts and inputs, which no schema
sees.
"""

from pathlib import Path

import pytest

from flows.adapters.image import golang
from flows.adapters.process import run

FOLDER = Path(__file__).parent.parent.parent / ".github" / "workflows"


@pytest.fixture(scope="session")
def actionlint() -> Path:
    return golang.build("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", "1.7.12")


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
