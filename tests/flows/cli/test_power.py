"""`sluice power`: what it says of a count, of the holdout that there is, and of numbers that make
no sense.
"""

import json
from pathlib import Path

import pytest
from support import releases
from support.command_line import Sluice
from support.releases import Story


@pytest.fixture
def project(tools: str, tmp_path: Path) -> Path:
    found = releases.write(tmp_path / "project")
    releases.enter(Story(found, tmp_path / "home"), tools)
    return found


@pytest.mark.usefixtures("project")
def test_a_count_is_enough(sluice: Sluice) -> None:
    ended = sluice("power", "attrition", "--positives", 7000, "--difference", 0.01)
    assert ended.code == 0
    assert "finds gains of 1.38% or more" in ended.out.splitlines()[-1]
    assert any(line.startswith("1.00%") for line in ended.out.splitlines())


@pytest.mark.usefixtures("project")
def test_the_holdout_is_counted_in_all_and_by_group(sluice: Sluice) -> None:
    ended = sluice("power", "attrition", "--json")
    told = json.loads(ended.out)
    whole, *groups = told["groups"]
    assert 0 < whole["positives"] < releases.ROWS
    for segment in ("gender", "marital_status", "age_band", "job_level"):
        parts = [group["positives"] for group in groups if group["name"].startswith(f"{segment} ")]
        assert len(parts) > 1
        assert sum(parts) == whole["positives"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--positives", 0), "--positives is 0"),
        (("--discordant", 1.5), "--discordant is 1.5"),
        (("--positives", 100, "--difference", 0.5), "--difference is 0.5"),
    ],
)
def test_a_number_that_makes_no_sense_is_usage(
    words: tuple[object, ...], said: str, sluice: Sluice
) -> None:
    ended = sluice("power", "attrition", *words)
    assert ended.code == 2
    assert said in ended.err
