"""Objects from the servers that stand for Google Cloud Storage (built from Go) and for Azure (from
npm), by their own libraries.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import object_stores
from support.installed_programs import of_node
from support.object_stores import Between

from flows.adapters import download, object_store
from flows.adapters.image import golang
from flows.adapters.object_store import Reach
from flows.adapters.server import free_port, ready
from sluice.errors import Refused, UsageError

CONTENT = bytes(range(256)) * 1_000
PIECE = 100_000
ACCOUNT = "devstoreaccount1"
# The key that everybody's Azurite has.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def nothing(_done: int, _all: int) -> None:
    pass


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    package = "github.com/fsouza/fake-gcs-server"
    program = golang.build("fake-gcs-server", package, "1.56.1")
    port = free_port()
    words = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    log = (tmp_path_factory.mktemp("google") / "log").open("w")
    public = ["-public-host", f"127.0.0.1:{port}"]
    with log, subprocess.Popen([program, *words, *public], stdout=log, stderr=log) as server:
        for _ in range(300):
            if ready(port, "/storage/v1/b?project=p"):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    main = of_node("azurite", "3.37.0") / "dist" / "src" / "blob" / "main.js"
    folder = tmp_path_factory.mktemp("azure")
    words = ["node", main, "--blobHost", "127.0.0.1", "--blobPort", "0", "--location", folder]
    words += ["--disableTelemetry", "--skipApiVersionCheck", "--loose"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        listening = next(line for line in server.stdout if "successfully listens" in line)
        [port] = re.findall(r":(\d+)$", listening.strip())
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(params=["gs", "az"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def between(
    scheme: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Between]:
    """A store of that scheme with the object, reached by way of a server that can misbehave."""
    store = request.getfixturevalue({"gs": "google", "az": "azure"}[scheme])
    for name, value in object_stores.NOBODY.items():
        monkeypatch.setenv(name, value)
    with object_stores.before(store) as found:
        reach(scheme, found.url, monkeypatch)
        system = filled(scheme)
        system.pipe(f"{scheme}://people-data/rows.csv", CONTENT)
        yield found


def reach(scheme: str, url: str, monkeypatch: pytest.MonkeyPatch, without: str = "") -> None:
    """Set what the libraries read: where the store is, and who we are."""
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint={url}/{ACCOUNT};"
    )
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text.replace(without, ""))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)


def filled(scheme: str) -> Any:
    """What writes to the store, with the bucket made."""
    if scheme == "gs":
        from gcsfs.core import GCSFileSystem

        system = GCSFileSystem(project="p", use_listings_cache=False, skip_instance_cache=True)
    else:
        from adlfs import AzureBlobFileSystem

        system = AzureBlobFileSystem(use_listings_cache=False, skip_instance_cache=True)
    if not system.exists("people-data"):
        system.mkdir("people-data")
    return system


def bring(scheme: str, part: Path, limit: int = 10**6, name: str = "rows.csv") -> None:
    reference = f"{scheme}://people-data/{name}"
    object_store.fetch(reference, part, limit, Reach(), nothing, PIECE)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return download.place(tmp_path / "data", "x")


def test_an_object_is_brought_and_what_is_cut_off_goes_on(
    scheme: str, between: Between, part: Path
) -> None:
    def killed(_done: int, _all: int) -> None:
        raise KeyboardInterrupt

    reference = f"{scheme}://people-data/rows.csv"
    with pytest.raises(KeyboardInterrupt):
        object_store.fetch(reference, part, 10**6, Reach(), killed, PIECE)
    assert part.stat().st_size == PIECE
    between.asked.clear()
    between.cuts = [100]
    bring(scheme, part)
    assert part.read_bytes() == CONTENT
    assert between.asked[0] == "bytes=100000-199999"
    assert between.cuts == []


def test_what_is_not_there_and_what_is_too_large_is_told(
    scheme: str, between: Between, part: Path
) -> None:
    with pytest.raises(UsageError, match="is not there: no such object"):
        bring(scheme, part, name="other.csv")
    with pytest.raises(Refused, match="at most 1,000 is required"):
        bring(scheme, part, limit=1_000)
    assert not part.exists()


def test_nobody_is_followed_to_another_address(scheme: str, between: Between, part: Path) -> None:
    with object_stores.before(between.store) as other:
        between.code, between.redirect = 307, f"{other.url}/x"
        with pytest.raises(UsageError, match="sends us to another address"):
            bring(scheme, part)
        assert other.seen == 0


def test_azure_without_a_login_is_told_what_to_set(
    azure: str, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach("az", azure, monkeypatch, without=f"AccountKey={KEY};")
    with pytest.raises(UsageError, match="may not be read with this login, or without one"):
        bring("az", part)
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    monkeypatch.setenv("AZURE_STORAGE_ANON", "true")
    with pytest.raises(UsageError, match="no account of Azure is named") as raised:
        bring("az", part)
    assert "AZURE_STORAGE_ACCOUNT_NAME" in raised.value.fix
