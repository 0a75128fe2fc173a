"""Downloads from a real https server that cuts off, sends elsewhere, changes its mind or never
ends.
"""

import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.git_servers import certificate

from flows.adapters import download
from sluice.errors import Refused, Retryable, UsageError

CONTENT = bytes(range(256)) * 16_384  # four megabytes
LIMIT = 10**8


@dataclass
class Served:
    """What a server has, and how it behaves; `cuts`: after how many bytes each answer ends."""

    content: bytes = CONTENT
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    redirect: str = ""
    code: int = 0
    endless: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""


class _Handler(http.server.BaseHTTPRequestHandler):
    served: Served

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        served = self.served
        served.asked.append(self.headers.get("Range") or "whole")
        if served.redirect and self.path == "/rows.csv":
            self.send_response(302)
            self.send_header("Location", served.redirect)
            self.end_headers()
            return
        if served.code:
            self.send_response(served.code)
            self.end_headers()
            return
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if self.headers.get("If-Range") != served.etag:
            begin = 0
        size = len(served.content)
        if begin >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        if served.etag:
            self.send_header("ETag", served.etag)
        if not served.endless:
            self.send_header("Content-Length", str(size - begin))
        self.end_headers()
        cut = served.cuts.pop(0) if served.cuts else size
        self.wfile.write(served.content[begin : begin + cut])
        self.close_connection = True


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return certificate(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def server(keys: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """An https server whose authority is trusted."""
    authority, cert, key = keys
    monkeypatch.setenv("SLUICE_CA", str(authority))
    served = Served()
    handler = type("Handler", (_Handler,), {"served": served})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        running.socket = context.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, args=[0.05]).start()
        served.url = f"https://127.0.0.1:{running.server_port}/rows.csv"
        try:
            yield served
        finally:
            running.shutdown()


@pytest.fixture
def part(tmp_path: Path, server: Served) -> Path:
    return download.place(tmp_path / "data", server.url)


def test_the_bytes_are_brought_whole_and_told(server: Served, part: Path) -> None:
    seen: list[tuple[int, int]] = []
    download.fetch(server.url, part, LIMIT, lambda done, size: seen.append((done, size)))
    assert part.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert part.parent.stat().st_mode & 0o777 == 0o700
    download.forget(part)
    assert list(part.parent.iterdir()) == []


def test_what_is_cut_off_goes_on(server: Served, part: Path) -> None:
    server.cuts = [1_000_000, 1_500_000]
    download.fetch(server.url, part, LIMIT)
    assert part.read_bytes() == CONTENT
    assert server.asked == ["whole", "bytes=1000000-", "bytes=2500000-"]


def test_what_is_cut_off_each_time_goes_on_in_the_next_call(server: Served, part: Path) -> None:
    server.cuts = [100_000] * 4
    with pytest.raises(Retryable, match="300,000 bytes are here") as raised:
        download.fetch(server.url, part, LIMIT)
    assert raised.value.fix == "Run it again: it goes on from there."
    download.fetch(server.url, part, LIMIT)
    assert part.read_bytes() == CONTENT
    assert server.asked[3:] == ["bytes=300000-", "bytes=400000-"]


def test_a_file_that_changed_meanwhile_begins_anew(server: Served, part: Path) -> None:
    server.cuts = [100_000] * 3
    with pytest.raises(Retryable):
        download.fetch(server.url, part, LIMIT)
    server.content, server.etag = CONTENT[::-1], '"two"'
    download.fetch(server.url, part, LIMIT)
    assert part.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_name_nothing_goes_on(etag: str, server: Served, part: Path) -> None:
    server.etag, server.cuts = etag, [100_000]
    download.fetch(server.url, part, LIMIT)
    assert part.read_bytes() == CONTENT
    assert server.asked == ["whole", "whole"]


def test_what_is_whole_already_is_not_brought_again(server: Served, part: Path) -> None:
    download.fetch(server.url, part, LIMIT)
    download.fetch(server.url, part, LIMIT)
    assert part.read_bytes() == CONTENT
    assert server.asked == ["whole", f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("endless", [True, False])
def test_more_than_the_limit_is_refused(endless: bool, server: Served, part: Path) -> None:
    server.endless = endless
    with pytest.raises(Refused, match="at most 1,000,000 is required") as raised:
        download.fetch(server.url, part, 1_000_000)
    assert "SLUICE_DATA_LIMIT" in raised.value.fix
    assert not part.exists() or part.stat().st_size <= 1_000_000


def test_a_redirect_within_the_host_is_followed(server: Served, part: Path) -> None:
    server.redirect = "/moved/rows.csv"
    download.fetch(server.url, part, LIMIT)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "where",
    ["https://localhost/rows.csv", "http://127.0.0.1/rows.csv", "https://127.0.0.1:9/rows.csv"],
)
def test_a_redirect_elsewhere_is_refused(where: str, server: Served, part: Path) -> None:
    server.redirect = where
    with pytest.raises(UsageError, match="the address that was reviewed names"):
        download.fetch(server.url, part, LIMIT)
    assert not part.exists()


def test_a_redirect_without_an_end_is_refused(server: Served, part: Path) -> None:
    server.redirect = "/rows.csv"
    with pytest.raises(UsageError, match="sends us on 5 times"):
        download.fetch(server.url, part, LIMIT)


@pytest.mark.parametrize(("code", "kind"), [(404, UsageError), (401, UsageError), (503, Retryable)])
def test_a_refusal_is_told(code: int, kind: type[Exception], server: Served, part: Path) -> None:
    server.code = code
    with pytest.raises(kind, match=f"answers {code}"):
        download.fetch(server.url, part, LIMIT)


def test_an_authority_that_is_not_trusted_is_none(
    server: Served, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_CA")
    with pytest.raises(Retryable, match="CERTIFICATE_VERIFY_FAILED"):
        download.fetch(server.url, part, LIMIT)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/rows.csv",
        "s3://bucket/rows.csv",
        "https:///rows.csv",
        "https://example.com/a b.csv",
        "https://example.com/a\n.csv",
        "https://user:secret@example.com/rows.csv",
        "https://user@example.com/rows.csv",
        "https://[::1/rows.csv",
        "https://example.com:port/rows.csv",
    ],
)
def test_an_address_that_may_not_be_named_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        download.require_address(url)
    assert "secret" not in str(raised.value)


def test_a_line_is_told_for_each_64_megabytes() -> None:
    lines: list[str] = []
    at = download.told(lines.append)
    for done in range(0, 201_000_000, 1_000_000):
        at(done, 200_000_000)
    at(260_000_000, 0)
    assert lines == [
        "  64 of 200 MB are here",
        "  128 of 200 MB are here",
        "  192 of 200 MB are here",
        "  260 MB are here",
    ]
