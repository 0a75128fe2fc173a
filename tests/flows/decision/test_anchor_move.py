"""The anchor moves with a signed file that names this very move, and not too far down."""

import datetime
import json
import os
from pathlib import Path

import pytest
from support.git_repos import ONE, THREE, TWO, document, promotion, seeded, tip
from support.signing import commit, git, key, project_of, protect, signer
from support.terminal import shown

from flows.adapters.git import git as adapter
from flows.adapters.registry import oci, registry
from flows.cli.gating.anchor import run_anchor_set
from flows.decision import anchor_move
from flows.gitops import manifest_repo
from flows.gitops.promotion import promote
from flows.gitops.writer import Written
from flows.project import settings
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, UsageError
from sluice.gitops.evidence import Evidence, write_evidence
from sluice.gitops.state import Override, Standing
from sluice.gitops.trailers import read_trailers
from sluice.model.quality.metrics_file import (
    Confusion,
    CrossValidation,
    Group,
    Intervals,
    Measures,
    Metrics,
    ScoredRows,
    Spread,
)

ANCHOR, FILE = "state/attrition/anchor.json", "overrides/attrition/anchor.toml"
TODAY = datetime.date(2026, 11, 20)
GOOD = (
    f'anchor = "{TWO}"\ninstead_of = "{ONE}"\nreason = "the contract is new"\n'
    "expires = 2099-12-24\n"
)
MEASURES = Measures(0.7, 0.7, 0.75, 0.7, 0.5, 0.8, 0.8, 0.2)


def metrics(north: float) -> Metrics:
    """Metrics of a release whose group `north` has this recall."""
    around = (0.0, 1.0)
    spread = Spread(0.8, 0.01, (0.8,))
    return Metrics(
        model="m",
        threshold=0.5,
        rows=ScoredRows(1, 1, 1, 1),
        holdout=MEASURES,
        intervals=Intervals(0.95, around, around, around, around),
        confusion=Confusion(1, 1, 1, 1),
        validation=MEASURES,
        cross_validation=CrossValidation(spread, spread),
        segments={"Site": {"north": Group(900, 300, north, 0.7, 0.5, around)}},
    )


@pytest.fixture
def anna(tmp_path: Path) -> Path:
    return key(tmp_path, "anna")


@pytest.fixture
def project(anna: Path, tmp_path: Path) -> Path:
    return project_of(anna, tmp_path / "project")


@pytest.fixture
def given(project: Path, tmp_path: Path) -> Settings:
    """A manifest repo that has no release yet, beside a project whose protected branch allows
    Anna.
    """
    os.environ |= {"SLUICE_HOME": str(tmp_path), "SLUICE_ACTOR": "bert"}
    return seeded(tmp_path, project=project, actor="bert")


def released(given: Settings, tag: str, number: int, against: str = "", **facts: object) -> None:
    """A release with its artifact in the registry; `north` is the recall of a group."""
    place = registry.place(manifest_repo.image_name(given, "attrition"), given.home / "registry")
    kind = "application/vnd.sluice.test.v1"
    registry.push_files(place, f"{tag}.model", {"model.onnx": tag.encode()}, kind, {})
    north = facts.pop("north", None)
    if isinstance(north, float):
        content = write_evidence(Evidence(model="attrition", metrics=metrics(north))).encode()
        name = f"{tag}.evidence"
        facts["evidence"] = registry.push_files(place, name, {"evidence.json": content}, kind, {})
    assert promote(given, promotion(tag, number, against, **facts)).outcome == "committed"


def moved(given: Settings, to: str = TWO) -> Written:
    told: list[str] = []
    return anchor_move.carry_out(
        given, anchor_move.prepare(given, "attrition", to), TODAY, told.append
    )


def two(given: Settings, **facts: object) -> None:
    """Two releases, the first of which is the anchor."""
    released(given, ONE, 1, north=0.8)
    released(given, TWO, 2, ONE, **{"north": 0.8, **facts})


def refused(given: Settings, said: str, error: type[SluiceError] = Refused) -> SluiceError:
    before = tip(given)
    with pytest.raises(error, match=said) as raised:
        moved(given)
    assert tip(given) == before
    return raised.value


