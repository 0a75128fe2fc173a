"""Where a drill kills: every side of every boundary, releases first, and at moments that are
drawn.
"""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.drills.crash import kill, trial
from flows.drills.crash.boundaries import POINTS
from flows.drills.crash.kill import HELD, INVALID, Trial
from flows.drills.crash.scenarios import START, Place, Scene, Undisturbed
from flows.drills.crash.world import World

NOWHERE = World(Path("nowhere"), {})
NAMES = st.sampled_from(sorted(POINTS)[:4])


def undisturbed(name: str, seconds: float, *seen: tuple[str, str]) -> Undisturbed:
    """A scene that comes to these places: the world before, and the path without its side."""
    scene = Scene(name, START, lambda _world, _announce: 0)
    places = [
        Place(scene, begin, f"{path}.{side}")
        for begin, path in seen
        for side in ("before", "after")
    ]
    return Undisturbed(scene, tuple(places), {}, seconds)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["first release", "rollback", "quarantine", "again"]),
            st.floats(1, 9),
            st.lists(st.tuples(st.sampled_from("ab"), NAMES), max_size=5),
        ),
        max_size=4,
    )
)
@settings(deadline=None)
def test_each_place_is_planned_once_under_its_boundary_with_releases_first(
    drawn: list[tuple[str, float, list[tuple[str, str]]]],
) -> None:
    rehearsed = {name: undisturbed(name, seconds, *seen) for name, seconds, seen in drawn}
    planned = kill.planned(rehearsed)
    assert set(planned) == {f"{name}.{side}" for name in POINTS for side in ("before", "after")}
    for name, places in planned.items():
        assert all(place.name == name for place in places)
        kinds = [place.scene.name in ("rollback", "quarantine") for place in places]
        assert kinds == sorted(kinds)
    paths = {(scene, place.path) for scene, one in rehearsed.items() for place in one.places}
    assert sum(map(len, planned.values())) == len(paths)


def test_of_two_releases_the_quicker_one_comes_first() -> None:
    rehearsed = {
        "slow": undisturbed("slow", 9.0, ("a", "git.push")),
        "quick": undisturbed("quick", 2.0, ("a", "git.push")),
        "rollback": undisturbed("rollback", 0.1, ("a", "git.push")),
    }
    places = kill.planned(rehearsed)["git.push.before"]
    assert [place.scene.name for place in places] == ["quick", "slow", "rollback"]


def test_a_run_that_begins_late_is_quicker_than_one_that_begins_early() -> None:
    late = ("b", "git.push")
    rehearsed = {
        "early": undisturbed("early", 4.0, ("a", "git.push"), ("b", "git.fetch")),
        "late": undisturbed("late", 6.0, ("a", "git.fetch"), late),
    }
    places = kill.planned(rehearsed)["git.push.after"]
    assert [place.scene.name for place in places] == ["late", "early"]


def test_a_boundary_that_no_run_comes_to_proves_nothing() -> None:
    trials = list(kill.matrix(NOWHERE, {}, 0))
    assert len(trials) == 2 * len(POINTS)
    assert {(tried.state, tried.said) for tried in trials} == {(INVALID, "no run comes to it")}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_each_boundary_is_the_turn_of_one_process_with_both_its_sides(workers: int) -> None:
    def mine(number: int) -> Callable[[int], bool]:
        return lambda turn: turn % workers == number

    shares = [
        [tried.place for tried in kill.matrix(NOWHERE, {}, 0, mine(number))]
        for number in range(workers)
    ]
    places = [place for share in shares for place in share]
    assert sorted(places) == sorted(set(places)) == sorted(kill.planned({}))
    for share in shares:
        assert {place.rpartition(".")[0] + ".after" for place in share} <= set(share)


def test_a_trial_is_written_down_as_it_was() -> None:
    tried = Trial("once", "git.push.after", HELD, "got over", 2)
    assert Trial(**tried.document()) == tried  # type: ignore[arg-type]


def waiting() -> int:
    """A process that waits until it is killed; its id."""
    return os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)


def over() -> int:
    """A process that is over at once; its id."""
    return os.posix_spawn("/bin/true", ["true"], os.environ)


def end(pid: int, moment: float) -> str:
    assert moment >= 0
    os.kill(pid, signal.SIGKILL)
    return "the run"


def miss(pid: int, moment: float) -> str:
    assert moment >= 0
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return ""


def test_a_run_that_was_killed_says_when_and_how_it_ended() -> None:
    shot = kill.shoot(waiting, end, random.Random(1), 2.0)
    assert shot.victim == "the run"
    assert 0 <= shot.moment <= 2.0
    assert shot.end == trial.End(-signal.SIGKILL, signal.SIGKILL)
    assert shot.end.killed
    assert shot.place == f"the run killed after {shot.moment:.2f} s, which ended with -9"


def test_a_run_that_is_over_each_time_is_drawn_five_times_and_killed_never() -> None:
    started: list[int] = []

    def start() -> int:
        started.append(over())
        return started[-1]

    shot = kill.shoot(start, miss, random.Random(1), 1000.0)
    assert len(started) == 5
    assert shot.victim == ""
    assert shot.end == trial.End(0, 0)
    assert not shot.end.killed
    assert shot.whole < 1000.0
    assert shot.place.startswith("nothing killed after ")


def test_the_same_chance_gives_the_same_moment() -> None:
    moments = {kill.shoot(waiting, end, random.Random(7), 5.0).moment for _ in range(2)}
    assert len(moments) == 1


def test_killing_what_is_over_kills_nothing() -> None:
    pid = over()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert kill.the_run_itself(pid, 0.0) == ""
    assert kill.one_of_its_programs(pid, 0.0) == ""
    assert trial.ended(pid) == trial.End(0, 0)


def test_the_run_itself_is_killed_where_it_is_still_there() -> None:
    pid = waiting()
    assert kill.the_run_itself(pid, 0.0) == "the run"
    assert trial.ended(pid).killed


def test_of_a_run_one_of_its_programs_is_killed_and_named() -> None:
    script = "sleep 61; exit 3"
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", script], os.environ)
    victim = kill.one_of_its_programs(pid, 0.0)
    # between fork and exec the child still has the command of the shell
    assert victim in ("sleep 61", f"sh -c {script}")
    assert trial.ended(pid) == trial.End(3, 0)
