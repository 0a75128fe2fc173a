"""Moving the anchor is one commit with who and why, and nothing else moves with it."""

import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from support.git_repos import (
    ONE,
    STATE,
    THREE,
    TWO,
    digest,
    document,
    edit,
    promotion,
    seeded,
    shown,
    tip,
)

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.cli.gating.anchor import run_anchor
from flows.cli.releases.status import run_status
from flows.engine.request import begin
from flows.gitops import anchor, manifest_repo, rollback
from flows.gitops.anchor import Approval
from flows.gitops.promotion import promote
from flows.gitops.writer import Written
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, UsageError
from sluice.gitops.trailers import read_trailers

ANCHOR = "state/attrition/anchor.json"


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """Three releases, the first of which is the anchor; the artifacts of the first two are in the
    registry.
    """
    os.environ |= {"SLUICE_HOME": str(tmp_path), "SLUICE_ACTOR": "anna"}
    given = seeded(tmp_path)
    for number, (tag, against) in enumerate([(ONE, ""), (TWO, ONE), (THREE, TWO)], 1):
        assert promote(given, promotion(tag, number, against)).outcome == "committed"
    place = registry.place(manifest_repo.image_name(given, "attrition"), given.home / "registry")
    for tag in (ONE, TWO):
        registry.push_files(
            place,
            f"{tag}.model",
            {"model.onnx": tag.encode()},
            "application/vnd.sluice.test.v1",
            {},
        )
    return given


def moved(given: Settings, to: str, why: str = "why") -> Written:
    approval = Approval(why, "berta@example.com", "c" * 40, "main at abc", ("recall: no worse",))
    return anchor.move(given, "attrition", anchor.find(given, "attrition", to), approval)


@pytest.mark.parametrize("named", [TWO, digest(TWO), TWO[:7]])
def test_one_commit_sets_the_anchor_and_nothing_else(named: str, given: Settings) -> None:
    before, champion = tip(given), shown(given, STATE)
    written = moved(given, named, "the contract\nis new.")
    assert (written.outcome, written.commit) == ("committed", tip(given))
    assert git.git("diff", "--name-only", before, "main", cwd=Path(given.manifest_url)).split() == [
        ANCHOR
    ]
    assert document(given, ANCHOR) == {
        "schema": 1,
        "tag": TWO,
        "digest": digest(TWO),
        "image": "sluice.local/attrition",
        "release": 2,
        "model": f"model of {TWO}",
        "recall": 0.75,
        "precision": 0.7,
        "reason": "the contract\nis new.",
    }
    assert shown(given, STATE) == champion
    [(_, _, message), *_] = git.log(given.manifest_url, "main")
    trailers = read_trailers(message)
    assert (trailers["Anchor"], trailers["Anchor-Before"], trailers["By"]) == (TWO, ONE, "anna")
    assert trailers["Reason"] == "the contract is new."
    assert trailers["Signer"] == "berta@example.com"
    assert trailers["Signed-Commit"] == "c" * 40
    assert trailers["Protected-Ref"] == "main at abc"
    assert "\n\n- recall: no worse\n\n" in message
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    assert msgspec.to_builtins(now.anchor) == document(given, ANCHOR)


def test_the_anchor_again_is_nothing_to_do(given: Settings) -> None:
    before = tip(given)
    assert moved(given, ONE).outcome == "already there"
    assert tip(given) == before


def test_what_was_approved_from_another_anchor_is_refused(given: Settings) -> None:
    """Somebody moved it in between: what was shown and signed is no longer what happens."""
    approval = Approval("why", "berta@example.com", "c" * 40, "main at abc")
    asked = anchor.find(given, "attrition", "champion")
    assert moved(given, TWO).outcome == "committed"
    before = tip(given)
    with pytest.raises(Refused, match=f"the anchor of attrition is {TWO} by now, not {ONE}"):
        anchor.move(given, "attrition", asked, approval)
    assert tip(given) == before


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ("champion", SluiceError, f"the registry has no {THREE}.model"),
        ("f" * 16, UsageError, "is no release of attrition"),
        ("1", UsageError, "is no release of attrition"),
    ],
)
def test_what_cannot_be_an_anchor_is_said(
    named: str, error: type[SluiceError], said: str, given: Settings
) -> None:
    before = tip(given)
    with pytest.raises(error, match=said):
        moved(given, named)
    assert tip(given) == before


def test_before_the_first_release_there_is_no_champion_to_anchor(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(UsageError, match="attrition has no champion"):
        anchor.find(seeded(tmp_path / "new"), "attrition", "champion")


def test_an_edit_that_a_person_made_beside_it_stays(given: Settings) -> None:
    edit(given, images=("images:\n", "# Ask Anna first.\nimages:\n"))
    assert moved(given, TWO).outcome == "committed"
    assert "# Ask Anna first." in shown(given, "overlays/production/kustomization.yaml")


def test_the_command_shows_it(given: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_anchor(settings.load(), "attrition", as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Release 1 is the anchor of attrition."
    assert moved(given, TWO).outcome == "committed"
    assert run_anchor(settings.load(), "attrition", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["anchor"]["tag"] == TWO


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"recall": 0.75', '"recall": 0.6'), "recall in state/attrition/anchor.json is 0.6; 0.75"),
        (('"precision": 0.7', '"precision": 0.9'), "precision in state/attrition/anchor.json is"),
        (('"model": "model of', '"model": "another of'), "model in state/attrition/anchor.json is"),
        ((f'"tag": "{ONE}"', f'"tag": "{TWO}"'), f"is {TWO}; {ONE} is required, as release 1"),
        ((digest(ONE), digest(TWO)), f"is {ONE}; {TWO} is required, as release 2"),
        ((digest(ONE), "sha256:" + "0" * 64), f"{digest(ONE)} is required, as release 1"),
        (('"release": 1', '"release": 2'), "release in state/attrition/anchor.json is 2; 1 is"),
        (('"image": "', '"image": "other.example/'), "image in state/attrition/anchor.json is"),
    ],
)
def test_a_record_that_its_release_did_not_write_is_refused(
    change: tuple[str, str], said: str, given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it decides or is shown: by a move, a release, a plan, and by `sluice anchor`."""
    edit(given, ANCHOR, anchor=change)
    with pytest.raises(Refused, match=re.escape(said)):
        anchor.find(given, "attrition", TWO)
    with pytest.raises(Refused, match=re.escape(said)):
        begin(given, real_tools(), "attrition")
    with pytest.raises(Refused, match=re.escape(said)):
        run_anchor(given, "attrition", as_json=True)
    assert run_status(given, "attrition", as_json=True) == 0
    assert said in json.loads(capsys.readouterr().out)["anchor_fault"]


def test_an_anchor_that_was_never_released_is_refused(given: Settings) -> None:
    """Whoever changes all that tells which release it is finds that out too."""
    text = shown(given, ANCHOR)
    strange = text.replace(ONE, "f" * 16).replace('"release": 1,', '"release": 9,')
    strange = strange.replace(digest(ONE), "sha256:" + "f" * 64)
    edit(given, ANCHOR, anchor=(text, strange))
    with pytest.raises(Refused, match="is 9; one of the history is required"):
        begin(given, real_tools(), "attrition")


def test_a_champion_goes_back_whatever_the_record_of_the_anchor_says(given: Settings) -> None:
    """An emergency waits for nobody to mend a file that it does not need."""
    edit(given, ANCHOR, anchor=('"recall": 0.75', '"recall": 0.6'))
    back = rollback.Request("attrition", "previous", "it misses people")
    assert rollback.write(given, rollback.plan(given, back)).outcome == "committed"
