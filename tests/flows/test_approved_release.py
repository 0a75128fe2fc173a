"""A release whose policy asks for approvals stops before its commit, and goes on by itself once
enough people approved what it would promote.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from support import environment
from support.approving import allow, train
from support.releases import (
    Story,
    change_policy,
    copy,
    enter,
    keep_image,
    path_without_builders,
    planned,
)
from support.signing import IDENTITY, commit, git, key, project_of, protect

from flows.adapters.git import git as adapter
from flows.adapters.server import free_port
from flows.audit import approvers, find_release
from flows.audit.lineage import lineage
from flows.audit.verify import Verified, verify
from flows.cli.releases.approvals import run_approvals
from flows.cli.releases.approve import run_approve
from flows.cli.releases.reject import run_reject
from flows.cli.releases.status import run_status
from flows.engine.outcome import Outcome
from flows.gitops import approvals as branch
from flows.orchestration.automations import ENDS
from flows.project import settings
from flows.project.root import ROOT
from flows.reject import reject
from flows.release import without_prefect
from sluice.errors import Refused
from sluice.gitops.trailers import read_trailers
from sluice.policy import ApprovalPolicy

POLICY = "models/attrition/policy.toml"
# A release that dies at a boundary, as by kill -9.
KILLED = """
import os, signal, sys
from flows.adapters import failpoints
from flows.release import without_prefect

def die(place):
    if place == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

