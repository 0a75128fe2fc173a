"""What is kept beside the images: under a name, once, and readable by few."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.adapters.registry import beside_images, oci, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.registry import Place


@dataclass(frozen=True)
class Registry:
    """A place that is no layout to whoever asks: everything goes by tags, as in a registry."""

    behind: Layout

    def digest(self, tag: str) -> str | None:
        return self.behind.digest(tag)

    def manifest(self, reference: str) -> bytes | None:
        return self.behind.manifest(reference)

    def blob(self, digest: str) -> bytes:
        return self.behind.blob(digest)

    def lacking(self, digests: Sequence[str]) -> list[str]:
        return self.behind.lacking(digests)

    def tags(self) -> list[str]:
        return self.behind.tags()

    def pull_blob(self, digest: str, target: Path) -> None:
        self.behind.pull_blob(digest, target)

    def put_blob(self, content: bytes) -> None:
        self.behind.put_blob(content)

    def copy_blob(self, source: Path, digest: str) -> None:
        self.behind.copy_blob(source, digest)

    def put_manifest(self, tag: str, content: bytes) -> None:
        self.behind.put_manifest(tag, content)

    def check_index(self, named: Sequence[str]) -> None:
        self.behind.check_index(named)


@pytest.fixture(params=[Layout, lambda folder: Registry(Layout(folder))], ids=["file", "artifact"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    made: Place = request.param(tmp_path / "registry" / "attrition")
    return made


def test_what_is_kept_is_found_by_its_name(place: Place) -> None:
    assert beside_images.names(place) == []
    assert beside_images.find(place, "key.one") is None
    beside_images.keep(place, "key.one", b"\x00secret\xff")
    beside_images.keep(place, "key.one", b"\x00secret\xff")
    beside_images.keep(place, "release.1", b"head")
    assert beside_images.find(place, "key.one") == b"\x00secret\xff"
    assert beside_images.names(place) == ["key.one", "release.1"]


def test_what_is_kept_is_never_written_over(place: Place) -> None:
    beside_images.keep(place, "release.1", b"first")
    with pytest.raises(oci.TagTaken):
        beside_images.keep(place, "release.1", b"second")
    assert beside_images.find(place, "release.1") == b"first"


def test_of_those_who_come_at_once_one_is_first(tmp_path: Path) -> None:
    place = Layout(tmp_path / "registry" / "attrition")

    def keep(number: int) -> bool:
        try:
            beside_images.keep(place, "release.1", b"%d" % number)
        except oci.TagTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(keep, range(8)))
    assert kept.count(True) == 1
    assert beside_images.find(place, "release.1") == b"%d" % kept.index(True)


def test_in_a_folder_it_is_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "registry" / "attrition")
    beside_images.keep(layout, "key.one", b"secret")
    file = tmp_path / "ledger" / "attrition" / "key.one"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert layout.tags() == []
    assert not (tmp_path / "registry").exists()


def test_a_half_written_file_of_a_killed_process_is_nobodys(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "registry" / "attrition")
    (tmp_path / "ledger" / "attrition").mkdir(parents=True)
    (tmp_path / "ledger" / "attrition" / ".part").write_bytes(b"sec")
    assert beside_images.names(layout) == []
    beside_images.keep(layout, "key.one", b"secret")
    assert beside_images.find(layout, "key.one") == b"secret"


def test_tags_of_the_ledger_are_told_from_those_of_others(tmp_path: Path) -> None:
    place = Registry(Layout(tmp_path / "registry" / "attrition"))
    beside_images.keep(place, "key.one", b"secret")
    registry.push_files(place, "0123456789abcdef.model", {"a": b"x"}, "application/x", {})
    assert beside_images.names(place) == ["key.one"]
    assert place.tags() == ["0123456789abcdef.model", "ledger.key.one"]
