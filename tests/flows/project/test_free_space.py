"""Free space is looked at before anything is written."""

from pathlib import Path

import pytest

from flows.project.free_space import REQUIRED, free, require_space
from sluice.errors import SluiceError


@pytest.mark.parametrize("have", [0, 1, 3_000_000, REQUIRED - 1])
def test_a_full_disk_is_told_with_place_free_and_required(tmp_path: Path, have: int) -> None:
    with pytest.raises(SluiceError, match="is required") as told:
        require_space(tmp_path, lambda _: have)
    assert told.value.what == (
        f"free space at {tmp_path} is {have / 1e6:.1f} MB; 64 MB is required"
    )
    assert told.value.exit_code == 1


@pytest.mark.parametrize("have", [REQUIRED, 10 * REQUIRED])
def test_enough_is_enough(tmp_path: Path, have: int) -> None:
    require_space(tmp_path, lambda _: have)


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent(tmp_path: Path) -> None:
    assert free(tmp_path / "not" / "yet") > 0
