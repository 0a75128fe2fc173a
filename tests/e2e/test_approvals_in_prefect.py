"""A release that waits for people, in the pages of Prefect: it says what it waits for and how to
approve. An approval that is stale counts nowhere, however often it is given again. What is refused
in a form there ends for good, with its reason in git; what people sign goes live.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect
from support import environment, prefect_form
from support.approving import allow, train
from support.browser import CHROMIUM, chromium, foreign
from support.prefect_up import Up, listening, running, told_of
from support.releases import Story, change_policy, enter, keep_image, path_without_builders
from support.signing import IDENTITY, commit, key, project_of

from flows.adapters import process
from flows.adapters.git import git
from flows.cli.releases.approve import run_approve
from flows.gitops import approvals as branch
from flows.project import settings
from flows.release import without_prefect
from sluice.errors import Refused
from sluice.gitops.trailers import read_trailers

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")
_REPLAYS = 5
_REASON = "The new office is not in these data"


@dataclass(frozen=True)
class Scene:
    """Servers, a browser on them, the keys of those who may approve, what was asked first, and the
    PATH of a release.
    """

    up: Up
    page: Page
    keys: dict[str, Path]
    first: str
    tools: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Evidence that Anna approved, and that is stale since: the policy was changed after that."""
    folder = tmp_path_factory.mktemp("people")
    keys = {name: key(folder, name) for name in ("anna", "berta")}
    tools = path_without_builders(folder / "bin")
    (folder / "bin" / "ssh-keygen").symlink_to(str(shutil.which("ssh-keygen")))
    with environment.kept():
        story = _story(folder, keys, tools)
        first = _asked()
        branch.answer(settings.load(), first, "approve", _signed(keys["anna"]).signature)
        change_policy(story.project, gate={"margin": 0.09})
        train()
        keep_image()
    given = {
        **IDENTITY,
        "GIT_AUTHOR_EMAIL": "maker@example.com",
        "SLUICE_ACTOR": "bot",
        "SLUICE_PROTECTED_REF": "main",
    }
    with (
        listening() as webhook,
        running(story, webhook, tools, folder / "namesakes", **given) as up,
        chromium() as browser,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        asked = foreign(page)
        yield Scene(up, page, keys, first.evidence, tools)
        assert asked == []


def _story(folder: Path, keys: dict[str, Path], tools: str) -> Story:
    """A project whose policy asks for two people; this process plays in it."""
    project = project_of(keys["anna"], folder / "project")
    allow(project, keys)
    change_policy(project, approvals={"required": 2})
    commit(project, "what is released", None, "change.txt")
    story = Story(project, folder / "home")
    _enter(story, tools)
    return story


def _enter(story: Story, tools: str) -> None:
    os.environ |= {
        **IDENTITY,
        "GIT_AUTHOR_EMAIL": "maker@example.com",
        "SLUICE_ACTOR": "bot",
        "SLUICE_PROTECTED_REF": "main",
    }
    enter(story, tools)


def _asked() -> Any:
    """What a release asks that was made as far as the image."""
    train()
    keep_image()
    assert without_prefect("attrition", None, cache=True).outcome == "held for approval"
    asked = branch.waiting(settings.load(), "attrition")
    assert asked is not None
    return asked


def _signed(path: Path) -> settings.Settings:
    name = path.name
    changed = {"author": f"{name} <{name}@example.com>", "signing_key": str(path)}
    return settings.load().model_copy(update=changed)


@contextmanager
def playing(scene: Scene) -> Iterator[None]:
    """This process in the story of the servers."""
    with environment.kept():
        _enter(scene.up.story, scene.tools)
        yield


def waits(scene: Scene) -> str:
    """The hash of the evidence that waits, in short."""
    listed = json.loads(typed(scene, "anna", "approvals", "attrition", "--json").stdout)
    return str(listed["waits"]["evidence"]).removeprefix("sha256:")[:12]


def typed(scene: Scene, name: str, *words: str) -> process.Result:
    """A command of a person, who signs."""
    who = [f"SLUICE_AUTHOR={name} <{name}@example.com>", f"SLUICE_SIGNING_KEY={scene.keys[name]}"]
    env, dashes, *others = scene.up.words
    return process.run([env, dashes, *who, *others, *words], check=False)


def begun(scene: Scene, deployment: str, **fields: str) -> "FlowRun":
    """A run that is begun in the form of a deployment, with these fields by what the form says of
    them; its end.
    """
    scene.page.goto(f"{scene.up.url}/deployments")
    prefect_form.open_of(scene.page, deployment)
    made = prefect_form.sent(scene.page, **fields)
    return scene.up.until(scene.up.client.read_flow_run(made), seconds=300)


def shown(scene: Scene, run: "FlowRun", state: str, file: Path) -> Page:
    """The page of a run, which says how it ended."""
    scene.page.goto(f"{scene.up.url}/runs/flow-run/{run.id}")
    expect(scene.page.get_by_text(state, exact=True).first).to_be_visible()
    scene.page.wait_for_timeout(500)
    scene.page.screenshot(path=file, full_page=True)
    return scene.page


def artifact(page: Page, name: str, heading: str, file: Path) -> None:
    """An artifact with this heading, opened from the page of its run."""
    page.get_by_role("tablist").get_by_text("Artifacts", exact=True).click()
    page.get_by_text(name, exact=True).first.click()
    page.wait_for_url("**/artifacts/artifact/*")
    expect(page.get_by_role("heading", name=heading).first).to_be_visible()
    page.wait_for_timeout(300)  # it fades in
    page.screenshot(path=file, full_page=True)


def what_waits_is_shown_with_how_to_approve_it(scene: Scene, pictures: Path) -> None:
    run = begun(scene, "attrition-release")
    assert run.state is not None
    assert (run.state.name, run.state.type.value) == ("Held for approval", "CANCELLED")
    page = shown(scene, run, "Held for approval", pictures / "waits.png")
    assert waits(scene) not in scene.first
    artifact(page, "attrition-verdict", "PROMOTE: attrition", pictures / "evidence.png")
    page = shown(scene, run, "Held for approval", pictures / "waits.png")
    artifact(page, "attrition-outcome", "How it goes on", pictures / "how.png")
    for word in ("sluice approve attrition", "attrition-reject"):
        expect(page.get_by_text(word, exact=True).last).to_be_visible()
    expect(page.get_by_text(re.compile(waits(scene))).first).to_be_visible()


def a_stale_approval_is_refused_by_name_each_time(scene: Scene) -> None:
    stale = scene.first.removeprefix("sha256:")[:12]
    refused = typed(scene, "anna", "approve", "attrition", "--evidence", stale)
    assert refused.code == 3, refused.stdout + refused.stderr
    assert f"evidence '{stale}' does not wait" in refused.stderr
    with playing(scene):
        for _ in range(_REPLAYS - 1):
            with pytest.raises(Refused, match=f"evidence '{stale}' does not wait"):
                run_approve(_signed(scene.keys["anna"]), "attrition", stale, as_json=True)
    after = json.loads(typed(scene, "anna", "approvals", "attrition", "--json").stdout)
    [void] = after["void"]
    assert void["void"].startswith("it is stale: the policy is ")
    assert after["approved"] == []


def what_is_refused_in_the_form_ends_for_good(scene: Scene, pictures: Path) -> None:
    """The reason is in git, nothing is committed to what Argo CD watches, and it is told once."""
    evidence = waits(scene)
    run = begun(scene, "attrition-reject", Evidence=evidence, Reason=_REASON)
    assert run.state is not None
    assert (run.state.name, run.state.is_completed()) == ("Rejected", True), run.state.message
    page = shown(scene, run, "Rejected", pictures / "rejected.png")
    artifact(page, "attrition-rejection", "Rejected", pictures / "rejection.png")
    expect(page.get_by_text(re.compile(_REASON)).first).to_be_visible()
    listed = json.loads(typed(scene, "anna", "approvals", "attrition", "--json").stdout)
    reason = f"{_REASON} (rejected in Prefect)"
    assert (listed["rejected"]["reason"], listed["rejected"]["signer"]) == (reason, "")
    again = begun(scene, "attrition-release")
    assert again.state is not None
    assert (again.state.name, again.state.is_failed()) == ("Refused", True)
    assert reason in (again.state.message or "")
    page = shown(scene, again, "Refused", pictures / "refused.png")
    artifact(page, "attrition-outcome", "Refused", pictures / "why.png")
    expect(page.get_by_text(re.compile(_REASON)).first).to_be_visible()
    assert told_of(scene.up, again, "refused") == ["refused"]
    with playing(scene):
        given = settings.load()
        said = git.log(given.remote, branch.BRANCH)[0][2]
        assert f"Reason: {reason}" in said.splitlines()
        assert releases_in(given) == []


def what_people_sign_goes_live(scene: Scene, pictures: Path) -> None:
    """The last of them has its steps, so it goes on at once, and Prefect shows it as done."""
    with playing(scene):
        change_policy(scene.up.story.project, gate={"margin": 0.08})
        _asked()
    evidence, known = waits(scene), {run.id for run in scene.up.client.read_flow_runs()}
    for name in scene.keys:
        said = typed(scene, name, "approve", "attrition", "--evidence", evidence)
        assert said.code == 0, said.stdout + said.stderr
    [run] = [run for run in scene.up.client.read_flow_runs() if run.id not in known]
    assert run.state is not None
    assert (run.state.name, run.state.is_completed()) == ("Promoted", True)
    page = shown(scene, run, "Promoted", pictures / "promoted.png")
    artifact(page, "attrition-delivery", "Promoted", pictures / "delivery.png")
    with playing(scene):
        [commit] = releases_in(settings.load())
    for name in scene.keys:
        assert f"{name}@example.com in " in commit["Approved"]
    assert commit["Evidence-Hash"].removeprefix("sha256:").startswith(evidence)


def releases_in(given: settings.Settings) -> list[dict[str, str]]:
    """The trailers of each release that is committed to what Argo CD watches."""
    messages = [message for _, _, message in git.log(given.remote, given.branch)]
    return [dict(read_trailers(one)) for one in messages if one.startswith("Release ")]


def test_it_waits_in_the_open_is_refused_in_a_form_and_goes_live_by_signatures(
    scene: Scene, tmp_path: Path
) -> None:
    """One story: each part begins where the one before ended."""
    what_waits_is_shown_with_how_to_approve_it(scene, tmp_path)
    a_stale_approval_is_refused_by_name_each_time(scene)
    what_is_refused_in_the_form_ends_for_good(scene, tmp_path)
    what_people_sign_goes_live(scene, tmp_path)
