"""Objects from a real S3 server, and from one that cuts off, sends elsewhere or changes its mind.

Google's and Azure's servers are asked the same in tests/e2e/test_object_stores.py.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import object_stores
from support.object_stores import Between

from flows.adapters import download, object_store
from flows.adapters.object_store import Reach
from sluice.errors import Refused, Retryable, UsageError

CONTENT = bytes(range(256)) * 1_000
PIECE = 100_000  # bytes: three times
LIMIT = 10**8
OBJECT = "s3://people-data/2026/rows.csv"


def nothing(_done: int, _all: int) -> None:
    pass


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with object_stores.s3_server() as url:
        yield url


@pytest.fixture
def system(store: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A person who is logged in, with the object in a bucket."""
    import s3fs

    for name, value in (object_stores.NOBODY | object_stores.LOGIN).items():
        monkeypatch.setenv(name, value)
    found = s3fs.S3FileSystem(endpoint_url=store, use_listings_cache=False)
    if not found.exists("people-data"):
        found.mkdir("people-data")
    found.pipe(OBJECT, CONTENT)
    return found


@pytest.fixture
def between(store: str, system: Any) -> Iterator[Between]:
    with object_stores.before(store) as found:
        yield found


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return download.place(tmp_path / "data", OBJECT)


def bring(url: str, part: Path, limit: int = LIMIT, reference: str = OBJECT) -> None:
    object_store.fetch(reference, part, limit, Reach(url), nothing, PIECE)


def test_an_object_is_brought_whole_and_told(store: str, system: Any, part: Path) -> None:
    seen: list[tuple[int, int]] = []

    def told(done: int, size: int) -> None:
        seen.append((done, size))

    object_store.fetch(OBJECT, part, LIMIT, Reach(store), told, PIECE)
    assert part.read_bytes() == CONTENT
    assert seen == [(done, 256_000) for done in (100_000, 200_000, 256_000)]
    assert part.parent.stat().st_mode & 0o777 == 0o700


def test_what_is_cut_off_goes_on_where_it_ended(between: Between, part: Path) -> None:
    between.cuts = [PIECE] + [100] * 30
    with pytest.raises(Retryable, match="100,000 bytes are here") as raised:
        bring(between.url, part)
    assert raised.value.fix == "Run it again: it goes on from there."
    between.asked.clear()
    between.cuts.clear()
    bring(between.url, part)
    assert part.read_bytes() == CONTENT
    assert between.asked == ["bytes=100000-199999", "bytes=200000-255999"]


def test_an_object_that_changed_meanwhile_begins_anew(
    between: Between, system: Any, part: Path
) -> None:
    between.cuts = [PIECE] + [100] * 30
    with pytest.raises(Retryable):
        bring(between.url, part)
    system.pipe(OBJECT, CONTENT[::-1])
    between.cuts.clear()
    bring(between.url, part)
    assert part.read_bytes() == CONTENT[::-1]


def test_an_object_that_changes_while_it_is_read_begins_anew(
    store: str, system: Any, part: Path
) -> None:
    def change(done: int, size: int) -> None:
        if done == PIECE and system.cat_file(OBJECT, start=0, end=1) == CONTENT[:1]:
            system.pipe(OBJECT, CONTENT[::-1])

    object_store.fetch(OBJECT, part, LIMIT, Reach(store), change, PIECE)
    assert part.read_bytes() == CONTENT[::-1]


def test_an_object_that_vanishes_is_told(store: str, system: Any, part: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        bring(store, part, reference="s3://people-data/2026")

    def vanish(done: int, size: int) -> None:
        system.rm(OBJECT)

    with pytest.raises(UsageError, match="is not there: no such object, or no such bucket"):
        object_store.fetch(OBJECT, part, LIMIT, Reach(store), vanish, PIECE)
    for reference in ("s3://people-data/other.csv", "s3://other-bucket/rows.csv"):
        with pytest.raises(UsageError, match="is not there"):
            bring(store, part, reference=reference)


def test_more_than_the_limit_is_refused_before_a_byte_is_here(between: Between, part: Path) -> None:
    with pytest.raises(Refused, match="at most 100,000 is required") as raised:
        bring(between.url, part, limit=100_000)
    assert "SLUICE_DATA_LIMIT" in raised.value.fix
    assert between.asked == []
    assert not part.exists()


def test_without_a_login_what_anybody_may_read_is_read_and_no_more(
    store: str, system: Any, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in object_stores.LOGIN:
        monkeypatch.delenv(name)
    with pytest.raises(UsageError, match="may not be read") as raised:
        bring(store, part)
    assert "AWS_ACCESS_KEY_ID" in raised.value.fix
    system.chmod(OBJECT, "public-read")
    bring(store, part)
    assert part.read_bytes() == CONTENT


def test_a_login_is_never_told(store: str, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of one is none."""
    for name, value in object_stores.NOBODY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key-of-somebody")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(UsageError, match="may not be read") as raised:
        bring(store, part)
    assert "somebody" not in str(raised.value)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_nobody_is_followed_to_another_address(code: int, between: Between, part: Path) -> None:
    with object_stores.before(between.store) as other:
        between.code, between.redirect = code, f"{other.url}/people-data/2026/rows.csv"
        with pytest.raises(UsageError, match="sends us to another address"):
            bring(between.url, part)
        assert other.seen == 0
    assert not part.exists()


def test_a_store_that_is_not_there_is_told(system: Any, part: Path) -> None:
    with pytest.raises(Retryable, match="could not be read: Could not connect") as raised:
        bring("http://127.0.0.1:9", part)
    assert "0 bytes are here" in raised.value.what


@pytest.mark.parametrize(
    "reference",
    [
        "s3://bucket",
        "s3://bucket/",
        "s3:///rows.csv",
        "s3://B/rows.csv",
        "s3://bucket/../rows.csv",
        "s3://bucket/a b.csv",
        "s3://bucket/a\n.csv",
        "s3://bucket//rows.csv",
        "ftp://bucket/rows.csv",
        "s3://key:secret@bucket/rows.csv",
        "s3://bucket/rows.csv?X-Amz-Signature=secret",
        "az://box/rows.csv?sv=1&sig=secret",
        "gs://bucket/rows.csv#secret",
    ],
)
def test_what_may_not_be_named_is_refused_without_its_login(reference: str) -> None:
    with pytest.raises(UsageError) as raised:
        object_store.require_object(reference)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("scheme", "module"), [("s3", "s3fs"), ("gs", "gcsfs"), ("az", "adlfs")])
def test_where_the_library_is_missing_it_is_said_how_to_install_it(
    scheme: str, module: str, tmp_path: Path
) -> None:
    """In a Python that has none of them."""
    code = (
        f"import sys; sys.modules['{module}'] = None\n"
        "from pathlib import Path\n"
        "from flows.adapters.object_store import Reach, fetch\n"
        "from sluice.errors import UsageError\n"
        "try:\n"
        f"    fetch('{scheme}://bucket/rows.csv', Path(sys.argv[1]), 9, Reach(), print)\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "part")], capture_output=True, text=True
    )
    assert f"needs {module}, which is not installed" in done.stdout, done.stderr
    assert f"make setup STORES={scheme}" in done.stdout
