"""The lock of the programs of the pipeline image; that they run is shown in tests/e2e."""

from pathlib import Path

import pytest

from flows.adapters.image.base_image import SUITE
from flows.adapters.image.pipeline import programs
from flows.project.root import ROOT
from sluice.errors import UsageError


def test_each_package_that_stays_has_its_version() -> None:
    entry = programs.locked(ROOT)
    assert entry.suite == SUITE
    assert tuple(package.partition("=")[0] for package in entry.packages) == programs.PACKAGES


def test_the_lock_is_as_it_is_written() -> None:
    text = (ROOT / programs.LOCK).read_text()
    assert text == programs._document([programs.locked(ROOT)])


@pytest.mark.parametrize("text", ["", "[[base]]\n", "not toml", '[[base]]\nsuite="x"\narch="y"\n'])
def test_a_wrong_lock_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / programs.LOCK).write_text(text)
    with pytest.raises(UsageError, match=r"deploy/pipeline\.lock"):
        programs.locked(tmp_path)


def test_without_a_lock_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        programs.locked(tmp_path)
