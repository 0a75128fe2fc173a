"""Files with rows of people are this user's alone, whatever the umask of the shell is."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from flows.adapters.files import write_atomic
from flows.adapters.private_files import close_folder, make_private, make_private_folder
from flows.engine import store
from flows.engine.store import Record

if TYPE_CHECKING:
    from support.releases import Story, Told

OTHERS = 0o077


class Facts(Struct, frozen=True):
    """What a made-up step found out."""

    rows: int = 0


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def readable(folder: Path) -> list[str]:
    """What others have rights to, of a folder and everything in it."""
    found = [folder, *folder.rglob("*")]
    return [
        f"{path.relative_to(folder)} {path.lstat().st_mode & 0o777:o}"
        for path in found
        if not path.is_symlink() and path.lstat().st_mode & OTHERS
    ]


@pytest.mark.usefixtures("open_umask")
def test_what_a_step_keeps_is_private(tmp_path: Path) -> None:
    def work(folder: Path) -> Facts:
        (folder / "table.parquet").write_bytes(b"rows")
        (folder / "model" / "inner").mkdir(parents=True)
        (folder / "model" / "inner" / "scores.parquet").write_bytes(b"rows")
        return Facts(1)

    store.keep(tmp_path / "home", Record("validate", "0" * 16, {}, {}, {}, 0.0), work)
    assert readable(tmp_path / "home") == []


@pytest.mark.usefixtures("open_umask")
def test_what_is_written_whole_is_private_with_every_folder_that_it_needed(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "rows.csv", b"rows")
    assert readable(tmp_path / "a") == []


@pytest.mark.usefixtures("open_umask")
def test_a_folder_of_an_older_version_is_closed_and_a_new_one_is_made_closed(
    tmp_path: Path,
) -> None:
    old = tmp_path / "old"
    old.mkdir(0o755)
    close_folder(old)
    close_folder(tmp_path / "x" / "new")
    make_private_folder(old)
    assert readable(old) == readable(tmp_path / "x") == []


TREES = st.lists(
    st.tuples(st.sampled_from(["a", "a/b", "c", "c/d/e"]), st.integers(0, 0o777), st.booleans()),
    max_size=5,
)


@given(tree=TREES)
def test_nothing_of_any_tree_stays_open(
    tree: list[tuple[str, int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    outside = folder.parent / "outside"
    outside.touch(0o644)
    outside.chmod(0o644)
    for place, mode, is_folder in tree:
        (folder / place).mkdir(parents=True, exist_ok=True)
        if is_folder:
            (folder / place).chmod(mode | 0o700)
        else:
            file = folder / place / "file"
            file.touch()
            file.chmod(mode | 0o600)
    (folder / "link").symlink_to(outside)
    make_private(folder)
    assert readable(folder) == []
    assert outside.stat().st_mode & 0o777 == 0o644


def test_of_a_release_nothing_with_rows_can_be_read_by_others(
    first: "tuple[Story, Told]",
) -> None:
    """Everything but what git keeps of the manifest repo, which has no rows, and is closed off by
    the folder that it is in.
    """
    home = first[0].home
    assert not home.stat().st_mode & OTHERS
    found = [name for name in readable(home) if not name.startswith(("manifests.git", ". "))]
    assert [name for name in found if not name.startswith("bentoml/")] == []