failpoints.arm(die)
without_prefect("attrition", None, cache=True)
"""
Capsys = pytest.CaptureFixture[str]


def release() -> Outcome:
    """A release of the same steps without its page in Prefect, which takes longer to start."""
    return without_prefect("attrition", None, cache=True)


@dataclass(frozen=True)
class Scene:
    """A release that waits for two people; what it told, and the keys of those who may."""

    story: Story
    told: Outcome
    keys: dict[str, Path]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("held")
    keys = {name: key(folder, name) for name in ("anna", "berta", "maker")}
    tools = path_without_builders(folder / "bin")
    (folder / "bin" / "ssh-keygen").symlink_to("/usr/bin/ssh-keygen")
    with environment.kept():
        project = project_of(keys["anna"], folder / "project")
        allow(project, keys)
        change_policy(project, approvals={"required": 2})
        os.environ |= {"SLUICE_ACTOR": "bot", "GIT_AUTHOR_EMAIL": "maker@example.com"}
        commit(project, "what is released", None, "change.txt")
        story = Story(project, folder / "home")
        enter(story, tools)
        train()
        keep_image()
        return Scene(story, release(), keys)


@pytest.fixture
def scene(held: Scene, tmp_path: Path) -> Scene:
    """The same for one test alone. The project keeps its place: git worktrees are not needed."""
    story = copy(held.story, tmp_path)
    os.environ |= {
        **IDENTITY,
        "SLUICE_HOME": str(story.home),
        "SLUICE_PROJECT": str(story.project),
        "SLUICE_PROTECTED_REF": "main",
        "SLUICE_ACTOR": "bot",
        "SLUICE_WORKERS": "1",
        "SLUICE_TRACKING_URI": "",
        "PATH": str(held.story.home.parent / "bin"),
    }
    return Scene(story, held.told, held.keys)


def says(scene: Scene, name: str) -> settings.Settings:
    """The settings of a person who approves."""
    os.environ |= {
        "SLUICE_AUTHOR": f"{name} <{name}@example.com>",
        "SLUICE_SIGNING_KEY": str(scene.keys[name]),
    }
    given = settings.load()
    for variable in ("SLUICE_AUTHOR", "SLUICE_SIGNING_KEY"):
        del os.environ[variable]
    return given


def answered(scene: Scene) -> None:
    """Both approve, each on a machine without the steps of the release."""
    for name in ("anna", "berta"):
        given = says(scene, name)
        asked = branch.waiting(given, "attrition")
        assert asked is not None
        branch.answer(given, asked, "approve", given.signature)


def approved(scene: Scene) -> None:
    """Both approve, and the release goes on."""
    answered(scene)
    assert release().outcome == "promoted"


def live() -> str:
    """The tag in the newest commit of the manifest repo; empty where nothing was promoted."""
    given = settings.load()
    [(_, _, message), *_] = adapter.log(given.remote, given.branch)
    return read_trailers(message).get("Image", "")


def test_it_is_held_before_its_commit(scene: Scene) -> None:
    told = scene.told
    assert (told.exit_code, told.outcome) == (0, "held for approval")
    assert told.sentence.startswith("it waits for approvals: 0 of 2 approvals of evid")
    assert "`sluice approve attrition` approves it" in told.sentence
    assert live() == ""
    assert branch.waiting(settings.load(), "attrition") is not None


def test_plan_and_status_say_what_it_waits_for(scene: Scene, capsys: Capsys) -> None:
    plan = planned()
    assert plan.outcome is not None
    assert plan.outcome.outcome == "held for approval"
    assert all(step.hit for step in plan.steps)
    assert run_status(settings.load(), "attrition", as_json=False) == 0
    said = capsys.readouterr().out
    assert "Approvals" in said
    assert "release 1 waits: 0 of 2 approvals" in said
    assert "sluice approvals attrition" in said


def test_run_again_it_asks_nothing_anew(scene: Scene) -> None:
    before = adapter.tip(settings.load().remote, branch.BRANCH)
    again = release()
    assert again.outcome == "held for approval"
    assert adapter.tip(settings.load().remote, branch.BRANCH) == before


def test_the_second_approval_promotes(scene: Scene, capsys: Capsys) -> None:
    assert run_approve(says(scene, "anna"), "attrition", "", as_json=True) == 0
    first = json.loads(capsys.readouterr().out)
    assert ([one["who"] for one in first["approved"]], first["release"]) == (
        ["anna@example.com"],
        None,
    )
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        assert run_approve(says(scene, "berta"), "attrition", "", as_json=True) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["release"]["outcome"] == "promoted"
    given = settings.load()
    [(_, _, message), *_] = adapter.log(given.remote, given.branch)
    said = read_trailers(message)
    commits = [one["commit"] for one in second["approved"]]
    assert said["Approved"] == ", ".join(
        f"{name}@example.com in {made}"
        for name, made in zip(("anna", "berta"), commits, strict=True)
    )
    assert said["Approvers-Of"] == git(scene.story.project, "rev-parse", "main").strip()
    assert run_approvals(given, "attrition", as_json=False) == 0
    assert capsys.readouterr().out == "Nothing of attrition waits for approvals.\n"


def test_the_next_release_promotes_what_was_approved_elsewhere(scene: Scene) -> None:
    """Also where whoever approved last was killed before the commit."""
    answered(scene)
    assert release().outcome == "promoted"
    assert release().outcome == "nothing to do"


@pytest.mark.parametrize(
    ("place", "then"),
    [
        ("promotion.write.before", "promoted"),
        ("promotion.write/git.push.after", "nothing to do"),
    ],
)
def test_killed_between_approval_and_promotion_it_goes_on(
    place: str, then: str, scene: Scene
) -> None:
    answered(scene)
    killed = subprocess.run([sys.executable, "-c", KILLED, place], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert release().outcome == then
    given = settings.load()
    commits = [read_trailers(text) for _, _, text in adapter.log(given.remote, given.branch)]
    assert sum("Approved" in said for said in commits) == 1


def test_an_approval_of_the_maker_does_not_count(scene: Scene) -> None:
    with pytest.raises(Refused, match="the policy lets nobody approve their own"):
        run_approve(says(scene, "maker"), "attrition", "", as_json=True)


def test_a_rejection_ends_it(scene: Scene, capsys: Capsys) -> None:
    assert run_reject(says(scene, "anna"), "attrition", "one branch lacks", "", as_json=False) == 0
    assert "Rejected. Anna@example.com rejected" in capsys.readouterr().out
    told = release()
    assert (told.exit_code, told.outcome) == (3, "refused")
    assert "anna@example.com rejected the evidence" in told.sentence
    assert "one branch lacks" in told.sentence
    assert run_approvals(settings.load(), "attrition", as_json=True) == 3
    capsys.readouterr()
    assert run_status(settings.load(), "attrition", as_json=True) == 0
    said = json.loads(capsys.readouterr().out)["approvals"]
    assert said.startswith("release 1 does not wait any more: anna@example.com rejected the")
    assert live() == ""


def test_another_policy_makes_the_approvals_stale(scene: Scene, capsys: Capsys) -> None:
    """The evidence is made anew, so what was said of the other one counts no more."""
    answered(scene)
    change_policy(scene.story.project, gate={"margin": 0.09})
    train()
    keep_image()
    told = release()
    assert told.outcome == "held for approval"
    assert run_approvals(settings.load(), "attrition", as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["void"][:36] for one in said["void"]] == [
        "it is stale: the policy is " + said["waits"]["policy"][:9]
    ] * 2


def test_a_change_that_asks_fewer_people_is_judged_by_the_reviewed_number(scene: Scene) -> None:
    project = scene.story.project
    asks_two = (project / POLICY).read_text()
    protect(project, asks_two, POLICY)
    git(project, "checkout", "--quiet", "work")
    change_policy(project, approvals={"required": 0})
    train()
    keep_image()
    assert release().outcome == "held for approval"


class TestVerified:
    """What a promotion says of its approvals is held against what was signed."""

    def test_the_signed_commits_are_read_back(self, scene: Scene, capsys: Capsys) -> None:
        approved(scene)
        found = verified()
        assert found.problems == []
        assert found.checked["approvals"] == {"anna@example.com": 0, "berta@example.com": 0}
        traced = find_release.trace(settings.load(), "latest", "attrition")
        assert lineage(traced).approved.people["Approved"].startswith("anna@example.com in ")

    def test_who_writes_the_manifest_repo_alone_forges_none(
        self, scene: Scene, capsys: Capsys
    ) -> None:
        """They take the commit of a promotion and name people who said nothing in it."""
        approved(scene)
        given = settings.load()
        with adapter.clone(given.remote, branch.BRANCH) as repo:
            [(_, _, said), *_] = adapter.log(given.remote, branch.BRANCH)
            made = adapter.commit(repo, {"x": b"x"}, said, given.signature)
            adapter.push(repo, made)
        event = find_release.trace(given, "latest", "attrition").event
        told = dict(event.trailers)
        told["Approved"] = f"{told['Approved'].partition(',')[0]}, berta@example.com in {made}"
        found = approvers.read_back(
            given, replace(event, trailers=told), "production", ApprovalPolicy(2)
        )
        assert found is not None
        assert list(found.problems) == [
            f"the approval {made[:12]} of berta@example.com does not hold: its commit is not signed"
            f" by berta@example.com, or {told['Approvers-Of'][:12]} does not allow them",
            "1 people approved it; 2 are required",
        ]

    def test_a_promotion_that_names_nobody_is_found(self, scene: Scene, capsys: Capsys) -> None:
        approved(scene)
        event = find_release.trace(settings.load(), "latest", "attrition").event
        for gone in (("Approved",), ("Approved", "Approvers-Of")):
            told = {key: value for key, value in event.trailers.items() if key not in gone}
            found = approvers.read_back(
                settings.load(), replace(event, trailers=told), "production", ApprovalPolicy(2)
            )
            assert found is not None
            assert found.problems


def verified() -> Verified:
    given = settings.load()
    return verify(given, find_release.trace(given, "latest", "attrition"))


def test_in_prefect_it_can_be_rejected_and_not_approved(scene: Scene) -> None:
    asked = branch.waiting(settings.load(), "attrition")
    assert asked is not None
    other = reject.fn("attrition", "abcdef0", "it looks odd")
    assert other.name == "Refused"
    assert "evidence 'abcdef0' does not wait" in other.message
    assert reject.fn("attrition", asked.evidence, " ").name == "Failed"
    ended = reject.fn("attrition", asked.evidence, "it looks odd")
    assert (ended.name, ended.name in ENDS) == ("Rejected", True)
    told = release()
    assert told.outcome == "refused"
    assert "it looks odd (rejected in Prefect)" in told.sentence
    assert "not signed by anybody who may approve" in told.sentence
