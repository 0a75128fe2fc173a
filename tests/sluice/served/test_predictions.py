"""Whom a line of the prediction log is about: found again with id and salt, and never without."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.served.contract import Column
from sluice.served.predictions import answers_of, person_hash, person_id, sampled, without

WHOLE = Column("Customer", "customer", "integer", "id", minimum=1, maximum=10**12)
NUMBER = Column("Customer", "customer", "number", "id", minimum=0.0, maximum=1e6)
TEXT = Column("Customer", "customer", "category", "id")
CHOICE = Column("Customer", "customer", "category", "id", values=("Ann", "Bob"))
IDS = st.text("abcdef0123456789", min_size=1, max_size=12)


def line(name: str, **more: str) -> str:
    return json.dumps({"id": name, **more})


def test_without_a_salt_nobody_is_hashed() -> None:
    with pytest.raises(UsageError) as caught:
        person_hash("", "7")
    assert str(caught.value) == (
        "SLUICE_LOG_SALT is not set\n  Set it to the text that the service was started with."
    )


@given(IDS, IDS, IDS, IDS)
def test_a_hash_depends_on_salt_and_person_and_on_nothing_around_it(
    salt: str, other_salt: str, person: str, other: str
) -> None:
    made = person_hash(salt, person)
    assert made == person_hash(salt, f" {person}\n")
    assert (made == person_hash(other_salt, person)) == (salt == other_salt)
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")
    assert (made == person_hash(salt, other)) == (person == other)


def test_a_hash_is_the_same_for_good() -> None:
    """Lines of last year must be found again: another hash would forget nobody."""
    assert person_hash("salt", "7") == "449975cd3205addb8032f41953d4a963"


@given(st.integers(1, 10**12))
def test_a_whole_id_is_one_however_it_is_written(number: int) -> None:
    assert person_id(WHOLE, number) == str(number)
    assert person_id(WHOLE, float(number)) == str(number)


@pytest.mark.parametrize(
    "value", [0, 10**12 + 1, 1.5, True, "7", None, float("nan"), float("inf"), 10**400, [7]]
)
def test_what_the_id_column_does_not_allow_is_nobody(value: object) -> None:
    assert person_id(WHOLE, value) is None


def test_an_id_that_is_a_number_has_fifteen_digits() -> None:
    assert person_id(NUMBER, 0.1 + 0.2) == person_id(NUMBER, 0.3) == "0.3"
    assert person_id(NUMBER, 7) == "7"
    assert person_id(NUMBER, -0.5) is None


def test_a_text_is_trimmed_and_neither_empty_nor_endless() -> None:
    assert person_id(TEXT, " A-7 ") == "A-7"
    assert person_id(TEXT, "x" * 200) == "x" * 200
    for value in ("", "  ", "x" * 201, 7, None):
        assert person_id(TEXT, value) is None


def test_a_listed_id_is_one_of_its_list() -> None:
    assert person_id(CHOICE, "Ann") == "Ann"
    assert person_id(CHOICE, "Eve") is None


@given(IDS, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_keeps_what_a_smaller_one_kept(name: str, one: float, two: float) -> None:
    small, large = sorted((one, two))
    assert sampled(name, large) or not sampled(name, small)
    assert sampled(name, 1.0)
    assert not sampled(name, 0.0)


def test_a_sample_has_about_its_share() -> None:
    kept = sum(sampled(f"answer-{number}", 0.25) for number in range(8_000))
    assert 0.22 < kept / 8_000 < 0.28


@given(st.lists(st.tuples(IDS, st.sampled_from(["ann", "bob", "eve"]))))
def test_to_forget_a_person_leaves_all_lines_of_the_others_and_none_of_theirs(
    entries: list[tuple[str, str]],
) -> None:
    lines = [line(f"{number}-{name}", person=who) for number, (name, who) in enumerate(entries)]
    answers = answers_of(lines, "ann")
    assert len(answers) == sum(who == "ann" for _, who in entries)
    left = without(lines, "ann", answers)
    assert left == [text for text in lines if json.loads(text)["person"] != "ann"]
    assert without(left, "ann", answers) == left  # the second run finds nothing more
    assert answers_of(left, "ann") == set()


def test_feedback_on_an_answer_goes_with_the_answer() -> None:
    lines = [line("a1", person="ann"), line("b1", person="bob"), line("a1", why="wrong")]
    assert without(lines, "ann", answers_of(lines, "ann")) == [lines[1]]


def test_a_text_that_only_mentions_the_hash_is_not_about_that_person() -> None:
    lines = [line("b1", person="bob", why="ann was here"), line("b2", person="ann2")]
    assert answers_of(lines, "ann") == set()
    assert without(lines, "ann", set()) == lines


@pytest.mark.parametrize("broken", ["", '{"id": "a1", "per', "[]", "7", '"ann"', "\x00"])
def test_a_line_that_is_not_of_the_log_stays(broken: str) -> None:
    assert without([broken], "ann", {"a1"}) == [broken]
    assert answers_of([broken], "ann") == set()
