"""The page of a served Bento in a real browser: keyboard, phone, no JavaScript, no accessibility
violation.
"""

import csv
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from support.model_artifacts import MODEL, PROJECT, small_artifact

from flows.adapters.image import bento
from flows.adapters.image.image_tools import REAL
from sluice.served.contract import load_contract

CHROMIUM = (
    os.environ.get("SLUICE_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")
CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
PHONE = {"width": 320, "height": 640}
EVIL = "=1+1<img src=x onerror=alert(1)>"
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Iterator[str]:
    """A Bento, built and served, that keeps a prediction log."""
    folder = tmp_path_factory.mktemp("served")
    built = bento.build(
        PROJECT,
        small_artifact(folder / "model"),
        "0123456789abcdef",
        folder,
        name="attrition",
        tools=REAL,
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SLUICE_PREDICTION_LOG", str(log))
        with bento.serve(built, folder) as url:
            yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Open]:
    """Opens a path; at the end: nothing asked elsewhere, nothing against the policy, no error, no
    cookie, no dialog.
    """
    asked: list[str] = []
    wrong: list[str] = []
    contexts = []

    def visit(path: str, **more: Any) -> Page:
        context = browser.new_context(**more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on(
            "console",
            lambda said: wrong.append(said.text) if "Security Policy" in said.text else None,
        )
        page.goto(url + path)
        return page

    yield visit
    cookies = [cookie for context in contexts for cookie in context.cookies()]
    for context in contexts:
        context.close()
    assert [address for address in asked if not address.startswith((url, "data:text/csv"))] == []
    assert (wrong, cookies) == ([], [])


def people(count: int) -> bytes:
    """A table with protected columns; the second row is wrong, the third has an id that means
    harm.
    """
    text = io.StringIO()
    names = [c.name for c in (CONTRACT.id, *CONTRACT.role("protected"), *CONTRACT.features)]
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    example = {column.name: column.example for column in CONTRACT.features}
    for number in range(count):
        writer.writerow(
            {
                **example,
                "Employee ID": EVIL if number == 2 else f"E-{number}",
                "Gender": "Female",
                "Marital Status": "Divorced",
                "Monthly Income": 1000 * (number % 50 + 1),
                "Age": 3 if number == 1 else 30 + number % 30,
            }
        )
    return text.getvalue().encode()


def send_file(page: Page, count: int = 12, wait_for: str = ".outcome") -> None:
    page.set_input_files(
        "#file", {"name": "people.csv", "mimeType": "text/csv", "buffer": people(count)}
    )
    page.get_by_role("button", name="Ask about all of them").click()
    page.wait_for_selector(wait_for)


def fill_in(page: Page) -> None:
    """Answer each question of the form, which starts empty, with the example of its column."""
    for column in CONTRACT.features:
        value = str(column.example)
        if not column.values:
            page.fill(f"#{column.key}", value)
        elif page.locator(f"select#{column.key}").count():
            page.select_option(f"#{column.key}", value)
        else:
            page.check(f"#{column.key}-{column.values.index(value) + 1}")


def ask(page: Page) -> None:
    page.get_by_role("button", name="Ask the model").click()


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def check(page: Page) -> None:
    """No accessibility violation, nothing wider than the screen, nothing too small for a finger."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]
    small = """() => [...document.querySelectorAll("button, .button, .choices label, nav a, select, input:not([type])")]
        .map(e => e.getBoundingClientRect()).filter(b => b.width < 24 || b.height < 24).length"""
    assert page.evaluate(small) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 900}], ids=["phone", "desktop"])
def test_every_state_of_the_page_is_accessible(
    scheme: str, size: dict[str, int], visit: Open
) -> None:
    page = visit("/", viewport=size, color_scheme=scheme)
    check(page)
    fill_in(page)
    page.check("#overtime-2")
    page.fill("#company_tenure", "3")
    ask(page)
    page.wait_for_selector(".result .doubt")
    check(page)
    page.get_by_role("link", name="Look at them and change them").click()
    page.wait_for_selector("#age")
    check(page)
    page.fill("#age", "17")
    ask(page)
    page.wait_for_selector(".summary")
    check(page)
    page.get_by_role("link", name="Many employees").click()
    page.click("summary")
    check(page)
    page.get_by_role("button", name="Ask about all of them").click()
    page.wait_for_selector(".summary")
    check(page)
    send_file(page)
    check(page)
    page.fill("#act_on", "none")
    send_file(page, wait_for=".summary")
    check(page)
    page.fill("#act_on", "3")
    send_file(page, wait_for=".chosen")
    check(page)
    page.get_by_role("link", name="How good it is").click()
    check(page)
    page.fill("#of_1000", "x")
    page.keyboard.press("Enter")
    page.wait_for_selector(".summary")
    check(page)
    page.click(".summary a")
    assert focused(page).get_attribute("id") == "of_1000"
    page.fill("#of_1000", "200")
    page.keyboard.press("Enter")
    page.wait_for_selector(".chosen")
    assert "chosen" in str(focused(page).get_attribute("class"))
    check(page)


def test_it_can_be_used_by_keyboard_alone(visit: Open) -> None:
    page = visit("/")
    fill_in(page)
    page.evaluate("document.querySelector('.skip').focus()")
    assert focused(page).inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    assert focused(page).get_attribute("id") == "main"
    tab_to(page, "age")
    page.keyboard.press("Control+A")
    page.keyboard.type("17")
    page.keyboard.press("Enter")  # sends the form from any field
    page.wait_for_selector(".summary")
    assert page.title().startswith("Error: ")
    assert "summary" in str(focused(page).get_attribute("class"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert (focused(page).get_attribute("id"), focused(page).input_value()) == ("age", "17")
    assert "age-mistake" in str(focused(page).get_attribute("aria-describedby"))
    page.keyboard.press("Control+A")
    page.keyboard.type("41")
    tab_to(page, "overtime-1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector(".result")
    assert focused(page).get_attribute("id") == "result-title"
    assert page.is_checked("#overtime-2")
    assert page.input_value("#age") == "41"
    tab_to(page, "agrees-yes")
    page.keyboard.press("ArrowRight")
    tab_to(page, "why")
    page.keyboard.type("A new manager since May.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Noted")


def tab_to(page: Page, name: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page).get_attribute("id") == name:
            return
    raise AssertionError(f"no way to {name} by the tab key")


def test_what_matters_is_seen_without_scrolling(visit: Open) -> None:
    page = visit("/", viewport={"width": 1280, "height": 900})
    fill_in(page)
    page.fill("#monthly_income", "2500")
    ask(page)
    for text in (
        "By the model’s estimate",
        "Advice: a person decides.",
        "How this score comes about",
        "I disagree",
    ):
        expect(page.get_by_text(text).first).to_be_in_viewport(ratio=1)
    page.set_viewport_size(PHONE)
    expect(page.get_by_text("Advice: a person decides.")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("script", [True, False])
def test_what_was_entered_is_folded_and_opens_by_a_key_or_a_link(script: bool, visit: Open) -> None:
    page = visit("/", java_script_enabled=script, viewport=PHONE)
    fill_in(page)
    page.fill("#company_tenure", "3")
    page.fill("#years_at_company", "20")
    ask(page)
    expect(page.locator("#age")).to_be_hidden()
    assert page.locator("html").bounding_box()["height"] < 4000  # type: ignore[index]
    page.locator(".entered summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#company_tenure")).to_have_value("3")
    expect(page.locator("#company_tenure")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#age")).to_be_hidden()
    page.get_by_role("link", name="Look at them and change them").click()
    page.fill("#company_tenure", "30")
    ask(page)
    expect(page.locator(".result")).to_be_visible()
    expect(page.locator(".doubt")).to_have_count(0)


def test_a_printed_answer_holds_what_was_entered(visit: Open) -> None:
    page = visit("/")
    fill_in(page)
    ask(page)
    page.wait_for_selector(".result")
    page.emulate_media(media="print")
    expect(page.locator("#age")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_focus_is_always_to_be_seen(visit: Open) -> None:
    page = visit("/")
    seen = """() => {
        const element = document.activeElement, box = element.getBoundingClientRect();
        const ringed = getComputedStyle(element.closest(".choices label") || element).outlineStyle !== "none";
        return ringed && box.top >= 0 && box.bottom <= innerHeight;
    }"""
    stops = 0
    while page.keyboard.press("Tab") or page.evaluate("document.activeElement !== document.body"):
        stops += 1
        assert page.evaluate(seen), focused(page).evaluate("element => element.outerHTML")
    # the links on top, one stop a question, the button and two links
    assert stops == 4 + len(CONTRACT.features) + 3


def test_one_person_many_and_a_view_without_javascript(visit: Open) -> None:
    page = visit("/", java_script_enabled=False, viewport=PHONE)
    fill_in(page)
    page.fill("#monthly_income", "7,300")
    ask(page)
    assert page.title().startswith("Error: ")
    assert page.input_value("#monthly_income") == "7,300"
    page.click(".summary a")
    page.fill("#monthly_income", "7300")
    ask(page)
    assert page.locator(".result h2").inner_text().startswith("Risk:")
    assert "Advice: a person decides." in page.inner_text(".result")
    page.locator("label", has_text="I disagree").click()
    page.fill("#why", "")
    page.get_by_role("button", name="Note my view").click()
    assert "Say why you disagree" in page.inner_text(".summary")
    page.fill("#why", "Knows better.")
    page.get_by_role("button", name="Note my view").click()
    assert page.inner_text("h1") == "Noted"
    page.get_by_role("link", name="Many employees").click()
    send_file(page)
    assert "11 of 12 rows of" in page.inner_text(".outcome h2")


def test_a_table_is_scored_shown_and_downloaded(visit: Open, log: Path) -> None:
    page = visit("/rows")
    send_file(page, 300)
    assert focused(page).get_attribute("id") == "result-title"
    assert "Line 3" in page.inner_text("#problems")
    risks = [float(text) for text in page.locator(".rows tbody td:nth-child(3)").all_inner_texts()]
    assert len(risks) == 200
    assert risks == sorted(risks, reverse=True)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all as CSV").click()
    rows = list(
        csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig")))
    )
    assert download.value.suggested_filename == "risk.csv"
    assert len(rows) == 300
    assert [row["Employee ID"] for row in rows if row["Employee ID"].startswith("'")] == [
        f"'{EVIL}"
    ]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    page.select_option("#id", index=3)
    page.locator("label", has_text="I agree").click()
    page.get_by_role("button", name="Note my view").click()
    expect(page.locator("p.said")).to_contain_text("Noted")
    assert_kept(log, rows[3]["Answer number"])


def assert_kept(log: Path, answer: str) -> None:
    """The view stands in the log with its answer, and no protected value or id anywhere."""
    for _ in range(50):
        text = "".join(path.read_text(encoding="utf-8") for path in log.rglob("*.jsonl"))
        lines = [json.loads(line) for line in text.splitlines()]
        if any(line.get("agrees") is True and answer in json.dumps(line) for line in lines):
            break
        time.sleep(0.2)
    else:
        raise AssertionError(f"no view of {answer} in {sorted(log.rglob('*'))}")
    assert len(lines) > 250
    assert not any(word in text for word in ("Female", "Divorced", "E-5", "onerror"))


def test_a_file_that_is_too_large_is_stopped_before_it_is_sent(visit: Open) -> None:
    page = visit("/rows")
    page.set_input_files(
        "#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": b"x" * (6 << 20)}
    )
    page.get_by_role("button", name="Ask about all of them").click()
    assert "more than 5 MB" in page.inner_text(".upload .said")
    assert page.url.endswith("/rows")
