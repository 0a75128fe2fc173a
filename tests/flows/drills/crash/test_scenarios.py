"""The scenes that are played to be killed: each begins where an earlier one ended, in an
environment of its own.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.drills.crash.boundaries import POINTS
from flows.drills.crash.scenarios import SCENES, START, TO_COMMIT, Place, Scene
from flows.drills.crash.world import World

NAMES = st.sampled_from(["SLUICE_MODE", "SLUICE_REGISTRY", "SLUICE_HOME", "PATH"])


def test_every_scene_begins_in_a_world_that_an_earlier_one_left() -> None:
    played: list[str] = []
    for scene in SCENES:
        before = scene.begin.partition(":")[0]
        assert before == START or before in played
        played.append(scene.name)
    assert len(set(played)) == len(played)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_side_behind_which_a_scene_is_over_is_a_boundary(scene: Scene) -> None:
    if scene.over != "-":
        name, _, side = scene.over.rpartition(".")
        assert name in POINTS
        assert side in ("before", "after")


@given(st.dictionaries(NAMES, st.text(min_size=1, max_size=3)), st.dictionaries(NAMES, st.text()))
@settings(deadline=None)
def test_a_scene_changes_what_it_names_and_unsets_what_it_names_empty(
    env: dict[str, str], change: dict[str, str]
) -> None:
    world = World(None, env)  # type: ignore[arg-type]  the folder is not asked
    seen = Scene("a", START, lambda _world, _announce: 0, change).env(world)
    assert seen == {name: value for name, value in (env | change).items() if value}
    assert world.env == env


def test_an_empty_value_that_a_scene_does_not_name_stays() -> None:
    world = World(None, {"SLUICE_TRACKING_URI": ""})  # type: ignore[arg-type]
    scene = Scene("a", START, lambda _world, _announce: 0, {"SLUICE_MODE": "branch"})
    assert scene.env(world) == {"SLUICE_TRACKING_URI": "", "SLUICE_MODE": "branch"}


@given(st.lists(st.sampled_from(sorted(POINTS)), min_size=1, max_size=4))
@settings(deadline=None)
def test_the_name_of_a_place_is_the_innermost_boundary(names: list[str]) -> None:
    place = Place(SCENES[0], TO_COMMIT, f"{'/'.join(names)}.before")
    assert place.name == f"{names[-1]}.before"
