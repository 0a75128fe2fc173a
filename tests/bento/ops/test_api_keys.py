"""Keys: read from a file, compared whole, asked for everywhere but at health and page."""

import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.asgi import Client
from support.asgi import client as connected
from support.model_artifacts import small_artifact

from bento import process
from bento.answers import load_served
from bento.http.request_body import Refusal
from bento.ops import api_keys
from bento.ops.api_keys import read_keys, require_key
from bento.ops.settings import Settings
from sluice.errors import UsageError

FIRST = "a-key-of-the-first-client-00000000"
SECOND = "a-key-of-another-client-1111111111"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"{FIRST}\r\n\n  {SECOND}\n")
    return path


def test_each_line_is_a_key(file: Path) -> None:
    keys = read_keys(str(file))
    for key in (FIRST, SECOND):
        for scheme in (b"Bearer ", b"bearer ", b"BEARER  "):
            require_key(keys, {b"authorization": scheme + key.encode()})


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer \xff",
        f"Bearer {FIRST[:-1]}".encode(),
        f"Bearer {FIRST}x".encode(),
        f"Bearer {FIRST} {SECOND}".encode(),
        f"Bearer {FIRST.upper()}".encode(),
        f"Basic {FIRST}".encode(),
        FIRST.encode(),
    ],
)
def test_anything_else_is_none(file: Path, sent: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        require_key(read_keys(str(file)), {b"authorization": sent})
    assert caught.value.status == 401
    assert FIRST not in str(caught.value.body)


def test_every_key_is_compared_to_its_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    keys = read_keys(str(file))
    monkeypatch.setattr(api_keys, "hmac", type("hmac", (), {"compare_digest": compare}))
    require_key(keys, {b"authorization": f"Bearer {FIRST}".encode()})
    assert compared == [(32, 32), (32, 32)]


@pytest.mark.parametrize(
    "text", ["", "\n \n", "short", "with a blank in it and long enough", "ü" * 30]
)
def test_a_file_that_would_let_anybody_in_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"SLUICE_API_KEYS is '.*keys': ") as caught:
        read_keys(str(path))
    said = f"{caught.value.what} {caught.value.fix}"
    assert not text.strip() or text.strip() not in said


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_keys(str(tmp_path / "keys"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_artifact(tmp_path / "artifact")


def serving(folder: Path, **given: Any) -> Iterator[Client]:
    served = load_served(folder, "attrition:local", "")
    app, ends = process.start(served, Settings(drain_seconds=0, **given))
    with connected(app) as client:
        yield client
    for end in ends:
        end()


def test_whoever_has_no_key_is_answered_nothing(
    folder: Path, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record = json.loads((folder / "golden.json").read_text())["records"][0]
    known = {"authorization": f"Bearer {FIRST}"}
    for client in serving(folder, api_keys=str(file), log_requests=True):
        described = client.get("/docs.json", headers=known).json()
        assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
        asked = {
            (method.upper(), path)
            for path, methods in described["paths"].items()
            for method, said in methods.items()
            if "security" in said
        }
        assert ("POST", "/predict") in asked and len(asked) == 9
        for method, path in asked:
            answer = client.request(method, path, json=record)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "401" in described["paths"][path][method.lower()]["responses"]
        assert client.post("/predict", json=record, headers=known).status_code == 200
        assert client.get("/model", headers=known).status_code == 200
        text = client.get("/metrics", headers=known).text
        assert 'sluice_refused_requests_total{kind="credential"} 9.0' in text
        assert FIRST not in text
    assert FIRST not in capfd.readouterr().err


def test_where_no_key_is_set_anybody_is_answered(folder: Path) -> None:
    record = json.loads((folder / "golden.json").read_text())["records"][0]
    for client in serving(folder):
        assert client.post("/predict", json=record).status_code == 200
        assert "security" not in client.get("/docs.json").json()["paths"]["/predict"]["post"]


def test_the_page_can_be_left_out(folder: Path) -> None:
    for client in serving(folder, page=False):
        for path in ("/", "/rows", "/rows.csv", "/quality", "/opinion", "/page/style.css"):
            assert client.get(path).status_code == 404
            assert client.post(path, data={"id": "a"}).status_code == 404
            assert path not in client.get("/docs.json").json()["paths"]
    for client in serving(folder):
        assert client.get("/").status_code == 200
