"""The doctor: each thing that may be wrong, by a server or a file that is wrong, and by its
sentence.
"""

import datetime
import http.server
import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from email.utils import format_datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from support import releases
from support.command_line import Sluice
from support.git_repos import template
from support.git_servers import Hosted
from support.git_servers import serving as git_serving
from support.logins import log_in, nobody_is_logged_in
from support.registries import PASSWORD, World
from support.registries import serving as registry_serving

from flows.adapters import process, tracking_health
from flows.adapters.registry import remote
from flows.orchestration import doctor, prefect_server
from flows.orchestration.doctor import Saw, clock, examine, looked_at, packages, state_folder
from flows.project import settings
from flows.project.root import ROOT
from flows.views.begin.doctor import Finding
from sluice.errors import Retryable, SluiceError, UsageError

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: str) -> Path:
    """A project of its own with one model, an empty state folder, no builder, and nobody logged in
    anywhere.
    """
    nobody_is_logged_in(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", tools)
    monkeypatch.setenv("SLUICE_PROJECT", str(releases.write(tmp_path / "project")))
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    return tmp_path / "project"


def found(name: str, **given: str) -> Finding:
    """What the doctor finds under these settings where it makes the check of this name alone."""
    own = settings.load_quietly().model_copy(update=given)
    [check] = [check for known, check in doctor.checks(own) if known == name]
    return looked_at(name, check)[0]


def test_where_everything_is_embedded_a_builder_is_missing(project: Path) -> None:
    own = settings.load_quietly().model_copy(update={"tracking_uri": ""})
    everything = list(examine(own))
    assert [finding.check for finding in everything if not finding.right] == ["images"]
    assert [finding.check for finding in everything] == [
        "settings",
        "packages",
        "git",
        "state folder",
        "model attrition",
        "protected branch",
        "commits",
        "statements",
        "manifest repo",
        "registry",
        "images",
        "Prefect",
        "tracking",
        "clock",
    ]
    assert not (project.parent / "home" / "manifests.git").exists()
    assert not (project.parent / "home" / "registry").exists()


def test_the_command_prints_a_line_each_and_its_exit_code(
    project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_REGISTER", "x")
    told = sluice("doctor")
    assert told.code == 1
    lines = told.out.splitlines()
    assert lines[0] == (
        "✕ settings           SLUICE_REGISTER is set, and is no setting of Sluice. Did you mean"
        " SLUICE_REGISTRY?. Correct its name, or unset it."
    ).replace("?.", "?")
    assert len(lines) == 15
    assert lines[-1].endswith(" to put right.")
    document = json.loads(sluice("doctor", "--json").out)
    assert document["right"] is False
    assert document["findings"][0]["check"] == "settings"
    monkeypatch.setenv("SLUICE_WORKERS", "many")
    assert sluice("doctor").code == 2


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("models/attrition/policy.toml", "x = ", "policy.toml"),
        ("models/attrition/contract.toml", "schema = 1\n", "contract.toml"),
        ("data/attrition.toml", 'reference = "file:rows.csv"\n', "has no sha256"),
        ("data/attrition.toml", 'reference = "ftp://x/rows"\nsha256 = "0"\n', "reference is"),
    ],
)
def test_a_broken_file_of_a_model_is_told(file: str, text: str, said: str, project: Path) -> None:
    (project / file).write_text(text)
    finding = found("model attrition")
    assert not finding.right
    assert said in finding.found or said.partition(".")[0] in finding.found
    assert finding.fix


def test_a_project_without_a_model_is_told(project: Path) -> None:
    shutil.rmtree(project / "models" / "attrition")
    assert not found("models").right


def test_a_state_folder_that_others_may_read_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    with pytest.raises(UsageError, match=r"the mode of .* is 0755; 0700 is required") as raised:
        state_folder(home)
    assert raised.value.fix == f"Run: chmod 700 {home}"
    home.chmod(0o700)
    assert str(home) in state_folder(home).sentence


