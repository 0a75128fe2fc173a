"""A released image before it goes live again: it is where it was kept, and answers as it did."""

from pathlib import Path

import msgspec
import pytest
from support.git_repos import ONE, promotion

from flows.adapters.image.container_engine import ContainerEngine
from flows.adapters.registry import registry
from flows.drills.crash.fake_images import FakeEngine
from flows.gitops.smoke_released import find, start
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.state import Champion
from sluice.identity import folder_hash
from sluice.model.artifact.model_artifact import Golden

TYPE = "application/vnd.sluice.test.v1"
GOLDEN = Golden(threshold=0.5, records=({"age": 40}, {"age": 41}), scores=(0.25, 0.75))
ADDRESS = "http://127.0.0.1:7"


def released(home: Path, golden: bytes = b"") -> tuple[Settings, Champion]:
    """An image in a registry folder with its artifact beside it, and its record."""
    place = registry.place("sluice.local/attrition", home / "registry")
    built = FakeEngine(home)
    (home / "context").mkdir()
    (home / "context" / "bento.tar").write_bytes(b"a bento")
    built.export("image", home / "layout", "built")
    digest = str(registry.digest(registry.place("sluice.local/layout", home), "built"))
    registry.push_image(place, ONE, home / "layout", digest)
    folder = home / "artifact"
    folder.mkdir()
    (folder / "golden.json").write_bytes(golden or msgspec.json.encode(GOLDEN))
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    registry.push_files(place, f"{ONE}.model", files, TYPE, {})
    champion = msgspec.structs.replace(
        promotion(ONE, 1).champion, digest=digest, model=folder_hash(folder)
    )
    return Settings(home=home), champion


def engine(state: Path) -> ContainerEngine:
    return FakeEngine(state, ADDRESS)


def nothing(state: Path) -> None:
    """Nothing here starts images."""


def unasked(url: str, golden: Golden) -> float:
    raise AssertionError(f"{url} was asked for {len(golden.records)} records")


def test_the_image_is_found_where_it_was_kept(tmp_path: Path) -> None:
    given, champion = released(tmp_path)
    place = find(given, champion)
    assert registry.digest(place, ONE) == champion.digest


def test_an_image_that_is_gone_says_what_should_be_there(tmp_path: Path) -> None:
    champion = promotion(ONE, 1).champion
    with pytest.raises(SluiceError) as raised:
        find(Settings(home=tmp_path), champion)
    assert raised.value.what == (
        f"sluice.local/attrition:{ONE} is not there, and should be {champion.digest}"
    )
    assert raised.value.fix == "Push that image again, or go back to another release."


def test_an_image_under_the_tag_of_another_is_not_taken(tmp_path: Path) -> None:
    given, champion = released(tmp_path)
    other = msgspec.structs.replace(champion, digest=f"sha256:{'f' * 64}")
    with pytest.raises(SluiceError, match=f"{ONE} is {champion.digest}, and should be sha256:f"):
        find(given, other)


def test_the_started_image_is_asked_its_own_golden_records(tmp_path: Path) -> None:
    given, champion = released(tmp_path)
    asked: list[tuple[str, Golden]] = []

    def check(url: str, golden: Golden) -> float:
        asked.append((url, golden))
        return 0.0

    assert start(given, champion, engine, check) == 2
    assert asked == [(ADDRESS, GOLDEN)]


def test_answers_that_differ_stop_the_rollback(tmp_path: Path) -> None:
    given, champion = released(tmp_path)

    def check(url: str, golden: Golden) -> float:
        raise SluiceError(f"{url} answers otherwise")

    with pytest.raises(SluiceError, match="answers otherwise"):
        start(given, champion, engine, check)


def test_where_nothing_starts_images_the_way_without_is_named(tmp_path: Path) -> None:
    given, champion = released(tmp_path)
    with pytest.raises(UsageError) as raised:
        start(given, champion, nothing, unasked)
    assert raised.value.what == (
        "no tool to start an image works here, so it is not known whether the image boots"
    )
    assert "`--no-boot` goes back without starting the image" in raised.value.fix


def test_the_artifact_of_another_release_is_not_asked(tmp_path: Path) -> None:
    given, champion = released(tmp_path)
    other = msgspec.structs.replace(champion, model="0" * 64)
    with pytest.raises(SluiceError) as raised:
        start(given, other, engine, unasked)
    assert raised.value.what == f"the artifact {ONE}.model is not the one that was released"
    assert raised.value.fix == "Look into the registry: somebody wrote there."


@pytest.mark.parametrize("golden", [b"{", b"[]", b'{"threshold": "high"}'])
def test_golden_records_that_cannot_be_read_start_nothing(golden: bytes, tmp_path: Path) -> None:
    given, champion = released(tmp_path, golden)
    with pytest.raises(ValueError, match=r"golden\.json"):
        start(given, champion, engine, unasked)


def test_without_an_artifact_nothing_is_started(tmp_path: Path) -> None:
    given, champion = released(tmp_path)
    place = registry.place("sluice.local/attrition", tmp_path / "registry")
    registry.push_image(place, "untold", tmp_path / "layout", champion.digest)
    other = msgspec.structs.replace(champion, tag="untold")
    with pytest.raises(SluiceError):
        start(given, other, engine, unasked)
