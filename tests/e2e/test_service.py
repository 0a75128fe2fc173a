"""The service for real: `bentoml serve` on a built Bento, under load, stopped, without a network,
asked at random.
"""

import csv
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from msgspec import convert
from support.model_artifacts import PROJECT, scores, small_artifact

from benchmarks.serving import memory
from bento.page.files import KINDS
from flows.adapters import server
from flows.adapters.image import bento
from flows.adapters.image.image_tools import REAL
from flows.adapters.process import run
from sluice.model.artifact.model_artifact import Golden, compare_golden

TAG = "0123456789abcdef"
ENV = {"BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def artifact(state: Path) -> Path:
    return small_artifact(state / "model")


@pytest.fixture(scope="module")
def built(state: Path, artifact: Path) -> Path:
    return bento.build(PROJECT, artifact, TAG, state / "bentoml", name="attrition", tools=REAL)


@pytest.fixture(scope="module")
def record(artifact: Path) -> Any:
    return json.loads((artifact / "golden.json").read_text())["records"][0]


def words(built: Path, port: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        str(built),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]


@contextmanager
def serving(built: Path, state: Path, port: int = 0, **env: str) -> Iterator[str]:
    with bento.serve(built, state / "bentoml", port=port, env=env) as url:
        yield url


class Load:
    """Clients that send one request after another, as long as /readyz says so, the way a load
    balancer does.
    """

    def __init__(self, url: str, record: Any, clients: int = 6) -> None:
        self.answered, self.lost, self._ended = 0, [], threading.Event()
        self._url, self._record = url, record
        self._ready = threading.Event()
        self._ready.set()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]
        self._threads.append(threading.Thread(target=self._look))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        with httpx2.Client(base_url=self._url, timeout=5) as client:
            while not self._ended.wait(0.05):
                try:
                    ready = client.get("/readyz").status_code == 200
                except httpx2.TransportError:
                    ready = False
                (self._ready.set if ready else self._ready.clear)()

    def _send(self) -> None:
        with httpx2.Client(base_url=self._url, timeout=30) as client:
            while not self._ended.is_set():
                if not self._ready.is_set():
                    time.sleep(0.01)
                    continue
                try:
                    answer = client.post("/predict", json=self._record)
                    self.answered += answer.status_code == 200
                    if answer.status_code != 200:
                        self.lost.append(f"{answer.status_code}: {answer.text[:200]}")
                except httpx2.TransportError as error:
                    self.lost.append(f"{type(error).__name__}: {error}")


