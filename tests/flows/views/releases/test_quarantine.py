"""The quarantine on the terminal: who put a digest there, when and why, and what was lifted."""

import msgspec
import pytest
from support.terminal import shown

from flows.views.releases import quarantine
from sluice.gitops.state import Barred, Lifted

ENTRY = Barred(
    digest=f"sha256:{'a' * 64}",
    tag="1" * 16,
    release=3,
    who="anna",
    when="2026-11-20T13:24:07+00:00",
    why="flags everybody",
)


def test_an_entry_in_force_says_who_when_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.show([ENTRY])
    assert shown(capsys) == [
        "in force sha256:aaaaaaaaaaaa (release 3) since 2026-11-20 13:24 UTC by anna: flags"
        " everybody",
        "1 in quarantine.",
    ]


def test_a_lifted_entry_is_shown_and_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    lifted = Lifted("ben", "2026-11-21T09:00:00+00:00", "the rows were wrong")
    quarantine.show([ENTRY, msgspec.structs.replace(ENTRY, lifted=lifted)])
    first, second, last = shown(capsys)
    assert first.startswith("in force ")
    assert second.startswith("lifted sha256:aaaaaaaaaaaa ")
    assert second.endswith("; lifted 2026-11-21 09:00 UTC by ben: the rows were wrong")
    assert last == "1 in quarantine."


def test_an_image_that_was_never_released_has_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.show([msgspec.structs.replace(ENTRY, release=0, tag="")])
    assert "(never released)" in shown(capsys)[0]


def test_an_empty_quarantine_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.show([])
    assert shown(capsys) == ["0 in quarantine."]
