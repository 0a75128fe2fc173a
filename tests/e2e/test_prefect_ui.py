"""The pages of Prefect, where people look at a release: the run, its steps, the verdict, the
metrics.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser import CHROMIUM, chromium, foreign
from support.clones import Watched

from flows.steps.order import TO_MODEL, TO_VERDICT

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")
STEPS = (*(step.title for step in TO_MODEL + TO_VERDICT), "Track")


@pytest.fixture(scope="module")
def address(held: Watched) -> Iterator[tuple[Page, str]]:
    """A page, and the address of the run; other releases may have come after it."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        asked = foreign(page)
        yield page, held.page
        assert asked == []


@pytest.fixture
def run(address: tuple[Page, str]) -> Page:
    """The page of the run."""
    page, url = address
    page.goto(url)
    return page


def tab(page: Page, name: str) -> None:
    page.get_by_role("tablist").get_by_text(name, exact=True).click()


def artifact(page: Page, name: str) -> None:
    """Open an artifact from the page of the run."""
    tab(page, "Artifacts")
    page.get_by_text(name, exact=True).first.click()
    page.wait_for_url("**/artifacts/artifact/*")


def test_the_run_is_named_and_says_how_it_ended(run: Page, tmp_path: Path) -> None:
    expect(run.get_by_text(re.compile(r"^attrition candidate [0-9a-f]{8}$")).first).to_be_visible()
    expect(run.get_by_text("Refused", exact=True).first).to_be_visible()
    for tag in ("attrition", "NOT PROMOTED", "production"):
        expect(run.get_by_text(tag, exact=True).first).to_be_visible()
    assert run.get_by_text(re.compile("^process ")).count() == 0
    run.screenshot(path=tmp_path / "run.png", full_page=True)


def test_it_is_found_from_what_the_server_prints(run: Page, held: Watched) -> None:
    run.goto(held.url)
    run.get_by_text("Runs", exact=True).first.click()
    found = run.get_by_role("link", name=re.compile(r"^attrition candidate [0-9a-f]{8}$"))
    expect(found.first).to_be_visible()
    assert held.page.removeprefix(held.url) in {link.get_attribute("href") for link in found.all()}


def test_its_steps_are_there_by_name(run: Page) -> None:
    tab(run, "Task Runs")
    for step in STEPS:
        expect(run.get_by_role("link", name=step, exact=True).first).to_be_visible()


def test_its_log_says_what_each_step_found(run: Page) -> None:
    expect(run.get_by_text(re.compile(r"Tune: hit, ")).first).to_be_visible()
    scored = re.compile(r"Score holdout: done, .*[\d,]+ rows scored")
    expect(run.get_by_text(scored).first).to_be_visible()
    assert run.get_by_text(re.compile(r"Score holdout: .*Recall \d")).count() == 0


def test_the_cards_tell_the_verdict_before_they_are_opened(run: Page) -> None:
    tab(run, "Artifacts")
    expect(run.get_by_text("NOT PROMOTED", exact=True).first).to_be_visible()


def test_the_verdict_and_its_rules_are_there(run: Page, tmp_path: Path) -> None:
    artifact(run, "attrition-verdict")
    expect(run.get_by_role("heading", name="NOT PROMOTED: attrition")).to_be_visible()
    said = "On the validation rows, which decide nothing"
    expect(run.get_by_text(said, exact=True).first).to_be_visible()
    expect(run.get_by_text("Recall floor")).to_be_visible()
    run.screenshot(path=tmp_path / "verdict.png", full_page=True)


def test_of_what_is_not_promoted_no_metrics_are_there(run: Page, held: Watched) -> None:
    tab(run, "Artifacts")
    expect(run.get_by_text("attrition-verdict", exact=True).first).to_be_visible()
    assert run.get_by_text("attrition-metrics", exact=True).count() == 0
    assert held.ended.shown("Verdict") == "NOT PROMOTED"


def test_nobody_else_hears_of_it(run: Page) -> None:
    """The fixture looks at every request of this page, too."""
    run.goto(run.url.split("/runs/")[0] + "/dashboard")
    expect(run.get_by_text("Flow Runs").first).to_be_visible()
