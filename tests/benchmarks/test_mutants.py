"""Faults are drawn by lot, and what becomes of each is found out by tests."""

from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutants import KILLED, SURVIVED, TIMED_OUT, UNSEEN, Mutant, Seen
from flows.project.root import ROOT

SOUND = "def larger(one, other):\n    return one > other\n"
TESTS = "from tiny import larger\n\n\ndef test_it():\n    assert larger(2, 1)\n"


def seen() -> Seen:
    return Seen({"tiny.py": {2: ["test_tiny.py::test_it"]}}, {"test_tiny.py::test_it": 0.01})


@pytest.mark.parametrize(
    ("fault", "line", "wanted"),
    [
        ("one < other", 2, KILLED),
        ("one >= other", 2, SURVIVED),
        ("sum(iter(int, 1))", 2, TIMED_OUT),
        ("one < other", 20, UNSEEN),
    ],
)
def test_a_fault_is_found_by_a_test_that_fails_or_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, line: int, wanted: str
) -> None:
    (tmp_path / "tiny.py").write_text(SOUND)
    (tmp_path / "test_tiny.py").write_text(TESTS)
    if wanted == TIMED_OUT:
        monkeypatch.setattr(mutants, "_START", 3.0)
    mutant = Mutant("tiny.py", SOUND.replace("one > other", fault), line, "")
    assert mutants.tried(tmp_path, mutant, seen()) == wanted
    assert (tmp_path / "tiny.py").read_text() == SOUND


def test_a_fault_with_which_the_tests_cannot_be_loaded_is_found(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(SOUND)
    (tmp_path / "test_tiny.py").write_text(TESTS)
    broken = Mutant("tiny.py", "raise ValueError\n", 2, "")
    assert mutants.tried(tmp_path, broken, seen()) == KILLED


def test_tests_that_are_not_there_find_nothing(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(SOUND)
    with pytest.raises(SystemExit, match="is of other tests"):
        mutants.tried(tmp_path, Mutant("tiny.py", SOUND, 2, ""), seen())


def test_the_quickest_tests_of_the_line_come_first() -> None:
    tests = Seen({"a.py": {7: ["slow", "quick"], 3: ["other"]}}, {"slow": 2.0, "quick": 0.1})
    assert tests.of(Mutant("a.py", "", 7, "")) == ["quick", "slow"]
    # Another line of the same expression.
    assert tests.of(Mutant("a.py", "", 9, "")) == ["quick", "slow"]
    assert tests.of(Mutant("a.py", "", 2, "")) == ["other"]
    assert tests.of(Mutant("a.py", "", 20, "")) == []


def test_a_default_is_tried_by_the_tests_of_its_function_however_long_that_explains_itself() -> (
    None
):
    tests = Seen({"a.py": {7: ["other"], 30: ["mine"], 40: []}}, {})
    assert tests.of(Mutant("a.py", "", 10, "", range(10, 35))) == ["mine"]
    assert tests.of(Mutant("a.py", "", 10, "", range(10, 25))) == ["other"]


def test_a_seed_draws_the_same_faults_each_inside_a_function() -> None:
    modules = ("sluice/gate/limits.py", "sluice/gate/spending.py")
    drawn = mutants.drawn(modules, 12, 3)
    assert drawn == mutants.drawn(modules, 12, 3)
    assert drawn != mutants.drawn(modules, 12, 4)
    for mutant in drawn:
        before = (ROOT / mutant.module).read_text(encoding="utf-8").splitlines()
        after = mutant.text.splitlines()
        assert before[: mutant.line - 1] == after[: mutant.line - 1]
        assert before[mutant.line - 1] != after[mutant.line - 1]
        assert mutant.difference
        assert mutant.line in mutant.function
        assert before[mutant.function.start - 1].lstrip().startswith("def ")
        compile(mutant.text, mutant.module, "exec")


def test_what_is_changed_and_what_looks_for_it_is_there() -> None:
    choice = mutants.chosen()
    assert all((ROOT / name).is_file() for name in choice.modules)
    assert all((ROOT / name).exists() for name in choice.tests)
    assert len(choice.modules) > 20


def test_the_table_counts_what_was_found() -> None:
    told = [(Mutant("a.py", "", 1, ""), what) for what in (KILLED, TIMED_OUT, SURVIVED, UNSEEN)]
    shown = mutants.table(told)
    assert "a.py                                  2 of    4" in shown
    assert "killed 1, no test runs it 1, survived 1, timed out 1" in shown
    assert "2 of 4 faults found: 50.0% [15.0%, 85.0%], at least 90% required" in shown