def test_packages_are_compared_with_the_lock(tmp_path: Path) -> None:
    assert "packages as locked" in packages(ROOT / "uv.lock", doctor.installed()).sentence
    lock = tmp_path / "uv.lock"
    entry = '[[package]]\nname = "{}"\nversion = "2.0"\nsource = {{ registry = "x" }}\n'
    lock.write_text("".join(entry.format(name) for name in "abcde"))
    with pytest.raises(UsageError) as raised:
        packages(lock, dict.fromkeys("abcd", "1.0") | {"e": "2.0"})
    assert raised.value.what == (
        "a is 1.0; 2.0 is required; b is 1.0; 2.0 is required; c is 1.0; 2.0 is required and 1 more"
    )
    for broken in ("package = ", "package = 1\n", "a = " + "[" * 5000):
        broken_lock = tmp_path / "broken.lock"
        broken_lock.write_text(broken)
        with pytest.raises(UsageError, match=r"^broken\.lock: "):
            packages(broken_lock, {})
    assert packages(lock, {"a": "2.0", "z": "9"}).sentence.endswith(", 1 packages as locked")


class TestManifestRepo:
    """A git server that is right, that lets nobody in, that takes no push, that is gone."""

    @pytest.fixture
    def hosted(self, tmp_path: Path) -> Iterator[Hosted]:
        root = tmp_path / "git"
        process.run(["git", "clone", "--quiet", "--bare", template(), root / "m.git"])
        process.run(["git", "config", "http.receivepack", "true"], cwd=root / "m.git")
        with git_serving(Hosted(root)) as server:
            yield server

    def look(self, hosted: Hosted) -> Finding:
        return found("manifest repo", manifests=f"{hosted.url}/m.git")

    def test_one_that_is_right(self, hosted: Hosted, project: Path) -> None:
        finding = self.look(hosted)
        assert finding.right, finding
        assert finding.found.endswith(
            "main may be pushed to, there: overlays/production/kustomization.yaml"
        )
        tip = process.run(["git", "rev-list", "--count", "main"], cwd=hosted.root / "m.git").stdout
        assert tip == "1\n"  # nothing was pushed

    def test_one_that_takes_no_push(self, hosted: Hosted, project: Path) -> None:
        hosted.fault = "read-only"
        finding = self.look(hosted)
        assert not finding.right
        assert finding.fix

    def test_one_that_lets_nobody_in(self, hosted: Hosted, project: Path) -> None:
        hosted.users = {"anna": "secret"}
        finding = self.look(hosted)
        assert not finding.right
        assert "SLUICE_GIT_TOKEN" in finding.fix

    def test_one_without_the_overlay(self, hosted: Hosted, project: Path) -> None:
        finding = found("manifest repo", manifests=f"{hosted.url}/m.git", overlay="elsewhere")
        assert "has no overlays/elsewhere/kustomization.yaml" in finding.found


class TestRegistry:
    """A registry that is right, that may only be read, that is gone."""

    def test_one_that_may_be_written(self, project: Path) -> None:
        world = World()
        with registry_serving(world) as host:
            own = settings.load_quietly().model_copy(update={"registry": host})
            [check] = [known for name, known in doctor.checks(own) if name == "registry attrition"]
            saw = check()
        assert saw.sentence == f"{host}/attrition may be read and written"
        now = datetime.datetime.now(datetime.UTC)
        assert "as registry has it" in clock([("registry", saw.told)], now).sentence
        assert (world.blobs, world.manifests) == ({}, {})

    def test_one_that_may_only_be_read(self, project: Path) -> None:
        with registry_serving(World(login="basic", open_door=True, open_reads=True)) as host:
            finding = found("registry attrition", registry=host)
            assert not finding.right
            assert finding.fix.startswith(f"podman login {host}")
            log_in(project.parent, remote.remote(host, "attrition"), PASSWORD)
            assert found("registry attrition", registry=host).right

    def test_one_that_is_gone(self, project: Path) -> None:
        finding = found("registry attrition", registry="127.0.0.1:9")
        assert finding.found.startswith("nothing answers at 127.0.0.1:9")


Answers = Mapping[str, tuple[int, object]]


