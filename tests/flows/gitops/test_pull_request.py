"""Where main is protected: a branch for each candidate, made anew from the tip, and the text of its
pull request.
"""

from pathlib import Path

import pytest
from support.git_repos import (
    FOUR,
    ONE,
    OVERLAY,
    QUARANTINE,
    STATE,
    TWO,
    commits,
    digest,
    document,
    edit,
    image,
    promotion,
    seeded,
    shown,
    tip,
    use,
)

from flows.adapters.git import git
from flows.gitops import pull_request, quarantine, rollback
from flows.gitops.ledger import LEDGER, reserve
from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.gitops import trailers
from sluice.gitops.trailers import read_trailers

BRANCH = f"release/attrition/{ONE}"


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return seeded(tmp_path, mode="branch")


def parents(given: Settings, branch: str) -> list[str]:
    return git.git("log", "-1", "--format=%P", branch, cwd=Path(given.manifest_url)).split()


def test_a_candidate_gets_a_branch_and_main_stays(given: Settings) -> None:
    before = tip(given)
    written = promote(given, promotion(ONE, 1))
    assert (written.outcome, written.branch, written.commit) == (
        "proposed",
        BRANCH,
        tip(given, BRANCH),
    )
    assert written.sentence == f"proposed as {written.commit[:12]} on {BRANCH}"
    assert tip(given) == before
    assert parents(given, BRANCH) == [before]
    assert image(given, revision=BRANCH)["newTag"] == document(given, STATE, BRANCH)["tag"] == ONE
    assert read_trailers(git.log(given.manifest_url, BRANCH)[0][2]) == trailers.pairs(
        promotion(ONE, 1).trailers
    )


def test_the_same_again_reuses_the_branch(given: Settings) -> None:
    first = promote(given, promotion(ONE, 1))
    again = promote(given, promotion(ONE, 1))
    assert (again.outcome, again.commit) == ("proposed", first.commit)
    assert again.sentence == f"{BRANCH} proposes it already"


def test_when_main_moved_the_branch_is_made_anew_from_it_without_force(given: Settings) -> None:
    first = promote(given, promotion(ONE, 1))
    by_hand = edit(given, images=("images:\n", "# Ask Anna first.\nimages:\n"))
    written = promote(given, promotion(ONE, 1))
    assert (written.outcome, parents(given, BRANCH)) == ("proposed", [by_hand, first.commit])
    bare = Path(given.manifest_url)
    assert "# Ask Anna first." in shown(given, OVERLAY, BRANCH)
    assert git.git("diff", "--name-only", "main", BRANCH, cwd=bare).split() == [
        OVERLAY,
        "state/attrition/anchor.json",
        STATE,
    ]
    git.git("merge-base", "--is-ancestor", "main", BRANCH, cwd=bare)  # merges without a conflict


def test_what_a_person_wrote_on_the_branch_is_left_alone(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    by_hand = edit(given, branch=BRANCH, images=("images:\n", "# Ask Anna first.\nimages:\n"))
    edit(given, images=("images:\n", "# moved on\nimages:\n"))
    written = promote(given, promotion(ONE, 1))
    assert written.outcome == "held"
    assert f"a person wrote to {BRANCH}" in written.sentence
    assert tip(given, BRANCH) == by_hand


def test_once_it_is_merged_it_is_there_already(given: Settings) -> None:
    written = promote(given, promotion(ONE, 1))
    git.git("update-ref", "refs/heads/main", written.commit, cwd=Path(given.manifest_url))
    assert promote(given, promotion(ONE, 1)).outcome == "already there"
    assert promote(given, promotion(TWO, 2, against=ONE)).outcome == "proposed"


def test_two_candidates_have_a_branch_each(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    promote(given, promotion(FOUR, 2))
    assert git.branches(given.manifest_url, "release/attrition/*") == [
        BRANCH,
        f"release/attrition/{FOUR}",
    ]


def test_numbers_are_pushed_all_the_same(given: Settings) -> None:
    assert reserve(given, "attrition", use("a")) == (1, (0, 0))
    assert commits(given, LEDGER) == 1


def test_quarantine_and_rollback_are_proposed_too(given: Settings) -> None:
    direct = given.model_copy(update={"mode": "push"})
    for number, (tag, against) in enumerate([(ONE, ""), (TWO, ONE)], 1):
        promote(direct, promotion(tag, number, against))
    before = tip(given)
    added = quarantine.add(given, "attrition", digest(FOUR), "why")
    assert (added.outcome, added.branch) == (
        "proposed",
        f"quarantine/attrition/{digest(FOUR)[7:19]}",
    )
    back = rollback.write(
        given, rollback.plan(given, rollback.Request("attrition", "previous", "why"))
    )
    assert (back.outcome, back.branch, back.release) == ("proposed", f"rollback/attrition/{ONE}", 1)
    assert image(given, revision=back.branch)["newTag"] == ONE
    assert document(given, QUARANTINE, back.branch)["entries"][0]["tag"] == TWO
    assert tip(given) == before


def test_the_same_rollback_and_quarantine_again_reuse_their_branches(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (tag, against) in enumerate([(ONE, ""), (TWO, ONE)], 1):
        promote(given.model_copy(update={"mode": "push"}), promotion(tag, number, against))

    def both(moment: str, why: str) -> list[str]:
        for module in (quarantine, rollback.quarantine):
            monkeypatch.setattr(module, "present", lambda: moment)
        plan = rollback.plan(given, rollback.Request("attrition", "previous", why))
        return [
            quarantine.add(given, "attrition", digest(FOUR), why).commit,
            rollback.write(given, plan).commit,
        ]

    first = both("2026-11-20T10:00:00+00:00", "why")
    assert both("2026-11-20T11:00:00+00:00", "why") == first
    assert not set(both("2026-11-20T11:00:00+00:00", "another reason")) & set(first)


def test_the_text_of_the_pull_request_has_verdict_evidence_and_trailers(given: Settings) -> None:
    wanted = promotion(ONE, 1)
    path = pull_request.write(
        given, wanted, "# PROMOTE\n\n| metric | holdout |\n", "sluice.local/attrition@sha256:ee"
    )
    assert path == pull_request.place(given, "attrition", ONE)
    title, blank, *body = path.read_text().splitlines()
    assert (title, blank) == (wanted.subject, "")
    text = "\n".join(body)
    assert text.startswith("# PROMOTE\n\n| metric | holdout |\n")
    assert "| evidence | `sluice.local/attrition@sha256:ee` |" in text
    assert f"| image | `{wanted.entry.reference}` |" in text
    assert read_trailers(path.read_text()) == trailers.pairs(wanted.trailers)
