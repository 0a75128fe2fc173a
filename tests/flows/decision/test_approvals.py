"""An approval counts for one evidence, one model, one place, by one person whom the protected
branch allows; everything else is told by name and counts for nothing.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import structs
from support.approving import (
    DIGEST,
    TODAY,
    TWO_PEOPLE,
    allow,
    answered,
    author,
    counted,
    names,
    question,
    voids,
)
from support.git_repos import seeded
from support.signing import Gpg, commit, key, project_of, protect, signer
from support.terminal import shown

from flows.adapters.git import git as adapter
from flows.cli.releases.approvals import run_approvals
from flows.cli.releases.reject import run_reject
from flows.decision import approvals, approved
from flows.decision.signature import KEYS, REVOKED, SIGNERS
from flows.gitops import approvals as branch
from flows.project import settings
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops.approvals import APPROVE, REJECT, message, read, statement
from sluice.policy import INCLUDED, ApprovalPolicy, load_policy

NOT_ALLOWED = "its commit is signed by nobody who may approve"


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Path]:
    return {name: key(tmp_path, name) for name in ("anna", "berta", "maker")}


@pytest.fixture
def project(people: dict[str, Path], tmp_path: Path) -> Path:
    folder = project_of(people["anna"], tmp_path / "project")
    allow(folder, people)
    commit(folder, "what is released", None, "change.txt")
    return folder


@pytest.fixture
def given(project: Path, tmp_path: Path) -> Settings:
    os.environ |= {"SLUICE_HOME": str(tmp_path), "SLUICE_ACTOR": "bot"}
    return seeded(tmp_path, project=project, actor="bot")


@pytest.fixture
def gpg(tmp_path: Path) -> Iterator[Gpg]:
    gpg = Gpg(tmp_path / "gnupg")
    yield gpg
    gpg.end()


def test_two_people_are_enough(given: Settings, people: dict[str, Path]) -> None:
    asked = question(given)
    answered(given, asked, author("anna", people["anna"]))
    one = counted(given, asked)
    assert (names(one), one.enough) == (["anna@example.com"], False)
    answered(given, asked, author("berta", people["berta"]))
    both = counted(given, asked)
    assert (names(both), both.enough) == (["anna@example.com", "berta@example.com"], True)


def test_the_same_person_counts_once_whichever_key_signed(
    given: Settings, project: Path, people: dict[str, Path], tmp_path: Path
) -> None:
    other = key(tmp_path, "other")
    lines = [signer("anna", people["anna"]), signer("anna", other)]
    protect(project, "".join(lines), SIGNERS)
    asked = question(given)
    first = answered(given, asked, author("anna", people["anna"]))
    answered(given, asked, author("anna", people["anna"]))
    answered(given, asked, author("somebody", other))
    found = counted(given, asked)
    assert names(found) == ["anna@example.com"]
    assert voids(found) == [f"anna@example.com approved it already, in commit {first[:12]}"] * 2


def test_a_key_for_ssh_and_one_of_openpgp_are_one_person(
    given: Settings, project: Path, people: dict[str, Path], gpg: Gpg
) -> None:
    gpg.make("Anna <Anna@example.com>")
    protect(project, gpg.public("Anna"), KEYS)
    asked = question(given)
    answered(given, asked, author("anna", people["anna"]))
    os.environ["GNUPGHOME"] = str(gpg.home)
    fingerprint = gpg.fingerprint("Anna")
    pgp = structs_author("Anna", fingerprint)
    answered(given, asked, pgp)
    found = counted(given, asked)
    assert names(found) == ["anna@example.com"]
    assert "approved it already" in voids(found)[0]


def structs_author(name: str, fingerprint: str) -> adapter.Author:
    return adapter.Author(f"{name} <{name}@example.com>", key=fingerprint, format="openpgp")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"champion": "sha256:" + "e" * 64}, "it is stale: the champion is eeeeeeeeeeee by now"),
        ({"policy": "b" * 64}, "it is stale: the policy is bbbbbbbbbbbb by now, and was aaaaaaaa"),
        ({"evidence": "sha256:" + "f" * 64}, "it is stale: the evidence is ffffffffffff by now"),
        ({"digest": "sha256:" + "c" * 64}, "it is about another image, dddddddddddd"),
        ({"release": 2}, "it is about another release, 1"),
    ],
)
def test_a_stale_approval_is_refused_by_name(
    changed: dict[str, object], said: str, given: Settings, people: dict[str, Path]
) -> None:
    asked = question(given)
    for name in ("anna", "berta"):
        answered(given, asked, author(name, people[name]))
    assert counted(given, asked).enough
    for _replay in range(5):
        now = counted(given, structs.replace(asked, **changed))
        assert not now.enough
        assert [void.startswith(said) for void in voids(now)] == [True, True]


def test_an_approval_of_staging_does_not_count_for_production(
    given: Settings, people: dict[str, Path]
) -> None:
    asked = question(given)
    staging = given.model_copy(update={"overlay": "staging"})
    there = structs.replace(asked, overlay="staging")
    for name in ("anna", "berta"):
        answered(staging, there, author(name, people[name]))
    assert voids(counted(given, asked)) == ["it is about another overlay, staging"] * 2


def test_an_approval_of_another_model_is_not_among_those_of_this_one(
    given: Settings, people: dict[str, Path]
) -> None:
    asked = question(given)
    other = structs.replace(asked, model="churn")
    for name in ("anna", "berta"):
        answered(given, other, author(name, people[name]))
    assert counted(given, asked).approved == ()


def test_a_commit_that_was_copied_to_the_file_of_other_evidence_speaks_of_its_own(
    given: Settings, people: dict[str, Path]
) -> None:
    """Who writes the branch moves files as they like: the statement is in what was signed."""
    asked = question(given)
    answered(given, asked, author("anna", people["anna"]))
    other = question(given, "other")
    branch.ask(given, other)
    with adapter.clone(given.remote, branch.BRANCH) as repo:
        folder = "attrition/production"
        [name] = adapter.names(repo, f"{folder}/{asked.evidence[7:23]}")
        content = adapter.file(repo, f"{folder}/{asked.evidence[7:23]}/{name}")
        assert content
        copied = {f"{folder}/{other.evidence[7:23]}/{name}": content}
        adapter.push(repo, adapter.commit(repo, copied, "Copy it\n", given.signature))
    found = counted(given, other)
    assert found.approved == ()
    assert voids(found)[0].startswith("it is stale: the evidence is")


def test_an_unsigned_approval_does_not_count(given: Settings) -> None:
    asked = question(given)
    answered(given, asked, author("anna", None))
    assert voids(counted(given, asked)) == [NOT_ALLOWED]


def test_a_stranger_does_not_count(given: Settings, tmp_path: Path) -> None:
    asked = question(given)
    answered(given, asked, author("anna", key(tmp_path, "stranger")))
    assert voids(counted(given, asked)) == [NOT_ALLOWED]


def test_who_was_removed_or_revoked_since_does_not_count(
    given: Settings, project: Path, people: dict[str, Path]
) -> None:
    asked = question(given)
    for name in ("anna", "berta"):
        answered(given, asked, author(name, people[name]))
    assert counted(given, asked).enough
    allow(project, {"anna": people["anna"]})
    assert voids(counted(given, asked)) == [NOT_ALLOWED]
    protect(project, people["anna"].with_suffix(".pub").read_text(), REVOKED)
    assert voids(counted(given, asked)) == [NOT_ALLOWED] * 2


def test_a_key_that_has_expired_does_not_count(
    given: Settings, project: Path, people: dict[str, Path]
) -> None:
    asked = question(given)
    answered(given, asked, author("anna", people["anna"]))
    protect(project, signer("anna", people["anna"], 'valid-before="20200101"'), SIGNERS)
    assert voids(counted(given, asked)) == [NOT_ALLOWED]


def test_a_signature_over_other_bytes_does_not_count(
    given: Settings, people: dict[str, Path]
) -> None:
    """The signature of an approval, put into a commit with the statement about other evidence."""
    first = question(given)
    signed = answered(given, first, author("anna", people["anna"]))
    other = question(given, "other")
    branch.ask(given, other)
    with adapter.empty(given.remote, branch.BRANCH) as repo:
        tip = adapter.fetch(repo, branch.BRANCH)
        content = adapter.git("cat-file", "commit", signed, bare=repo.path)
        said = message(statement(other, APPROVE, "anna <anna@example.com>"))
        forged = content.partition("\n\n")[0].replace(content.split("\n")[1], f"parent {tip}")
        made = subprocess.run(
            ["git", f"--git-dir={repo.path}", "hash-object", "-t", "commit", "-w", "--stdin"],
            input=f"{forged}\n\n{said}",
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        adapter.push(repo, made)
    assert NOT_ALLOWED in voids(counted(given, other))


def test_words_before_or_behind_a_statement_make_it_none(given: Settings) -> None:
    said = message(statement(question(given), APPROVE, "anna <anna@example.com>"))
    assert read(said) is not None
    for text in (f"Revert\n\n{said}", f"{said}\nCo-authored-by: x\n", said.replace("1", "2", 1)):
        assert read(text) is None


def test_who_made_the_release_approves_it_where_the_policy_says_so(
    given: Settings, people: dict[str, Path]
) -> None:
    asked = question(given)
    answered(given, asked, author("maker", people["maker"]))
    own = "maker@example.com made this release, and the policy lets nobody approve their own"
    assert voids(counted(given, asked)) == [own]
    assert names(counted(given, asked, ApprovalPolicy(1, INCLUDED))) == ["maker@example.com"]


def test_who_made_it_is_not_forgotten_where_the_question_is_rewritten(
    given: Settings, people: dict[str, Path]
) -> None:
    """The makers are in what was signed, too."""
    asked = question(given)
    answered(given, asked, author("maker", people["maker"]))
    assert counted(given, structs.replace(asked, makers=())).approved == ()


def test_makers_are_those_of_the_change_set(given: Settings, project: Path) -> None:
    os.environ |= {"GIT_AUTHOR_EMAIL": "Dora@example.com"}
    protect(project, "x = 1\n", "reviewed.toml")
    (project / "new.txt").write_text("1")
    subprocess.run(["git", "add", "--all"], cwd=project, check=True)
    os.environ |= {"GIT_AUTHOR_EMAIL": "Emil@example.com"}
    subprocess.run(["git", "commit", "--quiet", "--message", "New"], cwd=project, check=True)
    assert approvals.makers(given) == ("bot", "emil@example.com", "x@example.com")


def test_a_rejection_is_final(given: Settings, people: dict[str, Path]) -> None:
    asked = question(given)
    for name in ("anna", "berta"):
        answered(given, asked, author(name, people[name]))
    answered(given, asked, author("maker", people["maker"]), REJECT)
    found = counted(given, asked)
    assert not found.enough
    assert found.sentence.startswith("maker@example.com rejected the evidence ")
    with pytest.raises(Refused, match="was rejected, which is final"):
        answered(given, asked, author("anna", people["anna"]))
    with pytest.raises(Refused, match=": because"):
        approvals.require(given, asked, TWO_PEOPLE, TODAY)


def test_a_rejection_without_a_name_stops_it_too(given: Settings, people: dict[str, Path]) -> None:
    asked = question(given)
    answered(given, asked, author("prefect", None), REJECT)
    found = counted(given, asked)
    assert found.rejected is not None
    assert "not signed by anybody who may approve" in found.sentence
    assert counted(given, question(given, "other")).rejected is None


def test_two_people_at_the_same_moment_both_count(given: Settings, people: dict[str, Path]) -> None:
    asked = question(given)
    branch.ask(given, asked)

    def approve(name: str) -> str:
        return answered(given, asked, author(name, people[name]))

    with ThreadPoolExecutor(2) as pool:
        commits = list(pool.map(approve, ("anna", "berta")))
    assert len(set(commits)) == 2
    assert sorted(names(counted(given, asked))) == ["anna@example.com", "berta@example.com"]


def test_the_stricter_policy_holds(given: Settings, project: Path) -> None:
    """A change that lowers the number is judged by the one that was reviewed."""
    path = "models/attrition/policy.toml"
    own = load_policy((project / path).read_text()).approvals
    assert approvals.policy(given, "attrition", own).required == 0
    protect(project, (project / path).read_text() + "\n[approvals]\nrequired = 2\n", path)
    assert approvals.policy(given, "attrition", own) == ApprovalPolicy(2)
    included = ApprovalPolicy(3, INCLUDED)
    assert approvals.policy(given, "attrition", included) == ApprovalPolicy(3)
    staging = given.model_copy(update={"overlay": "staging"})
    assert approvals.policy(staging, "attrition", included).required == 0


def test_without_a_protected_branch_a_change_does_not_ask_for_nobody_in_itself(
    given: Settings,
) -> None:
    """What the newest release on the branch of the manifest repo had to have holds as well."""
    nowhere = given.model_copy(update={"protected_ref": "0" * 40})
    lowered, raised = ApprovalPolicy(0, INCLUDED), ApprovalPolicy(3, INCLUDED)
    assert approvals.policy(nowhere, "attrition", lowered) == lowered
    branch.ask(given, question(given))
    assert approvals.policy(nowhere, "attrition", lowered) == TWO_PEOPLE
    assert approvals.policy(nowhere, "attrition", raised) == ApprovalPolicy(3)
    assert approvals.policy(nowhere, "churn", lowered) == lowered
    with pytest.raises(Refused, match="nothing says who may approve: there was no commit before"):
        approvals.require(nowhere, question(given), TWO_PEOPLE, TODAY)


def test_without_a_protected_branch_nobody_can_say_who_may(given: Settings) -> None:
    asked = question(given)
    os.environ["SLUICE_PROTECTED_REF"] = "0" * 40
    with pytest.raises(Refused, match="nothing says who may approve"):
        counted(settings.load().model_copy(update={"home": given.home}), asked)


def test_what_waits_is_asked_once(given: Settings) -> None:
    asked = question(given)
    for _run in range(2):
        approvals.require(given, asked, TWO_PEOPLE, TODAY)
    assert len(adapter.log(given.remote, branch.BRANCH)) == 1
    assert branch.waiting(given, "attrition") == asked


def test_nobody_signs_what_the_registry_does_not_have(
    given: Settings, people: dict[str, Path]
) -> None:
    for changed, said in (
        ({"evidence": DIGEST}, "the registry has no evidence dddddddddddd"),
        ({"policy": "b" * 64}, "is about another model or policy than the question"),
    ):
        branch.ask(given, structs.replace(question(given), **changed))
        with pytest.raises(Refused, match=said):
            approved.require_waiting(given, "attrition", "", TODAY)


def test_other_evidence_than_was_read_is_not_approved(
    given: Settings, people: dict[str, Path]
) -> None:
    asked, other = question(given), question(given, "other")
    branch.ask(given, asked)
    read_it = approved.require_waiting(given, "attrition", "", TODAY).question
    branch.ask(given, other)
    with pytest.raises(Refused, match="does not wait; that of release 1 is"):
        approved.require_waiting(given, "attrition", asked.evidence, TODAY)
    with pytest.raises(Refused, match="does not wait any more"):
        branch.answer(given, read_it, APPROVE, author("anna", people["anna"]))


def test_an_approval_without_a_key_is_usage(given: Settings) -> None:
    asked = question(given)
    branch.ask(given, asked)
    with pytest.raises(UsageError, match="an approval is signed, and no key is set"):
        approved.approve(given, asked, TODAY)


def test_who_may_not_approve_is_told(given: Settings, tmp_path: Path) -> None:
    asked = question(given)
    branch.ask(given, asked)
    stranger = given.model_copy(update={"signing_key": str(key(tmp_path, "stranger"))})
    with pytest.raises(Refused, match=f"and does not count: {NOT_ALLOWED}"):
        approved.approve(stranger, asked, TODAY)


def test_people_are_shown_what_waits_and_who_said_what(
    given: Settings, people: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question(given)
    answered(given, asked, author("anna", people["anna"]))
    answered(given, asked, author("maker", people["maker"]))
    assert run_approvals(given, "attrition", as_json=False) == 0
    said = shown(capsys)
    assert said[0] == "Waits release 1 of attrition, for production"
    assert f"Evidence {asked.evidence}" in said
    assert any(line.startswith("Approved anna@example.com, 20") for line in said)
    assert any(line.endswith("lets nobody approve their own") for line in said)
    assert said[-1] == (
        "1 of 2 approvals (anna@example.com). Read it, then `sluice approve attrition --evidence"
        f" {asked.evidence[7:19]}`, or `sluice reject attrition --reason TEXT`."
    )
    assert run_reject(given, "attrition", "it is old", "", as_json=False) == 0
    assert "not signed by anybody who may approve" in shown(capsys)[-1]
    assert run_approvals(given, "attrition", as_json=True) == 3
    assert json.loads(capsys.readouterr().out)["rejected"]["reason"] == "it is old"


def test_an_override_is_approved_with_the_evidence_that_rests_on_it(
    given: Settings, people: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """As many people as the policy asks for stand behind it, and what they said before it was there
    is stale.
    """
    before = question(given)
    for name in ("anna", "berta"):
        answered(given, before, author(name, people[name]))
    assert counted(given, before).enough
    told = "rule better is waived: the audit asks for it"
    waived = question(given, "waived", override=told)
    assert names(counted(given, waived)) == []
    assert all(
        void.startswith("it is stale: the evidence is") for void in voids(counted(given, waived))
    )
    answered(given, waived, author("anna", people["anna"]))
    assert run_approvals(given, "attrition", as_json=False) == 0
    assert "Override rule better is waived: the audit asks for it" in shown(capsys)
    assert not counted(given, waived).enough
    answered(given, waived, author("berta", people["berta"]))
    assert counted(given, waived).enough


def test_nothing_waits(given: Settings) -> None:
    assert approved.waiting(given, "attrition", TODAY) is None
    with pytest.raises(UsageError, match="nothing of attrition waits for approvals"):
        approved.require_waiting(given, "attrition", "", TODAY)
