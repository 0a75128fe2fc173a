"""Files of a job of GitHub Actions: added to where a runner names them, and made nowhere else."""

from pathlib import Path

import pytest

from flows.adapters.job_files import hand_on, summarize


def test_what_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, outputs = tmp_path / "page.md", tmp_path / "outputs"
    page.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    summarize("after é\n")
    hand_on("models", '["a"]')
    hand_on("more", "1")
    assert page.read_text(encoding="utf-8") == "# Before\nafter é\n"
    assert outputs.read_text(encoding="utf-8") == 'models=["a"]\nmore=1\n'


@pytest.mark.parametrize("value", [None, ""])
def test_elsewhere_nothing_is_written(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    summarize("nobody sees this\n")
    hand_on("models", "[]")
    assert not list(tmp_path.iterdir())
