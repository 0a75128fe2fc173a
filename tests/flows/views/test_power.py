"""What a holdout can tell, on the terminal."""

from dataclasses import replace

import pytest
from support.terminal import shown

from flows.views import power as view
from sluice.gate.power import Group, Report, Wanted

REPORT = Report(
    level=0.05,
    use_level=0.005,
    discordant=0.1,
    positive_share=0.48,
    power=0.8,
    groups=(
        Group("all rows", 2400, 0.0123, 0.0210),
        Group("[red]Remote Work[/]", 90, 0.09, None),
    ),
    wanted=(Wanted(0.01, 7_000, 12_000),),
)

SAID = (
    "The smallest true gain in recall that is found 80% of the time, where two models differ on"
    " 10% of the positives"
)
ASSUMED = (
    "of the rows on which they differ are positives. As a whole both flag equally many rows; in"
    " groups they are compared as they ship"
)


def test_groups_and_gains_have_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    view.show(REPORT, margin=0.01)
    assert shown(capsys) == [
        f"{SAID} and 48% {ASSUMED}",
        "Holdout positives level 0.05 first use, 0.005",
        "all rows 2,400 1.23% 2.10%",
        "[red]Remote Work[/] 90 9.00% none",
        "Gain in recall positives, level 0.05 positives, first use, 0.005",
        "1.00% 7,000 12,000",
        "The first use of a holdout with 2,400 positives finds gains of 2.10% or more (the margin"
        " is 1.00%).",
    ]


def test_a_holdout_that_finds_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    small = replace(REPORT, groups=(Group("all rows", 3, None, None),))
    view.show(small, margin=0.01)
    expected = (
        "The first use of a holdout with 3 positives finds no gain at all (the margin is 1.00%)."
    )
    assert shown(capsys)[-1] == expected


def test_without_a_prevalence_few_are_positives(capsys: pytest.CaptureFixture[str]) -> None:
    view.show(replace(REPORT, positive_share=0.0), margin=0.01)
    assert shown(capsys)[0] == f"{SAID} and few {ASSUMED}"
