"""What makes an image is handed in: built, pushed and started with tools that are made up, and
nothing patched.
"""

import os
import re
import tarfile
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT, small_artifact

from flows.adapters import failpoints
from flows.adapters.image import base_image, bento, image_tools, model_image, wheels
from flows.adapters.image.container_engine import ContainerEngine
from flows.adapters.image.image_tools import ImageTools
from flows.adapters.registry import layout, oci, registry
from flows.adapters.registry.layout import Layout
from flows.drills.crash.fake_images import NO_SERVICE, images

TAG = "0123456789abcdef"
LABELS = {"dev.sluice.model": "m", "dev.sluice.lock": "l"}
TOOLS = images("anything==1.0\n")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("artifact") / "model")


def engine(tools: ImageTools, state: Path) -> ContainerEngine:
    found = tools.builder(state)
    assert found
    return found


def push(artifact: Path, home: Path, tag: str = TAG) -> tuple[Layout, str]:
    """Build Bento and image below `home` and push it; its place and digest."""
    place = Layout(home / "registry")
    built = bento.build(PROJECT, artifact, tag, home / "bentoml", name="attrition", tools=TOOLS)
    parts = model_image.parts(built, PROJECT, home / "cache", pytest.fail, TOOLS)
    return place, model_image.build(engine(TOOLS, home / "state"), parts, place, tag, LABELS)


def test_an_image_is_built_pushed_and_started_with_what_is_handed_in(
    artifact: Path, tmp_path: Path
) -> None:
    place, digest = push(artifact, tmp_path)
    assert registry.digest(place, TAG) == digest
    assert registry.annotations(place, TAG) == LABELS
    with model_image.smoke(engine(TOOLS, tmp_path / "state"), place, digest) as url:
        assert url == NO_SERVICE
    assert not list((tmp_path / "state").glob("smoke-*"))


def test_the_image_holds_the_bento_with_the_artifact(artifact: Path, tmp_path: Path) -> None:
    place, digest = push(artifact, tmp_path)
    document = oci.parse_manifest(layout.manifest(place.folder, digest) or b"")
    layer = registry.pull_blob(place, document.layers[-1].digest, tmp_path / "pulled")
    with tarfile.open(layer) as archive:
        names = set(archive.getnames())
    held = {f"srv/bento/src/model/{path.name}" for path in artifact.iterdir()}
    assert held <= names
    assert "srv/bento/src/requirements.txt" in names


def test_equal_inputs_give_the_same_digest_elsewhere(artifact: Path, tmp_path: Path) -> None:
    assert push(artifact, tmp_path / "a")[1] == push(artifact, tmp_path / "b")[1]


def test_a_taken_tag_is_not_moved(artifact: Path, tmp_path: Path) -> None:
    _, digest = push(artifact, tmp_path)
    other = small_artifact(tmp_path / "other", 2)
    with pytest.raises(oci.TagTaken):
        push(other, tmp_path)
    assert registry.digest(Layout(tmp_path / "registry"), TAG) == digest


def test_every_boundary_of_the_image_is_passed_with_tools_that_are_made_up(
    artifact: Path, tmp_path: Path
) -> None:
    seen: list[str] = []
    failpoints.arm(seen.append)
    try:
        place, digest = push(artifact, tmp_path)
        with model_image.smoke(engine(TOOLS, tmp_path / "state"), place, digest):
            pass
    finally:
        failpoints.disarm()
    passed = {name for place in seen for name in place.rpartition(".")[0].split("/")}
    assert passed >= {"bento.stage", "bento.build", "bento.rename", "base.ensure", "wheels.ensure"}
    assert passed >= {"image.context", "image.build", "image.export", "image.seal", "image.push"}
    assert passed >= {"image.pull", "image.load", "smoke.load", "smoke.prepare", "smoke.remove"}


def test_a_container_is_removed_where_it_does_not_start(artifact: Path, tmp_path: Path) -> None:
    place, digest = push(artifact, tmp_path)
    seen: list[str] = []
    failpoints.arm(seen.append)
    try:
        with (
            pytest.raises(ZeroDivisionError),
            model_image.smoke(engine(TOOLS, tmp_path / "state"), place, digest),
        ):
            raise ZeroDivisionError
    finally:
        failpoints.disarm()
    assert seen[-1] == "smoke.remove.after"


def test_the_real_tools_are_the_default() -> None:
    assert ImageTools() == image_tools.REAL
    assert ImageTools().requirements is wheels.requirements
    assert ImageTools().ensure_base is base_image.ensure


def test_there_is_no_engine_where_no_tool_is_known(tmp_path: Path) -> None:
    assert image_tools.builder(tmp_path, []) is None
    assert image_tools.runner(tmp_path, ["no-such-tool"]) is None


def test_what_may_build_images_is_looked_for_and_not_started(tmp_path: Path) -> None:
    os.environ["PATH"] = str(tmp_path)
    assert not image_tools.installed()
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\ntouch started\n")
    program.chmod(0o755)
    assert image_tools.installed()
    assert list(tmp_path.iterdir()) == [program]


def test_the_archive_of_packages_is_known_by_requirements_and_platform() -> None:
    keys = {wheels.key(text, arch) for text in ("a==1\n", "a==2\n") for arch in ("amd64", "arm64")}
    assert len(keys) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)


def test_every_module_that_shapes_an_image_is_a_part_of_its_identity() -> None:
    room = PROJECT / "flows" / "adapters" / "image"
    apart = {
        "__init__.py",
        "base_image.py",  # its recipe is a part of the hash of the base
        "carried.py",  # what it brings is known by the hash of the base and the key of the packages
        "golang.py",  # builds programs of this machine
        "image_tools.py",  # names the others
        "left_containers.py",  # removes what a kill left
    }
    modules = {f"flows/adapters/image/{path.name}" for path in room.glob("*.py")}
    shaping = modules - {f"flows/adapters/image/{name}" for name in apart}
    assert shaping <= set(image_tools.SHAPED_BY)
    assert all((PROJECT / path).is_file() for path in image_tools.SHAPED_BY)
