"""One image for all tests that look at one: made once, from a copy of the sources."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.first_run import (  # noqa: F401
    changed,
    demo,
    evidence_after,
    held,
    released,
    scratch,
    second,
)
from support.model_artifacts import IMAGE_LABELS, IMAGE_TAG, PROJECT, small_artifact

from flows.adapters.image import base_image, bento, containers, image_tools, model_image, wheels
from flows.adapters.image.base_image import Base
from flows.adapters.image.image_tools import REAL
from flows.adapters.image.model_image import Parts
from flows.adapters.process import run
from flows.adapters.registry.layout import Layout


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for storages, which hold files that only their own tool removes everywhere."""
    folder = tmp_path_factory.mktemp("image")
    yield folder
    for storage in folder.glob("*/storage.conf"):
        run(
            ["buildah", "prune", "--all", "--force"],
            env=containers.environment(storage.parent),
            check=False,
        )


@pytest.fixture(scope="session")
def cache() -> Path:
    """What this machine keeps anyway: the base takes half a minute to build."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


@pytest.fixture(scope="session")
def project(work: Path) -> Path:
    """A copy of what an image is made from: somebody may be editing the files while these tests
    run.
    """
    for name in ("bento", "sluice"):
        shutil.copytree(
            PROJECT / name, work / "project" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copyfile(PROJECT / name, work / "project" / name)
    return work / "project"


@pytest.fixture(scope="session")
def artifact(work: Path) -> Path:
    return small_artifact(work / "model")


@pytest.fixture(scope="session")
def built_base(project: Path, cache: Path) -> Base:
    return base_image.ensure(project, cache, print)


@pytest.fixture(scope="session")
def site(project: Path, cache: Path) -> Path:
    return wheels.site_packages(project, cache, base_image.arch())


@pytest.fixture(scope="session")
def made(work: Path, project: Path, artifact: Path) -> Path:
    """The Bento."""
    return bento.build(project, artifact, IMAGE_TAG, work / "bentoml", name="attrition", tools=REAL)


@pytest.fixture(scope="session")
def built(work: Path, made: Path, built_base: Base, site: Path) -> tuple[Layout, str]:
    """The place where the image lies, and its digest."""
    place, state = Layout(work / "registry" / "attrition"), work / "state"
    engine = image_tools.builder(state)
    assert engine == containers.Containers("buildah", state)
    parts = Parts(built_base, site, made)
    return place, model_image.build(engine, parts, place, IMAGE_TAG, IMAGE_LABELS)
