"""Pointers that are written, and what is where of what they name."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import object_stores
from support.command_line import Sluice
from support.releases import Story

from flows.adapters import download, dvc
from flows.project import settings
from flows.project.data_pointer import Standing, add, standing
from flows.project.data_source import from_pointer
from sluice.errors import UsageError
from sluice.identity import sha256

URL = "https://example.com/rows.csv"


@pytest.fixture
def here(unreleased: Story) -> Story:
    return unreleased


def pointer(here: Story) -> dict[str, Any]:
    return tomllib.loads((here.project / "data" / "attrition.toml").read_text())


def looked_up() -> Standing:
    [found] = standing(settings.load())
    return found


def test_a_file_of_the_project_is_named_with_its_hash_and_kept(here: Story) -> None:
    (here.project / "new.csv").write_bytes(b"a,b\n1,2\n")
    added = add(settings.load(), "attrition", str(here.project / "new.csv"))
    assert pointer(here) == {"reference": "file:new.csv", "sha256": sha256(b"a,b\n1,2\n")}
    assert (added.before, added.size, added.changed) == ("file:rows.csv", 8, True)
    (here.project / "new.csv").unlink()
    assert from_pointer(settings.load(), "attrition").path.read_bytes() == b"a,b\n1,2\n"
    assert looked_up().state == "here"


def test_the_same_again_changes_nothing(here: Story) -> None:
    before = (here.project / "data" / "attrition.toml").read_bytes()
    assert not add(settings.load(), "attrition", str(here.rows)).changed
    assert (here.project / "data" / "attrition.toml").read_bytes() == before


def test_bytes_that_were_told_are_those_or_none(here: Story) -> None:
    content = b"a,b\n1,2\n"
    (here.project / "new.csv").write_bytes(content)
    before = pointer(here)
    given, file = settings.load(), str(here.project / "new.csv")
    for told, said in (
        ("0" * 64, f"is {sha256(content)[:12]}; 000000000000 is required"),
        ("", "has 0 characters; a SHA-256 is required"),
        ("G" * 64, "a SHA-256 is required"),
    ):
        with pytest.raises(UsageError, match=said):
            add(given, "attrition", file, told)
    assert pointer(here) == before
    added = add(given, "attrition", file, sha256(content))
    assert pointer(here)["sha256"] == added.sha256


def test_an_address_that_was_told_and_not_reviewed_has_to_be_at_a_place_that_is_listed(
    here: Story,
) -> None:
    given, told = settings.load(), "0" * 64
    with pytest.raises(UsageError, match="SLUICE_DATA_FROM is not set, and nobody reviewed"):
        add(given, "attrition", URL, told)
    listed = given.model_copy(update={"data_from": "https://data.example.com"})
    with pytest.raises(UsageError, match=r"data come from https://example\.com; one of"):
        add(listed, "attrition", URL, told)


def test_a_file_elsewhere_is_refused(here: Story, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a\n")
    with pytest.raises(UsageError, match="is outside the project"):
        add(settings.load(), "attrition", str(tmp_path / "other.csv"))
    with pytest.raises(UsageError, match="there is no model 'unheard'"):
        add(settings.load(), "unheard", str(here.rows))
    with pytest.raises(UsageError):
        add(settings.load(), "attrition", str(here.project / "unheard.csv"))
    assert pointer(here)["reference"] == "file:rows.csv"


def test_an_address_is_brought_checked_and_brought_no_second_time(
    here: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transfer itself is tried against a real server, in the tests of the adapter."""
    content, brought = here.rows.read_bytes(), []

    def fetch(url: str, part: Path, limit: int, progress: object) -> None:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        brought.append((url, limit))

    monkeypatch.setattr(download, "fetch", fetch)
    monkeypatch.setenv("SLUICE_DATA_LIMIT", "12345")
    add(settings.load(), "attrition", URL)
    assert pointer(here) == {"reference": URL, "sha256": sha256(content)}
    assert from_pointer(settings.load(), "attrition").reference == URL
    assert brought == [(URL, 12345)]
    kept = here.home / "data" / sha256(content)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    kept.unlink()
    assert looked_up().state == "elsewhere"
    content = b"other bytes"
    with pytest.raises(UsageError, match="the data hash to"):
        from_pointer(settings.load(), "attrition")
    assert list(kept.parent.iterdir()) == []  # what is wrong does not go on


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        ('reference = "file:rows.csv"\nsha256 = "0000"\n', "changed", "0000 is required"),
        ('reference = "file:rows.csv"\n', "changed", "a hash is required"),
        ('reference = "file:gone.csv"\nsha256 = "0000"\n', "missing", "there is no such file"),
        ('reference = "sample:models.x"\nsha256 = "0000"\n', "generated", ""),
        ('reference = "ftp://x/y"\nsha256 = "0000"\n', "wrong", "sluice data add"),
        ('reference = "https://u:p@x/y"\nsha256 = "0000"\n', "wrong", "holds a login"),
        ('reference = "s3://bucket/rows.csv"\nsha256 = "0000"\n', "elsewhere", ""),
        ('reference = "s3://k:s@bucket/rows.csv"\nsha256 = "0000"\n', "wrong", "holds a login"),
        ('reference = "gs://bucket"\n', "wrong", "names no object"),
        ('reference = "dvc:gone.dvc"\n', "wrong", "there is no such file"),
        ('reference = "file:rows.csv"\nsecret = "x"\n', "wrong", "unknown field `secret`"),
        ("reference = 1\n", "wrong", "Expected `str`"),
        ("reference = ", "wrong", "attrition.toml"),
    ],
)
def test_what_is_where(text: str, state: str, said: str, here: Story) -> None:
    assert looked_up().state == "there"
    (here.project / "data" / "attrition.toml").write_text(text)
    found = looked_up()
    assert found.state == state
    assert said in found.said