@contextmanager
def saying(answers: Answers) -> Iterator[str]:
    """A server that answers each path so; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, body = answers.get(self.path.partition("?")[0], (404, ""))
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def mlflow(said: str, code: int = 200) -> AbstractContextManager[str]:
    """A tracking server of this version, which answers a question so."""
    question: Answers = {"/api/2.0/mlflow/experiments/search": (code, {"experiments": []})}
    return saying({"/version": (200, said), **question})


class TestTracking:
    """A tracking server that is right, that lets nobody in, that is another version, or gone."""

    def test_one_that_is_right(self) -> None:
        with mlflow(version("mlflow")) as uri:
            there, told = tracking_health.look(uri)
        assert there == version("mlflow")
        assert clock([("tracking", told)], datetime.datetime.now(datetime.UTC)).sentence.endswith(
            "UTC, as tracking has it"
        )

    @pytest.mark.parametrize("code", [401, 403])
    def test_one_that_lets_nobody_in(self, code: int) -> None:
        with mlflow("3.1", code) as uri, pytest.raises(UsageError, match="does not let us in"):
            tracking_health.look(uri)

    def test_one_of_another_version(self) -> None:
        with mlflow("2.22.0") as uri, pytest.raises(UsageError, match=r"is 2\.22\.0; 3 is"):
            tracking_health.look(uri)

    def test_what_is_none(self) -> None:
        with saying({}) as uri, pytest.raises(SluiceError, match="answers 404"):
            tracking_health.look(uri)
        with pytest.raises(SluiceError, match="no tracking server answers at http://127"):
            tracking_health.look("http://user:pass@127.0.0.1:9")


class TestPrefect:
    """A server that is set for Prefect."""

    def look(self, tmp_path: Path, answers: Answers) -> "prefect_server.Answering | None":
        from prefect.settings import PREFECT_API_URL, temporary_settings

        health = {"/api/health": (200, True)}
        with (
            saying({**health, **answers}) as url,
            temporary_settings({PREFECT_API_URL: f"{url}/api"}),
        ):
            return prefect_server.set_one(tmp_path)

    def test_one_that_is_right(self, tmp_path: Path) -> None:
        seen = self.look(tmp_path, {"/api/admin/version": (200, json.dumps(version("prefect")))})
        assert seen is not None
        assert seen.version == version("prefect")

    def test_one_that_is_older(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"is 3\.0\.1; 3\.\d+ is required"):
            self.look(tmp_path, {"/api/admin/version": (200, '"3.0.1"')})

    def test_one_that_lets_nobody_in(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="does not tell its version") as raised:
            self.look(tmp_path, {"/api/admin/version": (401, "{}")})
        assert "PREFECT_API_AUTH_STRING" in raised.value.fix


@pytest.mark.parametrize(("seconds", "way"), [(3600, "behind"), (-61, "ahead of")])
def test_a_clock_that_is_wrong_is_told(seconds: int, way: str) -> None:
    there = format_datetime(NOW + datetime.timedelta(seconds=seconds), usegmt=True)
    with pytest.raises(UsageError) as raised:
        clock([("git", ""), ("registry", there)], NOW)
    assert raised.value.what == (
        f"the clock is {abs(seconds)} s {way} that of registry; at most 60 s is required"
    )


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_a_time_that_is_none_is_no_server(text: str) -> None:
    assert clock([("registry", text)], NOW).sentence.endswith("no server told another time")


@pytest.mark.parametrize(
    "error",
    [Retryable("down", "Wait."), OSError("down"), RecursionError(), ValueError("down\nand out")],
)
def test_whatever_a_check_raises_is_a_finding(error: Exception) -> None:
    def check() -> Saw:
        raise error

    finding, told = looked_at("it", check)
    assert (finding.right, told) == (False, "")
    assert finding.found and finding.fix
    assert "\n" not in finding.found


def test_no_secret_of_a_setting_is_shown(project: Path) -> None:
    secret = "hunter2"
    url = f"http://u:{secret}@127.0.0.1:9"
    for finding in (found("manifest repo", manifests=url), found("tracking", tracking_uri=url)):
        assert not finding.right
        assert secret not in str(finding)
