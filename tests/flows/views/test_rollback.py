"""What a rollback would change, on the terminal."""

import difflib

import pytest
from support.terminal import shown

from flows.gitops.rollback import Plan
from flows.views import rollback
from sluice.gitops.state import Champion

BEFORE = "images:\n- name: a\n  newTag: new\n"
AFTER = "images:\n- name: a\n  newTag: old\n"


def champion(release: int, tag: str) -> Champion:
    return Champion(tag=tag, digest=f"sha256:{tag}", image="a", release=release, model="m")


def plan(diff: str, tag: str = "new") -> Plan:
    return Plan("attrition", champion(4, tag), champion(3, "old"), "it is worse", diff)


def test_the_change_is_shown_and_both_releases(capsys: pytest.CaptureFixture[str]) -> None:
    lines = difflib.unified_diff(BEFORE.splitlines(), AFTER.splitlines(), "a", "b", lineterm="")
    rollback.show(plan("\n".join(lines)))
    assert shown(capsys) == [
        "--- a",
        "+++ b",
        "@@ -1,3 +1,3 @@",
        "images:",
        "- name: a",
        "- newTag: new",
        "+ newTag: old",
        "From release 4, new, which goes into quarantine",
        "To release 3, old",
    ]


def test_without_a_change_only_the_releases_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rollback.show(plan(""))
    assert [line.split()[0] for line in shown(capsys)] == ["From", "To"]


def test_a_tag_and_a_line_of_others_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rollback.show(plan("+[bold]x[/]\x1b[2J", tag="[red]new[/]"))
    line, left, _ = shown(capsys)
    assert line == "+[bold]x[/]\\x1b[2J"
    assert left == "From release 4, [red]new[/], which goes into quarantine"
