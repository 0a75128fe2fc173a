"""An image that is adopted is the one that its inputs give; whatever else is under the tag is
refused, and stays where it is.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support import releases
from support.releases import Story, Told

from flows.adapters.image.container_engine import Command, Container, ContainerEngine, Recipe
from flows.adapters.registry import layout, oci, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.registry import Pulled
from flows.audit import known_images, verify
from flows.audit.known_images import Known
from flows.drills.gate.foreign_images import ForeignImage, Prepared, foreign_images, prepared
from flows.engine import image_identity, store
from flows.engine.store import Record
from flows.facts.imaged import Imaged, LayersFile
from flows.facts.step_files import LAYERS
from flows.steps.image import IMAGE
from sluice.errors import Refused
from sluice.model.json_file import read_json

FOREIGN = list(foreign_images())
PUSHED = [fault for fault in FOREIGN if "pushed" in fault.name]


@pytest.fixture
def there(first: tuple[Story, Told], tools: str, tmp_path: Path) -> Iterator[Prepared]:
    """A candidate whose image is yet to be made, where the drills' builder works."""
    releases.enter(releases.copy(first[0], tmp_path), tools)
    candidate = releases.planned().candidate
    assert candidate is not None
    (tmp_path / "state").mkdir()
    yield prepared(candidate, tmp_path / "state")


def make(there: Prepared, name: str = "made") -> Imaged:
    folder = there.candidate.request.settings.home / name
    folder.mkdir()
    return IMAGE.work(folder, there.candidate, there.packaged)


def named(fault: ForeignImage) -> str:
    return fault.name


def test_the_image_of_these_inputs_is_built_once_and_adopted_afterwards(there: Prepared) -> None:
    built, adopted = make(there), make(there, "again")
    assert (built.adopted, adopted.adopted) == (False, True)
    assert (built.digest, built.tag) == (adopted.digest, there.candidate.tag)


def test_what_the_registry_lost_of_an_image_is_put_back(there: Prepared) -> None:
    built = make(there)
    place = there.candidate.request.place
    assert isinstance(place, Layout)
    for number, part in enumerate(oci.parse_manifest(registry.manifest(place, built.tag)).parts):
        layout.blob_path(place.folder, part.digest).unlink()
        assert registry.missing(place, built.tag) == [part.digest]
        assert make(there, f"again {number}").digest == built.digest
        assert registry.missing(place, built.tag) == []


@pytest.mark.parametrize("fault", FOREIGN, ids=named)
def test_what_somebody_laid_there_is_refused_and_stays(
    fault: ForeignImage, there: Prepared
) -> None:
    fault.lay(there)
    place, tag = there.candidate.request.place, there.candidate.tag
    before = registry.digest(place, tag)
    with pytest.raises(Refused) as caught:
        make(there)
    wanted = "is not the one that these inputs give" if fault in PUSHED else "the Bento"
    assert wanted in caught.value.what
    assert registry.digest(place, tag) == before
    assert registry.digest(place, f"{tag}.model") is None
    assert list((there.candidate.request.settings.home / "containers").glob("smoke-*")) == []


def test_the_part_that_differs_is_named(there: Prepared) -> None:
    said = {}
    for fault in PUSHED:
        fault.lay(there)
        with pytest.raises(Refused) as caught:
            make(there, str(len(said)))
        said[fault.name.partition(": ")[2]] = caught.value.what.partition("give: ")[2]
        (there.candidate.request.settings.home / "registry" / "attrition" / "index.json").unlink()
    assert said == {
        "the model and no service": "another layer of service and model",
        "one line more in the service": "another layer of service and model",
        "another base": "it has 2 layers; 1 are required",
        "started in another way": "another configuration",
    }


@dataclass(frozen=True)
class Racing:
    """An engine, and somebody who pushes an image while it builds."""

    engine: ContainerEngine
    push: Callable[[], None]

    @property
    def state(self) -> Path:
        return self.engine.state

    def build(self, context: Path, recipe: Recipe) -> None:
        self.push()
        self.engine.build(context, recipe)

    def export(self, name: str, folder: Path, tag: str) -> str:
        return self.engine.export(name, folder, tag)

    def load(self, pulled: Pulled) -> str:
        return self.engine.load(pulled)

    def prepare(self, image: str, container: Container) -> Command:
        return self.engine.prepare(image, container)

    def running(
        self, command: Command, container: Container, log: Path, deadline: float
    ) -> AbstractContextManager[str]:
        return self.engine.running(command, container, log, deadline)

    def remove(self, container: str) -> None:
        self.engine.remove(container)