def test_a_signed_file_moves_it_and_the_commit_says_who_and_how_far(
    given: Settings, project: Path, anna: Path
) -> None:
    two(given, recall=0.74)
    commit(project, GOOD, anna, FILE)
    assert moved(given).outcome == "committed"
    assert document(given, ANCHOR)["tag"] == TWO
    [(_, _, message), *_] = adapter.log(given.manifest_url, "main")
    trailers = read_trailers(message)
    assert (trailers["Signer"], trailers["By"]) == ("anna@example.com", "bert")
    assert trailers["Signed-Commit"] == git(project, "rev-parse", "HEAD").strip()
    assert trailers["Protected-Ref"] == f"main at {git(project, 'rev-parse', 'main')[:12]}"
    assert trailers["Reason"] == "the contract is new"
    assert "- recall 0.7500 to 0.7400, 0.0100 worse; at most 0.02 may be\n" in message
    assert "- recall of Site: north 0.8000 to 0.8000, no worse\n" in message


def test_a_reason_alone_moves_nothing(given: Settings) -> None:
    two(given)
    error = refused(given, f"needs a signature, and there is no {FILE}")
    assert f'anchor = "{TWO}", instead_of = "{ONE}"' in error.fix


def test_who_may_not_sign_moves_nothing(given: Settings, project: Path, tmp_path: Path) -> None:
    two(given)
    mallory = key(tmp_path, "mallory")
    for sign in (None, mallory):
        commit(project, f"{GOOD}# {sign}\n", sign, FILE)
        refused(given, "is signed by nobody whom")
    commit(project, signer("mallory", mallory), None, "overrides/allowed_signers")
    commit(project, f"{GOOD}# again\n", mallory, FILE)
    refused(given, "is signed by nobody whom")


def test_who_was_removed_moves_nothing(
    given: Settings, project: Path, anna: Path, tmp_path: Path
) -> None:
    two(given)
    commit(project, GOOD, anna, FILE)
    protect(project, signer("berta", key(tmp_path, "berta")))
    refused(given, "is signed by nobody whom")


def test_what_is_judged_says_nobody_who_may(given: Settings, project: Path, anna: Path) -> None:
    two(given)
    commit(project, GOOD, anna, FILE)
    git(project, "branch", "--force", "main", "work")
    refused(given, "main allows no signers")
    os.environ["SLUICE_PROTECTED_REF"] = ""
    with pytest.raises(Refused, match="needs a protected branch, and this project has none"):
        moved(given.model_copy(update={"protected_ref": ""}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((TWO, THREE), f"names anchor '{THREE}'"),
        ((ONE, THREE), f"is about instead_of '{THREE}'"),
        ((ONE, "none"), "is about instead_of 'none'"),
        (("2099-12-24", "2026-11-19"), "expires is 2026-11-19"),
        (("2099-12-24", '"soon"'), "expires is soon"),
        (('reason = "the contract is new"\n', ""), "lacks reason"),
        (("expires = 2099-12-24\n", ""), "lacks expires"),
        ((f'instead_of = "{ONE}"\n', ""), "lacks instead_of"),
        (
            (f'instead_of = "{ONE}"\nreason = "the contract is new"\n', ""),
            "lacks instead_of, reason",
        ),
        (("2099-12-24", ""), "is not TOML"),
    ],
)
def test_a_file_that_is_about_another_move_is_usage(
    change: tuple[str, str], said: str, given: Settings, project: Path, anna: Path
) -> None:
    two(given)
    commit(project, GOOD.replace(*change), anna, FILE)
    assert FILE in refused(given, said, UsageError).what


def test_a_file_moves_the_anchor_from_one_release_only(
    given: Settings, project: Path, anna: Path
) -> None:
    """Signed once, it does not bring the anchor back later."""
    two(given)
    released(given, THREE, 3, TWO, north=0.8)
    commit(project, GOOD, anna, FILE)
    assert moved(given).outcome == "committed"
    commit(project, GOOD.replace(ONE, TWO, 1).replace(f'"{TWO}"', f'"{THREE}"', 1), anna, FILE)
    assert moved(given, THREE).outcome == "committed"
    commit(project, GOOD, anna, FILE)
    refused(given, f"is about instead_of '{ONE}'", UsageError)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"recall": 0.72}, "recall 0.7500 to 0.7200, 0.0300 worse; at most 0.02 may be"),
        ({"precision": 0.67}, "precision 0.7000 to 0.6700, 0.0300 worse; at most 0.02 may be"),
        ({"north": 0.74}, "recall of Site: north 0.8000 to 0.7400, 0.0600 worse; at most 0.05"),
    ],
)
def test_no_signature_moves_it_beyond_the_bounds(
    facts: dict[str, float], said: str, given: Settings, project: Path, anna: Path
) -> None:
    two(given, **facts)
    commit(project, GOOD, anna, FILE)
    assert "[anchor] of the policy" in refused(given, said).fix


