"""The anchor of a model on the terminal."""

import msgspec
import pytest
from support.terminal import shown

from flows.views.gating import anchor
from sluice.gitops.state import Anchor

ANCHOR = Anchor(
    tag="1" * 16,
    digest=f"sha256:{'a' * 64}",
    image="registry.example/attrition",
    release=3,
    model="m",
    recall=0.75049,
    precision=0.6,
    reason="the first release",
)


def test_the_anchor_says_which_image_it_is_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    anchor.show("attrition", ANCHOR)
    assert shown(capsys) == [
        f"Image registry.example/attrition:{'1' * 16}@sha256:{'a' * 64}",
        "Because the first release",
        "Measured recall 0.7505, precision 0.6000",
        "Release 3 is the anchor of attrition.",
    ]


def test_a_model_without_an_anchor_says_how_it_gets_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    anchor.show("attrition", None)
    assert shown(capsys) == ["attrition has no anchor yet: its first release becomes it."]


def test_a_reason_sets_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    anchor.show("attrition", msgspec.structs.replace(ANCHOR, reason="[red]better[/]\x1b[2J"))
    assert "Because [red]better[/]\\x1b[2J" in shown(capsys)
