"""evidence.html as people open it: on a desk, on a phone, on paper, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import CHROMIUM, chromium, foreign
from support.clones import Demo

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")
SCRIPT = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    page = browser.new_page()
    asked = foreign(page)
    failed: list[str] = []
    page.on(
        "console", lambda message: failed.append(message.text) if message.type == "error" else None
    )
    page.goto((demo.evidence / "evidence.html").as_uri())
    yield page
    page.close()
    assert asked == []
    assert failed == []


@pytest.mark.parametrize("width", [1200, 768, 375, 320])
def test_it_fits_its_window(width: int, page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.screenshot(path=tmp_path / f"evidence-{width}.png", full_page=True)
    assert page.evaluate(SCRIPT) <= 0


def test_the_verdict_comes_first(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 667})
    expect(page).to_have_title("PROMOTE: attrition, release 1")
    expect(page.get_by_role("heading", name="PROMOTE", level=1)).to_be_in_viewport()
    expect(
        page.get_by_text("This is the first model, and it clears every floor").first
    ).to_be_in_viewport()


def test_numbers_rules_and_pictures_are_there(page: Page, demo: Demo) -> None:
    for name in (
        "The rules",
        "How good it is",
        "Where it is right and wrong",
        "What it looks at",
        "How it was chosen",
    ):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert page.locator("figure svg").count() >= 6
    words = demo.ended.shown("Verdict").split()
    recall = float(words[words.index("recall") + 1])
    expect(page.get_by_text(f"{100 * recall:.1f} %").first).to_be_visible()


def test_head_and_foot_say_which_release_it_is(page: Page, demo: Demo) -> None:
    for part in ("header", "footer"):
        found = page.locator(part)
        expect(found.get_by_text("1, released", exact=True)).to_be_visible()
        expect(found.get_by_text("of the manifest repo")).to_be_visible()


def test_quality_stands_above_the_rules(page: Page) -> None:
    names = page.get_by_role("heading", level=2).all_inner_texts()
    wanted = [
        "How good it is",
        "Is it as good for every group?",
        "On the validation rows, which decide nothing",
        "The data",
    ]
    assert [name for name in names if name in wanted] == wanted


def test_it_prints(page: Page, tmp_path: Path) -> None:
    page.emulate_media(media="print")
    page.pdf(path=tmp_path / "evidence.pdf", format="A4")
    assert (tmp_path / "evidence.pdf").stat().st_size > 20_000
    assert page.evaluate(SCRIPT) <= 0


def test_it_is_one_small_file(demo: Demo) -> None:
    assert (demo.evidence / "evidence.html").stat().st_size < 2_000_000
