"""How the drills carry out a release: each step is announced, and then done for real."""

from pathlib import Path

from flows.drills.crash.fake_images import FakeEngine
from flows.drills.crash.plays import Announcing, drill_tools
from flows.engine.perform import Plainly
from flows.engine.step import Step
from flows.facts.split_rows import SplitRows
from flows.orchestration.real_tools import real_tools
from sluice.model.artifact.model_artifact import Golden


def _inputs(rows: int) -> dict[str, str]:
    return {"rows": str(rows)}


def test_each_step_is_announced_before_it_is_done(tmp_path: Path) -> None:
    events: list[str] = []

    def work(folder: Path, rows: int) -> SplitRows:
        events.append("done")
        (folder / "rows").write_bytes(b"1")
        return SplitRows(rows, 0, 0)

    # The key of a step has the code of its module: one of the project, so not that of this test.
    work.__module__ = "flows.steps.split"
    step = Step("count", "Count", SplitRows, ("rows",), _inputs, work)
    runner = Announcing(Plainly(tmp_path, "model"), events.append)
    assert runner.do(step, 3).facts.train == 3
    assert runner.do(step, 3).facts.train == 3
    assert events == ["count", "done", "count"]
    assert runner.again(step, 3).facts.train == 3
    assert events == ["count", "done", "count", "done"]
    assert runner.call("Commit", str, 5) == "5"
    assert events[-1] == "Commit"


def test_drill_tools_start_no_program_and_ask_no_service(tmp_path: Path) -> None:
    tools = drill_tools()
    assert isinstance(tools.images.builder(tmp_path), FakeEngine)
    assert isinstance(tools.images.runner(tmp_path), FakeEngine)
    assert (
        tools.check_service("http://127.0.0.1:1", Golden(threshold=0.5, records=(), scores=()))
        == 0.0
    )
    assert (tools.today() - real_tools().today()).days >= 98


def test_drill_tools_log_where_a_release_does() -> None:
    assert drill_tools().track is real_tools().track
