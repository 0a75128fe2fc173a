"""The pipeline image, for real: built, pushed to a registry, started read-only as in a pod."""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_registry_http import serving

from flows.adapters.image import containers, unpacked
from flows.adapters.process import Result, run
from flows.adapters.registry import oci, registry
from flows.adapters.registry.remote import Remote
from flows.cli.serving.deploy_image import NAME
from flows.project.root import ROOT

pytestmark = pytest.mark.skipif(
    not shutil.which("podman"), reason="needs podman (apt-get install podman runc)"
)
MOST = 1.2e9  # bytes on a disk
_MAIN = "from sluice_command import main; main()"


def typed(*words: str) -> "subprocess.CompletedProcess[str]":
    """`sluice deploy-image` with these words, as a person types it in the checkout."""
    command = [sys.executable, "-c", _MAIN, "deploy-image", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with serving(tmp_path_factory.mktemp("registry")) as found:
        yield Remote(found.host, "team/sluice")


@pytest.fixture(scope="module")
def pushed(place: Remote) -> dict[str, Any]:
    """What `sluice deploy-image NAME --json` says."""
    ended = typed(f"{place.host}/{place.repository}", "--json")
    assert ended.returncode == 0, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


@pytest.fixture(scope="module")
def started(place: Remote, pushed: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Starts a command in the image, as restricted as a pod."""
    folder = tmp_path_factory.mktemp("podman")
    env = containers.environment(folder / "state")
    pulled = registry.pull_image(place, pushed["digest"], folder / "layout")
    engine = containers.Containers("podman", folder / "state")
    image = engine.load(pulled)

    def start(*words: str) -> Result:
        options = ["--rm", "--read-only", "--cap-drop", "all", "--network", "none"]
        options += ["--security-opt", "no-new-privileges", "--tmpfs", "/tmp:rw,mode=1777"]
        return run(["podman", "run", *options, image, *words], env=env, check=False, timeout=300)

    yield start
    run(["podman", "system", "reset", "--force"], env=env, check=False)


def test_it_is_small_named_by_digest_and_says_where_it_comes_from(
    place: Remote, pushed: dict[str, Any]
) -> None:
    assert pushed["unpacked_bytes"] < MOST
    assert pushed["image"] == f"{place.host}/{place.repository}@{pushed['digest']}"
    assert registry.digest(place, pushed["tag"]) == pushed["digest"]
    config = json.loads(
        place.blob(oci.parse_manifest(registry.manifest(place, pushed["tag"])).config.digest)
    )["config"]
    assert config["User"] == "1034:1034"
    assert config["Labels"] == pushed["labels"]
    assert set(config["Labels"]) >= {"dev.sluice.lock", "org.opencontainers.image.revision"}


def test_the_second_time_nothing_is_pushed_and_a_person_is_told_what_to_do(
    place: Remote, pushed: dict[str, Any]
) -> None:
    ended = typed(f"{place.host}/{place.repository}")
    assert ended.returncode == 0
    assert f"It is there already: {pushed['image']}" in ended.stderr
    assert f"- name: {NAME}" in ended.stderr
    assert f"digest: {pushed['digest']}" in ended.stderr


def test_it_holds_no_row_no_secret_and_no_test(
    place: Remote, pushed: dict[str, Any], tmp_path: Path
) -> None:
    manifest = oci.parse_manifest(registry.manifest(place, pushed["tag"]))
    top = registry.pull_blob(place, manifest.layers[-1].digest, tmp_path)
    with tarfile.open(top) as archive:
        names = set(archive.getnames())
    own = {name.removeprefix("srv/sluice/") for name in names if name.startswith("srv/sluice/")}
    assert {"uv.lock", "flows/release.py", "models/attrition/policy.toml"} <= own
    assert not [n for n in own if n.startswith(("tests", "docs", ".")) or n.endswith(".csv")]
    unpacked.unpack([top], tmp_path / "root")
    for file in (tmp_path / "root").rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert b"PRIVATE KEY-----\n" not in file.read_bytes(), file


def test_it_starts_without_a_right_and_everything_that_a_release_needs_is_there(
    started: Any,
) -> None:
    looked = started("doctor", "--json")
    assert looked.code == 0, looked.stderr
    assert "images can be built and run" in looked.stdout
    assert "as locked" in looked.stdout


@pytest.mark.parametrize("command", ["judge", "reconcile", "monitor", "release"])
def test_it_runs_each_command(command: str, started: Any) -> None:
    ended = started(command, "--help")
    assert (ended.code, "Example:" in ended.stdout) == (0, True)


def test_without_a_registry_it_is_refused() -> None:
    ended = typed()
    assert ended.returncode == 2
    assert "no registry is named; one is required" in ended.stderr
