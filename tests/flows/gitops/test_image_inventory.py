"""Which images may be deleted: what lies beside an image, and how far back the window reaches."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.git_repos import FOUR, ONE, THREE, TWO, digest, promotion

from flows.adapters.registry import registry
from flows.gitops.image_inventory import images, window
from flows.project.settings import Settings
from sluice.gitops.state import Barred, Champion, Quarantine

TYPE = "application/vnd.sluice.test.v1"
TAGS = (ONE, TWO, THREE, FOUR)
HISTORIES = st.lists(st.sampled_from(TAGS), max_size=8).map(
    lambda tags: [promotion(tag, 1).champion for tag in tags]
)
BARRED = st.sets(st.sampled_from(TAGS)).map(
    lambda tags: Quarantine(
        entries=tuple(
            Barred(digest=digest(tag), tag=tag, release=1, who="a", when="w", why="y")
            for tag in sorted(tags)
        )
    )
)


def healthy(found: list[str], quarantine: Quarantine) -> list[str]:
    barred = {entry.digest for entry in quarantine.entries}
    return [one for one in found if one not in barred]


@given(HISTORIES, BARRED, st.integers(0, 5))
@settings(deadline=None)
def test_the_window_holds_as_many_healthy_releases_as_it_is_long_where_there_are_so_many(
    champions: list[Champion], quarantine: Quarantine, length: int
) -> None:
    found = window(champions, quarantine, length)
    ever = healthy(list(dict.fromkeys(one.digest for one in champions)), quarantine)
    assert healthy(found, quarantine) == ever[:length]


@given(HISTORIES, BARRED, st.integers(0, 5))
@settings(deadline=None)
def test_a_longer_window_holds_all_that_a_shorter_one_does(
    champions: list[Champion], quarantine: Quarantine, length: int
) -> None:
    shorter = window(champions, quarantine, length)
    longer = window(champions, quarantine, length + 1)
    assert longer[: len(shorter)] == shorter


@given(HISTORIES, BARRED, st.integers(1, 5))
@settings(deadline=None)
def test_a_window_has_the_newest_release_first_and_each_once(
    champions: list[Champion], quarantine: Quarantine, length: int
) -> None:
    found = window(champions, quarantine, length)
    assert found[:1] == [one.digest for one in champions[:1]]
    assert len(set(found)) == len(found)


def pushed(home: Path, *tags: str) -> Settings:
    place = registry.place("sluice.local/attrition", home / "registry")
    for tag in tags:
        registry.push_files(place, tag, {"a": tag.encode()}, TYPE, {})
    return Settings(home=home)


def test_before_the_manifest_repo_exists_nothing_keeps_an_image(tmp_path: Path) -> None:
    given_settings = pushed(tmp_path, "one", "two")
    found = images(given_settings, "attrition")
    assert [image.tag for image in found] == ["one", "two"]
    assert all(image.deletable and image.release == 0 for image in found)


def test_what_lies_beside_an_image_is_no_image_of_its_own(tmp_path: Path) -> None:
    beside = ("one.model", "one.evidence", "one.evidence-0a1b")
    [image] = images(pushed(tmp_path, "one", *beside), "attrition")
    assert image.parts == tuple(sorted(beside))


@pytest.mark.parametrize("tag", ["one.other", "one.evidence-XY", "one.model.2", "one.evidence2"])
def test_a_tag_that_a_person_pushed_is_an_image_of_its_own(tag: str, tmp_path: Path) -> None:
    found = images(pushed(tmp_path, "one", tag), "attrition")
    assert {image.tag for image in found} == {"one", tag}
    assert all(image.parts == () for image in found)


def test_the_artifact_of_another_image_is_not_beside_this_one(tmp_path: Path) -> None:
    found = images(pushed(tmp_path, "one", "two", "two.model"), "attrition")
    assert {image.tag: image.parts for image in found} == {"one": (), "two": ("two.model",)}


def test_without_an_image_the_inventory_is_empty(tmp_path: Path) -> None:
    assert images(Settings(home=tmp_path), "attrition") == []
