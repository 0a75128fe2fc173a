"""The shipped haproxy configuration: who may come in, and no request lost while instances are
restarted.

Little more than a minute of load here; `python -m benchmarks.serving.rolling` is ten.
"""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from benchmarks.serving import proxy, rolling
from flows.adapters import server
from flows.adapters.image import bento
from flows.adapters.process import run

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def front(made: Path, work: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    """The proxy with TLS and password, as it is shipped but for its addresses; its URL and whom to
    trust.
    """
    pem, port, plain = work / "site.pem", server.free_port(), server.free_port()
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            work / "key.pem",
            "-out",
            work / "cert.pem",
            *subject,
        ]
    )
    pem.write_text((work / "cert.pem").read_text() + (work / "key.pem").read_text())
    hashed = run(["openssl", "passwd", "-5", PASSWORD]).stdout.strip()
    with bento.serve(made, work / "bentoml") as one, bento.serve(made, work / "bentoml") as two:
        ports = [int(url.rpartition(":")[2]) for url in (one, two)]
        text = proxy.with_servers(proxy.CONFIGURATION.read_text(), ports)
        changes = {
            ":443 ssl crt /etc/ssl/attrition.pem": f"127.0.0.1:{port} ssl crt {pem}",
            "$5$...": hashed,
        }
        for old, new in changes.items():
            assert text.count(old) == 1
            text = text.replace(old, new)
        file = work / "haproxy.cfg"
        file.write_text(
            f"{text}\nfrontend probe\n    bind 127.0.0.1:{plain}\n    monitor-uri /up\n"
        )
        run([proxy.program(), "-c", "-f", file])
        with server.running(
            [proxy.program(), "-db", "-f", file], plain, work / "haproxy.log", path="/up"
        ):
            yield (
                f"https://127.0.0.1:{port}",
                ssl.create_default_context(cafile=str(work / "cert.pem")),
            )


def test_only_who_has_the_password_comes_in(front: tuple[str, ssl.SSLContext]) -> None:
    url, trusted = front
    assert httpx2.get(url, verify=trusted).status_code == 401
    assert httpx2.get(url, verify=trusted, auth=("hr", "wrong")).status_code == 401
    answer = httpx2.get(url, verify=trusted, auth=("hr", PASSWORD))
    assert answer.status_code == 200
    assert "One employee" in answer.text


def test_what_is_for_operators_stays_inside(
    front: tuple[str, ssl.SSLContext], artifact: Path
) -> None:
    url, trusted = front
    record = json.loads((artifact / "golden.json").read_text())["records"][0]
    with httpx2.Client(base_url=url, verify=trusted, auth=("hr", PASSWORD)) as client:
        for path in ("/metrics", "/docs.json", "/schema.json", "/livez", "/readyz", "/healthz"):
            assert client.get(path).status_code == 404
        for many in (1, 1000):
            answer = client.post("/predict_batch", json=[record] * many)
            assert (answer.status_code, len(answer.json())) == (200, many)
        given = {"x-request-id": "of-the-client"}
        assert (
            client.post("/predict", json=record, headers=given).headers["x-request-id"]
            != "of-the-client"
        )


def test_no_request_is_lost_when_instances_are_restarted_in_turn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = rolling.main(["--seconds", "75", "--every", "12"])
    found = json.loads(capsys.readouterr().out)
    assert found["errors"] == 0
    assert found["restarts"] >= 2
    assert found["requests"] > 1000
    assert code == 0
