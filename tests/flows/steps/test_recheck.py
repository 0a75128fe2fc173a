"""What a later run remembers of any step is not believed where a verdict rests on it.

The attacks on files are in `sluice drill`; here every fact of every step, one after the other.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from support import environment, releases
from support.releases import Story, Told

from flows.adapters.git import git
from flows.engine import store
from flows.engine.phases import Report
from flows.engine.store import Altered, Record, Result
from flows.facts.decided import Decided
from flows.facts.imaged import Imaged
from flows.facts.step_files import RECORD
from flows.steps import promote, recheck
from flows.steps.image import IMAGE
from flows.steps.order import STEPS, TO_IMAGE, AnyStep
from flows.steps.train import TRAIN
from sluice.errors import Refused

EVERY_FACT = [(step, field.name) for step in STEPS for field in msgspec.structs.fields(step.facts)]
DECIDING_FACT = [(step, name) for step, name in EVERY_FACT if step not in TO_IMAGE]


def named(value: AnyStep | str) -> str:
    return value if isinstance(value, str) else value.name


@pytest.fixture(scope="module")
def done(first: tuple[Story, Told], tools: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """All is done but the promotion."""
    own = releases.copy(first[0], tmp_path_factory.mktemp("done"))
    with environment.kept():
        releases.enter(own, tools)
        releases.keep_image()
    return own


@pytest.fixture
def here(done: Story, tools: str) -> Iterator[Story]:
    """The same, with every record put back afterwards."""
    releases.enter(done, tools)
    kept = {path: path.read_bytes() for path in (done.home / "store").rglob(RECORD)}
    yield done
    for path, content in kept.items():
        path.write_bytes(content)


def test_no_step_before_the_image_is_left_unlooked_at(here: Story) -> None:
    """What a report lists is all that may have been changed in the store."""
    before = [step.name for step in STEPS if step not in TO_IMAGE]
    assert [result.step for result in planned().results] == before


def planned() -> Report:
    report = releases.planned().report
    assert report is not None
    return report


def record_of(here: Story, step: AnyStep) -> Path:
    [path] = (here.home / "store" / step.name).glob(f"*/{RECORD}")
    return path


def other(value: Any) -> Any:
    """A value of the same type that is not this one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return {"PROMOTE": "HOLD", "HOLD": "PROMOTE"}.get(value, f"{value}0")
    if isinstance(value, dict):
        first = next(iter(value))
        return {**value, first: other(value[first])}
    return value + 1


def said(kind: type[msgspec.Struct], name: str) -> str | float:
    """Something, of a fact that may say nothing."""
    [field] = [one for one in msgspec.structs.fields(kind) if one.name == name]
    return "something" if str in get_args(field.type) else 1.0


def change(path: Path, name: str, kind: type[msgspec.Struct]) -> Record:
    """The record with another value of one fact, its hash as it was."""
    record = msgspec.json.decode(path.read_bytes(), type=Record)
    facts = msgspec.convert(record.facts, kind)
    value = getattr(facts, name)
    changed = {**record.facts, name: said(kind, name) if value is None else other(value)}
    forged = msgspec.structs.replace(record, facts=changed)
    path.write_bytes(msgspec.json.encode(forged))
    return forged


def test_nothing_was_changed(here: Story) -> None:
    report = planned()
    assert recheck.check(report) == report.decided
    assert report.decided.promotes


@pytest.mark.parametrize(("step", "name"), EVERY_FACT, ids=named)
def test_a_changed_fact_of_any_step_is_found_before_it_is_used(
    step: AnyStep, name: str, here: Story
) -> None:
    path = record_of(here, step)
    change(path, name, step.facts)
    with pytest.raises(Altered, match=f"step.json changed after {step.name} wrote it"):
        store.find(here.home, step.name, path.parent.name, step.facts)
    [seen] = [planned for planned in releases.planned().steps if planned.step == step.name]
    assert (seen.hit, seen.cause) == (False, f"step.json changed after {step.name} wrote it")


@pytest.mark.parametrize(("step", "name"), DECIDING_FACT, ids=named)
def test_nor_is_it_believed_with_the_hash_of_the_record_to_match(
    step: AnyStep, name: str, here: Story
) -> None:
    """A step behind it is done again, because its key takes the fact; or the check refuses."""
    path = record_of(here, step)
    store.write_record(path.parent, change(path, name, step.facts))
    report = releases.planned().report
    if report is None:
        assert (step.name, name) == ("train", "model")
        return
    with pytest.raises(Refused, match="anew"):
        recheck.check(report)


@pytest.mark.parametrize("name", ["tag", "digest", "reference"])
def test_no_promotion_takes_an_image_that_is_remembered_otherwise(name: str, here: Story) -> None:
    path = record_of(here, IMAGE)
    store.write_record(path.parent, change(path, name, Imaged))
    imaged = store.find(here.home, "image", path.parent.name, Imaged)
    assert imaged is not None
    with pytest.raises(Refused, match="the image is remembered as"):
        promote.promote(planned(), imaged, 1)


def test_a_release_ends_refused_where_the_gate_is_remembered_otherwise(here: Story) -> None:
    before = git.tip(str(here.home / "manifests.git"), "main")
    path = record_of(here, next(step for step in STEPS if step.name == "gate"))
    path.write_text(path.read_text().replace('"verdict": "PROMOTE"', '"verdict": "HOLD"'))
    told = releases.release()
    assert (told.code, told.outcome["outcome"]) == (3, "refused")
    assert told.outcome["sentence"] == "step.json changed after gate wrote it"
    assert told.steps["Decide"] == "refused"
    assert git.tip(str(here.home / "manifests.git"), "main") == before


@pytest.mark.parametrize("verdict", ["REJECT", "INSUFFICIENT", "HOLD", ""])
def test_no_promotion_writes_a_verdict_that_does_not_promote(verdict: str, here: Story) -> None:
    report = planned()
    facts = Decided(verdict, "why it is so", refresh=False)
    decision = report.decision
    decision = replace(decision, decided=replace(decision.decided, facts=facts))
    none = Imaged("", "", "", adopted=False)
    image: Result[Imaged] = Result("image", "", here.home, {}, {}, none, 0.0)
    sentence = f"the verdict is {verdict}: why it is so; PROMOTE is required"
    with pytest.raises(Refused, match=sentence):
        promote.promote(replace(report, decision=decision), image, 1)


def test_training_takes_the_winner_from_the_file_that_its_key_takes(
    here: Story, tmp_path: Path
) -> None:
    candidate = planned().candidate
    tuned, trained = candidate.tuned, candidate.trained
    facts = msgspec.structs.replace(tuned.facts, winner="gradient_boosting", parameters={})
    forged = replace(tuned, facts=facts)
    assert TRAIN.work(tmp_path, candidate.request, candidate.split, forged) == trained.facts
