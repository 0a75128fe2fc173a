"""A rollback with real images: the target is started before it goes live, and the whole takes
seconds.
"""

import json
import os
import resource
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support.clones import computed
from support.git_repos import TWO, document, go_back, promotion, seeded, tip
from support.model_artifacts import IMAGE_LABELS, IMAGE_TAG, small_artifact
from test_registry_http import serving

from flows.adapters.image import bento, image_tools, model_image
from flows.adapters.image.base_image import Base
from flows.adapters.image.containers import Containers
from flows.adapters.image.image_tools import REAL
from flows.adapters.image.model_image import Parts
from flows.adapters.registry import layout, registry
from flows.adapters.registry.layout import Layout
from flows.cli.past.images import run_images
from flows.gitops import smoke_released
from flows.gitops.promotion import promote
from flows.project import settings
from flows.project.settings import Settings
from flows.steps.smoke import check_service
from sluice.errors import SluiceError
from sluice.identity import folder_hash

OTHER = "e" * 16
ALL = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
STATE = "state/attrition/champion.json"


def release(
    given: Settings, tag: str, digest: str, artifact: Path, number: int, against: str = ""
) -> None:
    """Keep the artifact beside an image that is there, and promote it."""
    place = Layout(given.home / "registry" / "attrition")
    files = {path.name: path.read_bytes() for path in artifact.iterdir()}
    registry.push_files(place, f"{tag}.model", files, "application/vnd.sluice.model.v1", {})
    wanted = promotion(tag, number, against, model=folder_hash(artifact))
    champion = msgspec.structs.replace(wanted.champion, digest=digest)
    assert promote(given, replace(wanted, champion=champion)).outcome == "committed"


@pytest.fixture
def given(
    work: Path,
    project: Path,
    artifact: Path,
    built: tuple[Layout, str],
    built_base: Base,
    site: Path,
    tmp_path: Path,
) -> Settings:
    """Two releases of real images in one registry."""
    other = small_artifact(tmp_path / "other", 2)
    made = bento.build(project, other, OTHER, work / "bentoml", name="attrition", tools=REAL)
    engine, parts = Containers("buildah", work / "state"), Parts(built_base, site, made)
    digest = model_image.build(engine, parts, built[0], OTHER, IMAGE_LABELS)
    given = seeded(tmp_path / "home")
    (given.home / "registry").symlink_to(work / "registry")
    release(given, IMAGE_TAG, built[1], artifact, 1)
    release(given, OTHER, digest, other, 2, IMAGE_TAG)
    os.environ["SLUICE_HOME"] = str(given.home)
    return given


def test_the_target_is_started_and_asked_before_it_goes_live(
    given: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[float] = []
    start = smoke_released.start

    def timed(*arguments: object) -> int:
        began = computed(*ALL)
        agreed = start(*arguments)  # type: ignore[arg-type]
        spent.append(computed(*ALL) - began)
        return agreed

    monkeypatch.setattr(smoke_released, "start", timed)
    began = computed(*ALL)
    assert go_back(boot=True, as_json=True) == 0
    own = computed(*ALL) - began - sum(spent)
    assert own < 10
    out, err = capsys.readouterr()
    assert json.loads(out)["to"]["tag"] == IMAGE_TAG == document(given, STATE)["tag"]
    assert "50 golden records agree" in err
    print(f"computed for {sum(spent):.1f} s to start it, and for {own:.1f} s of our own work")


def test_an_image_that_answers_otherwise_does_not_go_live(given: Settings, artifact: Path) -> None:
    """Its artifact in the registry is the one that was recorded, and the image holds another
    model.
    """
    place, tag = Layout(given.home / "registry" / "attrition"), "d" * 16
    other = str(registry.digest(place, OTHER))
    layout.put_manifest(place.folder, tag, layout.manifest(place.folder, other) or b"")
    files = {path.name: path.read_bytes() for path in artifact.iterdir()}
    registry.push_files(place, f"{tag}.model", files, "application/vnd.sluice.model.v1", {})
    released = promotion(tag, 1, model=folder_hash(artifact)).champion
    released = msgspec.structs.replace(released, digest=other)
    with pytest.raises(SluiceError, match="golden"):
        smoke_released.start(given, released, image_tools.runner, check_service)


def test_a_registry_that_can_only_be_read_is_enough(
    tmp_path: Path, built: tuple[Layout, str], artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image comes from there, and is started; what is left is an image that was never looked
    at.
    """
    kept = {path.name: path.read_bytes() for path in artifact.iterdir()}
    with serving(tmp_path / "registry") as place:
        registry.push_files(
            place, f"{IMAGE_TAG}.model", kept, "application/vnd.sluice.model.v1", {}
        )
        other = registry.push_files(place, TWO, {"tag": b"2"}, "application/vnd.sluice.test.v1", {})
        digests = {
            IMAGE_TAG: registry.push_image(place, IMAGE_TAG, built[0].folder, built[1]),
            TWO: other,
        }
    files = {"rootdirectory": str(tmp_path / "registry" / "storage")}
    closed = {"storage": {"filesystem": files, "maintenance": {"readonly": {"enabled": True}}}}
    with serving(tmp_path / "closed", closed) as place:
        with pytest.raises(SluiceError, match="405"):
            registry.push_files(place, "new", {}, "application/vnd.sluice.test.v1", {})
        given = seeded(tmp_path / "home", registry=f"{place.host}/team")
        os.environ |= {"SLUICE_HOME": str(given.home), "SLUICE_REGISTRY": f"{place.host}/team"}
        for number, (tag, against) in enumerate([(IMAGE_TAG, ""), (TWO, IMAGE_TAG)], 1):
            wanted = promotion(tag, number, against, model=folder_hash(artifact))
            champion = msgspec.structs.replace(
                wanted.champion, image=str(place), digest=digests[tag]
            )
            promote(given, replace(wanted, champion=champion))
        assert go_back(boot=True, as_json=True) == 0
        assert document(given, STATE)["tag"] == IMAGE_TAG
        assert run_images(settings.load(), "attrition", as_json=True) == 0
    out, err = capsys.readouterr()
    assert "50 golden records agree" in err
    told, listed = out.split("}\n[", 1)
    assert json.loads(f"{told}}}")["outcome"] == "committed"
    assert [(one["tag"], one["quarantined"]) for one in json.loads(f"[{listed}")] == [
        (TWO, True),
        (IMAGE_TAG, False),
    ]


def test_a_dry_run_starts_nothing(given: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    before = tip(given)
    assert go_back(dry_run=True, boot=True) == 0
    assert "starting" not in capsys.readouterr().err
    assert tip(given) == before