OBJECT = "s3://people-data/2026/rows.csv"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real S3 server that this process is logged in at; what writes to it."""
    import s3fs

    with object_stores.s3_server() as url:
        for name, value in (object_stores.NOBODY | object_stores.LOGIN).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SLUICE_S3_ENDPOINT", url)
        system = s3fs.S3FileSystem(endpoint_url=url, use_listings_cache=False)
        system.mkdir("people-data")
        yield system


def test_an_object_of_a_store_is_named_brought_and_checked(
    here: Story, store: Any, sluice: Sluice
) -> None:
    """What the docs show for a store, by the command that a person types."""
    store.pipe(OBJECT, here.rows.read_bytes())
    told = sluice("data", "add", OBJECT)
    assert told.code == 0, told.err
    digest = sha256(here.rows.read_bytes())
    assert pointer(here) == {"reference": OBJECT, "sha256": digest}
    assert "git add data/attrition.toml; a push of them to main releases attrition" in told.out
    assert "a-secret" not in told.out + told.err
    (here.home / "data" / digest).unlink()
    told = sluice("data", "status")
    assert (told.code, "not here yet: a release brings it" in " ".join(told.out.split())) == (0, 1)
    assert from_pointer(settings.load(), "attrition").sha256 == digest
    (here.home / "data" / digest).unlink()
    store.pipe(OBJECT, b"other bytes under the same name")
    with pytest.raises(UsageError, match=f"{digest} is required"):
        from_pointer(settings.load(), "attrition")
    store.rm(OBJECT)
    with pytest.raises(UsageError, match="is not there"):
        from_pointer(settings.load(), "attrition")


def test_a_place_that_is_not_allowed_is_not_asked(
    here: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_DATA_FROM", "s3://people-data https://Example.com")
    said = "data come from s3://others; one of s3://people-data, https://example.com is required"
    with pytest.raises(UsageError, match=said):
        add(settings.load(), "attrition", "s3://others/rows.csv")
    with pytest.raises(UsageError, match=r"data come from https://example\.com:444; one of"):
        add(settings.load(), "attrition", "https://example.com:444/rows.csv")
    text = f'reference = "gs://people-data/a"\nsha256 = "{"0" * 64}"\n'
    (here.project / "data" / "attrition.toml").write_text(text)
    assert "data come from gs://people-data" in looked_up().said
    with pytest.raises(UsageError, match="data come from gs://people-data"):
        from_pointer(settings.load(), "attrition")
    assert looked_up().state == "wrong"


def test_without_a_hash_nothing_is_brought(here: Story) -> None:
    (here.project / "data" / "attrition.toml").write_text(f'reference = "{OBJECT}"\n')
    with pytest.raises(UsageError, match="sha256 is ''; 64 hexadecimal digits are required"):
        from_pointer(settings.load(), "attrition")


def test_a_file_of_dvc_that_is_here_needs_no_dvc(here: Story, sluice: Sluice) -> None:
    content = here.rows.read_bytes()
    (here.project / "rows.csv.dvc").write_text(
        f"outs:\n- md5: {dvc.md5(content)}\n  size: {len(content)}\n  hash: md5\n  path: rows.csv\n"
    )
    told = sluice("data", "add", here.project / "rows.csv.dvc")
    assert told.code == 0, told.err
    assert pointer(here) == {"reference": "dvc:rows.csv.dvc", "sha256": sha256(content)}
    assert "git add data/attrition.toml rows.csv.dvc; a push of them" in told.out
    (here.home / "data" / sha256(content)).unlink()
    assert looked_up().state == "there"
    here.rows.write_text("changed")
    found = looked_up()
    assert (found.state, "sluice data add rows.csv.dvc" in found.said) == ("changed", True)
    here.rows.unlink()
    assert looked_up().state == "elsewhere"


def test_the_commands(here: Story, sluice: Sluice) -> None:
    assert sluice("data", "status").code == 0
    told = sluice("data", "add", str(here.rows))
    assert told.code == 0
    assert told.out.endswith("Nothing to do: data/attrition.toml names them already.\n")
    (here.project / "new.csv").write_bytes(b"a,b\n1,2\n")
    told = sluice("data", "add", str(here.project / "new.csv"))
    assert "Next      git add data/attrition.toml new.csv; a push of them to main" in told.out
    assert told.out.endswith("Written: data/attrition.toml.\n")
    again = json.loads(sluice("data", "add", str(here.project / "new.csv"), "--json").out)
    assert (again["changed"], again["size"]) == (False, 8)
    (here.home / "data" / again["sha256"]).unlink()
    (here.project / "new.csv").unlink()
    told = sluice("data", "status")
    assert told.code == 1
    assert "attrition file:new.csv (492d5ea49605): new.csv: there is no such file" in told.out
    [found] = json.loads(sluice("data", "status", "--json").out)
    assert found["state"] == "missing"
