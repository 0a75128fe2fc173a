"""What a rollback would change, on the terminal."""

import difflib
from dataclasses import replace

import pytest
from support.terminal import shown

from flows.gitops.rollback import Plan
from flows.gitops.writer import Written
from flows.views.releases import rollback
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
        "Proof how its canary ended is not recorded: nothing shows that it ran everywhere",
    ]


def test_without_a_change_only_the_releases_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rollback.show(plan(""))
    assert [line.split()[0] for line in shown(capsys)] == ["From", "To", "Proof"]


def test_a_tag_and_a_line_of_others_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rollback.show(plan("+[bold]x[/]\x1b[2J", tag="[red]new[/]"))
    line, left, *_ = shown(capsys)
    assert line == "+[bold]x[/]\\x1b[2J"
    assert left == "From release 4, [red]new[/], which goes into quarantine"


def test_on_the_page_of_a_run_the_change_is_code_and_the_reason_no_markup() -> None:
    why = "[it](http://x) is <b>worse</b>"
    made = replace(plan("--- a\n+++ b\n+```\x1b[2J"), why=why)
    text = rollback.markdown(Written("dry run", "nothing was written"), made)
    assert text.startswith(
        "# Dry run\n\nnothing was written.\n\n    --- a\n    +++ b\n    +```\\x1b[2J\n"
    )
    assert "- **from**: release 4, new, which goes into quarantine\n" in text
    assert "<b>" not in text
    assert r"[it\](http://x)" in text
    assert rollback.markdown(Written("already there", "done"), None) == "# Already there\n\ndone.\n"
