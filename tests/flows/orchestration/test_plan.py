"""A plan says HIT or MISS and why, does no step and writes nothing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support import releases
from support.releases import Story, Told

from flows.adapters.registry import layout, oci, registry
from flows.adapters.registry.layout import Layout
from flows.engine.perform import Plainly
from flows.engine.planned import Planned
from flows.engine.request import Request
from flows.engine.step import Step
from flows.orchestration.plan import LookUp, Missing, plan
from flows.steps.order import STEPS, TO_IMAGE

NEVER = "never done before with these inputs"


class Made(msgspec.Struct, frozen=True):
    """What a step of these tests puts out: its name."""

    name: str


Making = Step[[], Made]


def making(name: str, **inputs: str) -> Making:
    """A step that takes these inputs."""

    def work(folder: Path) -> Made:
        (folder / "name.txt").write_text(name)
        return Made(name)

    work.__module__ = f"flows.steps.{name}"
    return Step(name, name.capitalize(), Made, ("name.txt",), lambda: inputs, work)


def files(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*"))


@pytest.fixture
def released(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Request:
    """What is asked for again after a release, in a copy of its project."""
    story = releases.copy(promoted[0], tmp_path)
    releases.enter(story, tools)
    return releases.planned().request


@pytest.fixture
def request_here(released: Request, tmp_path: Path) -> Request:
    """The same on a machine where no step was ever done."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    settings = released.settings.model_copy(update={"home": home})
    return replace(released, settings=settings, live=None)


def misses(steps: tuple[Planned, ...]) -> dict[str, str]:
    return {planned.step: planned.cause for planned in steps if not planned.hit}


def test_a_step_that_was_never_done_is_a_miss_and_is_not_done(request_here: Request) -> None:
    look = LookUp(request_here)
    with pytest.raises(Missing):
        look.do(making("split", data="1"))
    assert look.seen == {"split": Planned("split", "Split", False, NEVER)}
    assert files(request_here.settings.home) == []


def test_a_step_that_was_done_is_a_hit_with_its_facts(request_here: Request) -> None:
    place = Plainly(request_here.settings.home, request_here.model)
    split, tune = making("split", data="1"), making("tune", data="1")
    kept = [place.do(split), place.do(tune)]
    before = files(place.home)
    look = LookUp(request_here)
    assert [look.do(split), look.again(tune)] == kept
    assert list(look.seen.values()) == [
        Planned("split", "Split", True, facts=Made("split")),
        Planned("tune", "Tune", True, facts=Made("tune")),
    ]
    assert files(place.home) == before


def test_a_miss_names_the_inputs_that_changed(request_here: Request) -> None:
    Plainly(request_here.settings.home, request_here.model).do(making("tune", data="1"))
    look = LookUp(request_here)
    with pytest.raises(Missing):
        look.do(making("tune", data="2", policy="1"))
    assert misses(tuple(look.seen.values())) == {"tune": "changed: data, policy"}


def test_without_the_cache_every_step_is_a_miss(request_here: Request) -> None:
    step = making("split", data="1")
    Plainly(request_here.settings.home, request_here.model).do(step)
    look = LookUp(replace(request_here, cache=False))
    with pytest.raises(Missing):
        look.do(step)
    assert misses(tuple(look.seen.values())) == {"split": "--no-cache"}


def test_a_plan_carries_out_no_action(request_here: Request) -> None:
    calls: list[str] = []
    with pytest.raises(Missing):
        LookUp(request_here).call("Note", calls.append, "a")
    assert calls == []


def test_what_comes_after_a_miss_waits_for_it(request_here: Request) -> None:
    known = plan(request_here)
    waiting = {step.name: "waits for what validate puts out" for step in STEPS}
    assert misses(known.steps) == {**waiting, "validate": NEVER}
    assert [planned.step for planned in known.steps] == [step.name for step in STEPS]
    assert (known.candidate, known.report, known.outcome, known.diff) == (None, None, None, "")
    assert files(request_here.settings.home) == []


def test_a_plan_without_the_cache_says_so_once(released: Request) -> None:
    known = plan(replace(released, cache=False))
    waiting = {step.name: "waits for what validate puts out" for step in STEPS}
    assert misses(known.steps) == {**waiting, "validate": "--no-cache"}


