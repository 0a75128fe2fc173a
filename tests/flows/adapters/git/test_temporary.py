"""What a kill leaves of a clone is gone with the next one, and what is in use stays."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.adapters.git import git, temporary
from flows.project.root import ROOT

HOLD = """
import sys
from flows.adapters.git import temporary
with temporary.folder() as folder:
    (folder / "objects").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder of the system, of this test alone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


def holding() -> "subprocess.Popen[str]":
    """Another process that uses a folder."""
    words = [sys.executable, "-c", HOLD]
    return subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def used(process: "subprocess.Popen[str]") -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def end(process: "subprocess.Popen[str]", how: signal.Signals) -> None:
    process.send_signal(how)
    process.communicate()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_what_a_kill_leaves_is_gone_with_the_next_one(how: signal.Signals, place: Path) -> None:
    process = holding()
    left = used(process)
    with temporary.folder() as other:
        assert sorted(place.iterdir()) == sorted([left, other])
    end(process, how)
    assert left.exists()
    with temporary.folder() as other:
        assert list(place.iterdir()) == [other]
    assert list(place.iterdir()) == []


def test_a_clone_is_such_a_folder(place: Path) -> None:
    dead = place / "sluice-clone-dead"
    (dead / "objects").mkdir(parents=True)
    git.seed(place / "bare.git", {"a": b""}, "main", "Start\n", "A <a@x>")
    with git.clone(str(place / "bare.git"), "main") as repo:
        assert repo.path.parent == place
        assert not dead.exists()


def test_what_is_not_ours_stays(place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (place / "sluice-clone-link").symlink_to(outside)
    (place / "sluice-clone-file").touch()
    (place / "sluice-other").mkdir()
    with temporary.folder():
        pass
    left = {path.name for path in place.iterdir()}
    assert left == {"outside", "sluice-clone-link", "sluice-clone-file", "sluice-other"}
    assert (outside / "kept").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a folder to another user")
def test_what_belongs_to_another_user_stays(place: Path) -> None:
    theirs = place / "sluice-clone-theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with temporary.folder():
        pass
    assert theirs.exists()


def test_many_at_once_take_no_folder_from_each_other() -> None:
    barrier = threading.Barrier(8)

    def one(_: int) -> bool:
        barrier.wait()
        for _ in range(20):
            with temporary.folder() as folder:
                (folder / "objects").mkdir()
                temporary.sweep(folder.parent)
                if not (folder / "objects").is_dir():
                    return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(8)))
