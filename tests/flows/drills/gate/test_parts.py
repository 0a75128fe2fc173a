"""Values for the parts of a split, and results that a drill makes in the place of a step."""

from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.drills.gate.kept import kept
from flows.drills.gate.parts import Parts, count
from flows.engine.step import Step
from sluice.model.data.split import PARTS


def test_the_parts_are_those_of_the_split_in_its_order() -> None:
    assert tuple(Parts.__dataclass_fields__) == PARTS


@given(st.lists(st.integers(), min_size=3, max_size=3))
def test_each_part_is_changed_once_and_in_order(numbers: list[int]) -> None:
    seen: list[int] = []

    def double(number: int) -> int:
        seen.append(number)
        return 2 * number

    doubled = Parts(*numbers).each(double)
    assert [doubled.train, doubled.validation, doubled.holdout] == [2 * n for n in numbers]
    assert seen == numbers


def test_the_rows_of_a_part_are_counted() -> None:
    assert count({"row_hash": np.arange(3), "other": np.arange(3)}) == 3


class Made(msgspec.Struct, frozen=True):
    """How often it was made."""

    times: int


def test_a_drill_makes_a_result_once_and_each_drill_its_own(tmp_path: Path) -> None:
    times: list[str] = []
    step = Step("score", "Score", Made, ("a.txt",), dict, lambda folder: Made(0))

    def result(drill: str) -> tuple[int, str]:
        def work(folder: Path) -> Made:
            times.append(drill)
            (folder / "a.txt").write_text(drill)
            return Made(len(times))

        found = kept(tmp_path, step, drill, work)
        return found.facts.times, found.read("a.txt").decode()

    assert [result("one"), result("two"), result("one")] == [(1, "one"), (2, "two"), (1, "one")]
    assert times == ["one", "two"]
