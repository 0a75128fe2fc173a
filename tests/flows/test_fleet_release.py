"""The release of a fleet from end to end: what is new, what is replaced, what keeps its champion,
and one image that serves all of it by key.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import environment, fleets
from support.asgi import client
from support.fleets import COLUMN, NAME, OTHER, USUAL

from bento import process
from bento.answers import load_served
from bento.ops.settings import load
from flows.adapters.registry.layout import Layout
from flows.audit import find_release, reproduce, verify
from flows.cli.live.replay import Wanted, run_replay
from flows.cli.past.history import run_history
from flows.cli.past.lineage import run_lineage
from flows.cli.past.verify import run_verify
from flows.cli.releases.status import run_status
from flows.engine.outcome import Outcome
from flows.fleet import pipeline
from flows.gitops import manifest_repo
from flows.orchestration.fleet_plan import plan
from flows.project import settings
from sluice.errors import Refused, UsageError
from sluice.fleet.changes import KEPT, NEW, NONE, REPLACED, Changes
from sluice.gitops.state import Override
from sluice.identity import folder_hash
from sluice.served.scoring import load_model

LARGE = {"Bern": 2400, "Genf": 2400, "Lyon": 2400}
SMALL = {"Ulm": 60, "Zug": 9}
KEYS = [*LARGE, *SMALL]
TO_TEACH = ["validate", "split", "fleet-tune", "teach"]
TO_IMAGE = ["fleet-write", "judge", "fleet-join", "package", "image", "smoke"]


def changed(home: Path) -> Changes:
    """The table of the newest release."""
    content = (home / "evidence" / NAME / "changes.json").read_bytes()
    return msgspec.json.decode(content, type=Changes)


def became(home: Path) -> dict[str, str]:
    """What became of each model."""
    return {one.key: one.change for one in changed(home).models}


def artifact(home: Path) -> Path:
    """The artifact of the fleet that is live, in the store."""
    live = manifest_repo.live(settings.load(), NAME)
    assert live is not None and live.champion is not None
    for path in (home / "store" / "fleet-join").glob("*/model"):
        if folder_hash(path) == live.champion.model:
            return path
    raise AssertionError("the artifact is not in the store")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Outcome]]:
    """A project whose first fleet was released."""
    folder = tmp_path_factory.mktemp("fleet")
    fleets.write(folder / "project", fleets.table(LARGE | SMALL), KEYS)
    with environment.kept():
        os.environ |= {
            "SLUICE_HOME": str(folder / "home"),
            "SLUICE_PROJECT": str(folder / "project"),
            "SLUICE_WORKERS": "1",
            "SLUICE_TRACKING_URI": "",
        }
        (folder / "home").mkdir()
        yield folder, fleets.release()


def test_a_fleet_from_its_first_release_to_a_shop_that_changed(
    first: tuple[Path, Outcome],
) -> None:
    folder, outcome = first
    home = folder / "home"
    assert (outcome.outcome, outcome.verdict) == ("promoted", "PROMOTE"), outcome.sentence
    assert became(home) == dict.fromkeys(LARGE, NEW) | dict.fromkeys(SMALL, NONE)
    reasons = {one.key: one.sentence for one in changed(home).models}
    assert reasons["Zug"].startswith("its ")
    assert "of each are required" in reasons["Zug"]
    before = load_model(artifact(home))
    [key] = [column for column in before.contract.features if column.name == COLUMN]
    assert key.values == tuple(LARGE)
    traced = find_release.trace(settings.load(), "live", NAME)
    assert verify.verify(settings.load(), traced).problems == []
    with pytest.raises(UsageError, match="is a fleet by 'Shop'"):
        reproduce.reproduce(settings.load(), traced, None, print)

    # A plan says so, and does nothing.
    planned = plan(fleets.asked(), COLUMN)
    assert planned.outcome is not None and planned.outcome.outcome == "nothing to do"
    assert {step.step for step in planned.steps if step.hit} == set(TO_TEACH)
    assert all(step.hit for step in planned.steps)

    # Again: nothing is left to do, and no use of the holdout is spent.
    again = fleets.release()
    assert (again.outcome, again.release) == ("nothing to do", outcome.release)

    # What the registry loses of it is told by both, and by name.
    evidence = Layout(home / "registry" / NAME).folder / "blobs" / "sha256"
    evidence /= str(traced.event.trailers["Evidence-Hash"]).removeprefix("sha256:")
    kept = evidence.read_bytes()
    evidence.unlink()
    losing = plan(fleets.asked(), COLUMN).outcome
    assert losing is not None and (losing.outcome, losing.exit_code) == ("refused", 3)
    assert "does not have the evidence of this image any more. Copy what belongs" in losing.sentence
    refused = fleets.release()
    assert (refused.outcome, refused.exit_code) == ("refused", 3)
    assert losing.sentence.startswith(f"{refused.sentence}. Copy what belongs")
    evidence.write_bytes(kept)

    # Another world in one shop; in the others nothing is to be gained.
    rows = fleets.table(LARGE | SMALL, lambda shop: OTHER if shop == "Genf" else USUAL, seed=2)
    fleets.point(folder / "project", rows)
    ahead = plan(fleets.asked(), COLUMN)
    assert ahead.outcome is None
    assert not any(step.hit for step in ahead.steps)
    assert [step.step for step in ahead.steps] == [*TO_TEACH, *TO_IMAGE]
    second = fleets.release()
    assert second.outcome == "promoted", second.sentence
    told = became(home)
    assert told["Genf"] == REPLACED
    assert {told[shop] for shop in ("Bern", "Lyon")} == {KEPT}
    assert {told[shop] for shop in SMALL} == {NONE}
    after = load_model(artifact(home))
    assert after.threshold == before.threshold

    record = {f"F{number}": 0.3 for number in range(5)} | {"Way": "van"}
    records = [{COLUMN: shop, **record} for shop in LARGE]
    pairs = zip(before.score_records(records), after.score_records(records), strict=True)
    scores = dict(zip(LARGE, pairs, strict=True))
    assert scores["Bern"][0] == scores["Bern"][1]
    assert scores["Lyon"][0] == scores["Lyon"][1]
    assert abs(scores["Genf"][0] - scores["Genf"][1]) > 1e-3
    page = (home / "evidence" / NAME / "evidence.html").read_text(encoding="utf-8")
    assert "champion kept" in page
    assert "replaced by a better one" in page


def test_what_reads_a_release_reads_a_fleet(
    first: tuple[Path, Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    given, tag = settings.load(), first[1].tag

    def told(code: int) -> Any:
        assert code == 0
        return json.loads(capsys.readouterr().out)

    status = told(run_status(given, NAME, as_json=True))
    assert tag in json.dumps(status)
    history = told(run_history(given, NAME, None, 20, as_json=True))
    assert 1 in [event["release"] for event in history["events"] if event["kind"] == "release"]
    assert told(run_verify(given, "live", NAME, as_json=True))["problems"] == []
    lineage = told(run_lineage(given, "live", "", NAME, None, as_json=True))
    assert NAME in json.dumps(lineage)
    # The model trained last is none of a fleet; a release is named by its tag.
    replayed = told(run_replay(given, NAME, Wanted(candidate=tag), as_json=True))
    assert replayed["rows"] > 1000


def test_an_override_is_refused_because_it_names_no_model_of_a_fleet() -> None:
    pipeline.require_no_override("c" * 16, Override())
    with pytest.raises(UsageError, match="an override sets 'recall_floor' aside for cccc"):
        pipeline.require_no_override("c" * 16, Override(rule="recall_floor"))


def test_the_service_answers_by_key_and_refuses_a_key_without_a_model(
    first: tuple[Path, Outcome],
) -> None:
    served = load_served(artifact(first[0] / "home"), f"{NAME}:1", "")
    app, ends = process.start(served, load({}))
    record = {f"F{number}": 0.3 for number in range(5)} | {"Way": "van"}
    with client(app) as asking:
        known = asking.post("/predict", json={COLUMN: "Bern", **record})
        batch = asking.post("/predict_batch", json=[{COLUMN: key, **record} for key in LARGE])
        unknown = asking.post("/predict", json={COLUMN: "Zug", **record})
    for end in ends:
        end()
    assert known.status_code == 200
    expected = served.model.score_records([{COLUMN: key, **record} for key in LARGE])
    told = [one["probability"] for one in batch.json()]
    assert told == pytest.approx(expected.tolist())
    assert known.json()["probability"] == pytest.approx(told[0])
    assert len(set(told)) == len(LARGE)
    assert unknown.status_code == 400
    assert "Zug" in unknown.text
    assert "Bern" in unknown.text


@pytest.mark.usefixtures("first")
def test_what_cannot_be_kept_beside_new_models_is_refused() -> None:
    request = fleets.asked()
    with pytest.raises(Refused, match="has a model for each 'Shop', and --each is 'Way'"):
        pipeline.opponents_of(request, "Way")
    text = request.contract_text.replace("maximum = 9.0", "maximum = 8.0", 1)
    with pytest.raises(Refused, match=r"the contract changed since release \d: F0"):
        pipeline.opponents_of(replace(request, contract_text=text), COLUMN)
    assert pipeline.opponents_of(request, COLUMN).fleet is not None
