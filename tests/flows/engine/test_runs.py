"""Lines of runs: kept for their owner, bounded, and read whatever a killed process left."""

import multiprocessing
from pathlib import Path

import pytest

from flows.engine.outcome import Outcome
from flows.engine.runs import Run, StepLine, keep, kept, of

STEPS = (StepLine("Train", "done", 3.2), StepLine("Split rows", "hit", 0.0))
BEGAN = "2026-11-30T01:00:00+00:00"


def run(number: int = 1, model: str = "churn") -> Run:
    outcome = Outcome("promoted", f"sentence {number}", model, release=number, verdict="PROMOTE")
    return of(outcome, STEPS, BEGAN, 12.345, "http://127.0.0.1:4200/runs/flow-run/1")


def test_a_run_is_read_as_it_was_kept_and_each_model_has_its_own(tmp_path: Path) -> None:
    for number in (1, 2):
        keep(tmp_path, run(number))
    keep(tmp_path, run(9, "other"))
    assert kept(tmp_path, "churn") == [run(1), run(2)]
    assert kept(tmp_path, "unheard") == []
    assert run().seconds == 12.3
    path = tmp_path / "runs" / "churn.jsonl"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("rest", [b'{"schema": 1, "model": "chu', b"[" * 100_000, b"{}", b"\xff"])
def test_a_line_that_was_cut_off_hides_no_other(rest: bytes, tmp_path: Path) -> None:
    keep(tmp_path, run(1))
    path = tmp_path / "runs" / "churn.jsonl"
    path.write_bytes(path.read_bytes() + rest + b"\n")
    keep(tmp_path, run(2))
    assert kept(tmp_path, "churn") == [run(1), run(2)]


def test_old_lines_go(tmp_path: Path) -> None:
    for number in range(510):
        keep(tmp_path, run(number))
    keep(tmp_path, run(510), largest=10_000)
    assert [found.release for found in kept(tmp_path, "churn")] == list(range(10, 511))


def _keep_ten(home: Path, first: int) -> None:
    for number in range(first, first + 10):
        keep(home, run(number))


def test_two_at_once_keep_both(tmp_path: Path) -> None:
    others = [
        multiprocessing.get_context("fork").Process(target=_keep_ten, args=(tmp_path, first))
        for first in (0, 10)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert sorted(found.release for found in kept(tmp_path, "churn")) == list(range(20))
