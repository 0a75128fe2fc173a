"""Two overlays of one model: each has its champion, its anchor and its history; what is in
quarantine is so in both.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support.git_repos import (
    FOUR,
    ONE,
    STATE,
    THREE,
    TWO,
    digest,
    document,
    edit,
    image,
    promotion,
    seeded,
)

from flows.adapters.registry.layout import Layout
from flows.cli.past.history import run_history
from flows.gitops import manifest_repo, pull_request, quarantine, rollback
from flows.gitops.events import chronicle
from flows.gitops.image_inventory import images
from flows.gitops.promotion import Promotion, promote, promotion_id
from flows.project import settings
from flows.project.settings import Settings
from sluice.gitops.history import live
from sluice.gitops.lineage import resolve

BACK = rollback.Request("attrition", "previous", "why")
STAGING = "overlays/staging/kustomization.yaml"


@pytest.fixture
def production(tmp_path: Path) -> Settings:
    os.environ |= {"SLUICE_HOME": str(tmp_path), "SLUICE_ACTOR": "anna"}
    return seeded(tmp_path)


@pytest.fixture
def staging(production: Settings) -> Settings:
    return production.model_copy(update={"overlay": "staging"})


def outcome(given: Settings, tag: str, number: int, against: str = "") -> str:
    return promote(given, promotion(tag, number, against)).outcome


def test_each_has_a_champion_and_an_anchor_of_its_own(
    production: Settings, staging: Settings
) -> None:
    assert outcome(staging, ONE, 1) == "committed"
    assert outcome(production, ONE, 1) == "committed"
    assert outcome(staging, TWO, 2, ONE) == "committed"
    assert (image(production)["newTag"], image(production, STAGING)["newTag"]) == (ONE, TWO)
    assert document(production, STATE)["tag"] == ONE
    assert document(production, "state/attrition/staging/champion.json")["tag"] == TWO
    assert document(production, "state/attrition/staging/anchor.json")["tag"] == ONE
    assert outcome(production, TWO, 2, ONE) == "committed"


def test_history_and_lineage_tell_what_is_live_in_the_one_that_is_asked_for(
    production: Settings, staging: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome(production, ONE, 1)
    outcome(staging, ONE, 1)
    outcome(staging, TWO, 2, ONE)
    edit(production, STAGING, by_hand=(TWO * 4, THREE * 4))
    found = [
        (live(events, "attrition"), resolve(events, "latest", "attrition", "").tag)
        for events in (chronicle(production), chronicle(staging))
    ]
    assert found == [(digest(ONE), ONE), (digest(THREE), TWO)]
    assert resolve(chronicle(production), TWO, "attrition", "").overlay == "staging"
    run_history(settings.load(), "attrition", None, 9, as_json=False)
    first, *_, hand, last = capsys.readouterr().out.splitlines()[1:]
    assert "release 1" in first
    assert first.endswith("live")
    assert hand.endswith("in staging")
    assert last.startswith("Live: release 1 of attrition")


def test_what_is_in_quarantine_is_so_in_both(production: Settings, staging: Settings) -> None:
    quarantine.add(staging, "attrition", digest(ONE), "wrong quarter")
    assert outcome(production, ONE, 1) == "quarantined"


def test_going_back_in_one_leaves_the_other(production: Settings, staging: Settings) -> None:
    for given in (production, staging):
        outcome(given, ONE, 1)
        outcome(given, TWO, 2, ONE)
    rollback.write(staging, rollback.plan(staging, BACK))
    assert (image(production)["newTag"], image(production, STAGING)["newTag"]) == (TWO, ONE)
    assert rollback.unfinished(production, "attrition", "previous") is None
    assert rollback.unfinished(staging, "attrition", "previous") is not None
    assert rollback.plan(production, BACK).bad.tag == TWO


def test_images_that_either_may_go_back_to_are_kept(
    production: Settings, staging: Settings
) -> None:
    from flows.adapters.registry import registry

    for tag in (ONE, TWO, THREE, FOUR):
        place = Layout(production.home / "registry" / "attrition")
        registry.push_files(
            place, tag, {"layer": tag.encode()}, "application/vnd.sluice.test.v1", {}
        )
    for given, tags in ((production, (ONE, TWO)), (staging, (THREE,))):
        for number, tag in enumerate(tags, 1):
            promote(given, really(given, tag, number, tags[number - 2] if number > 1 else ""))
    kept = {one.tag: one.kept for one in images(production, "attrition")}
    assert kept[ONE] == ("anchor", "rollback window")
    assert kept[TWO] == ("live in production", "champion", "rollback window")
    assert kept[THREE] == ("live in staging", "champion", "anchor", "rollback window")
    assert kept[FOUR] == ()


def really(given: Settings, tag: str, number: int, against: str) -> Promotion:
    """A release of the image that the registry has under this tag."""
    from flows.adapters.registry import registry

    wanted = promotion(tag, number, against)
    there = str(registry.digest(Layout(given.home / "registry" / "attrition"), tag))
    champion = msgspec.structs.replace(wanted.champion, digest=there)
    return replace(wanted, champion=champion)


def test_names_of_the_two_never_meet(production: Settings, staging: Settings) -> None:
    proposing = [given.model_copy(update={"mode": "branch"}) for given in (production, staging)]
    branches = [promote(given, promotion(ONE, 1)).branch for given in proposing]
    assert branches == [f"release/attrition/{ONE}", f"release/attrition/staging/{ONE}"]
    texts = [
        pull_request.write(given, promotion(ONE, 1), "Verdict", "evidence") for given in proposing
    ]
    assert [branch in text.read_text() for branch, text in zip(branches, texts, strict=True)] == [
        True,
        True,
    ]
    entry = promotion(ONE, 1).entry
    names = [
        promotion_id("attrition", entry, 1, manifest_repo.apart(given))
        for given in (production, staging)
    ]
    assert names[0] != names[1]


def test_a_verdict_that_was_given_for_one_is_told_as_such(
    production: Settings, staging: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.gitops.ledger import LEDGER
    from flows.gitops.writer import Change, write

    outcome(production, ONE, 1)
    said = (
        "Release 2 of attrition: hold\n\nHOLD.\n\nModel: attrition\nRelease: 2\nOutcome:"
        " hold\nVerdict: HOLD\n"
    )
    for number, name in enumerate(("production", "staging")):
        write(
            production,
            LEDGER,
            lambda _, n=number, o=name: Change({"x": str(n)}, f"{said}Overlay: {o}\n"),
        )  # type: ignore[misc]
    run_history(settings.load(), "attrition", None, 9, as_json=True)
    rows = [
        row for row in json.loads(capsys.readouterr().out)["events"] if row["kind"] == "verdict"
    ]
    assert [row["overlay"] for row in rows] == ["", "staging"]
