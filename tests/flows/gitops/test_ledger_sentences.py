"""What people read of the ledger, to the letter: the commits on its branch, and the errors that
say how to go on.
"""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from support import by_hand
from support.git_repos import document, seeded, tip, use

from flows.adapters.git import git
from flows.gitops import ledger, ledger_secret
from flows.gitops.ledger import LEDGER, AnotherTurn, Waits
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gate.ledger import Allowance, Counted, Ledger, Use

MODEL, FILE = "attrition", "attrition.json"
DAY = date(2026, 3, 2)


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """A manifest repo in which nothing was ever reserved."""
    return seeded(tmp_path)


def said(given: Settings) -> str:
    """The message of the newest commit on the branch."""
    return git.git("log", "-1", "--format=%B", LEDGER, cwd=Path(given.manifest_url)).strip()


def wiped(given: Settings, content: str) -> None:
    """Somebody pushes another ledger."""
    with by_hand.clone(given.manifest_url, LEDGER) as repo:
        (repo.path / FILE).write_text(content)
        by_hand.commit(repo, "Begin anew\n", "Mallory <mallory@example.com>")
        by_hand.push(repo)


def test_a_commit_says_which_release_and_use_was_reserved(given: Settings) -> None:
    ledger.reserve(given, MODEL, use("a"))
    assert said(given) == ("Reserve release 1 of attrition\n\nCandidate a, use 1 of its holdout.")
    ledger.reserve(given, MODEL, use("b"))
    assert said(given) == ("Reserve release 2 of attrition\n\nCandidate b, use 2 of its holdout.")


def test_a_commit_says_which_look_of_a_use_it_is(given: Settings) -> None:
    first = Use("a", ("1", "2", "3"), DAY, model="m")
    assert ledger.reserve(given, MODEL, first) == (1, Counted(0, 0))
    more = replace(first, candidate="b", ids=("1", "2", "3", "4"))
    assert ledger.peek(given, MODEL, more) == Counted(0, 1)
    assert ledger.reserve(given, MODEL, more) == (2, Counted(0, 1))
    assert said(given) == (
        "Reserve release 2 of attrition\n\nCandidate b, use 1 of its holdout, look 2."
    )
    assert ledger.known(given, MODEL, "b") == Counted(0, 1)


def test_who_holds_the_newest_number_writes_nothing(given: Settings) -> None:
    ledger.reserve(given, MODEL, use("a"))
    before = tip(given, LEDGER)
    assert ledger.reserve(given, MODEL, use("a")) == (1, Counted(0, 0))
    assert tip(given, LEDGER) == before


def test_the_newest_number_of_a_candidate_is_found(given: Settings) -> None:
    assert ledger.number_of(given, MODEL, "a") == 0
    for candidate in ("a", "b", "a"):
        ledger.reserve(given, MODEL, use(candidate))
    assert ledger.number_of(given, MODEL, "a") == 3
    assert ledger.number_of(given, MODEL, "b") == 2
    assert ledger.number_of(given, MODEL, "unheard") == 0
    assert ledger.number_of(given, "churn", "a") == 0


def test_a_commit_says_who_waits_and_where_it_stands(given: Settings) -> None:
    weekly = Use("first", ("1", "2", "3"), DAY, "m", allowance=Allowance(days=7, best=True))
    ledger.reserve(given, MODEL, weekly)
    later = replace(weekly, candidate="c", model="n", today=date(2026, 3, 4), validation=0.81239)
    with pytest.raises(Waits) as waits:
        ledger.reserve(given, MODEL, later)
    assert said(given) == (
        "Let a candidate of attrition wait\n\nCandidate c, ROC-AUC 0.8124 on validation rows. No"
        " use of the holdout was spent."
    )
    assert waits.value.what == (
        "this holdout decided on 2026-03-02; one look in 7 days is allowed, for the best candidate"
        " by validation. ROC-AUC on validation rows is 0.8124. No candidate that waits has more"
    )
    assert waits.value.exit_code == 0
    on_the_day = replace(later, candidate="d", model="o", today=date(2026, 3, 9), validation=0.7)
    with pytest.raises(AnotherTurn) as other:
        ledger.reserve(given, MODEL, on_the_day)
    told = (
        "A candidate of 2026-03-04 has the look of this ration: its ROC-AUC on validation rows is"
        " 0.8124, and that of this one 0.7000. Nothing was scored on the holdout for this one, and"
        " no use was spent."
    )
    assert other.value.what == str(other.value) == told
    assert other.value.waiting.model == "n"
    assert ledger.waits(given, MODEL, on_the_day)


# --- what was lost
# -----------------------------------------------------------------------------


