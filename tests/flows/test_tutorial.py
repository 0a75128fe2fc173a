"""The tutorial as it stands: its commands in their order, in an empty project, for real.

Two are taken apart and not run. `make setup` made the environment of this test. The service is not
started: what is sent to it is answered by the model that it would serve. There is no builder, so
the release ends with its Bento.
"""

import json
import re
import shlex
from pathlib import Path

import pytest
from support.command_line import Ended, Sluice, parse

from flows.project.root import ROOT
from scripts import churn_table

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
SLUICE = ".venv/bin/sluice "
NOT_RUN = ("make setup", SLUICE + "serve churn")
# Command -> a sentence that it says, and that the page promises.
SAID = {
    "init churn.csv": 'leak: 357 of 357 rows with "25" are "Yes"',
    "validate churn": "Valid: 6,000 rows",
    "release churn": "PROMOTE: recall ",
    "status churn": "churn.csv, 6,000 rows",
    "predict churn --file churn.csv --out risk.csv": "",
}


def steps() -> list[str]:
    """What the page says to do, in its order: indented commands, and lines of TOML in fences."""
    found: list[str] = []
    for code in re.findall(r"(?:^ {4}.*\n)+|^```toml\n(?:.*\n)+?```$", PAGE, re.MULTILINE):
        text = re.sub(r"^```.*$|^ {4}", "", code, flags=re.MULTILINE).strip()
        found += [text] if text.startswith("curl ") else text.splitlines()
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: str) -> Path:
    """An empty project, with the folder for what a release keeps where a clone has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_PROJECT", str(tmp_path))
    monkeypatch.setenv("SLUICE_TRACKING_URI", "")
    monkeypatch.setenv("SLUICE_WORKERS", "1")
    monkeypatch.setenv("PATH", tools)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / ".sluice"))
    return tmp_path


def edit(path: Path, line: str) -> None:
    """Let this line take the place of the one with its key, as a person does."""
    key = line.partition(" = ")[0]
    text, times = re.subn(rf"^{key} = .*$", line, path.read_text(), flags=re.MULTILINE)
    assert times == 1, line
    path.write_text(text)


def test_every_step_does_what_the_page_says(here: Path, sluice: Sluice) -> None:
    done: dict[str, Ended] = {}
    for step in steps():
        if step in NOT_RUN:
            continue
        if step.startswith(SLUICE):
            words = step.removeprefix(SLUICE)
            done[words] = sluice(*shlex.split(words))
            assert done[words].code == 0, done[words].err
            assert SAID[words] in done[words].out + done[words].err, words
        elif step.startswith("curl "):
            [body] = re.findall(r"-d '(.*)'$", step, re.DOTALL)
            (here / "one.jsonl").write_text(json.dumps(json.loads(body)) + "\n")
            ended = sluice("predict", "churn", "--file", "one.jsonl", "--json")
            [answer] = json.loads(ended.out)["answers"]
            assert answer["prediction"] == 1
            assert 0.85 < answer["probability"] < 0.95
        elif step.startswith("python3 -m scripts.churn_table "):
            churn_table.main(shlex.split(step)[3:])
        else:
            edit(here / "models" / "churn" / "policy.toml", step)
    assert set(done) == set(SAID)
    assert "is a draft" not in done["release churn"].err
    assert len((here / "risk.csv").read_text().splitlines()) == 6001
    assert (here / ".sluice" / "bentoml").is_dir()


def test_what_is_not_run_stands_there_and_is_a_command() -> None:
    for step in NOT_RUN:
        assert step in steps()
        if step.startswith(SLUICE):
            parse(shlex.split(step)[1:])


def test_what_may_come_next_is_taken_by_the_command_line() -> None:
    named = re.findall(r"`(sluice [^`]+)`", PAGE.partition("## What now")[2])
    assert len(named) == 4
    for words in named:
        parse(shlex.split(words)[1:])
