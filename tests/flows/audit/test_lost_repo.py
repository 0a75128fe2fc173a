"""A manifest repo that disappeared is told, and is not taken for one that never was."""

from pathlib import Path

import pytest

from flows.audit.lost_repo import require_repo
from flows.cli.history import run_history
from flows.cli.status import run_status
from flows.engine.outcome import Outcome, record
from flows.project.settings import Settings
from sluice.errors import UsageError


@pytest.fixture
def lost(tmp_path: Path) -> Settings:
    record(tmp_path, Outcome("promoted", "it is better", "attrition", release=1))
    return Settings(home=tmp_path)


def test_it_is_told(lost: Settings) -> None:
    with pytest.raises(UsageError, match="knew release 1 of attrition is gone"):
        run_status(lost, "attrition", as_json=False)
    with pytest.raises(UsageError, match="knew release 1 of attrition is gone"):
        run_history(lost, "attrition", None, 10, as_json=True)


def test_where_nothing_was_released_nothing_is_gone(tmp_path: Path) -> None:
    require_repo(Settings(home=tmp_path), "attrition")
    record(tmp_path, Outcome("refused", "the data", "attrition"))
    require_repo(Settings(home=tmp_path), "attrition")


def test_a_repo_elsewhere_answers_for_itself(lost: Settings) -> None:
    require_repo(Settings(home=lost.home, manifests="https://git.example.com/x.git"), "attrition")


def test_one_that_is_there_is_not_gone(lost: Settings) -> None:
    (lost.home / "manifests.git").mkdir()
    require_repo(lost, "attrition")
