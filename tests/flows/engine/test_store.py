"""The content store: whole or not there, however a run ends and however many run at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flows.adapters import files
from flows.engine import store
from sluice.identity import sha256

KEY = "0123456789abcdef"


def fill(text: str = "text", **facts: Any) -> Any:
    def work(folder: Path) -> dict[str, Any]:
        (folder / "deep").mkdir()
        (folder / "a.txt").write_text(text)
        (folder / "deep" / "b.txt").write_text(text)
        return facts

    return work


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "store" / "step").iterdir())


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    kept = store.keep(tmp_path, "step", {"data": "1"}, KEY, fill(rows=3, share=0.5))
    assert store.find(tmp_path, "step", KEY) == kept
    assert kept.outputs == {"a.txt": sha256(b"text"), "deep/b.txt": sha256(b"text")}
    assert kept.hash("a.txt") == sha256(b"text")
    assert kept.facts == {"rows": 3, "share": 0.5}
    assert (kept.folder / "deep" / "b.txt").read_text() == "text"


def test_nothing_else_is_found(tmp_path: Path) -> None:
    store.keep(tmp_path, "step", {}, KEY, fill())
    assert store.find(tmp_path, "step", "f" * 16) is None
    assert store.find(tmp_path, "other", KEY) is None


def test_what_is_there_wins_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    store.keep(tmp_path, "step", {}, KEY, fill("first"))
    assert store.keep(tmp_path, "step", {}, KEY, fill("second")).hash("a.txt") == sha256(b"first")
    assert store.keep(tmp_path, "step", {}, KEY, fill("third"), replace=True).hash(
        "a.txt"
    ) == sha256(b"third")
    assert store.keep(tmp_path, "step", {}, "e" * 16, fill("new"), replace=True).hash(
        "a.txt"
    ) == sha256(b"new")
    assert names(tmp_path) == [KEY, "e" * 16]


def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def work(folder: Path) -> dict[str, Any]:
        (folder / "half.txt").write_text("half")
        raise ZeroDivisionError

    for replace in (False, True):
        with pytest.raises(ZeroDivisionError):
            store.keep(tmp_path, "step", {}, KEY, work, replace=replace)
    assert names(tmp_path) == []


def test_work_that_fails_does_not_touch_what_it_was_to_replace(tmp_path: Path) -> None:
    kept = store.keep(tmp_path, "step", {}, KEY, fill())
    with pytest.raises(FileNotFoundError):
        store.keep(
            tmp_path, "step", {}, KEY, lambda folder: (folder / "missing").unlink(), replace=True
        )
    assert store.find(tmp_path, "step", KEY) == kept


def test_a_run_killed_in_the_middle_leaves_nothing_to_be_found(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from flows.engine import store

def work(folder):
    (folder / "a.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

store.keep(Path({str(tmp_path)!r}), "step", {{}}, {KEY!r}, work)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert store.find(tmp_path, "step", KEY) is None
    store.keep(tmp_path, "step", {}, KEY, fill())
    assert (tmp_path / "store" / "step" / KEY / "a.txt").read_text() == "text"

    [left] = [name for name in names(tmp_path) if name != KEY]
    assert store.sweep(tmp_path) == 0
    os.utime(tmp_path / "store" / "step" / left, (time.time() - 90_000,) * 2)
    assert store.sweep(tmp_path) == 1
    assert names(tmp_path) == [KEY]
    assert store.sweep(tmp_path / "nothing") == 0


def test_two_processes_with_one_key_end_with_one_result(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from flows.engine import store

home, me, other = Path(sys.argv[1]), *sys.argv[2:]

def work(folder):
    (home / me).touch()
    while not (home / other).exists():
        time.sleep(0.01)
    (folder / "who.txt").write_text(me)

print(store.keep(home, "step", {}, "0123456789abcdef", work).hash("who.txt"))
"""
    pairs = [("one", "two"), ("two", "one")]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), *pair], stdout=subprocess.PIPE, text=True
        )
        for pair in pairs
    ]
    first, second = (process.communicate(timeout=60)[0].strip() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert first == second == sha256((tmp_path / "store" / "step" / KEY / "who.txt").read_bytes())
    assert names(tmp_path) == [KEY]


def test_what_changed_since_the_last_time_is_named(tmp_path: Path) -> None:
    assert store.changes(tmp_path, "attrition", "step", {"data": "1"}) == []
    store.remember(tmp_path, "attrition", "step", {"data": "1", "policy": "1", "gone": "1"})
    assert (
        store.changes(tmp_path, "attrition", "step", {"data": "1", "policy": "1", "gone": "1"})
        == []
    )
    now = {"data": "2", "policy": "1", "code": "1"}
    assert store.changes(tmp_path, "attrition", "step", now) == ["code", "data", "gone"]
    assert store.changes(tmp_path, "other", "step", now) == []


def test_a_file_is_written_whole_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    files.write_atomic(path, b"one")
    files.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_a_file_that_cannot_be_written_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        files.write_atomic(tmp_path / "file", b"one")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
