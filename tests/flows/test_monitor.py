"""The monitor as a run of Prefect: with `start`, a candidate that is due is a run below it."""

import datetime
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import environment, releases
from support.prediction_logs import write_days
from support.releases import Story, Told

from flows.adapters.git import git
from flows.audit.find_release import artifact, trace
from flows.gitops.ledger import LEDGER
from flows.monitoring import triggers
from flows.project import settings
from sluice.gitops import state
from sluice.identity import sha256
from sluice.monitor.triggers import Triggers
from sluice.served.scoring import load_model


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Iterator[Story]:
    with environment.kept():
        own = releases.copy(promoted[0], tmp_path)
        releases.enter(own, tools)
        releases.change_policy(own.project, triggers={"window_days": 0, "canary_days": 0})
        yield own


def poor(inputs: dict[str, Any]) -> dict[str, Any]:
    """Everybody earns a fifth less."""
    return {**inputs, "monthly_income": max(int(inputs["monthly_income"] * 0.8), 1000)}


def drifted(folder: Path) -> Path:
    """A day of the log in which a column has moved."""
    files = artifact(trace(settings.load(), "live", "attrition"))
    (folder / "artifact").mkdir()
    for name, content in files.items():
        (folder / "artifact" / name).write_bytes(content)
    model = load_model(folder / "artifact")
    digest = f"sha256:{sha256(files['model.onnx'])}"
    today = datetime.datetime.now(datetime.UTC).date()
    write_days(folder / "log", model, digest, [today], 1_000, change=poor)
    return folder / "log"


def held() -> Triggers:
    name = triggers.path("attrition")
    with git.clone(settings.load().remote, LEDGER) as repo:
        return state.decode((git.file(repo, name) or b"").decode(), Triggers, name)


def runs() -> list[tuple[str, str, bool]]:
    """Flow, name of the state and whether it is a run below another, of every run so far."""
    query = (
        "select flow.name, flow_run.state_name, flow_run.parent_task_run_id is not null from"
        " flow_run join flow on flow.id = flow_run.flow_id order by flow_run.created"
    )
    with closing(sqlite3.connect(Path(os.environ["PREFECT_HOME"]) / "prefect.db")) as database:
        return [(flow, name, bool(below)) for flow, name, below in database.execute(query)]


def test_a_run_that_starts_what_is_due_has_it_below_itself(here: Story, tmp_path: Path) -> None:
    # Prefect reads its settings when it is imported, and the first release set them.
    from flows.monitor import monitor

    os.environ["SLUICE_PREDICTION_LOG"] = str(drifted(tmp_path))
    before = len(runs())
    state = monitor("attrition", start=True, return_state=True)
    assert (state.name, state.type.value) == ("Watch", "CANCELLED")
    [start] = held().starts
    assert [reason.kind for reason in start.reasons] == ["drift"]
    assert start.outcome == "hold"  # the data are those of what is live
    assert runs()[before:] == [
        ("monitor", "Watch", False),
        ("release", "Hold", True),
    ]
    page = (here.home / "monitor" / "attrition" / "monitor.html").read_text(encoding="utf-8")
    assert "A candidate began by itself, for drift: Monthly Income has drifted" in page
    # Whoever looks again begins nothing: the pause after a candidate in vain holds it.
    again = monitor("attrition", start=True, return_state=True)
    assert again.name == "Watch"
    assert len(held().starts) == 1
