"""A person is forgotten in every prediction log that `sluice serve` may have kept here."""

from pathlib import Path

import pytest

from flows.cli.serving.forget import run_forget
from flows.project.settings import Settings
from sluice.errors import UsageError


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of somebody who set no folder and no log."""
    for name in ("SLUICE_HOME", "SLUICE_MANIFESTS", "SLUICE_PREDICTION_LOG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLUICE_LOG_SALT", "a salt that is long enough for a log")

    class Here(Settings):
        home: Path = tmp_path / "state"

    return Here()


@pytest.mark.parametrize("kept", [["."], ["demo"], [".", "demo"]])
def test_every_log_that_is_there_is_looked_into(
    own: Settings, kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs = [own.home / folder / "predictions" for folder in kept]
    for log in logs:
        log.mkdir(parents=True)
    assert run_forget(own, "4711", "") == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [f"Forgotten in {log}: no line was there." for log in logs]


def test_where_no_log_is_the_own_one_is_missing(own: Settings) -> None:
    with pytest.raises(UsageError, match=f"no prediction log in {own.home}/predictions"):
        run_forget(own, "4711", "")


def test_a_log_that_is_named_is_the_only_one(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for log in (own.home / "predictions", tmp_path / "named"):
        log.mkdir(parents=True)
    assert run_forget(own, "4711", str(tmp_path / "named")) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Forgotten in {tmp_path / 'named'}: no line was there."
    ]
