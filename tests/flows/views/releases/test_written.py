"""How a change of the manifest repo ended, and what a rollback would change, on the terminal."""

import msgspec
import pytest
from support.git_repos import ONE, TWO, promotion
from support.terminal import shown

from flows.gitops.rollback import Plan
from flows.gitops.writer import Written
from flows.views.releases import rollback, written


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        ("committed", "Rolled back"),
        ("proposed", "Proposed"),
        ("already there", "Nothing to do"),
        ("superseded", "Superseded"),
        ("held", "Held"),
        ("quarantined", "Quarantined"),
        ("parked", "Parked"),
    ],
)
def test_the_line_begins_with_how_it_ended(
    outcome: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written.show(Written(outcome, "because [b]of[/] this"), "Rolled back")
    assert shown(capsys) == [f"{word}: because [b]of[/] this."]


def test_a_rollback_shows_its_diff_and_both_releases(capsys: pytest.CaptureFixture[str]) -> None:
    bad, target = promotion(TWO, 2, ONE).champion, promotion(ONE, 1).champion
    rollback.show(Plan("attrition", bad, target, "why", "-newTag: [two]\n+newTag: one"))
    assert shown(capsys) == [
        "-newTag: [two]",
        "+newTag: one",
        f"From release 2, {TWO}, which goes into quarantine",
        f"To release 1, {ONE}",
        "Proof how its canary ended is not recorded: nothing shows that it ran everywhere",
    ]


def test_a_tag_that_a_person_wrote_sets_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    bad = msgspec.structs.replace(promotion(TWO, 2, ONE).champion, tag="[red]two[/]")
    rollback.show(Plan("attrition", bad, promotion(ONE, 1).champion, "why", ""))
    assert shown(capsys)[0] == "From release 2, [red]two[/], which goes into quarantine"
