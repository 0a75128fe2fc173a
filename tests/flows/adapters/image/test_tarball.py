"""Archives: their bytes follow from names and contents, and from nothing else of this machine."""

import os
import tarfile
from pathlib import Path

import pytest

from flows.adapters.image import tarball


def write(folder: Path, files: list[str]) -> Path:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return folder


def packed(folder: Path, target: Path, prefix: str = "srv/app") -> bytes:
    tarball.pack(folder, prefix, target)
    return target.read_bytes()


FILES = ["b.txt", "a/z.txt", "a/y.txt", "a-b.txt", "é.txt"]


def test_the_order_times_and_modes_of_a_folder_do_not_matter(tmp_path: Path) -> None:
    one = write(tmp_path / "one", FILES)
    two = write(tmp_path / "two", FILES[::-1])
    for path in two.rglob("*"):
        os.utime(path, (1, 1))
    (two / "b.txt").chmod(0o600)
    (two / "a").chmod(0o700)
    assert packed(one, tmp_path / "1.tar") == packed(two, tmp_path / "2.tar")


def test_a_folder_can_be_left_out_and_no_other(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", ["env/docker/run.sh", "env/dockerfile", "env/python/a", "b"])
    tarball.pack(folder, "srv", tmp_path / "1.tar", "env/docker")
    with tarfile.open(tmp_path / "1.tar") as tar:
        kept = [name for name in tar.getnames() if not (tar.getmember(name).isdir())]
    assert kept == ["srv/b", "srv/env/dockerfile", "srv/env/python/a"]


@pytest.mark.parametrize("change", ["content", "name", "one more", "runs"])
def test_what_matters_changes_the_bytes(change: str, tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", FILES), write(tmp_path / "two", FILES)
    if change == "content":
        (two / "b.txt").write_text("content of B.txt")
    elif change == "name":
        (two / "b.txt").rename(two / "c.txt")
    elif change == "one more":
        (two / "empty").mkdir()
    else:
        (two / "b.txt").chmod(0o755)
    assert packed(one, tmp_path / "1.tar") != packed(two, tmp_path / "2.tar")


def test_every_entry_is_of_root_without_a_time_and_below_the_prefix(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", FILES)
    (folder / "link").symlink_to("a/z.txt")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o700)
    packed(folder, tmp_path / "1.tar")
    with tarfile.open(tmp_path / "1.tar") as tar:
        entries = {entry.name: entry for entry in tar}
        assert tar.extractfile("srv/app/a/z.txt").read() == b"content of a/z.txt"
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {(0, 0, 0)}
    assert {(entry.uname, entry.gname) for entry in entries.values()} == {("", "")}
    assert list(entries)[:2] == ["srv", "srv/app"]
    assert all(name.startswith("srv") for name in entries)
    assert entries["srv/app/link"].issym()
    assert entries["srv/app/link"].linkname == "a/z.txt"
    assert entries["srv/app/run"].mode == 0o755
    assert entries["srv/app/b.txt"].mode == 0o644
    assert entries["srv/app/a"].isdir()


def test_a_link_that_leads_out_is_packed_as_a_link_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = write(tmp_path / "one", [])
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    assert b"content" not in packed(folder, tmp_path / "1.tar")
    with tarfile.open(tmp_path / "1.tar") as tar:
        assert tar.getnames() == ["srv", "srv/app", "srv/app/link"]


def test_an_empty_archive_has_no_entries(tmp_path: Path) -> None:
    tarball.empty(tmp_path / "empty.tar")
    with tarfile.open(tmp_path / "empty.tar") as tar:
        assert tar.getnames() == []
