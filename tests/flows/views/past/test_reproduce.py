"""What came of training a release again, on the terminal."""

from dataclasses import replace

import msgspec
import pytest
from support.terminal import shown

from flows.audit.reproduce import Reproduced
from flows.views.past import reproduce
from flows.views.terminal import console
from sluice.gitops.reproduction import Agreement, Difference

GOLDEN = Agreement(rows=50, differing=0, largest=0.0, answers=0)
HOLDOUT = Agreement(rows=2000, differing=0, largest=0.0, answers=0)
SAME = Reproduced(
    schema=1,
    model="attrition",
    release=3,
    tag="1" * 16,
    digest="sha256:a",
    sources="commit 0123, checked out",
    data="rows.csv, by its hash",
    environment="this one",
    seconds=12.4,
    equal=True,
    same_bytes=True,
    golden=GOLDEN,
    holdout=HOLDOUT,
    differs=[],
    recorded=True,
)
APART = msgspec.structs.replace(
    SAME,
    equal=False,
    same_bytes=False,
    holdout=replace(HOLDOUT, differing=1200, largest=0.012345, answers=3),
)


def lines(reproduced: Reproduced, capsys: pytest.CaptureFixture[str]) -> list[str]:
    reproduce.show(console(stderr=False), reproduced)
    return shown(capsys)


def test_what_agrees_says_with_what_it_was_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(SAME, capsys) == [
        "Sources commit 0123, checked out",
        "Data rows.csv, by its hash",
        "Environment this one",
        "Trained in 12 s, the same model byte for byte",
        "Golden 50 rows, 0 differ by more than 1e-6",
        "Holdout 2,000 rows, 0 differ by more than 1e-6",
        "Reproduced: release 3 of attrition, all 2,050 predictions agree to 1e-6.",
    ]


def test_what_differs_is_counted_and_its_causes_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    causes = [Difference("policy", "a" * 64, "b" * 64), Difference("versions", "[b]1[/]", "2")]
    *_, holdout, policy, versions, last = lines(
        msgspec.structs.replace(APART, differs=causes), capsys
    )
    assert holdout == (
        "Holdout 2,000 rows, 1,200 differ by more than 1e-6, at most by 0.0123;"
        " 3 have another answer"
    )
    assert policy == "Differs policy aaaaaaaaaaaa then, bbbbbbbbbbbb now"
    assert versions == "Differs versions [b]1[/] then, 2 now"
    assert last == (
        "Not reproduced: release 3 of attrition, 1,200 of 2,050 predictions differ;"
        " what differs is policy, versions."
    )


@pytest.mark.parametrize(
    ("recorded", "cause"),
    [
        (True, "no recorded input differs."),
        (False, "which inputs differ is unknown, because the evidence has no provenance."),
    ],
)
def test_without_a_known_cause_that_is_said(recorded: bool, cause: str) -> None:
    assert reproduce.last(msgspec.structs.replace(APART, recorded=recorded)).endswith(f"; {cause}")


def test_a_long_value_is_cut_and_an_unreleased_image_goes_by_its_tag(
    capsys: pytest.CaptureFixture[str],
) -> None:
    longer = [Difference("versions", "numpy " * 20, "2")]
    other = msgspec.structs.replace(SAME, release=0, differs=longer)
    *_, versions, last = lines(other, capsys)
    recorded = versions.removeprefix("Differs versions ").removesuffix(" then, 2 now")
    assert recorded.endswith("...")
    assert len(recorded) == 80
    assert last.startswith(f"Reproduced: {'1' * 16}, ")
