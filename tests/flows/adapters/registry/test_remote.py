"""The registry's protocol, against a server that asks for tokens or misbehaves; a real one is tried
in tests/e2e.
"""

import base64
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from support.logins import log_in, nobody_is_logged_in

from flows.adapters.registry import oci, registry
from flows.adapters.registry.remote import Remote
from sluice.errors import Retryable, SluiceError, UsageError

TYPE = "application/vnd.sluice.model.v1"
NOTES = {"dev.sluice.model": "attrition"}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_logged_in(tmp_path, monkeypatch)


class Odd(http.server.BaseHTTPRequestHandler):
    """A registry that asks for a token, or misbehaves, as `answers` says."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    seen: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        path, login = self.path.partition("?")[0], self.headers.get("Authorization", "")
        self.seen.append((self.path, login))
        status, headers, body = self.answers.get(path, (404, {}, b""))
        if path == "/v2/" and login:
            status = 200
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value.replace("HOST", self.headers["Host"]))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd() -> Iterator[Remote]:
    Odd.answers, Odd.seen = {"/v2/": (200, {}, b"{}")}, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Remote(f"127.0.0.1:{server.server_port}", "team/attrition")
        server.shutdown()
        thread.join()


MANIFEST = "/v2/team/attrition/manifests/t"


def test_a_token_is_fetched_with_the_login_and_used(odd: Remote, tmp_path: Path) -> None:
    digest = oci.digest_of(b"x")
    challenge = 'Bearer realm="http://HOST/token",service="here",scope="ignored"'
    Odd.answers |= {
        "/v2/": (401, {"WWW-Authenticate": challenge}, b""),
        "/token": (200, {}, b'{"token": "abc"}'),
        MANIFEST: (200, {"Docker-Content-Digest": digest}, b""),
    }
    log_in(tmp_path, odd, "secret")
    assert registry.digest(odd, "t") == digest
    (asked, basic), (_, bearer) = Odd.seen[1:3]
    assert "scope=repository%3Ateam%2Fattrition%3Apull" in asked
    assert "service=here" in asked
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"sluice:secret"
    assert bearer == "Bearer abc"


def test_a_login_is_not_sent_where_it_is_not_safe(odd: Remote, tmp_path: Path) -> None:
    Odd.answers["/v2/"] = (401, {"WWW-Authenticate": 'Bearer realm="http://192.0.2.1/token"'}, b"")
    log_in(tmp_path, odd, "secret")
    with pytest.raises(SluiceError, match="not https"):
        registry.digest(odd, "t")


def test_a_digest_that_is_not_named_is_computed(odd: Remote) -> None:
    content = oci.files_manifest({}, TYPE, NOTES)
    Odd.answers[MANIFEST] = (200, {}, content)
    assert registry.digest(odd, "t") == oci.digest_of(content)


def test_a_manifest_with_another_digest_is_refused(odd: Remote) -> None:
    digest = oci.digest_of(b"asked for")
    Odd.answers[MANIFEST.removesuffix("t") + digest] = (200, {}, oci.files_manifest({}, TYPE, {}))
    with pytest.raises(oci.Broken, match="another digest"):
        registry.pull_files(odd, digest)


def test_a_manifest_without_end_is_not_read(odd: Remote) -> None:
    Odd.answers[MANIFEST] = (200, {}, b" " * (oci.MANIFEST_LIMIT + 1))
    with pytest.raises(oci.Broken, match="more bytes"):
        registry.annotations(odd, "t")


@pytest.mark.parametrize(
    ("status", "kind"), [(429, Retryable), (503, Retryable), (403, UsageError), (418, SluiceError)]
)
def test_an_answer_says_whether_waiting_helps(
    status: int, kind: type[SluiceError], odd: Remote
) -> None:
    Odd.answers[MANIFEST] = (status, {}, b"no")
    with pytest.raises(kind, match=str(status)):
        registry.digest(odd, "t")


@pytest.mark.parametrize(
    "body", [b"[]", b'{"tags": 3}', b'{"tags": [1]}', b"no json", b"[" * 10**5]
)
def test_tags_of_another_shape_are_refused(body: bytes, odd: Remote) -> None:
    Odd.answers["/v2/team/attrition/tags/list"] = (200, {}, body)
    with pytest.raises(SluiceError, match="answers something else than a registry"):
        registry.tags(odd)


def test_no_tags_are_none_however_a_registry_writes_it(odd: Remote) -> None:
    Odd.answers["/v2/team/attrition/tags/list"] = (200, {}, b'{"name": "x", "tags": null}')
    assert registry.tags(odd) == []


@pytest.mark.parametrize("body", [b"{}", b'{"token": ""}', b'{"access_token": null}'])
def test_a_login_without_a_token_is_an_error(body: bytes, odd: Remote) -> None:
    Odd.answers |= {
        "/v2/": (401, {"WWW-Authenticate": 'Bearer realm="http://HOST/token"'}, b""),
        "/token": (200, {}, body),
    }
    with pytest.raises(SluiceError, match="answers a login without a token"):
        registry.digest(odd, "t")


def test_what_is_no_token_is_not_quoted(odd: Remote) -> None:
    Odd.answers |= {
        "/v2/": (401, {"WWW-Authenticate": 'Bearer realm="http://HOST/token"'}, b""),
        "/token": (200, {}, b'{"token": ["s3cret"]}'),
    }
    with pytest.raises(SluiceError, match="something else than a registry") as raised:
        registry.digest(odd, "t")
    assert "s3cret" not in str(raised.value)
