"""Where the policy asks for several people, as many stand behind a move of the anchor: the one who
signed the file, and others who say so in signed commits of their own.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.approving import TODAY, author
from support.git_repos import ONE, THREE, TWO, document, promotion, seeded, tip
from support.signing import commit, key, project_of, protect, signer

from flows.adapters.git import git as adapter
from flows.adapters.git.git import Author
from flows.adapters.registry import registry
from flows.cli.gating.anchor import run_anchor_approve, run_anchor_set
from flows.decision import anchor_move
from flows.decision.signature import REVOKED
from flows.gitops import approvals as branch
from flows.gitops import manifest_repo
from flows.gitops.promotion import promote
from flows.project import settings
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops.approvals import Count
from sluice.gitops.trailers import read_trailers

FILE, POLICY = "overrides/attrition/anchor.toml", "models/attrition/policy.toml"
GOOD = (
    f'anchor = "{TWO}"\ninstead_of = "{ONE}"\nreason = "the contract is new"\n'
    "expires = 2099-12-24\n"
)


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Path]:
    return {name: key(tmp_path, name) for name in ("anna", "berta", "mallory")}


@pytest.fixture
def project(people: dict[str, Path], tmp_path: Path) -> Path:
    """Anna and Berta may sign, two people have to, and Anna signed the move."""
    folder = project_of(people["anna"], tmp_path / "project")
    protect(folder, signer("anna", people["anna"]) + signer("berta", people["berta"]))
    asks(folder, 2)
    commit(folder, GOOD, people["anna"], FILE)
    return folder


@pytest.fixture
def given(project: Path, tmp_path: Path) -> Settings:
    """Two releases, the first of which is the anchor."""
    os.environ |= {"SLUICE_HOME": str(tmp_path), "SLUICE_ACTOR": "bot"}
    given = seeded(tmp_path, project=project, protected_ref="main")
    release(given, ONE, 1)
    release(given, TWO, 2, ONE)
    return given


def asks(project: Path, number: int) -> None:
    """The reviewed policy asks for so many people."""
    text = (project / POLICY).read_text().partition("\n[approvals]")[0]
    protect(project, f"{text}\n[approvals]\nrequired = {number}\n", POLICY)


def release(given: Settings, tag: str, number: int, against: str = "") -> None:
    place = registry.place(manifest_repo.image_name(given, "attrition"), given.home / "registry")
    kind = "application/vnd.sluice.test.v1"
    registry.push_files(place, f"{tag}.model", {"model.onnx": tag.encode()}, kind, {})
    assert promote(given, promotion(tag, number, against)).outcome == "committed"


def approved(given: Settings, who: Author, to: str = TWO) -> Count:
    move = anchor_move.prepare(given, "attrition", to)
    return anchor_move.approve(given, move, who, TODAY, [].append)


def moved(given: Settings) -> str:
    move = anchor_move.prepare(given, "attrition", TWO)
    return anchor_move.carry_out(given, move, TODAY, [].append).outcome


def refused(given: Settings, said: str) -> Refused:
    before = tip(given)
    with pytest.raises(Refused, match=said) as raised:
        moved(given)
    assert tip(given) == before
    assert document(given, "state/attrition/anchor.json")["tag"] == ONE
    return raised.value


def test_one_signature_is_not_enough_where_two_are_asked_and_two_people_are(
    given: Settings, people: dict[str, Path]
) -> None:
    error = refused(
        given, r"^1 of 2 approvals \(anna@example\.com\) of [0-9a-f]{12}; the policy asks"
    )
    assert error.fix == f"Let others read and approve it: `sluice anchor approve {TWO}`."
    count = approved(given, author("berta", people["berta"]))
    assert count.sentence == "2 of 2 approvals (anna@example.com, berta@example.com)"
    assert moved(given) == "committed"
    [(_, _, message), *_] = adapter.log(given.manifest_url, "main")
    [(commit_of_berta, *_)] = adapter.log(given.manifest_url, branch.BRANCH)
    told = read_trailers(message)
    assert told["Signer"] == "anna@example.com"
    assert told["Approved"] == f"berta@example.com in {commit_of_berta}"


def test_who_signed_the_file_is_one_person(given: Settings, people: dict[str, Path]) -> None:
    with pytest.raises(Refused, match=r"not count: anna@example\.com signed the file already"):
        approved(given, author("anna", people["anna"]))
    refused(given, "1 of 2 approvals .* signed the file already")


def test_who_may_not_sign_stands_behind_nothing(given: Settings, people: dict[str, Path]) -> None:
    for who in (author("mallory", people["mallory"]), author("berta", people["mallory"])):
        with pytest.raises(Refused, match="signed by nobody who may approve"):
            approved(given, who)
    with pytest.raises(UsageError, match="an approval is signed, and no key is set"):
        approved(given, author("berta", None))
    refused(given, "1 of 2 approvals")


def another_reason(given: Settings, people: dict[str, Path]) -> None:
    text = GOOD.replace("the contract is new", "it is more convenient")
    commit(given.project, text, people["anna"], FILE)


def another_champion(given: Settings, _people: dict[str, Path]) -> None:
    release(given, THREE, 3, TWO)


def another_policy(given: Settings, _people: dict[str, Path]) -> None:
    text = (given.project / POLICY).read_text().partition("\n[approvals]")[0]
    protect(given.project, f"{text}\n[approvals]\nrequired = 2 # still\n", POLICY)


def removed(given: Settings, people: dict[str, Path]) -> None:
    protect(given.project, signer("anna", people["anna"]))


def revoked(given: Settings, people: dict[str, Path]) -> None:
    protect(given.project, people["berta"].with_suffix(".pub").read_text(), REVOKED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (another_reason, "it is stale: the evidence is"),
        (another_champion, "it is stale: the champion is"),
        (another_policy, "it is stale: the policy is"),
        (removed, "its commit is signed by nobody who may approve"),
        (revoked, "its commit is signed by nobody who may approve"),
    ],
)
def test_what_was_approved_is_stale_by_name(
    given: Settings,
    people: dict[str, Path],
    change: Callable[[Settings, dict[str, Path]], None],
    said: str,
) -> None:
    assert approved(given, author("berta", people["berta"])).enough
    change(given, people)
    refused(given, f"1 of 2 approvals .*; one of berta <berta@example.com> does not count: {said}")


def test_an_approval_of_a_release_is_none_of_an_anchor(
    given: Settings, people: dict[str, Path]
) -> None:
    """The same hashes under another word count for nothing."""
    move = anchor_move.prepare(given, "attrition", TWO)
    signed, _ = anchor_move._signed(given, move, TODAY)
    asked = anchor_move._matter(given, move, signed).question
    branch.ask(given, asked)
    branch.answer(given, asked, "approve", author("berta", people["berta"]))
    refused(given, "1 of 2 approvals")


def test_where_one_person_is_asked_the_file_is_enough(
    given: Settings, people: dict[str, Path]
) -> None:
    asks(given.project, 1)
    with pytest.raises(UsageError, match="asks for 1 approvals, and the signature of the file"):
        approved(given, author("berta", people["berta"]))
    assert moved(given) == "committed"
    assert "Approved" not in adapter.log(given.manifest_url, "main")[0][2]


def test_as_people_type_it(
    given: Settings, people: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ |= {
        "SLUICE_AUTHOR": "berta <berta@example.com>",
        "SLUICE_SIGNING_KEY": str(people["berta"]),
        "SLUICE_SIGNING_FORMAT": "ssh",
    }
    assert run_anchor_approve(settings.load(), "attrition", TWO, as_json=False) == 0
    assert capsys.readouterr().out.strip().replace("\n", " ") == (
        "Approved. 2 of 2 approvals (anna@example.com, berta@example.com): `sluice anchor set"
        f" {TWO}` moves it."
    )
    assert run_anchor_set(settings.load(), "attrition", TWO, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "committed"
