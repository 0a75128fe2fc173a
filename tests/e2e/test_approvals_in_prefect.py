"""A release that waits for people, in the pages of Prefect: it says what it waits for and how to
approve. An approval that is stale counts nowhere, however often it is given again.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect
from support import environment
from support.approving import allow, train
from support.browser import CHROMIUM, chromium, foreign
from support.prefect_up import Up, listening, running
from support.releases import Story, change_policy, enter, keep_image, path_without_builders
from support.signing import IDENTITY, commit, key, project_of

from flows.adapters import process
from flows.gitops import approvals as branch
from flows.project import settings
from flows.release import without_prefect

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")
_REPLAYS = 5


@dataclass(frozen=True)
class Scene:
    """Servers, a browser on them, the keys of those who may approve, and what was asked first."""

    up: Up
    page: Page
    keys: dict[str, Path]
    first: str


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
        yield Scene(up, page, keys, first.evidence)
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


def waits(scene: Scene) -> str:
    """The hash of the evidence that waits, in short."""
    listed = json.loads(typed(scene, "anna", "approvals", "attrition", "--json").stdout)
    return str(listed["waits"]["evidence"]).removeprefix("sha256:")[:12]


def typed(scene: Scene, name: str, *words: str) -> process.Result:
    """A command of a person, who signs."""
    who = [f"SLUICE_AUTHOR={name} <{name}@example.com>", f"SLUICE_SIGNING_KEY={scene.keys[name]}"]
    env, dashes, *others = scene.up.words
    return process.run([env, dashes, *who, *others, *words], check=False)


def begun(scene: Scene, deployment: str) -> "FlowRun":
    """A run that is begun in the form of a deployment; its end."""
    page, up = scene.page, scene.up
    before = {run.id for run in up.client.read_flow_runs()}
    page.goto(f"{up.url}/deployments")
    page.get_by_role("link", name=deployment).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.wait_for_load_state("networkidle")  # the form has read its schema by then
    page.get_by_role("button", name="Submit").click()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        new = [run for run in up.client.read_flow_runs() if run.id not in before]
        if new:
            return up.until(new[0], seconds=300)
        page.wait_for_timeout(200)
    raise AssertionError(f"{deployment} did not begin")


def shown(scene: Scene, run: "FlowRun", state: str, file: Path) -> Page:
    """The page of a run, which says how it ended."""
    scene.page.goto(f"{scene.up.url}/runs/flow-run/{run.id}")
    expect(scene.page.get_by_text(state, exact=True).first).to_be_visible()
    scene.page.wait_for_timeout(500)
    scene.page.screenshot(path=file, full_page=True)
    return scene.page


def what_waits_is_shown_with_how_to_approve_it(scene: Scene, pictures: Path) -> None:
    run = begun(scene, "attrition-release")
    assert run.state is not None
    assert (run.state.name, run.state.type.value) == ("Held for approval", "CANCELLED")
    page = shown(scene, run, "Held for approval", pictures / "waits.png")
    said = page.get_by_text(re.compile("`?sluice approve attrition`? approves it")).first
    expect(said).to_be_visible()
    assert waits(scene) not in scene.first
    page.get_by_role("tablist").get_by_text("Artifacts", exact=True).click()
    expect(page.get_by_text("attrition-verdict", exact=True).first).to_be_visible()
    page.screenshot(path=pictures / "artifacts.png", full_page=True)


def a_stale_approval_is_refused_by_name_each_time(scene: Scene) -> None:
    stale = scene.first.removeprefix("sha256:")[:12]
    listed = json.loads(typed(scene, "anna", "approvals", "attrition", "--json").stdout)
    [void] = listed["void"]
    assert void["void"].startswith("it is stale: the policy is ")
    for _ in range(_REPLAYS):
        refused = typed(scene, "anna", "approve", "attrition", "--evidence", stale)
        assert refused.code == 3, refused.stdout + refused.stderr
        assert f"evidence '{stale}' does not wait" in refused.stderr
    after = json.loads(typed(scene, "anna", "approvals", "attrition", "--json").stdout)
    assert after["approved"] == []


def test_it_waits_in_the_open_and_a_stale_approval_counts_nowhere(
    scene: Scene, tmp_path: Path
) -> None:
    """One story: the second part begins where the first one ended."""
    what_waits_is_shown_with_how_to_approve_it(scene, tmp_path)
    a_stale_approval_is_refused_by_name_each_time(scene)
