"""The boundaries at which drills kill: named once, described, and without any effect unless a drill
arms them.
"""

import ast
import os
import signal
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT

from flows.adapters import failpoints, files
from flows.adapters.failpoints import boundary
from flows.drills.crash.boundaries import POINTS
from flows.drills.crash.scenarios import Place, Scene, Undisturbed
from flows.engine import store
from flows.engine.store import Record
from flows.facts.split_rows import SplitRows


def named() -> list[str]:
    """The names in the sources, as literals; every other use of `boundary` is an empty text."""
    found = []
    for path in (PROJECT / "flows").rglob("*.py"):
        if path.name == "failpoints.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "boundary"
            ):
                [word] = node.args
                found.append(str(word.value) if isinstance(word, ast.Constant) else "")
    return found


def test_every_boundary_has_one_name_and_every_name_is_described() -> None:
    found = named()
    assert sorted(found) == sorted(set(found))
    assert set(found) == set(POINTS)
    assert len(found) >= 40
    assert all(POINTS.values())


def test_a_boundary_that_no_scene_comes_to_is_no_success() -> None:
    from flows.drills.crash.kill import INVALID, matrix
    from flows.drills.crash.world import World

    nothing = Undisturbed(Scene("none", "start", lambda *_: 0), (), {}, 1.0)
    found = list(matrix(World(Path(), {}), {"none": nothing}, 0))
    assert {trial.state for trial in found} == {INVALID}
    assert len(found) == 2 * len(POINTS)


def test_every_round_takes_another_place_of_a_boundary_and_both_sides_are_tried() -> None:
    from flows.drills.crash.kill import planned

    scene = Scene("release", "start", lambda *_: 0)
    paths = (
        "git.push.before",
        "git.push.after",
        "promotion.write/git.push.before",
        "promotion.write/git.push.after",
    )
    places = tuple(
        Place(scene, begin, path) for begin in ("start", "release: promote") for path in paths
    )
    found = planned({"release": Undisturbed(scene, places, {}, 4.0)})
    assert set(found) == {f"{name}.{side}" for name in POINTS for side in ("before", "after")}
    assert [place.path for place in found["git.push.after"]] == [
        "git.push.after",
        "promotion.write/git.push.after",
    ]


def test_nothing_is_armed_and_nothing_but_a_call_arms_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_FAILPOINTS", "FAILPOINTS", "SLUICE_DRILL"):
        monkeypatch.setenv(name, "file.write=kill")
    assert failpoints._armed == []
    with boundary("file.write"):
        pass
    source = (PROJECT / "flows" / "adapters" / "failpoints.py").read_text(encoding="utf-8")
    assert "environ" not in source
    assert "settings" not in [
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    ]


def test_only_drills_arm() -> None:
    arming = [
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "flows").rglob("*.py")
        if "failpoints.arm(" in path.read_text(encoding="utf-8")
    ]
    assert arming == ["flows/drills/crash/trial.py"]


def test_a_place_is_named_with_what_it_is_in_and_not_left_where_it_failed() -> None:
    seen: list[str] = []
    failpoints.arm(seen.append)
    try:
        with boundary("one"), boundary("two"):
            pass
        with pytest.raises(ValueError, match="x"), boundary("three"):
            raise ValueError("x")
    finally:
        failpoints.disarm()
    assert seen == ["one.before", "one/two.before", "one/two.after", "one.after", "three.before"]


@pytest.mark.parametrize(
    "place", ["store.begin", "store.fill", "store.record", "store.flush", "store.rename"]
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_step_that_is_killed_is_whole_or_not_there(place: str, side: str, tmp_path: Path) -> None:
    def work(folder: Path) -> SplitRows:
        (folder / "rows").write_bytes(b"1" * 1000)
        return SplitRows(1000, 0, 0)

    record = Record("step", "key", {}, {}, {}, 0.0)

    def kill(here: str) -> None:
        if here == f"{place}.{side}":
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        failpoints.arm(kill)
        store.keep(tmp_path, record, work)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    is_kept = store.find(tmp_path, "step", "key", SplitRows) is not None
    assert is_kept == (f"{place}.{side}" == "store.rename.after")
    store.keep(tmp_path, record, work)
    result = store.find(tmp_path, "step", "key", SplitRows)
    assert result is not None
    assert result.facts.train == 1000
    store.swept(tmp_path, 0.0)
    assert sorted(path.name for path in (tmp_path / "store" / "step").iterdir()) == ["key"]


@pytest.mark.parametrize("place", ["file.write", "file.rename"])
def test_a_file_that_is_killed_is_the_old_one_or_the_new_one(place: str, tmp_path: Path) -> None:
    path = tmp_path / "outcomes" / "last.json"
    files.write_atomic(path, b"old")

    def kill(here: str) -> None:
        if here == f"{place}.before":
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        failpoints.arm(kill)
        files.write_atomic(path, b"new")
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert path.read_bytes() == b"old"
    store.swept(tmp_path, 0.0)
    assert [path.name for path in path.parent.iterdir()] == ["last.json"]
