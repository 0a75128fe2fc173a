"""`sluice power`: what it says of a count, of the holdout that there is, and of numbers that make
no sense.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import releases
from support.command_line import Sluice
from support.releases import Story

from flows.cli.gating.power import Question, run_power
from flows.project.settings import Settings
from sluice.errors import UsageError


@pytest.fixture
def project(tools: str, tmp_path: Path) -> Path:
    found = releases.write(tmp_path / "project")
    releases.enter(Story(found, tmp_path / "home"), tools)
    return found


@pytest.mark.usefixtures("project")
def test_a_count_is_enough(sluice: Sluice) -> None:
    ended = sluice("power", "attrition", "--positives", 7000, "--difference", 0.01)
    assert ended.code == 0
    assert "finds gains of 1.10 % or more" in ended.out.splitlines()[-1]
    assert any(line.startswith("1.00 %") for line in ended.out.splitlines())


@pytest.mark.usefixtures("project")
def test_with_its_prevalence_a_count_finds_smaller_gains(sluice: Sluice) -> None:
    ended = sluice("power", "attrition", "--positives", 7000, "--prevalence", 0.48)
    assert ended.code == 0
    assert "finds gains of 0.80 % or more" in ended.out.splitlines()[-1]
    assert "48 % of the rows on which they differ are positives" in " ".join(ended.out.split())


@pytest.mark.usefixtures("project")
def test_a_gain_that_most_rows_being_positives_rules_out_is_usage(sluice: Sluice) -> None:
    words = ("--positives", 7000, "--prevalence", 0.8, "--difference", 0.05)
    ended = sluice("power", "attrition", *words)
    assert ended.code == 2
    assert "--difference is 0.05; a gain above 0 and up to 0.025 is required" in ended.err


@pytest.mark.usefixtures("project")
def test_the_holdout_is_counted_in_all_and_by_group(sluice: Sluice) -> None:
    ended = sluice("power", "attrition", "--json")
    told = json.loads(ended.out)
    whole, *groups = told["groups"]
    assert 0.3 < told["positive_share"] < 0.7
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
        (("--positives", 100, "--prevalence", 1.5), "--prevalence is 1.5"),
        (("--prevalence", 0.5), "--prevalence is given without --positives"),
        (("--positives", 100, "--difference", 0.5), "--difference is 0.5"),
    ],
)
def test_a_number_that_makes_no_sense_is_usage(
    words: tuple[object, ...], said: str, sluice: Sluice
) -> None:
    ended = sluice("power", "attrition", *words)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("question", "what", "fix"),
    [
        (
            Question(positives=0),
            "--positives is 0; at least 1 is required",
            "Write how many positives the holdout would have.",
        ),
        (
            Question(positives=-5),
            "--positives is -5; at least 1 is required",
            "Write how many positives the holdout would have.",
        ),
        (
            Question(discordant=0.0),
            "--discordant is 0; a share above 0 and up to 1 is required",
            "Write a share of the positives, such as 0.1.",
        ),
        (
            Question(positives=100, prevalence=1.0),
            "--prevalence is 1; a share between 0 and 1 is required",
            "Write the share of positives in the holdout, such as 0.48.",
        ),
        (
            Question(prevalence=0.5),
            "--prevalence is given without --positives; both describe an assumed holdout",
            "Write --positives too; the model's own holdout is counted.",
        ),
        (
            Question(differences=(0.01, 0.2)),
            "--difference is 0.2; a gain above 0 and up to 0.1 is required",
            "The limit is --discordant, or less where most rows are positives.",
        ),
        (
            Question(rows=100),
            "--rows is 100 and the target is no number",
            "Leave it out: --positives and --discordant are for classes.",
        ),
        (
            Question(spread=0.3),
            "--spread is 0.3 and the target is no number",
            "Leave it out: --positives and --discordant are for classes.",
        ),
    ],
)
def test_a_refusal_says_the_value_the_limit_and_what_to_do(
    question: Question, what: str, fix: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as raised:
        run_power(Settings(home=tmp_path), "attrition", None, question, as_json=True)
    assert (raised.value.what, raised.value.fix) == (what, fix)
    assert list(tmp_path.iterdir()) == []


@given(
    st.floats(max_value=0.0) | st.floats(min_value=1.0, exclude_min=True) | st.just(float("nan"))
)
@settings(deadline=None)
def test_no_share_outside_of_its_limits_is_taken(discordant: float) -> None:
    question = Question(positives=100, discordant=discordant)
    with pytest.raises(UsageError, match="--discordant is "):
        run_power(Settings(), "attrition", None, question, as_json=True)
