"""What is about an image is found by the image's digest: in a folder, in a registry that lists it,
and in one that does not.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.logins import nobody_is_logged_in
from support.registries import World, serving

from flows.adapters.registry import oci, referrers, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.registry import Place
from flows.adapters.registry.remote import Remote

KIND = "application/vnd.dsse.envelope.v1+json"
NOTES = {"kind": "one"}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_logged_in(tmp_path, monkeypatch)


@contextlib.contextmanager
def in_a_folder(folder: Path) -> Iterator[Place]:
    yield Layout(folder / "layout")


@contextlib.contextmanager
def where_nobody_lists(_: Path) -> Iterator[Place]:
    with serving(World()) as host:
        yield Remote(host, "team/attrition")


@contextlib.contextmanager
def where_the_registry_lists(_: Path) -> Iterator[Place]:
    with serving(World(lists_referrers=True)) as host:
        yield Remote(host, "team/attrition")


Where = Callable[[Path], contextlib.AbstractContextManager[Place]]
PLACES: list[Where] = [in_a_folder, where_nobody_lists, where_the_registry_lists]


@pytest.fixture(params=PLACES, ids=lambda where: where.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    where: Where = request.param
    with where(tmp_path) as opened:
        yield opened


def subject(place: Place, tag: str = "t") -> str:
    return registry.push_files(place, tag, {"a": tag.encode()}, "x/y", {})


def test_what_is_about_an_image_is_found_by_its_digest(place: Place) -> None:
    one, other = subject(place), subject(place, "other")
    assert place.referrers(one) == []
    first = registry.push_about(place, one, KIND, b"first", NOTES)
    registry.push_about(place, one, KIND, b"second", NOTES)
    registry.push_about(place, one, KIND, b"of another kind", {"kind": "two"})
    registry.push_about(place, one, "text/plain", b"of another type", NOTES)
    registry.push_about(place, other, KIND, b"third", NOTES)
    assert sorted(registry.about(place, one, KIND, "kind", "one")) == [b"first", b"second"]
    assert registry.about(place, one, KIND, "kind", "two") == [b"of another kind"]
    assert registry.about(place, other, KIND, "kind", "one") == [b"third"]
    assert first in {found.digest for found in place.referrers(one)}
    found = json.loads(registry.manifest(place, first))
    assert found["subject"]["digest"] == one
    assert found["subject"]["size"] == len(registry.manifest(place, one))


def test_the_same_again_is_no_change(place: Place) -> None:
    one = subject(place)
    first = registry.push_about(place, one, KIND, b"first", NOTES)
    listed = place.referrers(one)
    assert registry.push_about(place, one, KIND, b"first", NOTES) == first
    assert place.referrers(one) == listed


def test_nothing_is_kept_about_what_is_not_there(place: Place) -> None:
    with pytest.raises(oci.Broken, match="has no sha256:"):
        registry.push_about(place, "sha256:" + "0" * 64, KIND, b"first", NOTES)


def test_the_digest_is_the_same_everywhere(tmp_path: Path) -> None:
    digests = set()
    for where in PLACES:
        with where(tmp_path) as opened:
            digests.add(registry.push_about(opened, subject(opened), KIND, b"first", NOTES))
    assert len(digests) == 1


def test_the_tag_is_kept_where_the_registry_lists_nothing_and_there_alone(tmp_path: Path) -> None:
    for where, expected in zip(PLACES, (True, True, False), strict=True):
        with where(tmp_path) as opened:
            one = subject(opened)
            registry.push_about(opened, one, KIND, b"first", NOTES)
            assert (referrers.tag(one) in registry.tags(opened)) is expected


def test_a_list_of_before_the_registry_listed_them_is_still_read(tmp_path: Path) -> None:
    world = World()
    with serving(world) as host:
        place = Remote(host, "team/attrition")
        one = subject(place)
        registry.push_about(place, one, KIND, b"before", NOTES)
        world.lists_referrers = True
        registry.push_about(place, one, KIND, b"after", NOTES)
        assert sorted(registry.about(place, one, KIND, "kind", "one")) == [b"after", b"before"]


def test_who_lost_the_list_to_another_writer_is_named_in_it_in_the_end() -> None:
    """Between our look and our writing somebody else writes, and then we are gone: three times."""
    world = World()
    with serving(world) as host:
        place = Remote(host, "team/attrition")
        one = subject(place)
        tag = referrers.tag(one)
        theirs = referrers.manifest(registry.manifest(place, one), KIND, b"theirs", NOTES)
        world.written_over[tag] = [referrers.with_added(None, theirs)] * 3
        registry.push_about(place, one, KIND, b"ours", NOTES)
        names = {found.digest for found in place.referrers(one)}
        assert oci.digest_of(theirs) in names
        assert len(names) == 2


HOSTILE: dict[str, bytes] = {
    "no json": b"x",
    "deep": b"[" * 100_000,
    "no list": b"{}",
    "not utf-8": b'{"manifests":[{"digest":"\xff","size":1}]}',
    "no digest": b'{"manifests":[{"digest":"../x","size":1}]}',
    "too long": oci.encode(
        {"manifests": [{"digest": "sha256:" + f"{n:064x}", "size": 1} for n in range(1001)]}
    ),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_list_is_refused(content: bytes) -> None:
    with pytest.raises(oci.Broken):
        referrers.listed(content)


def test_what_is_listed_and_is_not_there_is_told(tmp_path: Path) -> None:
    place = Layout(tmp_path)
    one = subject(place)
    digest = registry.push_about(place, one, KIND, b"first", NOTES)
    (tmp_path / "blobs" / "sha256" / oci.hex_of(digest)).unlink()
    with pytest.raises(oci.Broken, match=f"has no {digest}"):
        registry.about(place, one, KIND, "kind", "one")
