"""MLflow's pages as `sluice up` starts them: the address that it prints shows the runs by name."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser import CHROMIUM, chromium, foreign
from support.clones import Demo, Watched

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")


def test_the_address_shows_the_runs_by_release_and_verdict(
    held: Watched, demo: Demo, tmp_path: Path
) -> None:
    [note] = [
        path
        for path in demo.clone.path.rglob("server.json")
        if json.loads(path.read_text()).get("url") == held.url
    ]
    [address] = [
        page["address"]
        for page in json.loads(note.read_text())["pages"]
        if page["name"] == "MLflow, runs of attrition"
    ]
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        asked = foreign(page)
        page.goto(address)
        expect(page.get_by_text("release 1, PROMOTE").first).to_be_visible()
        expect(page.get_by_text("not released: NOT PROMOTED").first).to_be_visible()
        expect(page.get_by_text("sample:models.attrition.sample").first).to_be_visible()
        page.screenshot(path=tmp_path / "runs.png")
        page.get_by_text("release 1, PROMOTE").first.click()
        for tag in ("image_digest", "manifest_commit", "source_commit", "dataset_sha256"):
            expect(page.get_by_text(tag).first).to_be_visible()
        page.screenshot(path=tmp_path / "run.png")
        assert asked == []
