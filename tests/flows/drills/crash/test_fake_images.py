"""The image tools of a drill: what they build is a real image, and nothing is started."""

import json
from pathlib import Path

import pytest

from flows.adapters.image.container_engine import Container, Recipe
from flows.adapters.registry import layout, oci
from flows.adapters.registry.registry import Pulled
from flows.drills.crash.fake_images import NO_SERVICE, FakeEngine, images

RECIPE = Recipe("image", "scratch", {})
CONTAINER = Container("drill", 3000, "1g")


def built(folder: Path, content: bytes = b"a bento") -> FakeEngine:
    (folder / "context").mkdir(parents=True, exist_ok=True)
    (folder / "context" / "bento.tar").write_bytes(content)
    engine = FakeEngine(folder)
    engine.build(folder / "context", RECIPE)
    return engine


def manifest(folder: Path, tag: str) -> bytes:
    content = layout.manifest(folder, tag)
    assert content is not None
    return content


@pytest.mark.parametrize("content", [b"", b"a bento", b"x" * 1_000_000])
def test_the_image_holds_the_bento_as_its_only_layer(content: bytes, tmp_path: Path) -> None:
    tag = built(tmp_path, content).export("image", tmp_path / "layout", "one")
    assert tag == "one"
    [layer] = oci.parse_manifest(manifest(tmp_path / "layout", tag)).layers
    assert layout.blob(tmp_path / "layout", layer.digest) == content


def test_the_same_bento_gives_the_same_image_and_another_one_another(tmp_path: Path) -> None:
    digests = []
    for number, content in enumerate((b"a", b"a", b"b")):
        engine = built(tmp_path / str(number), content)
        engine.export("image", tmp_path / str(number) / "layout", "one")
        digests.append(layout.digest(tmp_path / str(number) / "layout", "one"))
    assert digests[0] == digests[1] != digests[2]


def test_an_image_that_is_exported_again_replaces_the_one_before(tmp_path: Path) -> None:
    built(tmp_path, b"a").export("image", tmp_path / "layout", "one")
    built(tmp_path, b"b").export("image", tmp_path / "layout", "two")
    assert list(layout.tags(tmp_path / "layout")) == ["two"]


def test_what_is_loaded_is_named_by_its_configuration(tmp_path: Path) -> None:
    engine = built(tmp_path)
    engine.export("image", tmp_path / "layout", "one")
    content = manifest(tmp_path / "layout", "one")
    config = oci.parse_manifest(content).config.digest
    pulled = Pulled(tmp_path / "layout", "one", oci.digest_of(content), config)
    assert engine.load(pulled) == config.removeprefix("sha256:")


def test_a_container_is_what_answers_at_the_address_that_was_given(tmp_path: Path) -> None:
    tools = images("numpy==2.0\n", "http://127.0.0.1:7")
    engine = tools.runner(tmp_path)
    assert engine is not None
    command = engine.prepare("image", CONTAINER)
    with engine.running(command, CONTAINER, tmp_path / "log", 1.0) as url:
        assert url == "http://127.0.0.1:7"
    engine.remove("drill")
    assert list(tmp_path.iterdir()) == []


def test_without_an_address_nobody_listens() -> None:
    engine = images("").runner(Path("unused"))
    assert isinstance(engine, FakeEngine)
    assert engine.url == NO_SERVICE == "http://127.0.0.1:1"


def test_a_bento_is_its_sources_under_name_and_version(tmp_path: Path) -> None:
    (tmp_path / "source" / "model").mkdir(parents=True)
    (tmp_path / "source" / "model" / "policy.toml").write_text("x")
    bento = images("").build_bento(tmp_path / "source", "attrition", "0123", tmp_path / "home")
    assert bento == tmp_path / "home" / "bentos" / "attrition" / "0123"
    assert (bento / "src" / "model" / "policy.toml").read_text() == "x"
    with pytest.raises(FileExistsError):
        images("").build_bento(tmp_path / "source", "attrition", "0123", tmp_path / "home")


def test_the_requirements_are_those_that_were_given(tmp_path: Path) -> None:
    assert images("numpy==2.0\n").requirements(tmp_path) == "numpy==2.0\n"


def test_the_configuration_is_that_of_a_linux_image(tmp_path: Path) -> None:
    built(tmp_path).export("image", tmp_path / "layout", "one")
    config = oci.parse_manifest(manifest(tmp_path / "layout", "one")).config
    assert json.loads(layout.blob(tmp_path / "layout", config.digest))["os"] == "linux"
