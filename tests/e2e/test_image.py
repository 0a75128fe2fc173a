"""The model image, for real: built, pushed, started from where it was pushed to; equal inputs,
equal digest.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec import convert
from support.model_artifacts import IMAGE_LABELS as LABELS
from support.model_artifacts import IMAGE_TAG as TAG
from support.model_artifacts import PROJECT, scores, small_artifact
from test_registry_http import SERVER, serving

from flows.adapters.image import bento, containers, image_tools, model_image
from flows.adapters.image.base_image import Base
from flows.adapters.image.containers import Containers
from flows.adapters.image.image_tools import REAL
from flows.adapters.image.model_image import Parts
from flows.adapters.process import run
from flows.adapters.registry import layout, oci, registry
from flows.adapters.registry.layout import Layout
from sluice.errors import SluiceError
from sluice.model.artifact.model_artifact import Golden, compare_golden

TOOLS = [tool for tool in ("buildah", "podman") if shutil.which(tool)]
pytestmark = pytest.mark.skipif(
    len(TOOLS) < 2, reason="needs buildah and podman (apt-get install buildah podman runc)"
)


def config(place: Layout, digest: str) -> Any:
    document = oci.parse_manifest(layout.manifest(place.folder, digest) or b"")
    return json.loads(layout.blob(place.folder, document.config.digest))


@pytest.mark.parametrize("tool", ["buildah", "podman"])
def test_equal_inputs_give_the_same_digest_from_an_empty_storage(
    tool: str,
    work: Path,
    project: Path,
    artifact: Path,
    built: tuple[Layout, str],
    built_base: Base,
    site: Path,
) -> None:
    folder = work / f"again-{tool}"
    again = bento.build(project, artifact, TAG, folder / "bentoml", name="attrition", tools=REAL)
    engine = image_tools.builder(folder, [tool])
    assert engine == Containers(tool, folder)
    parts = Parts(built_base, site, again)
    assert model_image.build(engine, parts, Layout(folder / "registry"), TAG, LABELS) == built[1]


def test_the_digest_is_the_one_of_the_place(built: tuple[Layout, str]) -> None:
    place, digest = built
    assert registry.digest(place, TAG) == digest
    assert registry.annotations(place, TAG) == LABELS
    assert config(place, digest)["config"]["Labels"] == LABELS


def test_a_new_model_changes_the_last_layer_alone(
    work: Path, project: Path, built: tuple[Layout, str], built_base: Base, site: Path
) -> None:
    place, digest = built
    made = bento.build(
        project,
        small_artifact(work / "other", 2),
        "f" * 16,
        work / "bentoml",
        name="attrition",
        tools=REAL,
    )
    engine = Containers("buildah", work / "state")
    parts = Parts(built_base, site, made)
    other = model_image.build(engine, parts, place, "f" * 16, LABELS)
    layers = [
        oci.parse_manifest(layout.manifest(place.folder, one) or b"").layers
        for one in (digest, other)
    ]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]
    assert layers[1][-1].size < 2**20


def test_a_taken_tag_is_not_moved(
    work: Path, made: Path, built: tuple[Layout, str], built_base: Base, site: Path
) -> None:
    place, digest = built
    engine, parts = Containers("buildah", work / "state"), Parts(built_base, site, made)
    with pytest.raises(oci.TagTaken):
        model_image.build(engine, parts, place, TAG, {"dev.sluice.model": "other"})
    assert registry.digest(place, TAG) == digest


@pytest.mark.parametrize("tool", ["podman", "buildah"])
def test_it_starts_from_the_place_and_answers_the_golden_records(
    tool: str, work: Path, artifact: Path, built: tuple[Layout, str]
) -> None:
    golden = json.loads((artifact / "golden.json").read_text())
    with model_image.smoke(Containers(tool, work / "smoke"), *built) as url:
        answers = httpx2.post(f"{url}/predict_batch", json=golden["records"]).json()
        assert compare_golden(convert(golden, Golden), scores(answers)) < 1e-6
        assert answers[0]["model"] == f"attrition:{TAG}"
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{url}/readyz")


KILLED = """
import sys
from pathlib import Path
from flows.adapters.image import base_image, image_tools, model_image
from flows.adapters.image.base_image import Base
from flows.adapters.image.model_image import Parts
bento, tar, site, folder = map(Path, sys.argv[1:])
entry = base_image.Entry("trixie", base_image.arch(), ("any=1",))
engine = image_tools.builder(folder)
print("started", flush=True)
parts = Parts(Base(entry, tar), site, bento)
model_image.build(engine, parts, folder / "registry", "0123456789abcdef", {})
"""


@pytest.mark.parametrize("seconds", [1.0, 6.0])
def test_a_killed_build_is_finished_by_the_next(
    seconds: float, work: Path, made: Path, built_base: Base, site: Path, tmp_path: Path
) -> None:
    folder = work / f"killed-{seconds:g}"
    words = [sys.executable, "-c", KILLED, made, built_base.tar, site, folder]
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, cwd=PROJECT) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()
    place = Layout(folder / "registry")
    assert registry.digest(place, TAG) is None
    engine, parts = Containers("buildah", folder), Parts(built_base, site, made)
    digest = model_image.build(engine, parts, place, TAG, {})
    assert registry.pull_image(place, digest, tmp_path / "pulled").digest == digest


@pytest.mark.skipif(not SERVER, reason="needs docker-registry (apt-get install docker-registry)")
def test_it_goes_to_a_registry_and_starts_from_there(
    work: Path, made: Path, artifact: Path, built: tuple[Layout, str], built_base: Base, site: Path
) -> None:
    golden = json.loads((artifact / "golden.json").read_text())
    with serving(work / "remote") as place:
        engine, parts = Containers("buildah", work / "state"), Parts(built_base, site, made)
        assert model_image.build(engine, parts, place, TAG, LABELS) == built[1]
        assert registry.digest(place, TAG) == built[1]
        with model_image.smoke(Containers("podman", work / "smoke"), place, built[1]) as url:
            answers = httpx2.post(f"{url}/predict_batch", json=golden["records"]).json()
        assert compare_golden(convert(golden, Golden), scores(answers)) < 1e-6


def asked_of(container: str, script: str, env: Mapping[str, str]) -> str:
    """What Python prints in a container, which has no other program."""
    words = ["podman", "exec", container, "python3.13", "-c", script]
    return run(words, env=env).stdout


def test_it_runs_read_only_without_rights_and_within_limits(
    work: Path, built: tuple[Layout, str]
) -> None:
    with model_image.smoke(Containers("podman", work / "smoke"), *built):
        env = containers.environment(work / "smoke")
        [name] = run(["podman", "ps", "--format", "{{.Names}}"], env=env).stdout.split()
        seen = json.loads(run(["podman", "inspect", name], env=env).stdout)[0]
        status = asked_of(name, "print(open('/proc/1/status').read())", env)
        written = run(
            ["podman", "exec", name, "python3.13", "-c", "open('/srv/x', 'w')"],
            env=env,
            check=False,
        )
        asked = asked_of(name, "import os; print(os.getuid(), os.getgid())", env)
    assert seen["HostConfig"]["ReadonlyRootfs"] is True
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Read-only file system" in written.stderr
    assert asked.split() == ["1034", "1034"]
    assert os.geteuid() != 0 or seen["HostConfig"]["Memory"] == 2**30
    assert run(["podman", "ps", "--all", "--quiet"], env=env).stdout == ""


def test_an_image_that_cannot_start_says_why_and_leaves_nothing(
    work: Path, built_base: Base, tmp_path: Path
) -> None:
    broken, place = tmp_path / "broken", Layout(tmp_path / "place")
    (broken / "src").mkdir(parents=True)
    (broken / "bento.yaml").write_text("service: nothing:Here\n")
    assert image_tools.builder(work / "smoke")
    site = tmp_path / "site.tar"
    with tarfile.open(site, "w") as tar:
        folder = tarfile.TarInfo("srv/site-packages")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
    parts = Parts(built_base, site, broken)
    digest = model_image.build(Containers("buildah", work / "smoke"), parts, place, TAG, {})
    with (
        pytest.raises(SluiceError, match="No module named bentoml"),
        model_image.smoke(Containers("podman", work / "smoke"), place, digest),
    ):
        pass
    assert (
        run(["podman", "ps", "--all", "--quiet"], env=containers.environment(work / "smoke")).stdout
        == ""
    )


def test_an_image_that_is_not_ready_in_time_is_stopped(
    work: Path, built: tuple[Layout, str]
) -> None:
    started = time.monotonic()
    with (
        pytest.raises(SluiceError, match=r"not ready after 0\.2 seconds"),
        model_image.smoke(Containers("podman", work / "smoke"), *built, deadline=0.2),
    ):
        pass
    assert time.monotonic() - started < 30


def test_a_digest_that_is_not_there_is_not_started(work: Path, built: tuple[Layout, str]) -> None:
    with (
        pytest.raises(oci.Broken),
        model_image.smoke(Containers("podman", work / "smoke"), built[0], "sha256:" + "0" * 64),
    ):
        pass


def test_it_runs_as_nobody_of_the_system(built: tuple[Layout, str]) -> None:
    settings = config(*built)["config"]
    assert settings["User"] == "1034:1034"
    assert "BENTOML_HOME=/tmp/bentoml" in settings["Env"]
    assert not any(
        name in " ".join(settings["Env"]) for name in ("PYTHONHASHSEED", "TOKEN", "PASSWORD")
    )
