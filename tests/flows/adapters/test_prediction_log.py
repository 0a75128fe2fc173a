"""Forgetting a person in the prediction log: their lines and no other byte of it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters.prediction_log import forget
from sluice.errors import UsageError

ANN, BOB = "a" * 32, "b" * 32
FIRST, SECOND = "predictions-2026-01-01-1.jsonl", "predictions-2026-01-02-1.jsonl"


def answer(name: str, person: str) -> bytes:
    return json.dumps({"id": name, "person": person}).encode() + b"\n"


def opinion(name: str, why: str) -> bytes:
    return json.dumps({"id": name, "why": why}, ensure_ascii=False).encode() + b"\n"


def test_answers_and_the_feedback_on_them_go_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes(opinion("b1", "fair") + opinion("a1", "not fair"))
    (tmp_path / SECOND).write_bytes(answer("a1", ANN) + answer("b1", BOB))
    assert forget(str(tmp_path), ANN) == 2
    assert (tmp_path / FIRST).read_bytes() == opinion("b1", "fair")
    assert (tmp_path / SECOND).read_bytes() == answer("b1", BOB)
    assert forget(str(tmp_path), ANN) == 0  # the second run finds nothing more


def test_a_file_without_the_person_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes(answer("b1", BOB))
    before = (tmp_path / FIRST).stat().st_ino
    assert forget(str(tmp_path), ANN) == 0
    assert (tmp_path / FIRST).stat().st_ino == before


def test_other_files_are_none_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_bytes(answer("a1", ANN))
    assert forget(str(tmp_path), ANN) == 0
    assert (tmp_path / "notes.jsonl").read_bytes() == answer("a1", ANN)


@pytest.mark.parametrize(
    "foreign",
    [
        b'{"id": "b2", "why": "gr\xc3',  # the power went within a letter
        b"\xff\xfe\x00\n",
        b"a note\r\nby hand\rwith all ends of lines\n",
        opinion("b3", "one\u2028two\x85three"),
        b"\n\n",
    ],
)
def test_every_other_byte_stays_as_it_is(foreign: bytes, tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes(answer("a1", ANN) + foreign)
    (tmp_path / SECOND).write_bytes(foreign)
    assert forget(str(tmp_path), ANN) == 1
    assert (tmp_path / FIRST).read_bytes() == foreign
    assert (tmp_path / SECOND).read_bytes() == foreign


@given(st.lists(st.sampled_from([ANN, BOB, "c" * 32]), max_size=12), st.integers(0, 12))
def test_whatever_the_order_the_others_keep_theirs(
    tmp_path_factory: pytest.TempPathFactory, persons: list[str], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    lines = [answer(f"{number}", person) for number, person in enumerate(persons)]
    (folder / FIRST).write_bytes(b"".join(lines[:cut]))
    (folder / SECOND).write_bytes(b"".join(lines[cut:]))
    assert forget(str(folder), ANN) == persons.count(ANN)
    left = (folder / FIRST).read_bytes() + (folder / SECOND).read_bytes()
    others = [line for line, who in zip(lines, persons, strict=True) if who != ANN]
    assert left == b"".join(others)


def test_a_file_elsewhere_that_holds_nothing_more_is_removed(tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes(answer("a1", ANN))
    (tmp_path / SECOND).write_bytes(answer("a2", ANN) + b"\xff\n" + answer("b1", BOB))
    assert forget(f"file://{tmp_path}", ANN) == 2
    assert not (tmp_path / FIRST).exists()
    assert (tmp_path / SECOND).read_bytes() == b"\xff\n" + answer("b1", BOB)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        forget(str(tmp_path / "none"), ANN)
    assert caught.value.what == f"there is no prediction log in {tmp_path}/none"
    assert "SLUICE_PREDICTION_LOG" in caught.value.fix


def test_a_file_that_the_service_removed_meanwhile_holds_nobody(tmp_path: Path) -> None:
    """It is in the listing, as a link to nowhere is, and gone when it is read."""
    (tmp_path / FIRST).symlink_to(tmp_path / "gone")
    (tmp_path / SECOND).write_bytes(answer("a1", ANN))
    assert forget(str(tmp_path), ANN) == 1
    assert (tmp_path / FIRST).is_symlink()  # and it is not brought back
