"""The form in Prefect's pages by which a person begins a run of a deployment."""

import re
from typing import Any
from uuid import UUID

from playwright.sync_api import Locator, Page, Response, expect

_TRIES = 5
_PATIENCE_MS = 60_000


def open_of(page: Page, deployment: str) -> None:
    """Click from the list of deployments to the form of one."""
    page.get_by_role("link", name=deployment).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.wait_for_load_state("networkidle")  # the form has read its schema by then


def sent(page: Page, **fields: str) -> UUID:
    """Fill in fields of the form that is open, by what it calls them, and send it; the run that
    Prefect has made of it.

    Prefect on SQLite answers 503 where two write at once. It says so on the page, and a person
    sends the form again.
    """
    for name, text in fields.items():
        _field(page, name).fill(text)
    for name, text in fields.items():
        expect(_field(page, name)).to_have_value(text)
    statuses = []
    for _ in range(_TRIES):
        answer = _answer(page)
        statuses.append(answer.status)
        if answer.ok:
            made: dict[str, Any] = answer.json()
            return UUID(made["id"])
    raise AssertionError(f"Prefect answers the form with {statuses}")


def _field(page: Page, name: str) -> Locator:
    """Prefect ties no label to a field: it is the one below its name, which the form may call
    optional.
    """
    called = re.compile(rf"^{re.escape(name)}( \(optional\))?$", re.IGNORECASE)
    return page.get_by_text(called).last.locator("xpath=following::textarea[1]")


def _answer(page: Page) -> Response:
    """What Prefect answers to the form."""
    with page.expect_response("**/create_flow_run", timeout=_PATIENCE_MS) as waited:
        page.get_by_role("button", name="Submit").click()
    return waited.value