def test_who_was_faster_is_held_against_the_same_inputs(there: Prepared) -> None:
    request = there.candidate.request
    pushed: list[bool] = []

    def push() -> None:
        if not pushed:
            pushed.append(True)
            PUSHED[0].lay(there)

    def racing(state: Path) -> ContainerEngine:
        engine = request.tools.images.builder(state)
        assert engine is not None
        return Racing(engine, push)

    images = replace(request.tools.images, builder=racing)
    tools = replace(request.tools, images=images)
    candidate = replace(there.candidate, request=replace(request, tools=tools))
    with pytest.raises(Refused, match="is not the one that these inputs give"):
        make(replace(there, candidate=candidate))
    assert pushed


def trailers(there: Prepared) -> dict[str, str]:
    """What a commit that names the image under the tag would say of it."""
    request, tag = there.candidate.request, there.candidate.tag
    return {
        "Image": f"{request.image}:{tag}",
        "Image-Digest": str(registry.digest(request.place, tag)),
        "Verdict": "PROMOTE",
    }


def known(there: Prepared) -> Known:
    """What the machine knows on which the image was built."""
    built = LayersFile(made_of=dict(there.candidate.ingredients), below=(), started=_started(there))
    return Known(image_identity.code(), image_identity.served(), [built])


def _started(there: Prepared) -> str:
    make(there, "honest")
    folder = there.candidate.request.settings.home
    content = (folder / "honest" / LAYERS).read_bytes()
    (folder / "registry" / "attrition" / "index.json").unlink()
    return read_json(content, LayersFile, LAYERS).started


def wrong(there: Prepared, what: Known) -> set[str]:
    """The files of the image that verify names."""
    tag = there.candidate.tag
    found = verify.check(there.candidate.request.place, trailers(there), what).problems
    return {problem.file for problem in found if problem.file.endswith(f"image {tag}")}


@pytest.mark.parametrize("fault", PUSHED, ids=named)
def test_verify_sees_code_base_and_start_of_an_image_that_was_promoted_all_the_same(
    fault: ForeignImage, there: Prepared
) -> None:
    what = known(there)
    fault.lay(there)
    tag = there.candidate.tag
    seen = wrong(there, what)
    expected = {
        "the model and no service": f"bento/service.py in image {tag}",
        "one line more in the service": f"bento/service.py in image {tag}",
        "another base": f"base or packages of image {tag}",
        "started in another way": f"configuration of image {tag}",
    }
    assert expected[fault.name.partition(": ")[2]] in seen
    assert wrong(there, Known()) == set()


def test_verify_says_nothing_against_the_image_of_its_inputs(there: Prepared) -> None:
    what = known(there)
    make(there)
    assert wrong(there, what) == set()
    report = verify.check(there.candidate.request.place, trailers(there), what)
    assert {"service code", "base and packages"} <= report.checked.keys()
    other = Known("another", {}, ())
    report = verify.check(there.candidate.request.place, trailers(there), other)
    assert not {"service code", "base and packages"} & report.checked.keys()


def test_what_was_built_here_is_known_unless_its_record_was_altered(there: Prepared) -> None:
    home, candidate = there.candidate.request.settings.home, there.candidate
    record = Record("image", "0" * 32, {}, {}, {}, 0.0)
    store.keep(home, record, lambda folder: IMAGE.work(folder, candidate, there.packaged))
    [built] = known_images.here(home).built
    assert built.is_like(candidate.ingredients)
    assert not built.is_like({**candidate.ingredients, "base": "another"})
    (home / "store" / "image" / ("0" * 32) / LAYERS).write_text("{}")
    assert known_images.here(home).built == []


def test_a_layer_is_read_whole(there: Prepared, tmp_path: Path) -> None:
    digest = make(there).digest
    place = there.candidate.request.place
    [layer] = oci.parse_manifest(registry.manifest(place, digest)).layers
    files = verify.files_in(registry.pull_blob(place, layer.digest, tmp_path))
    assert known_images.strange_files(files, image_identity.served()) == {}
    stray = {**files, "srv/site-packages/sitecustomize.py": next(iter(files.values()))}
    assert known_images.strange_files(stray, image_identity.served()) == {
        "srv/site-packages/sitecustomize.py": "it is no part of a Bento"
    }
