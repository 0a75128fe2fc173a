"""What is live on the terminal, and what was refused last."""

import msgspec
import pytest
from support.git_repos import ONE, digest, promotion
from support.terminal import shown

from flows.engine.outcome import Outcome
from flows.views.gating import anchor
from flows.views.releases import status
from flows.views.releases.status import Home, Status
from sluice.gitops.state import Anchor

HOME = Home(".sluice")
IN = "Home .sluice"
CHAMPION = promotion(ONE, 7).champion
ANCHOR = Anchor(
    tag=ONE,
    digest=digest(ONE),
    image="sluice.local/attrition",
    release=2,
    model="m",
    recall=0.75,
    precision=0.5,
    reason="it is the first release",
)


def test_nothing_is_live_yet(capsys: pytest.CaptureFixture[str]) -> None:
    status.show(Status("attrition", " in staging", None, "", None, HOME))
    expected = "Nothing of attrition is live yet in staging: sluice release attrition"
    assert shown(capsys) == [IN, expected]


def test_what_is_live_and_since_when(capsys: pytest.CaptureFixture[str]) -> None:
    status.show(Status("attrition", "", CHAMPION, "2026-11-20T13:24:07+00:00", None, HOME))
    assert shown(capsys) == [
        IN,
        f"Image sluice.local/attrition:{ONE}@{digest(ONE)}",
        "Measured recall 0.7500, precision 0.7000",
        "Live: release 7 of attrition, since 2026-11-20 13:24 UTC",
    ]


def test_a_time_that_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    status.show(Status("attrition", " in staging", CHAMPION, "", None, HOME))
    assert shown(capsys)[-1] == "Live in staging: release 7 of attrition"


@pytest.mark.parametrize(("summary", "said"), [("REJECT: low", "REJECT: low"), ("", "it is bad")])
def test_the_last_refusal_comes_first(
    summary: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Outcome("refused", "it is bad", "attrition", summary=summary)
    status.show(Status("attrition", "", CHAMPION, "", refused, HOME))
    assert shown(capsys)[1] == f"Last refused {said}"


@pytest.mark.parametrize(
    ("home", "said"),
    [
        (Home(".sluice"), ["Home .sluice"]),
        (
            Home(".sluice", ".sluice/demo"),
            ["Home .sluice", "The demo SLUICE_HOME=.sluice/demo sluice status"],
        ),
        (
            Home(".sluice/demo", demo=True),
            [
                "Home .sluice/demo, the demo of generated rows",
                "Your own data begin anew: sluice release --data FILE",
            ],
        ),
        (
            Home("a b/demo", "a b", demo=True),
            [
                "Home a b/demo, the demo of generated rows",
                "Your own data SLUICE_HOME='a b' sluice status",
            ],
        ),
    ],
)
def test_the_folder_is_named_and_how_to_look_at_the_other_one(
    home: Home, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status.show(Status("attrition", "", None, "", None, home))
    assert shown(capsys)[:-1] == said


def test_beside_a_demo_the_file_is_named_that_is_to_be_released(
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = Home(".sluice", ".sluice/demo", of_a_file=True)
    status.show(Status("attrition", "", None, "", None, home))
    expected = "Nothing of attrition is live yet: sluice release attrition --data FILE"
    assert shown(capsys)[-1] == expected


def test_the_anchor_is_shown_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    anchor.show("attrition", ANCHOR)
    assert shown(capsys) == [
        f"Image sluice.local/attrition:{ONE}@{digest(ONE)}",
        "Because it is the first release",
        "Measured recall 0.7500, precision 0.5000",
        "Release 2 is the anchor of attrition.",
    ]


def test_without_an_anchor_the_first_release_becomes_it(capsys: pytest.CaptureFixture[str]) -> None:
    anchor.show("attrition", None)
    assert shown(capsys) == ["attrition has no anchor yet: its first release becomes it."]


def test_text_that_a_person_wrote_into_the_state_sets_no_colour(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The state files lie in a repository that others write."""
    image = "[red]host[/]/\x1b[2Jattrition"
    champion = msgspec.structs.replace(CHAMPION, image=image)
    status.show(Status("attrition", "", champion, "", None, HOME))
    anchor.show("attrition", msgspec.structs.replace(ANCHOR, image=image))
    lines = [line for line in shown(capsys) if line.startswith("Image")]
    assert lines == [f"Image [red]host[/]/\\x1b[2Jattrition:{ONE}@{digest(ONE)}"] * 2