def refused(given: Settings, live: int = 0) -> tuple[str, str]:
    """Problem and next step, which a release and a look before it are told alike."""
    with pytest.raises(SluiceError) as of_look:
        ledger.require_whole(given, MODEL, live)
    with pytest.raises(SluiceError) as of_release:
        ledger.reserve(given, MODEL, use("next"), live)
    assert (of_look.value.what, of_look.value.fix) == (of_release.value.what, of_release.value.fix)
    return of_look.value.what, of_look.value.fix


def test_a_ledger_that_ends_before_what_is_live_says_how_to_restore_it(given: Settings) -> None:
    ledger.reserve(given, MODEL, use("a"))
    ledger.require_whole(given, MODEL, 1)
    what, fix = refused(given, live=2)
    assert what == (
        "release 2 of attrition is live, and branch sluice-ledger ends with release 1: it was lost"
        " or reset"
    )
    anew = '{"releases": [{"number": 2, "candidate": "lost"}]}'
    assert fix == (
        "Push it again from a clone that has it. Where none has, delete ledger.release.* of"
        " attrition in the registry (embedded: in ledger/attrition of the state folder), and commit"
        f" attrition.json to the branch, with {anew}: how often the holdout decided is forgotten"
        " then."
    )


def test_what_it_says_to_commit_begins_a_ledger_that_goes_on(given: Settings) -> None:
    """To the letter: where no clone has the branch any more."""
    ledger.reserve(given, MODEL, use("a"))
    for mark in (given.home / "ledger" / MODEL).glob("release.*"):
        mark.unlink()
    wiped(given, json.dumps({"releases": [{"number": 5, "candidate": "lost"}]}))
    ledger.require_whole(given, MODEL, 5)
    assert ledger.reserve(given, MODEL, use("b"), 5) == (6, Counted(0, 0))
    assert document(given, FILE, LEDGER)["releases"][0]["candidate"] == "lost"


def test_a_ledger_that_lost_what_was_marked_says_how_to_restore_it(given: Settings) -> None:
    for candidate in "ab":
        ledger.reserve(given, MODEL, use(candidate))
    wiped(given, json.dumps({"releases": []}))
    what, fix = refused(given)
    assert what == (
        "attrition.json of branch sluice-ledger was lost or reset: release 2 was reserved in it"
    )
    assert fix == (
        "Push the branch again from a clone that has it. To give up what it counted, delete"
        " ledger.release.* of attrition in the registry; of an embedded one, the files release.* in"
        f" {given.home / 'ledger' / MODEL}."
    )


def test_a_ledger_that_somebody_changed_says_where_to_look(given: Settings) -> None:
    ledger.reserve(given, MODEL, use("a"))
    content = document(given, FILE, LEDGER)
    content["releases"][0]["use"] = 9
    wiped(given, json.dumps(content))
    what, fix = refused(given)
    assert what == (
        "attrition.json of branch sluice-ledger was changed by somebody else than Sluice: its seal"
        " is not that of its content"
    )
    assert fix == (
        "Look at `git log -p sluice-ledger -- attrition.json`, and push its last version that"
        " Sluice wrote as a new commit."
    )


def test_a_clone_that_is_behind_is_no_ledger_that_lost_something(given: Settings) -> None:
    """Another release was reserved since this clone was made: it is decided anew."""
    ledger.reserve(given, MODEL, use("a"))
    with git.clone(given.remote, LEDGER) as behind:
        ledger.reserve(given, MODEL, use("b"))
        with pytest.raises(git.LostRace) as lost:
            ledger.opened(given, MODEL, behind)
    assert lost.value.what == "branch sluice-ledger moved"
    assert lost.value.fix == "It is decided anew from the new tip."


def test_where_there_is_no_manifest_repo_nothing_is_lost(tmp_path: Path) -> None:
    nothing = seeded(tmp_path).model_copy(update={"home": tmp_path / "empty"})
    ledger.require_whole(nothing, MODEL, 7)


# --- the marks
# -----------------------------------------------------------------------------


def test_the_newest_mark_is_found_among_what_else_lies_there(given: Settings) -> None:
    assert ledger_secret.newest_mark(given, MODEL) == 0
    assert ledger_secret.lost(given, MODEL, Ledger()) == ""
    for candidate in "abc":
        ledger.reserve(given, MODEL, use(candidate))
    place = given.home / "ledger" / MODEL
    (place / "release.old").write_bytes(b"no number")
    (place / "other.99").write_bytes(b"no mark")
    assert ledger_secret.newest_mark(given, MODEL) == 3
    assert ledger_secret.lost(given, MODEL, Ledger()) == "release 3 was reserved in it"


def test_a_secret_of_a_glance_is_as_long_as_any_and_never_the_same() -> None:
    one, other = ledger_secret.throwaway(), ledger_secret.throwaway()
    assert len(one) == len(other) == 32
    assert one != other
