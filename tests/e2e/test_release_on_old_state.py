"""A release where an older version released before: it is compared with what that version left."""

import json
import os
from pathlib import Path

import pytest
from support import old_state, releases
from support.command_line import Sluice
from support.old_state import LEDGER, expected


@pytest.fixture
def old(tmp_path: Path, tools: str) -> Path:
    """The old manifest repo and registry, and a project of today with a table of its own; no
    builder.
    """
    folder = old_state.enter(old_state.restore(tmp_path / "restored"), tmp_path / "old")
    project = releases.write(tmp_path / "project")
    os.environ |= {
        "SLUICE_PROJECT": str(project),
        "SLUICE_WORKERS": "1",
        "SLUICE_TRACKING_URI": "",
        "PATH": tools,
    }
    return folder


def test_it_takes_the_next_number_and_meets_the_old_champion_and_anchor(
    old: Path, sluice: Sluice
) -> None:
    """Both are fetched from the old registry, and score the new holdout under the contract they
    came with.
    """
    ended = sluice("release", "--json")
    assert ended.code == 0
    told = json.loads(ended.out)
    verdict = json.loads(Path(told["evidence"]).with_name("verdict.json").read_text())
    assert verdict["comparison"]["against"] == expected("status")["champion"]["tag"]
    assert verdict["anchor"]["against"] == expected("anchor")["anchor"]["tag"]
    assert verdict["comparison"]["against"] != verdict["anchor"]["against"]

    ledger = json.loads(old_state.shown(old, "attrition.json", LEDGER))
    numbers = [release["number"] for release in ledger["releases"]]
    assert numbers == list(range(1, expected("ledger")["newest"] + 2))
    main = "refs/heads/main"
    assert old_state.refs(old)[main] == expected("refs")[main]
