"""The lock of the image's base: what it says, what it is called, what stands in for it. Building it
is in e2e/.
"""

import io
import json
import tarfile
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT

from flows.adapters import machine_cache
from flows.adapters.image import base_image, debian_root
from sluice.errors import SluiceError, UsageError
from sluice.identity import file_sha256

ENTRY = base_image.Entry("trixie", base_image.arch(), ("a=1", "b=1:2-3"))


def write(project: Path, text: str) -> None:
    (project / "bento").mkdir(exist_ok=True)
    (project / "bento" / "base.lock").write_text(text)


def entry(extra: str, arch: str = base_image.arch()) -> str:
    return f'[[base]]\nsuite = "trixie"\narch = "{arch}"\n{extra}\n'


def test_the_shipped_lock_names_python_and_its_libraries() -> None:
    found = base_image.locked(PROJECT)
    names = {package.partition("=")[0] for package in found.packages}
    assert {
        "python3.13-minimal",
        "libpython3.13-stdlib",
        "libstdc++6",
        "ca-certificates",
        "libc6",
    } <= names
    assert not names & {
        "apt",
        "bash",
        "coreutils",
        "cpp",
        "dash",
        "dpkg",
        "gcc",
        "make",
        "openssl",
        "perl-base",
    }


def test_the_first_entry_of_this_architecture_counts(tmp_path: Path) -> None:
    rest = (
        entry('packages = ["z=9"]', "s390x")
        + entry('packages = ["a=1", "b=1:2-3"]')
        + entry('packages = ["c=1"]')
    )
    write(tmp_path, rest)
    assert base_image.locked(tmp_path) == ENTRY


def test_the_hash_follows_the_content() -> None:
    same = base_image.Entry("trixie", base_image.arch(), ("a=1", "b=1:2-3"))
    others = [
        base_image.Entry("trixie", base_image.arch(), ("a=2",)),
        base_image.Entry("bookworm", base_image.arch(), ENTRY.packages),
    ]
    assert ENTRY.hash == same.hash
    assert len({ENTRY.hash, *(other.hash for other in others)}) == 3


def test_an_image_by_digest_needs_no_archive(tmp_path: Path) -> None:
    image = "registry.example/python@sha256:" + "0" * 64
    write(tmp_path, entry(f'image = "{image}"'))
    made = base_image.ensure(tmp_path, tmp_path / "cache", pytest.fail)
    assert made.entry.image == image
    assert made.tar.is_file()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[base]]",
        "base = 3",
        "not toml",
        entry(""),
        entry('image = "python:3.11"'),
        entry('packages = ["a=1"]', "s390x"),
        entry(f'packages = ["a=1"]\nimage = "x@sha256:{"0" * 64}"'),
    ],
)
def test_a_lock_that_says_nothing_usable_is_named(text: str, tmp_path: Path) -> None:
    write(tmp_path, text)
    with pytest.raises(UsageError, match=r"base\.lock"):
        base_image.locked(tmp_path)


def test_what_stood_in_once_is_expected_again(tmp_path: Path) -> None:
    write(tmp_path, entry('packages = ["a=1", "b=1:2-3"]'))
    cache = tmp_path / "cache"
    assert base_image.expected(tmp_path, cache) == ENTRY
    used = base_image.Entry(ENTRY.suite, ENTRY.arch, ("a=2", "b=1:2-3"))
    (cache / "base").mkdir(parents=True)
    (cache / "base" / f"{ENTRY.hash}.behind.json").write_text(
        json.dumps({"packages": used.packages})
    )
    part = tmp_path / "part"
    part.write_bytes(b"tar")
    machine_cache.put(cache / "base" / f"{used.hash}.tar", part)
    said: list[str] = []
    assert base_image.expected(tmp_path, cache) == used
    assert base_image.ensure(tmp_path, cache, said.append).entry == used
    assert [
        "behind" in text and "a=2" in text and "b=" not in text and base_image.REFRESH in text
        for text in said
    ] == [True]


def test_a_damaged_file_on_the_shelf_is_made_again(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(part: Path) -> None:
        made.append(part)
        part.write_bytes(b"right")

    kept = machine_cache.kept(tmp_path / "shelf" / "x.tar", make)
    machine_cache.kept(kept, make)
    assert len(made) == 1
    kept.write_bytes(b"wrong")
    assert machine_cache.kept(kept, make).read_bytes() == b"right"
    assert len(made) == 2


def stand_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Let mmdebstrap make this root file system, of the packages that ENTRY names."""

    def reduce(whole: Path, target: Path) -> None:
        status = "".join(
            f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n"
            for name, _, version in (package.partition("=") for package in ENTRY.packages)
        ).encode()
        with tarfile.open(target, "w") as tar:
            for path, held in ((debian_root.STATUS, status), ("file", content)):
                member = tarfile.TarInfo(f"./{path}")
                member.size = len(held)
                tar.addfile(member, io.BytesIO(held))

    monkeypatch.setattr(base_image, "_bootstrap", lambda wanted, target: None)
    monkeypatch.setattr(debian_root, "reduce", reduce)


def test_a_base_of_other_bytes_than_were_locked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive or the program that makes it gave something else for the same versions."""
    stand_in(monkeypatch, b"right")
    (tmp_path / "bento").mkdir()
    (tmp_path / "one" / "base").mkdir(parents=True)
    kept = base_image.refresh(tmp_path, tmp_path / "one")
    assert base_image.locked(tmp_path).sha256 == kept.sha256 != ""
    made = base_image.ensure(tmp_path, tmp_path / "two", pytest.fail)
    assert file_sha256(made.tar) == kept.sha256
    stand_in(monkeypatch, b"wrong")
    with pytest.raises(SluiceError, match=f"{kept.sha256} is required"):
        base_image.ensure(tmp_path, tmp_path / "three", pytest.fail)
    assert list((tmp_path / "three" / "base").glob("*.tar")) == []
    write(tmp_path, entry_of_other_versions())
    assert base_image.ensure(tmp_path, tmp_path / "four", lambda _: None).entry == kept


def entry_of_other_versions() -> str:
    """A lock that is behind the archive: what the newer packages make is not known to it."""
    return entry(f'packages = ["a=0", "b=1:2-3"]\nsha256 = "{"0" * 64}"')
