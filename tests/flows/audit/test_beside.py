"""What a registry lost beside an image that is live is named part by part, by few questions."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.registries import World, serving

from flows.adapters import dsse
from flows.adapters.registry import oci, registry, remote
from flows.audit import beside, statements
from sluice.gitops.bill_of_materials import Software
from sluice.gitops.image_names import annotation
from sluice.gitops.state import Champion

TAG = "0123456789abcdef"
EMPTY = oci.digest_of(oci.EMPTY)
SIGNED = {"signed provenance", "signed verdict", "signed bill of materials"}


@dataclass(frozen=True)
class Released:
    """A registry over HTTP with what a release leaves beside its image."""

    world: World
    place: registry.Place
    champion: Champion
    trailers: dict[str, str]
    image: str

    def lost(self) -> set[str]:
        return set(beside.lost(self.place, self.champion, self.trailers))


@pytest.fixture(params=[True, False], ids=["lists referrers", "clients list them"])
def released(request: pytest.FixtureRequest) -> Iterator[Released]:
    world = World(lists_referrers=request.param)
    with serving(world) as host:
        place = remote.remote(host, "team/model")
        image = registry.push_files(place, TAG, {"layer": b"l"}, "x/image", {})
        content = {annotation("evidence"): "e" * 64, annotation("data"): "d" * 64}
        files = {"evidence.json": b"{}", "evidence.html": b"<p>"}
        evidence = registry.push_files(place, f"{TAG}.evidence", files, "x/evidence", content)
        key = dsse.read_key(dsse.new_key())
        said = {
            "Model": "model",
            "Verdict": "PROMOTE",
            "Evidence-Hash": evidence,
            "Image": f"{place}:{TAG}",
            statements.KEY: key.public,
        }
        stated = statements.wanted({}, said, Software("13"))
        statements.keep(place, key, str(place), image, stated)
        champion = Champion(
            tag=TAG, digest=image, image=str(place), release=1, model="m", evidence=evidence
        )
        yield Released(world, place, champion, said, image)


def owner_of(released: Released, name: str) -> set[str]:
    """Which parts are lost with something that the registry holds."""
    evidence = registry.manifest(released.place, released.champion.evidence)
    if name in (f"{TAG}.evidence", released.champion.evidence):
        return {"evidence"}
    if name in {part.digest for part in oci.parse_manifest(evidence).parts}:
        return {"evidence"}
    return SIGNED


def test_what_is_whole_is_found_whole_by_few_questions(released: Released) -> None:
    before = len(released.world.asked)
    assert released.lost() == set()
    asked = [one for one in released.world.asked[before:] if one[1] != "/v2/"]
    assert {method for method, _, _ in asked} <= {"GET", "HEAD"}
    assert len(asked) <= 20


def test_whatever_is_lost_is_named(released: Released) -> None:
    world, place = released.world, released.place
    image = {part.digest for part in oci.parse_manifest(registry.manifest(place, TAG)).parts}
    blobs = [digest for digest in world.blobs if digest not in image or digest == EMPTY]
    owners = {digest: owner_of(released, digest) for digest in blobs}
    for digest, owner in owners.items():
        kept = world.blobs.pop(digest)
        assert released.lost() & owner, digest
        assert released.lost() <= owner, digest
        world.blobs[digest] = kept
    for place_and_name in list(world.manifests):
        name = place_and_name[1]
        if name in (TAG, released.image):
            continue  # asked for by those who look at the image
        owner = owner_of(released, name)
        manifest = world.manifests.pop(place_and_name)
        found = released.lost()
        world.manifests[place_and_name] = manifest
        # A list that is read by its tag alone is kept by its digest too.
        assert found <= owner, name
        assert found or (owner == SIGNED and b'"manifests"' in manifest), name
    assert released.lost() == set()


def test_statements_of_a_release_that_signed_nothing_are_not_missed(released: Released) -> None:
    del released.trailers[statements.KEY]
    released.world.manifests = {
        place: content
        for place, content in released.world.manifests.items()
        if b"subject" not in content
    }
    assert released.lost() == set()


def test_what_is_signed_with_another_key_counts_as_lost(released: Released) -> None:
    released.trailers[statements.KEY] = dsse.read_key(dsse.new_key()).public
    assert released.lost() == SIGNED