def test_a_plan_after_a_release_has_hits_alone_and_nothing_to_do(released: Request) -> None:
    known = plan(released)
    assert [planned.step for planned in known.steps if planned.hit] == [s.name for s in STEPS]
    assert known.outcome is not None
    assert (known.outcome.outcome, known.diff) == ("nothing to do", "")


def blob(released: Request, reference: str, part: int) -> Path:
    """The file of one part of a manifest in the registry."""
    place = released.place
    assert isinstance(place, Layout)
    parts = oci.parse_manifest(registry.manifest(place, reference)).parts
    return layout.blob_path(place.folder, parts[part].digest)


def untag(released: Request, tag: str) -> None:
    """Let a tag name nothing, as somebody does who tidies up by hand."""
    place = released.place
    assert isinstance(place, Layout)
    index = place.folder / "index.json"
    document = json.loads(index.read_text())
    name = "org.opencontainers.image.ref.name"
    kept = [one for one in document["manifests"] if one["annotations"][name] != tag]
    assert len(kept) < len(document["manifests"])
    index.write_text(json.dumps({**document, "manifests": kept}))


def manifest_gone(released: Request, tag: str) -> None:
    place = released.place
    assert isinstance(place, Layout)
    layout.blob_path(place.folder, str(registry.digest(place, tag))).unlink()


Losing = Callable[[Request, str], object]
GONE = "the registry does not have this image any more"
PART = "the registry does not have 1 part of this image any more"
BESIDE = "the registry does not have the model beside this image any more"
LOST: dict[str, tuple[Losing, str]] = {
    "everything": (lambda here, _: shutil.rmtree(here.settings.home / "registry"), GONE),
    "the index": (
        lambda here, _: (here.settings.home / "registry" / "attrition" / "index.json").unlink(),
        GONE,
    ),
    "the tag": (untag, GONE),
    "the manifest": (manifest_gone, GONE),
    "the configuration": (lambda here, tag: blob(here, tag, 0).unlink(), PART),
    "the last layer": (lambda here, tag: blob(here, tag, -1).unlink(), PART),
    "all parts": (
        lambda here, tag: [blob(here, tag, part).unlink() for part in (0, -1)],
        PART.replace("1 part", "2 parts"),
    ),
    "the tag of the model": (lambda here, tag: untag(here, f"{tag}.model"), BESIDE),
    "the manifest of the model": (lambda here, tag: manifest_gone(here, f"{tag}.model"), BESIDE),
    "a file of the model": (lambda here, tag: blob(here, f"{tag}.model", 1).unlink(), BESIDE),
    "the last file of the model": (
        lambda here, tag: blob(here, f"{tag}.model", -1).unlink(),
        BESIDE,
    ),
}


@pytest.mark.parametrize("case", LOST)
def test_whatever_the_registry_lost_of_an_image_is_a_miss_with_its_cause(
    case: str, released: Request
) -> None:
    before = plan(released)
    assert before.candidate is not None
    lose, cause = LOST[case]
    lose(released, before.candidate.tag)
    known = plan(released)
    assert misses(known.steps) == {"image": cause, "smoke": "waits for what image puts out"}
    assert known.outcome is None


def test_where_nothing_builds_images_a_plan_says_what_the_release_said(
    first: tuple[Story, Told], tools: str, tmp_path: Path
) -> None:
    releases.enter(releases.copy(first[0], tmp_path), tools)
    known = releases.planned()
    assert known.barred is not None
    assert known.barred.outcome == first[1].outcome["outcome"] == "no builder"
    assert known.barred.sentence == first[1].outcome["sentence"]
    assert known.candidate is not None
    somewhere = releases.with_builder(known.candidate).request
    assert plan(somewhere).barred is None


def test_a_plan_goes_on_to_the_step_that_a_change_moves(released: Request) -> None:
    releases.change_policy(released.settings.project, search={"trials": 3})
    known = releases.planned()
    hits = [planned.step for planned in known.steps if planned.hit]
    names = [step.name for step in STEPS]
    place = names.index("tune")
    assert hits == names[:place]
    later = names[place + 1 :]
    assert misses(known.steps) == {
        "tune": "changed: policy",
        **dict.fromkeys(later, "waits for what tune puts out"),
    }
    assert {step.name for step in TO_IMAGE} <= set(later)
