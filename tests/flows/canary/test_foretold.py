"""What the judge expects, found in a registry by the digests that both versions say they are."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flows.adapters import dsse
from flows.adapters.registry import registry
from flows.audit import statements
from flows.audit.statements import Wanted
from flows.canary.foretold import by_evidence, expected, nothing
from flows.canary.question import read_question
from flows.facts.replayed import Forecast
from flows.gitops.manifest_repo import images
from flows.project.settings import Settings
from sluice.canary.replay import Latency, Replayed, Share, Side
from sluice.canary.verdict import AS_BEFORE, Change, Expectation
from sluice.errors import SluiceError
from sluice.gitops.evidence import Evidence, write_evidence
from sluice.gitops.image_names import annotation
from sluice.gitops.lineage import tag_of
from sluice.gitops.statement import VERDICT, verdict

OLD, OLDER = f"sha256:{'1' * 64}", f"sha256:{'0' * 64}"
FORETOLD = Expectation(Change(0.07, 0.01))


def forecast(running: str, change: Expectation) -> Forecast:
    nobody = Share(0.0, 0.0, 1.0)
    side = Side(nobody, {}, ())
    found = Replayed(
        model="attrition",
        candidate="the candidate",
        running="1" * 16,
        source="a log",
        rows=1,
        refused=0,
        unfit=0,
        repeated=0,
        others=0,
        broken=0,
        agreement=nobody,
        change=0.0,
        tiers={},
        columns=(),
        units=(),
        said_running=side,
        said_candidate=side,
        latency_running=Latency(),
        latency_candidate=Latency(),
        expected=change,
        sentence="",
        within=True,
    )
    return Forecast(origin="log", running=running, day="2026-11-20", found=found)


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def released(given: Settings, *forecasts: Forecast | None) -> str:
    """The digest of an image that was released beside these; each has its evidence."""
    place = images(given, "attrition")
    made_of = {"model": "m", "code": "c"}
    noted = {annotation(name): value for name, value in made_of.items()}
    tag = tag_of(made_of)
    digest = registry.push_files(place, tag, {"image": b"layers"}, "application/image", noted)
    for at, one in enumerate(forecasts):
        document = None if one is None else msgspec.to_builtins(one)
        files = {"evidence.json": write_evidence(Evidence(forecast=document)).encode()}
        name = f"{tag}.evidence" if not at else f"{tag}.evidence-{at:08}"
        registry.push_files(place, name, files, "application/evidence", {})
    return digest


def test_the_evidence_beside_the_model_that_runs_is_meant(given: Settings) -> None:
    other = forecast(OLDER, Expectation(Change(0.2, 0.0)))
    canary = released(given, other, forecast(OLD, FORETOLD))
    find = by_evidence(given)
    assert find("attrition", canary, OLD) == FORETOLD
    assert find("attrition", canary, OLDER).flagged.change == 0.2
    assert find("attrition", canary, f"sha256:{'9' * 64}") == AS_BEFORE


def test_an_image_without_a_forecast_is_expected_to_change_nothing(given: Settings) -> None:
    assert by_evidence(given)("attrition", released(given, None), OLD) == AS_BEFORE


def test_what_a_replay_refused_is_expected_of_nobody(given: Settings) -> None:
    refused = forecast(OLD, FORETOLD)
    found = msgspec.structs.replace(refused.found, within=False)
    canary = released(given, msgspec.structs.replace(refused, found=found))
    assert by_evidence(given)("attrition", canary, OLD) == AS_BEFORE


def test_with_a_key_only_what_its_holder_signed_is_believed(given: Settings) -> None:
    """Whoever may push to the registry could foretell whatever they like."""
    canary = released(given, forecast(OLD, Expectation(Change(0.5, 0.0))), forecast(OLD, FORETOLD))
    place = images(given, "attrition")
    own, other = (dsse.read_key(dsse.new_key()) for _ in range(2))
    decided = next(
        registry.digest(place, name) for name in registry.tags(place) if ".evidence-" in name
    )
    assert by_evidence(given, own.public)("attrition", canary, OLD) == AS_BEFORE
    assert decided is not None
    stated = [Wanted("verdict", VERDICT, verdict({"Evidence-Hash": decided}))]
    statements.keep(place, own, "attrition", canary, stated)
    assert by_evidence(given, own.public)("attrition", canary, OLD) == FORETOLD
    assert by_evidence(given, other.public)("attrition", canary, OLD) == AS_BEFORE


def test_an_image_that_the_registry_does_not_have_is_told(given: Settings) -> None:
    with pytest.raises(SluiceError):
        by_evidence(given)("attrition", OLD, OLDER)


def test_evidence_never_changes_so_it_is_asked_for_once(given: Settings) -> None:
    canary = released(given, forecast(OLD, FORETOLD))
    find = by_evidence(given)
    assert find("attrition", canary, OLD) == FORETOLD
    for file in (given.home / "registry").rglob("*"):
        if file.is_file():
            file.unlink()
    assert find("attrition", canary, OLD) == FORETOLD


def test_what_a_question_says_itself_is_expected_and_nobody_is_asked() -> None:
    asked: dict[str, Any] = {"namespace": "a", "canary": "b", "stable": "c", "weight": 5}
    said = asked | {"expected": {"flagged": {"change": 0.1}}}
    question = read_question(json.dumps(said).encode())

    def never(*_: str) -> Expectation:
        raise AssertionError("it was asked")

    assert expected(question, "http://127.0.0.1:1", 0.0, 1.0, never).flagged.change == 0.1
    bare = read_question(json.dumps(asked).encode())
    assert expected(bare, "http://127.0.0.1:1", 0.0, 1.0, nothing) == AS_BEFORE