class Stubborn(Load):
    """Clients that look at no /readyz and connect anew for every request, until they are
    refused.
    """

    def _look(self) -> None:
        """Not at all."""

    def _send(self) -> None:
        while not self._ended.is_set():
            try:
                answer = httpx2.post(
                    f"{self._url}/predict", json=self._record, timeout=30, verify=False
                )
                self.answered += answer.status_code == 200
            except httpx2.ConnectError:
                return
            except httpx2.TransportError as error:
                self.lost.append(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("clients", [Load, Stubborn])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_request_is_lost_when_it_stops(
    built: Path, state: Path, record: Any, workers: str, clients: type[Load]
) -> None:
    port = server.free_port()
    env = {
        **os.environ,
        **ENV,
        "BENTOML_HOME": str(state / "bentoml"),
        "SLUICE_DRAIN_SECONDS": "2",
        "SLUICE_SERVICE_WORKERS": workers,
    }
    with (state / f"stop-{workers}.log").open("wb") as log:
        process = subprocess.Popen(
            words(built, port), env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not server.ready(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(server.descendants(process.pid)) >= int(workers)
        load = clients(f"http://127.0.0.1:{port}", record)
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
        load.stop()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert load.lost == []
    assert load.answered > 100


def test_what_was_answered_last_is_in_the_log(
    built: Path, state: Path, record: Any, tmp_path: Path
) -> None:
    with serving(built, state, SLUICE_PREDICTION_LOG=str(tmp_path)) as url:
        ids = [httpx2.post(f"{url}/predict", json=record).json()["id"] for _ in range(20)]
    text = "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))
    assert [json.loads(line)["id"] for line in text.splitlines()] == ids


def test_what_comes_slowly_is_waited_for(built: Path, state: Path, record: Any) -> None:
    """BentoML's timer would answer 504 after three seconds."""

    def slowly(body: bytes) -> Iterator[bytes]:
        yield body[:100]
        time.sleep(4)
        yield body[100:]

    headers = {"content-type": "application/json"}
    with serving(built, state) as url:
        many = httpx2.post(
            f"{url}/predict_batch", content=slowly(json.dumps([record]).encode()), headers=headers
        )
        table = httpx2.get(f"{url}/rows.csv").content
        form = httpx2.Request("POST", url, files={"file": ("p.csv", table, "text/csv")})
        sent = slowly(form.read())
        page = httpx2.post(
            f"{url}/rows", content=sent, headers={"content-type": form.headers["content-type"]}
        )
        late = httpx2.post(
            f"{url}/predict", content=slowly(json.dumps(record).encode()), headers=headers
        )
    assert (many.status_code, page.status_code, late.status_code) == (200, 200, 408)


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare (util-linux)")
def test_a_client_of_the_open_inference_protocol_is_answered(
    built: Path, state: Path, record: Any
) -> None:
    """As KServe's client asks: is it ready, what does it take, then by column."""
    with (
        serving(built, state) as url,
        httpx2.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get("/v2/health/ready").json() == {"ready": True}
        model = client.get("/v2/models/attrition").json()
        inputs = [
            {**one, "shape": [3], "data": [record[one["name"]]] * 3} for one in model["inputs"]
        ]
        reply = client.post("/v2/models/attrition/infer", json={"id": "a", "inputs": inputs})
        assert reply.status_code == 200, reply.text
        said = {one["name"]: one["data"] for one in reply.json()["outputs"]}
        one = client.post("/predict?reasons=0", json=record).json()
        assert said["probability"] == pytest.approx([one["probability"]] * 3, abs=1e-6)
        assert said["label"] == [one["label"]] * 3
        assert client.post("/v2/models/attrition/infer", json={"inputs": []}).status_code == 400


def test_it_works_without_any_network(built: Path, state: Path, artifact: Path) -> None:
    """A record by the form, a table by the upload, every file that the page names, and a list of
    records.
    """
    golden = json.loads((artifact / "golden.json").read_text())
    people = write_questions(state, golden["records"])
    address = "http://127.0.0.1:3000"
    script = (
        f"cd {state}; ip link set lo up 2>/dev/null || ifconfig lo up;"
        f" {' '.join(words(built, 3000))} >{state}/alone.log 2>&1 & for i in $(seq 300); do curl"
        f" -sf {address}/readyz >/dev/null && break; sleep 0.2; done; curl -sf {address}/ -d"
        f" @one.form -o one.html; curl -sf {address}/rows -F file=@people.csv -o people.html; for"
        f" file in $(grep -oE 'page/[^\"]+' one.html); do curl -sf {address}/$file -o $(basename"
        f" ${{file%%\\?*}}); done; curl -sf {address}/predict_batch -H"
        " content-type:application/json -d @records.json; kill $!; wait"
    )
    flags = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    env = {**ENV, "BENTOML_HOME": str(state / "bentoml"), "SLUICE_DRAIN_SECONDS": "0"}
    done = run(["unshare", *flags, "bash", "-c", script], env=env, timeout=120)
    assert compare_golden(convert(golden, Golden), scores(json.loads(done.stdout))) < 1e-6
    one, many = ((state / name).read_text(encoding="utf-8") for name in ("one.html", "people.html"))
    assert f"<dt>Probability</dt><dd>{golden['scores'][0]:.4f}</dd>" in one
    assert "Advice: a person decides." in one
    assert f"{people} of {people} rows of" in many
    assert many.count('<th scope="row">E-') == people
    assert len(KINDS) == 3
    for name in KINDS:
        assert (state / name).read_bytes() == (PROJECT / "bento" / "page" / name).read_bytes()


def raw(url: str, sent: bytes, *, hang_up: bool = False) -> bytes:
    """What the service answers to these bytes, until it closes the connection."""
    address = httpx2.URL(url)
    answer = b""
    with socket.create_connection((address.host, address.port)) as client:
        try:
            client.sendall(sent)
            while not hang_up and (part := client.recv(65_536)):
                answer += part
        except ConnectionError:  # what was not read to its end is reset
            pass
    return answer


def test_no_client_can_cause_a_fault_of_the_service(built: Path, state: Path, record: Any) -> None:
    """Bytes that are no UTF-8, bodies that break off, WebSockets, heads without an end."""
    good = json.dumps(record).encode()
    body = good.replace(b'"Yes"', b'"Bachelor\x92s Degree"')
    post = (
        b"POST %s HTTP/1.1\r\nhost: a\r\nconnection: %s\r\ncontent-type: application/json\r\n%s\r\n"
    )
    upgrade = b"sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nsec-websocket-version: 13\r\n"
    upgrade += b"upgrade: websocket\r\n"
    with serving(built, state) as url:
        for path in (b"/predict", b"/predict_batch", b"/feedback"):
            for sent in (body, good[:50] + b"\xff" + good[50:], good[:-1] + b', "\xffage": 1}'):
                head = post % (path, b"close", b"content-length: %d\r\n" % len(sent))
                assert raw(url, head + sent).startswith(b"HTTP/1.1 400 "), path
            for _ in range(10):
                half = post % (path, b"close", b"content-length: 5000\r\n") + good
                raw(url, half, hang_up=True)
        for path in (b"/", b"/predict", b"/livez", b"/rows", b"/nothing"):
            for method in (b"GET", b"POST"):
                asked = (post % (path, b"upgrade", upgrade)).replace(b"POST", method, 1)
                assert raw(url, asked).startswith(b"HTTP/1.1 403 "), (method, path)
        large = b"GET /livez HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 40_000 + b"\r\n\r\n"
        assert raw(url, large).startswith(b"HTTP/1.1 431 ")
        many = b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"
        assert raw(url, many).startswith(b"HTTP/1.1 431 ")
        endless = b"GET /livez HTTP/1.1\r\nx: " + b"x" * (64 << 20)
        assert raw(url, endless)[:13] in (b"HTTP/1.1 431 ", b"")
        assert httpx2.post(f"{url}/predict", json=record).status_code == 200
        metrics = httpx2.get(f"{url}/metrics").text
    counted = re.findall(
        r"^bentoml_service_request_total\{.*code=\"(\d+)\".*$", metrics, re.MULTILINE
    )
    assert {"200", "400", "499"} <= set(counted)
    assert not [code for code in counted if code.startswith("5")]


def test_connections_without_a_request_do_not_shut_others_out(
    built: Path, state: Path, record: Any
) -> None:
    """More of them than the process may open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with serving(built, state) as url:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            address = httpx2.URL(url)
            silent = [socket.create_connection((address.host, address.port)) for _ in range(400)]
            assert httpx2.post(f"{url}/predict", json=record).status_code == 200
            # All but the half of the files were closed, those that came first.
            assert [client.recv(1) for client in silent[: 400 - 128]] == [b""] * (400 - 128)
            for client in silent:
                client.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def write_questions(folder: Path, records: list[Any]) -> int:
    """The records as a list, the first one as a form, and all as a table; how many they are."""
    (folder / "records.json").write_text(json.dumps(records))
    told = [
        {key: "" if value is None else value for key, value in record.items()} for record in records
    ]
    (folder / "one.form").write_text(urlencode(told[0]))
    with (folder / "people.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["employee_id", *told[0]])
        writer.writeheader()
        writer.writerows({"employee_id": f"E-{number}"} | row for number, row in enumerate(told))
    return len(records)


def test_memory_stays_small_under_load(capsys: pytest.CaptureFixture[str]) -> None:
    """With fewer requests than it sends by itself."""
    code = memory.main(["--requests", "20000"])
    found = json.loads(capsys.readouterr().out)
    assert found["requests"] >= 20_000
    assert found["processes"] == 2
    assert code == 0


def test_the_comparison_runs_by_one_command() -> None:
    """Too short to count: the last line says whether it does."""
    words = ["-m", "benchmarks.serving", "--seconds", "1", "--rounds", "1", "--requests", "1000"]
    done = run([sys.executable, *words], cwd=PROJECT, check=False, timeout=600)
    found = json.loads(done.stdout)
    assert found["verdict"] == done.stderr.strip().splitlines()[-1]
    assert found["verdict"].startswith(("VALID", "INVALID"))
    assert {name.partition(" / ")[2] for name in found["sides"]} == {
        "sluice",
        "fastapi + onnx",
        "tutorial",
        "echo",
        "mlflow",
    }
    sides = found["sides"].items()
    assert {name: side for name, side in sides if side["errors"] or not side["rate"]} == {}
    assert len(found["checks"]) == 8
