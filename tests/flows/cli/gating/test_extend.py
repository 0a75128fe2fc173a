"""`sluice extend`, and the release that goes on with a use."""

import json
from pathlib import Path

import pytest
from support import releases
from support.command_line import Sluice
from support.git_repos import shown
from support.releases import Story, Told

from flows.gitops.ledger import LEDGER
from flows.project import settings
from models.attrition import sample
from sluice.gate.decide import MET


@pytest.fixture
def released(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    """A story of this test's own, in which a release is live."""
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


@pytest.fixture
def newer(released: Story) -> Path:
    """A table of later: the rows of before, and as many new ones."""
    path = released.project / "newer.csv"
    path.write_bytes(sample.to_csv(sample.generate(2 * releases.ROWS)))
    return path


def test_a_model_that_was_not_shown_to_be_better_goes_on_with_its_use(
    released: Story, newer: Path, sluice: Sluice
) -> None:
    """The whole way: judged, given more labels, judged again; nothing is trained anew."""
    releases.change_policy(released.project, gate={"flagged_ceiling": 0.86})
    before = releases.release()
    assert before.outcome["verdict"] == "HOLD"
    more = released.project / "more.csv"
    ended = sluice("extend", "--by", newer, "--to", more)
    assert ended.code == 0, ended.err
    assert "more rows for the holdout" in ended.out
    assert ended.out.splitlines()[-1] == f"Next: sluice release attrition --data {more}"

    told = releases.release(data=more)
    assert told.outcome["verdict"] == "HOLD"
    assert told.outcome["tag"] == before.outcome["tag"]
    assert (told.steps["Split rows"], told.steps["Tune"], told.steps["Train"]) == (
        "done",
        "hit",
        "hit",
    )
    ledger = json.loads(shown(settings.load(), "attrition.json", LEDGER))
    first, look, later = ledger["releases"]
    assert (first["use"], look["use"], later["use"]) == (1, 2, 2)
    assert later["continues"] == look["number"]
    rules = {rule["rule"]: rule for rule in _verdict(released)["rules"]}
    assert "at look 2 of this use the logarithm of the e-value is" in rules["better"]["sentence"]
    assert rules["ledger"]["state"] == MET
    assert "use 2 of this holdout" in rules["ledger"]["sentence"]

    again = sluice("plan", "--data", more)
    assert "MISS" not in again.out
    assert releases.release(data=more).outcome["verdict"] == "HOLD"
    assert len(json.loads(shown(settings.load(), "attrition.json", LEDGER))["releases"]) == 3


def _verdict(here: Story) -> dict[str, list[dict[str, str]]]:
    text = (here.home / "evidence" / "attrition" / "verdict.json").read_text(encoding="utf-8")
    found: dict[str, list[dict[str, str]]] = json.loads(text)
    return found


def test_what_is_there_is_not_written_over(released: Story, newer: Path, sluice: Sluice) -> None:
    ended = sluice("extend", "--by", newer, "--to", newer)
    assert (ended.code, "newer.csv is there already" in ended.err) == (2, True)


def test_a_table_without_new_rows_is_refused(released: Story, sluice: Sluice) -> None:
    more = released.project / "more.csv"
    ended = sluice("extend", "--by", released.rows, "--to", more)
    assert ended.code == 3
    assert "0 of its rows are new, and none of them falls into the holdout" in ended.err
    assert not more.exists()
