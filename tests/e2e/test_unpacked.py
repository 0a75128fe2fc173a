"""The model image without a container tool, as it is made in a pod: equal inputs, equal digest,
and what is started from it is the service itself.
"""

from pathlib import Path

import pytest
from support.model_artifacts import IMAGE_LABELS, IMAGE_TAG

from flows.adapters.image import image_contents, model_image
from flows.adapters.image.base_image import Base
from flows.adapters.image.model_image import Parts
from flows.adapters.image.unpacked import Unpacked
from flows.adapters.registry import oci, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.service_client import ask
from sluice.model.artifact.model_artifact import compare_golden, load_golden


@pytest.fixture(scope="module")
def parts(made: Path, built_base: Base, site: Path) -> Parts:
    return Parts(built_base, site, made)


@pytest.fixture(scope="module")
def unpacked(work: Path, parts: Parts) -> tuple[Layout, str]:
    """The place where the image lies, and its digest."""
    place = Layout(work / "unpacked-registry")
    engine = Unpacked(work / "unpacked")
    return place, model_image.build(engine, parts, place, IMAGE_TAG, IMAGE_LABELS)


def test_equal_inputs_give_the_same_digest(
    work: Path, parts: Parts, unpacked: tuple[Layout, str]
) -> None:
    place = Layout(work / "unpacked-again")
    engine = Unpacked(work / "unpacked-elsewhere")
    assert model_image.build(engine, parts, place, IMAGE_TAG, IMAGE_LABELS) == unpacked[1]


def test_it_is_started_as_the_one_of_a_container_tool(
    unpacked: tuple[Layout, str], built: tuple[Layout, str]
) -> None:
    """Layer for layer the same files, and the same way to start."""
    manifests = [oci.parse_manifest(registry.manifest(*one)) for one in (unpacked, built)]
    ours, theirs = (
        image_contents.started(registry.blob(one[0], manifest.config.digest))
        for one, manifest in zip((unpacked, built), manifests, strict=True)
    )
    assert ours == theirs
    assert len(manifests[0].layers) == len(manifests[1].layers)


def test_the_service_answers_the_golden_records(
    work: Path, artifact: Path, unpacked: tuple[Layout, str]
) -> None:
    engine = Unpacked(work / "unpacked")
    golden = load_golden(artifact)
    with model_image.smoke(engine, *unpacked) as url:
        assert compare_golden(golden, ask(url, golden.records)) < 1e-6
    assert not list((work / "unpacked" / "unpacked").glob("sluice-smoke-*"))