def test_a_policy_of_the_change_itself_widens_no_bound(
    given: Settings, project: Path, anna: Path
) -> None:
    two(given, recall=0.72)
    path = "models/attrition/policy.toml"
    wider = (project / path).read_text().replace("recall_fall = 0.02", "recall_fall = 0.2")
    assert wider != (project / path).read_text()
    commit(project, wider, anna, path)
    commit(project, GOOD, anna, FILE)
    refused(given, "falls too far behind the anchor")
    protect(project, wider, path)
    assert moved(given).outcome == "committed"


def test_what_the_registry_does_not_have_is_called_unknown(
    given: Settings, project: Path, anna: Path
) -> None:
    two(given, north=None)
    commit(project, GOOD, anna, FILE)
    move = anchor_move.prepare(given, "attrition", TWO)
    assert (
        "recall of Site: north is unknown: it was 0.8000, and the release that becomes the anchor"
        " has none" in move.shown
    )
    assert moved(given).outcome == "committed"


def test_evidence_that_is_broken_is_not_taken_for_none(given: Settings) -> None:
    two(given)
    for blob in (given.home / "registry").rglob("blobs/sha256/*"):
        if b'"segments"' in blob.read_bytes():
            blob.write_bytes(b"{}")
    with pytest.raises(oci.Broken):
        anchor_move.prepare(given, "attrition", TWO)


def test_after_a_contract_that_asks_other_questions_no_bound_holds(
    given: Settings, project: Path, anna: Path
) -> None:
    """The release was let through by a signed override of its own, and is signed once more."""
    standing = Standing(override=Override(rule="comparable", signer="anna@example.com"))
    two(given, recall=0.5, standing=standing)
    refused(given, f"there is no {FILE}")
    commit(project, GOOD, anna, FILE)
    assert moved(given).outcome == "committed"
    [(_, _, message), *_] = adapter.log(given.manifest_url, "main")
    assert "- the rule comparable was set aside for this release, so no bound holds\n" in message


def test_back_to_such_a_release_the_bounds_hold(given: Settings, project: Path, anna: Path) -> None:
    standing = Standing(override=Override(rule="comparable"))
    two(given, recall=0.5, standing=standing)
    released(given, THREE, 3, TWO, north=0.8)
    commit(project, GOOD.replace(TWO, THREE), anna, FILE)
    assert moved(given, THREE).outcome == "committed"
    commit(project, GOOD.replace(ONE, THREE), anna, FILE)
    refused(given, "falls too far behind the anchor")


def test_staging_has_a_file_of_its_own(given: Settings, project: Path, anna: Path) -> None:
    two(given)
    commit(project, GOOD, anna, FILE)
    staging = given.model_copy(update={"overlay": "staging"})
    promoted = promote(staging, promotion(TWO, 3))
    assert promoted.outcome == "committed", promoted
    released_there = anchor_move.prepare(staging, "attrition", TWO)
    assert released_there.path == "overrides/attrition/staging/anchor.toml"


def test_the_command_shows_how_far_it_falls_and_moves_it(
    given: Settings, project: Path, anna: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two(given, recall=0.74)
    with pytest.raises(Refused, match="needs a signature"):
        run_anchor_set(settings.load(), "attrition", TWO, as_json=False)
    assert "recall 0.7500 to 0.7400, 0.0100 worse; at most 0.02 may be" in capsys.readouterr().err
    commit(project, GOOD, anna, FILE)
    assert run_anchor_set(settings.load(), "attrition", TWO, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "committed"
    assert told["falls"][0] == "recall 0.7500 to 0.7400, 0.0100 worse; at most 0.02 may be"
    assert run_anchor_set(settings.load(), "attrition", TWO, as_json=False) == 0
    assert shown(capsys)[-1].startswith("Nothing to do: release 2 of attrition is the anchor")
