"""Labels: late, corrected, repeated, in conflict, in any order; a wrong one is refused with its
line.
"""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import Refused
from sluice.monitor.labels import UNCLEAR, Label, read_labels, settle
from sluice.served.contract import Target
from sluice.served.quantity import Quantity

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
TARGET = Target("left", "yes", "no", "Leave", "Stay")
GOOD = {"id": "a-0", "outcome": "yes", "known_at": "2026-11-20"}


def test_a_row_is_read() -> None:
    [label] = read_labels([(2, GOOD)], TARGET, NOW, "labels.csv")
    assert label == Label("a-0", 1, 1_795_132_800)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": " "}, "line 2: id is ''; a text of 1 to 200 characters is required"),
        ({"id": None}, "line 2: id is ''"),
        ({"outcome": "Yes"}, "line 2: outcome is 'Yes'; yes or no is required"),
        ({"outcome": "1"}, "outcome is '1'; yes or no is required"),
        ({"known_at": "20.11.2026"}, "known_at is '20.11.2026'; a day or a time, as 2026-11-20"),
        ({"known_at": "2027-01-01"}, "a time that has been is required"),
        ({"acted": "perhaps"}, "acted is 'perhaps'; yes or no is required"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(changed: dict[str, str | None], said: str) -> None:
    with pytest.raises(Refused) as refused:
        read_labels([(2, {**GOOD, **changed})], TARGET, NOW, "labels.csv")
    assert said in refused.value.what
    assert "nothing of it was kept" in refused.value.fix


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(Refused, match="0 labels; at least 1 is required"):
        read_labels([], TARGET, NOW, "labels.csv")


def test_a_zone_is_obeyed() -> None:
    moments = ("2026-11-20T02:00:00+02:00", "2026-11-20T00:00:00Z", "2026-11-20 00:00")
    rows = [(line, {**GOOD, "known_at": moment}) for line, moment in enumerate(moments, 2)]
    assert len({label.known_at for label in read_labels(rows, TARGET, NOW, "f")}) == 1


def test_the_label_that_was_known_last_holds() -> None:
    held = settle([Label("a", 1, 20), Label("a", 0, 10), Label("b", 0, 5)])
    assert held.outcomes == {"a": (1, 20), "b": (0, 5)}
    assert (held.repeated, held.corrected, held.conflicting) == (0, 1, 0)
    assert held.newest == 20


def test_two_of_the_same_moment_that_contradict_each_other_are_left_out() -> None:
    held = settle([Label("a", 1, 20), Label("a", 0, 20), Label("b", 1, 1), Label("b", 1, 1)])
    assert held.outcomes["a"] == (UNCLEAR, 20)
    assert (held.repeated, held.conflicting) == (1, 1)


def test_a_later_label_ends_a_conflict() -> None:
    held = settle([Label("a", 1, 20), Label("a", 0, 20), Label("a", 0, 21)])
    assert held.outcomes == {"a": (0, 21)}
    assert held.conflicting == 0


LABELS = st.lists(
    st.builds(Label, st.sampled_from("abc"), st.integers(0, 1), st.integers(0, 4)), max_size=12
)


@given(LABELS, st.randoms())
def test_the_order_in_which_they_come_changes_nothing(labels: list[Label], random: object) -> None:
    other = list(labels)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert settle(other) == settle(labels)


def test_who_was_acted_upon_stays_so_whatever_a_later_label_says() -> None:
    rows = [(2, GOOD | {"acted": "Yes"}), (3, GOOD | {"known_at": "2026-11-21"})]
    rows += [(4, GOOD | {"id": "b-0", "acted": "no"}), (5, GOOD | {"id": "c-0", "acted": None})]
    assert settle(read_labels(rows, TARGET, NOW, "f")).acted == {"a-0"}


def test_of_several_classes_an_outcome_is_the_place_of_its_class() -> None:
    target = Target("found", "", "", "", "", classes=("sound", "worn", "blocked"))
    rows = [(2, {**GOOD, "outcome": "blocked"}), (3, {**GOOD, "id": "b", "outcome": "sound"})]
    labels = read_labels(rows, target, NOW, "labels.csv")
    assert [label.outcome for label in labels] == [2, 0]
    assert settle(labels).outcomes["a-0"][0] == 2
    with pytest.raises(Refused, match="outcome is 'yes'; sound or worn or blocked is required"):
        read_labels([(2, GOOD)], target, NOW, "labels.csv")


@pytest.mark.parametrize(
    ("written", "read"), [("-1", -1.0), ("12.50", 12.5), ("+3", 3.0), ("1e1", 10.0), ("20", 20.0)]
)
def test_of_a_number_an_outcome_is_that_number(written: str, read: float) -> None:
    """What stands for a conflict is no outcome: -1 is one, as on a thermometer."""
    target = Target("degrees", "", "", "", "", quantity=Quantity("°C", -5.0, 20.0, 1))
    row = {**GOOD, "outcome": written}
    [label] = read_labels([(2, row)], target, NOW, "labels.csv")
    assert label.outcome == read
    assert settle([label]).outcomes == {"a-0": (read, label.known_at)}
    other = Label("a-0", 7.0, label.known_at)
    assert settle([label, other]).conflicting == 1


@pytest.mark.parametrize("written", ["", "12,5", "20.1", "-6", "nan", "inf", "1_0", "yes", "٣"])
def test_what_is_no_number_of_the_range_is_refused_with_its_line(written: str) -> None:
    target = Target("degrees", "", "", "", "", quantity=Quantity("°C", -5.0, 20.0, 1))
    said = (
        f"labels.csv, line 2: outcome is {written!r}; a number from -5 to 20 °C, with a point"
        " before decimals, is required"
    )
    with pytest.raises(Refused) as refused:
        read_labels([(2, {**GOOD, "outcome": written})], target, NOW, "labels.csv")
    assert refused.value.what == said
