"""Files that others may be writing to: read whole, written whole, and named where that fails."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters.files import changed_before, read_stable, write_atomic
from sluice.errors import UsageError


def refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_stable(path)
    return caught.value


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_what_was_written_last_is_read(
    tmp_path_factory: pytest.TempPathFactory, first: bytes, second: bytes
) -> None:
    path = tmp_path_factory.mktemp("files") / "a" / "b" / "data.csv"
    write_atomic(path, first)
    write_atomic(path, second)
    assert read_stable(path) == second
    assert [entry.name for entry in path.parent.iterdir()] == ["data.csv"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_atomic(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_reader_of_the_old_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    write_atomic(path, b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new and longer")
        assert reader.read() == b"old"


def test_a_file_that_is_not_there_is_named_with_the_nearest_folder(tmp_path: Path) -> None:
    refusal = refused(tmp_path / "none.csv")
    assert refusal.what == f"there is no file {tmp_path}/none.csv"
    assert refusal.fix == f"Check the path; the nearest folder is {tmp_path}."
    deep = refused(tmp_path / "a" / "b" / "none.csv")
    assert deep.what == (
        f"there is no file {tmp_path}/a/b/none.csv (nor the folder {tmp_path}/a/b)"
    )
    assert deep.fix == f"Check the path; the nearest folder is {tmp_path}."


def test_a_path_through_a_file_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x")
    assert "there is no file" in refused(tmp_path / "data.csv" / "more.csv").what


def test_a_folder_and_a_pipe_are_no_data(tmp_path: Path) -> None:
    folder = refused(tmp_path)
    assert (folder.what, folder.fix) == (
        f"{tmp_path} is a folder",
        "Name the CSV or Parquet file in it.",
    )
    reading, writing = os.pipe()
    try:
        pipe = refused(Path(f"/proc/self/fd/{reading}"))
    finally:
        os.close(reading)
        os.close(writing)
    assert pipe.what.endswith("is not a regular file")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n")
    (tmp_path / "link.csv").symlink_to("data.csv")
    assert read_stable(tmp_path / "link.csv") == b"a,b\n"
    (tmp_path / "loop").symlink_to("loop")
    assert refused(tmp_path / "loop").what.startswith(f"{tmp_path}/loop cannot be read: ")


def test_an_empty_file_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "data.csv").touch()
    assert read_stable(tmp_path / "data.csv") == b""


def test_a_file_that_another_process_removed_is_neither_old_nor_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "unfinished"
    path.write_bytes(b"")
    os.utime(path, (1_000, 1_000))
    assert changed_before(path, 1_001.0)
    assert not changed_before(path, 1_000.0)
    path.unlink()
    assert not changed_before(path, 1_001.0)


def test_a_link_is_as_old_as_itself(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "nowhere")
    assert not changed_before(path, 1_000.0)
