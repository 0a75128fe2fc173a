"""What a holdout can tell, on the terminal."""

from dataclasses import replace

import pytest
from support.terminal import shown

from flows.views.gating import power as view
from sluice.gate.first_release import FirstRelease, Need
from sluice.gate.power import Group, Report, Saving, Wanted

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
    "The smallest true gain in recall that is found 80 % of the time, where two models differ on"
    " 10 % of the positives"
)
ASSUMED = (
    "of the rows on which they differ are positives. As a whole both flag equally many rows; in"
    " groups they are compared as they ship"
)


def test_groups_and_gains_have_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    view.show(REPORT, margin=0.01)
    assert shown(capsys) == [
        f"{SAID} and 48 % {ASSUMED}",
        "Holdout positives level 0.05 first use, 0.005",
        "all rows 2,400 1.23 % 2.10 %",
        "[red]Remote Work[/] 90 9.00 % none",
        "Gain in recall positives, level 0.05 positives, first use, 0.005",
        "1.00 % 7,000 12,000",
        "The first use of a holdout with 2,400 positives finds gains of 2.10 % or more (the margin"
        " is 1.00 %).",
    ]


def test_a_holdout_that_finds_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    small = replace(REPORT, groups=(Group("all rows", 3, None, None),))
    view.show(small, margin=0.01)
    expected = (
        "The first use of a holdout with 3 positives finds no gain at all (the margin is 1.00 %)."
    )
    assert shown(capsys)[-1] == expected


def test_without_a_prevalence_few_are_positives(capsys: pytest.CaptureFixture[str]) -> None:
    view.show(replace(REPORT, positive_share=0.0), margin=0.01)
    assert shown(capsys)[0] == f"{SAID} and few {ASSUMED}"


FIRST = FirstRelease(
    floor=0.72,
    rows=700,
    power=0.8,
    clears=0.7598,
    highest=0.6771,
    needs=(Need(0.03, 1_357, 1.9386), Need(0.1, 115, 0.1643)),
    holdout=0.2,
)
CLEARS = (
    "With 700 positives, a first release with a true recall of 0.760 or more clears the floor 80 %"
    " of the time."
)
REVIEW = "Floors are what the work needs: a person reviews them."


def test_a_small_company_is_told_the_ways_to_its_first_release(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view.show(replace(REPORT, first=FIRST), margin=0.01)
    said = shown(capsys)
    start = said.index("First release positives it needs of those there are")
    assert said[start + 1 : start + 3] == [
        "recall 3 % above its floor of 0.72 1,357 1.94 times",
        "recall 10 % above its floor of 0.72 115 0.164 times",
    ]
    assert said[start + 3] == (
        f"{CLEARS} A model with a true recall of 0.72 clears a floor of 0.677 as often."
        " The holdout has 20 % of the rows; with 40 % (`train` and `validation` of the policy) it"
        f" has about 1,400 positives. {REVIEW}"
    )


def test_of_an_assumed_holdout_no_share_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    alone = replace(FIRST, clears=None, highest=0.0, holdout=0.0)
    view.show(replace(REPORT, first=alone), margin=0.01)
    assert shown(capsys)[-2] == (
        f"With 700 positives, no first release clears the floor 80 % of the time. {REVIEW}"
    )


def test_where_errors_have_costs_the_savings_that_are_seen_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view.show(replace(REPORT, saving=Saving(1_000, 9.94, 12.345, 4.8)), margin=0.01)
    assert shown(capsys)[-2] == (
        "By the costs of the policy, savings of 12.35 for each 1,000 rows or more are found at the"
        " first use, and of 9.94 at the whole level (the margin is 4.8)."
    )
