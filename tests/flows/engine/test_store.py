"""The content store: whole or not there, however a run ends and however many run at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs, to_builtins
from support.other_processes import coming_and_going

from flows.adapters import files
from flows.engine import store
from flows.engine.store import Altered, Record, Result
from sluice.identity import sha256

KEY = "0123456789abcdef"
Work = Callable[[Path], "Facts"]


class Facts(Struct, frozen=True):
    """What a made-up step found out."""

    rows: int = 0
    share: float = 0.0


def fill(text: str = "text", facts: Facts = Facts()) -> Work:  # noqa: B008 - frozen
    def work(folder: Path) -> Facts:
        (folder / "deep").mkdir()
        (folder / "a.txt").write_text(text)
        (folder / "deep" / "b.txt").write_text(text)
        return facts

    return work


def keep(home: Path, work: Work, key: str = KEY, *, replace: bool = False) -> Result[Facts]:
    """Keep a result under a key; what is there afterwards."""
    store.keep(home, Record("step", key, {"data": "1"}, {}, {}, 0.0), work, replace=replace)
    result = store.find(home, "step", key, Facts)
    assert result is not None
    return result


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "store" / "step").iterdir())


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    kept = keep(tmp_path, fill(facts=Facts(3, 0.5)))
    assert kept.inputs == {"data": "1"}
    assert kept.outputs == {"a.txt": sha256(b"text"), "deep/b.txt": sha256(b"text")}
    assert kept.hash("a.txt") == sha256(b"text")
    assert kept.facts == Facts(rows=3, share=0.5)
    assert kept.read("deep/b.txt") == b"text"
    assert kept.seconds >= 0


def record_of(kept: Result[Facts]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((kept.folder / "step.json").read_text())
    return document


def refused(home: Path) -> str:
    with pytest.raises(Altered) as caught:
        store.find(home, "step", KEY, Facts)
    return caught.value.what


@pytest.mark.parametrize("name", [field.name for field in structs.fields(Record)])
def test_whatever_is_changed_in_a_record_is_found(name: str, tmp_path: Path) -> None:
    """Taken out, it is another record too; but for the hash, which older versions did not write."""
    kept = keep(tmp_path, fill(facts=Facts(3, 0.5)))
    document = record_of(kept)
    other: dict[str, Any] = {"facts": {"rows": 4, "share": 0.5}, "seconds": 99.0}
    changed = {"inputs": {"data": "2"}, "outputs": {}, **other}.get(name, "another")
    (kept.folder / "step.json").write_text(json.dumps({**document, name: changed}))
    assert refused(tmp_path) == "step.json changed after step wrote it"
    del document[name]
    (kept.folder / "step.json").write_text(json.dumps(document))
    if name != "hash":
        assert refused(tmp_path) == "step.json changed after step wrote it"


@given(
    st.builds(
        Facts, st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)
    ),
    st.builds(
        Facts, st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_facts_come_back_as_they_were_and_never_as_others(before: Facts, after: Facts) -> None:
    record = Record("step", KEY, {}, {}, to_builtins(before), 0.0)
    kept = store.hashed(record)
    assert store.hashed(kept) == kept
    forged = structs.replace(kept, facts=to_builtins(after))
    assert (store.hashed(forged) == forged) == (repr(before) == repr(after))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"step": 7}'])
def test_a_record_that_is_none_is_not_taken_for_a_step_that_was_never_done(
    content: bytes, tmp_path: Path
) -> None:
    (keep(tmp_path, fill()).folder / "step.json").write_bytes(content)
    assert refused(tmp_path) == "step.json changed after step wrote it"


def test_the_record_of_another_step_is_none_of_this(tmp_path: Path) -> None:
    kept = keep(tmp_path, fill())
    for place in (kept.folder.with_name("e" * 16), tmp_path / "store" / "other" / KEY):
        shutil.copytree(kept.folder, place)
        with pytest.raises(Altered, match=r"step\.json changed"):
            store.find(tmp_path, place.parent.name, place.name, Facts)


def test_a_file_that_changed_vanished_or_came_is_named(tmp_path: Path) -> None:
    kept = keep(tmp_path, fill())
    (kept.folder / "a.txt").write_text("other")
    assert refused(tmp_path) == "a.txt changed after step wrote it"
    with pytest.raises(Altered, match=r"a\.txt changed after step wrote it"):
        kept.read("a.txt")
    (kept.folder / "a.txt").unlink()
    (kept.folder / "more.txt").write_text("more")
    assert refused(tmp_path) == "a.txt, more.txt changed after step wrote it"


def test_what_an_older_version_kept_is_done_again(tmp_path: Path) -> None:
    kept = keep(tmp_path, fill("old"))
    document = record_of(kept)
    del document["hash"]
    (kept.folder / "step.json").write_text(json.dumps(document))
    assert store.find(tmp_path, "step", KEY, Facts) is None
    assert store.is_outdated(tmp_path, "step", KEY)
    assert keep(tmp_path, fill("new")).hash("a.txt") == sha256(b"new")
    assert not store.is_outdated(tmp_path, "step", KEY)
    assert not store.is_outdated(tmp_path, "step", "f" * 16)
    assert names(tmp_path) == [KEY]


def test_nothing_else_is_found(tmp_path: Path) -> None:
    keep(tmp_path, fill())
    assert store.find(tmp_path, "step", "f" * 16, Facts) is None
    assert store.find(tmp_path, "other", KEY, Facts) is None


def test_what_is_there_wins_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    keep(tmp_path, fill("first"))
    assert keep(tmp_path, fill("second")).hash("a.txt") == sha256(b"first")
    assert keep(tmp_path, fill("third"), replace=True).hash("a.txt") == sha256(b"third")
    assert keep(tmp_path, fill("new"), "e" * 16, replace=True).hash("a.txt") == sha256(b"new")
    assert names(tmp_path) == [KEY, "e" * 16]


def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def work(folder: Path) -> Facts:
        (folder / "half.txt").write_text("half")
        raise ZeroDivisionError

    for replace in (False, True):
        with pytest.raises(ZeroDivisionError):
            keep(tmp_path, work, replace=replace)
    assert names(tmp_path) == []


def test_work_that_fails_does_not_touch_what_it_was_to_replace(tmp_path: Path) -> None:
    def work(folder: Path) -> Facts:
        (folder / "missing").unlink()
        return Facts()

    kept = keep(tmp_path, fill())
    with pytest.raises(FileNotFoundError):
        keep(tmp_path, work, replace=True)
    assert store.find(tmp_path, "step", KEY, Facts) == kept


def test_a_run_killed_in_the_middle_leaves_nothing_to_be_found(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from flows.engine import store

def work(folder):
    (folder / "a.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

record = store.Record("step", {KEY!r}, {{}}, {{}}, {{}}, 0.0)
store.keep(Path({str(tmp_path)!r}), record, work)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert store.find(tmp_path, "step", KEY, Facts) is None
    keep(tmp_path, fill())
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
from msgspec import Struct
from flows.engine import store

class Facts(Struct):
    pass

home, me, other = Path(sys.argv[1]), *sys.argv[2:]

def work(folder):
    (home / me).touch()
    while not (home / other).exists():
        time.sleep(0.01)
    (folder / "who.txt").write_text(me)
    return Facts()

record = store.Record("step", "0123456789abcdef", {}, {}, {}, 0.0)
store.keep(home, record, work)
print(store.find(home, "step", "0123456789abcdef", Facts).hash("who.txt"))
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


def test_what_others_make_and_finish_meanwhile_disturbs_no_sweep(tmp_path: Path) -> None:
    left = tmp_path / "store" / "train" / ".left-by-a-crash"
    left.mkdir(parents=True)
    paths = [tmp_path / "store" / "train" / f".{number}" for number in range(50)]
    with coming_and_going(paths):
        for _ in range(100):
            store.swept(tmp_path, 3_600.0)
    assert store.swept(tmp_path, -3_600.0) == 1
    assert not left.exists()
