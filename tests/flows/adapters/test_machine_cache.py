"""What is made once per machine: made once, made anew where it was damaged, never half there."""

import fcntl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.adapters.machine_cache import intact, kept, locked, put, write


def maker(content: bytes, made: list[Path]) -> Callable[[Path], None]:
    def make(part: Path) -> None:
        made.append(part)
        part.write_bytes(content)

    return make


def test_it_is_made_once_and_its_hash_is_beside_it(tmp_path: Path) -> None:
    made: list[Path] = []
    path = tmp_path / "base" / "image.tar"
    for _ in range(3):
        assert kept(path, maker(b"content", made)) == path
    assert len(made) == 1
    assert made[0] != path  # never made in its own place
    assert path.read_bytes() == b"content"
    assert intact(path)


@pytest.mark.parametrize("damage", ["other bytes", "gone", "no hash", "an empty hash"])
def test_what_was_damaged_is_made_anew(damage: str, tmp_path: Path) -> None:
    made: list[Path] = []
    path = kept(tmp_path / "tool", maker(b"content", made))
    record = tmp_path / "tool.sha256"
    if damage == "other bytes":
        path.write_bytes(b"Content")
    elif damage == "gone":
        path.unlink()
    elif damage == "no hash":
        record.unlink()
    else:
        record.write_text("")
    assert not intact(path)
    assert kept(path, maker(b"content", made)).read_bytes() == b"content"
    assert intact(path)
    assert len(made) == 2


def test_where_making_fails_nothing_is_there_and_the_next_one_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "tool"

    def fail(part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError("the network went away")

    with pytest.raises(OSError, match="the network went away"):
        kept(path, fail)
    assert not path.exists()
    made: list[Path] = []
    assert kept(path, maker(b"whole", made)).read_bytes() == b"whole"


def test_the_half_of_one_that_died_is_not_added_to(tmp_path: Path) -> None:
    (tmp_path / ".tool.part").write_bytes(b"half of long ago")

    def append(part: Path) -> None:
        with part.open("ab") as file:
            file.write(b"whole")

    assert kept(tmp_path / "tool", append).read_bytes() == b"whole"


def test_of_many_that_want_it_one_makes_it(tmp_path: Path) -> None:
    made: list[Path] = []
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: kept(tmp_path / "tool", maker(b"x", made)), range(8)))
    assert paths == [tmp_path / "tool"] * 8
    assert len(made) == 1


def free(path: Path) -> bool:
    """Whether nobody holds the lock."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_lock_is_held_within_the_block_and_released_by_an_error(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ".lock"
    with locked(path):
        assert not free(path)
    assert free(path)
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError
    assert free(path)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "index.json"
    write(path, b"one")
    with path.open("rb") as reader:
        write(path, b"another")
        assert reader.read() == b"one"
    assert path.read_bytes() == b"another"
    assert [entry.name for entry in path.parent.iterdir()] == ["index.json"]


def test_a_finished_file_is_moved_with_its_hash(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"done")
    put(tmp_path / "done", part)
    assert not part.exists()
    assert intact(tmp_path / "done")
