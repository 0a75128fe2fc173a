"""The servers of deploy/compose, started here as programs with the settings of that file: only
addresses and folders of containers are others.
"""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from support import releases
from support.argocd import seed
from support.git_servers import Hosted, serving
from support.object_stores import NOBODY, s3_server

from flows.adapters import process, server
from flows.project.root import ROOT
from scripts import stack

_PROGRAMS = next(
    iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("none")
)
needs_postgresql = pytest.mark.skipif(
    not (_PROGRAMS / "initdb").exists(), reason="needs PostgreSQL (apt-get install postgresql)"
)
needs_registry = pytest.mark.skipif(
    not shutil.which("docker-registry"), reason="needs docker-registry"
)
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="needs prometheus")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((stack.COMPOSE / "compose.yaml").read_text())[
    "services"
]
TOOLS = Path(sys.executable).parent


@dataclass(frozen=True)
class Made:
    """The folder that was made, and where what a container calls by a name is here."""

    folder: Path
    places: dict[str, str]

    def here(self, text: str) -> str:
        for name, place in self.places.items():
            text = text.replace(name, place)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """What compose would set for a service."""
        found: dict[str, str] = {}
        for file in SERVICES[service].get("env_file", []):
            lines = (self.folder / file.rpartition("/")[2]).read_text().splitlines()
            found |= dict(line.split("=", 1) for line in lines)
        found |= SERVICES[service].get("environment", {})
        return {name: self.here(value) for name, value in found.items()}

    def command(self, service: str) -> list[str]:
        return [self.here(word) for word in SERVICES[service]["command"]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    stack.prepare(tmp_path / "stack", "localhost")
    return Made(tmp_path / "stack", {"/run/stack": str(tmp_path / "stack")})


def looked_at(made: Made, folder: Path, check: str, **given: str) -> dict[str, Any]:
    """What `sluice doctor` finds under this name, with the settings of the stack: `given` has
    the one that names an address; the others that do are not set.
    """
    lines = (made.folder / "sluice.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines)
    kept = {name: text for name, text in told.items() if not _names_a_server(name)}
    env = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SLUICE_HOME": str(folder / "home"),
        "SLUICE_PROJECT": str(releases.write(folder / "project")),
        "SLUICE_TRACKING_URI": "",
        **{name: made.here(text) for name, text in kept.items()},
        **given,
    }
    words = ["env", "-i", *(f"{name}={text}" for name, text in env.items()), sys.executable, "-c"]
    typed = "from sluice_command import main; main()"
    said = process.run([*words, typed, "doctor", "--json"], check=False)
    [found] = [one for one in json.loads(said.stdout)["findings"] if one["check"] == check]
    return dict(found)


def _names_a_server(variable: str) -> bool:
    return variable.endswith(("_URI", "_URL", "_MANIFESTS", "_REGISTRY"))


@pytest.fixture
def database(made: Made) -> Iterator[str]:
    """PostgreSQL with the passwords of the stack, begun by its SQL; host and port."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-stack-"))
    port = server.free_port()
    other: list[str] = []
    secrets = made.environment("postgres")
    password = folder / "password"
    password.write_text(secrets["POSTGRES_PASSWORD"])
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        for path in (folder, password):
            os.chown(path, user.pw_uid, user.pw_gid)
        other = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    data = folder / "data"
    make = [_PROGRAMS / "initdb", "-D", data, "-A", "scram-sha-256", "-U", "postgres"]
    process.run([*other, *make, f"--pwfile={password}"])
    words = [_PROGRAMS / "postgres", "-D", data, "-p", str(port), "-c", "fsync=off"]
    words += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    started = server.start([*other, *words], port, folder.with_suffix(".log"))
    try:
        end = time.monotonic() + 60
        while not server.taken(port):
            assert time.monotonic() < end
            time.sleep(0.1)
        env = {**secrets, "PGPASSWORD": secrets["POSTGRES_PASSWORD"]}
        at = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        sql = stack.COMPOSE / "databases.sql"
        process.run(["psql", "-v", "ON_ERROR_STOP=1", *at, "-f", sql], env=env)
        yield f"127.0.0.1:{port}"
    finally:
        started.stop()
        shutil.rmtree(folder)


def started(
    made: Made, service: str, port: int, words: list[str], path: str, into: ExitStack
) -> str:
    """The address of a server of the stack, once it answers."""
    log = made.folder / f"{service}.log"
    env = {**NOBODY, **made.environment(service)}
    found = server.start([TOOLS / words[0], *words[1:]], port, log, env=env)
    into.callback(found.stop)
    return found.wait(path=path, deadline=120)


@needs_postgresql
def test_mlflow_keeps_runs_in_postgresql_and_files_in_the_store(
    made: Made, database: str, tmp_path: Path
) -> None:
    port = server.free_port()
    with ExitStack() as servers:
        store = servers.enter_context(s3_server())
        made.places.update({"postgres:5432": database, "http://store:8333": store})
        made.places.update({"0.0.0.0": "127.0.0.1"})
        env = {**NOBODY, **made.environment("bucket")}
        bucket = [sys.executable, made.folder / "servers" / "bucket.py"]
        for _ in range(2):  # it is there the second time
            process.run(bucket, env=env)
        words = made.command("mlflow")
        words[words.index("5000")] = str(port)
        url = started(made, "mlflow", port, words, "/health", servers)
        script = (
            "import mlflow; mlflow.set_experiment('stack')\n"
            "with mlflow.start_run() as run: mlflow.log_text('kept', 'note.txt')\n"
            "print(mlflow.artifacts.load_text(run.info.artifact_uri + '/note.txt'))"
        )
        said = process.run([sys.executable, "-c", script], env={"MLFLOW_TRACKING_URI": url})
        assert said.stdout.splitlines()[-1] == "kept"
        login = {"env": {"PGPASSWORD": _password(made, "mlflow")}}
        host, _, at = database.partition(":")
        asked = ["psql", "-h", host, "-p", at, "-U", "mlflow", "-t", "-c"]
        counted = process.run([*asked, "select count(*) from runs", "mlflow"], **login)
        assert counted.stdout.strip() == "1"
        found = looked_at(made, tmp_path, "tracking", SLUICE_TRACKING_URI=url)
        assert (found["right"], found["found"].startswith(f"{url}, version 3.")) == (True, True)


def _password(made: Made, name: str) -> str:
    return made.environment("postgres")[f"{name.upper()}_PASSWORD"]


@needs_postgresql
def test_prefect_starts_on_postgresql(made: Made, database: str, tmp_path: Path) -> None:
    port = server.free_port()
    made.places.update({"postgres:5432": database, "0.0.0.0": "127.0.0.1"})
    made.places.update({"/tmp/prefect": str(tmp_path / "prefect")})
    words = made.command("prefect")
    words[words.index("4200")] = str(port)
    with ExitStack() as servers:
        url = started(made, "prefect", port, words, "/api/health", servers)
        with urllib.request.urlopen(f"{url}/api/admin/version", timeout=30) as answer:
            assert json.load(answer).startswith("3.")
        found = looked_at(made, tmp_path, "Prefect", PREFECT_API_URL=f"{url}/api")
        assert (found["right"], f"{url}/api, version 3." in found["found"]) == (True, True), found
    assert not (tmp_path / "prefect" / "prefect.db").exists()


@needs_registry
def test_the_registry_asks_by_tls_and_lets_in_whom_the_stack_made(
    made: Made, tmp_path: Path
) -> None:
    port = server.free_port()
    made.places.update({"0.0.0.0:5443": f"127.0.0.1:{port}"})
    made.places.update({"/var/lib/registry": str(made.folder / "images")})
    settings = made.environment("registry")
    config = made.folder / "config.yml"
    config.write_text("version: 0.1\nstorage: {filesystem: {}}\n")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("REGISTRY_")}
    with (made.folder / "registry.log").open("wb") as log:
        ran = subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            env={**kept, **settings},
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 30
        while not server.taken(port):
            assert time.monotonic() < end
            time.sleep(0.1)
        import ssl

        trust = ssl.create_default_context(cafile=made.folder / "tls" / "ca.crt")
        [login] = json.loads((made.folder / "auth.json").read_text())["auths"].values()
        url = f"https://localhost:{port}/v2/"
        assert httpx2.get(url, verify=trust).status_code == 401
        told = {"Authorization": f"Basic {login['auth']}"}
        assert httpx2.get(url, verify=trust, headers=told).status_code == 200
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url)
        # The login is kept for the port of the stack, and this one is another.
        auth = (made.folder / "auth.json").read_text().replace(":5443", f":{port}")
        (made.folder / "auth.json").write_text(auth)
        place = f"localhost:{port}/team"
        found = looked_at(made, tmp_path, "registry attrition", SLUICE_REGISTRY=place)
        assert (found["right"], found["found"]) == (
            True,
            f"{place}/attrition may be read and written",
        )
    finally:
        ran.kill()
        ran.wait()


def test_the_doctor_reads_a_git_server_by_certificate_and_login_of_the_stack(
    made: Made, tmp_path: Path
) -> None:
    """git's own server behind that certificate: Gitea is no program that can be had here."""
    seed(tmp_path)
    tls = (made.folder / "tls" / "server.crt", made.folder / "tls" / "server.key")
    with serving(Hosted(tmp_path, {stack.USER: "t0ken"}), tls) as hosted:
        address = f"{hosted.url}/manifests.git"
        for token, right, said in (
            ("t0ken", True, "may be pushed to"),
            ("other", False, ""),
        ):
            given = {"SLUICE_MANIFESTS": address, "SLUICE_GIT_TOKEN": token}
            folder = tmp_path / token
            folder.mkdir()
            found = looked_at(made, folder, "manifest repo", **given)
            assert (found["right"], said in found["found"]) == (right, True), found
            assert token not in found["found"]


@needs_prometheus
def test_prometheus_takes_settings_and_rules(made: Made, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yaml"
    text = (stack.COMPOSE / "prometheus.yaml").read_text()
    rules = "/etc/prometheus/rules.yaml"
    config.write_text(text.replace(rules, str(made.folder / "rules.yaml")))
    process.run(["promtool", "check", "config", config])
    port = server.free_port()
    made.places.update({"/etc/prometheus/prometheus.yaml": str(config)})
    made.places.update({"=/prometheus": f"={tmp_path / 'data'}"})
    words = ["prometheus", *made.command("prometheus")]
    words.append(f"--web.listen-address=127.0.0.1:{port}")
    running = server.start(words, port, tmp_path / "log")
    try:
        url = running.wait(path="/-/ready")
        with urllib.request.urlopen(f"{url}/api/v1/rules", timeout=10) as answer:
            groups = json.load(answer)["data"]["groups"]
        assert [group["name"] for group in groups] == ["sluice-monitor"]
    finally:
        running.stop()
