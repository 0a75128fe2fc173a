"""What the ledger branch tells: an end is noted once, and a release does not fail for it."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from support import by_hand
from support.git_repos import (
    ONE,
    STATE,
    TWO,
    commits,
    digest,
    hook,
    promotion,
    seeded,
    shown,
    tip,
    use,
)
from support.merge_styles import STYLES

from flows.gitops import ledger, manifest_repo
from flows.gitops.events import chronicle, note, taken_on
from flows.gitops.ledger import LEDGER
from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.gitops import trailers
from sluice.gitops.history import live
from sluice.gitops.lineage import resolve
from sluice.gitops.state import Champion, decode

DATA = "d" * 64


@dataclass(frozen=True)
class End:
    """How a release ended, as the ledger asks for it."""

    outcome: str = "hold"
    verdict: str = "HOLD"
    tag: str = ONE
    branch: str = ""
    sentence: str = "it is not shown to be better"
    summary: str = "HOLD: recall 0.7"


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """A manifest repo in which a first candidate holds number 1."""
    given = seeded(tmp_path)
    assert ledger.reserve(given, "attrition", use("one")) == (1, (0, 0))
    return given


def told(given: Settings) -> list[tuple[str, int, str]]:
    return [
        (event.kind, event.release, event.verdict)
        for event in chronicle(given)
        if event.kind != "start"
    ]


@pytest.mark.parametrize("style", STYLES)
def test_a_proposal_that_a_host_merged_is_a_release(style: str, tmp_path: Path) -> None:
    """Each style keeps the text, and puts something around it."""
    given = seeded(tmp_path, mode="branch")
    proposed = promote(given, promotion(ONE, 1))
    assert proposed.outcome == "proposed"
    written = trailers.pairs(promotion(ONE, 1).trailers)
    with by_hand.clone(given.manifest_url, "main") as repo:
        shown_as = ("show", "--no-patch", "--format=%B", proposed.commit)
        message = f"{by_hand.git(repo.path, *shown_as)}\n"
        by_hand.git(repo.path, "read-tree", "-u", "--reset", proposed.commit)
        by_hand.commit(repo, STYLES[style](message), "Ann <ann@example.com>")
        by_hand.push(repo)
    events = chronicle(given)
    [event] = [event for event in events if event.kind not in ("start", "reserved")]
    assert (event.kind, event.release, event.tag) == ("release", 1, ONE)
    assert resolve(events, "latest", "attrition", "here") == event
    assert {name: event.trailers.get(name) for name in written} == written
    assert live(events, "attrition") == digest(ONE)
    champion = shown(given, STATE)
    assert manifest_repo.since(given, decode(champion, Champion, STATE))


def test_before_the_manifest_repo_exists_nothing_happened(tmp_path: Path) -> None:
    assert chronicle(Settings(home=tmp_path)) == []


def test_a_number_that_was_taken_is_told(given: Settings) -> None:
    assert told(given) == [("reserved", 1, "")]


def test_the_day_of_a_number_is_the_day_on_which_it_was_taken(
    given: Settings, tmp_path: Path
) -> None:
    """It stays that day, whatever is written to the ledger later."""
    [taken] = [event.date[:10] for event in chronicle(given) if event.kind == "reserved"]
    note(given, "attrition", "one", DATA, End())
    assert ledger.reserve(given, "attrition", use("two"))[0] == 2
    assert taken_on(given, "attrition", 1) == taken
    for model, number in (("attrition", 3), ("attrition", 0), ("other", 1)):
        assert taken_on(given, model, number) == ""
    assert taken_on(Settings(home=tmp_path / "nothing"), "attrition", 1) == ""


def test_the_number_of_a_candidate_is_its_newest(given: Settings) -> None:
    assert ledger.reserve(given, "attrition", use("two"))[0] == 2
    assert ledger.reserve(given, "attrition", use("one"))[0] == 3
    numbers = [ledger.number_of(given, "attrition", name) for name in ("one", "two", "three")]
    assert numbers == [3, 2, 0]


def test_an_end_is_told_with_what_the_release_said(given: Settings) -> None:
    note(given, "attrition", "one", DATA, End())
    assert told(given) == [("reserved", 1, ""), ("verdict", 1, "HOLD")]
    verdict = chronicle(given)[-1]
    assert (verdict.model, verdict.tag, verdict.data) == ("attrition", ONE, DATA)
    assert (verdict.outcome, verdict.overlay) == ("hold", "")
    assert verdict.subject == "Release 1 of attrition: hold"
    assert verdict.body == "HOLD: recall 0.7.\nit is not shown to be better."


def test_the_same_end_again_is_noted_once(given: Settings) -> None:
    note(given, "attrition", "one", DATA, End())
    before = tip(given, LEDGER)
    note(given, "attrition", "one", DATA, End())
    assert tip(given, LEDGER) == before


@pytest.mark.parametrize("outcome", ["promoted", "nothing to do"])
def test_what_a_commit_tells_itself_is_not_noted(outcome: str, given: Settings) -> None:
    before = commits(given, LEDGER)
    note(given, "attrition", "one", DATA, End(outcome=outcome, verdict="PROMOTE"))
    assert commits(given, LEDGER) == before


def test_an_end_without_a_verdict_is_not_noted(given: Settings) -> None:
    before = commits(given, LEDGER)
    note(given, "attrition", "one", DATA, End(outcome="refused", verdict=""))
    assert commits(given, LEDGER) == before


def test_a_proposal_is_told_by_its_branch_whenever_it_was_made(given: Settings) -> None:
    end = End(outcome="proposed", verdict="PROMOTE", branch="release/attrition/1")
    note(given, "attrition", "one", DATA, end)
    assert chronicle(given)[-1].body.endswith("proposed on release/attrition/1.")


def test_a_server_that_takes_no_note_does_not_stop_a_release(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    hook(given, "exit 1")
    note(given, "attrition", "one", DATA, End())
    assert told(given) == [("reserved", 1, "")]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"  not noted in {LEDGER}: ")


def test_a_verdict_that_was_delivered_later_under_its_number_is_no_end(given: Settings) -> None:
    note(given, "attrition", "one", DATA, End(outcome="no builder", verdict="PROMOTE"))
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    # the two branches meet by their dates, which may be the same second
    assert sorted(told(given)) == [("release", 1, ""), ("reserved", 1, "")]


def test_a_verdict_of_another_overlay_says_so(given: Settings) -> None:
    staging = given.model_copy(update={"overlay": "staging"})
    note(staging, "attrition", "one", DATA, End())
    assert chronicle(given)[-1].overlay == "staging"
    assert chronicle(staging)[-1].overlay == ""


def test_each_candidate_has_an_end_of_its_own(given: Settings) -> None:
    note(given, "attrition", "one", DATA, End())
    assert ledger.reserve(given, "attrition", use("two")) == (2, (1, 0))
    note(given, "attrition", "two", DATA, End(verdict="REJECT", outcome="refused", tag=TWO))
    ends = [one for one in told(given) if one[0] == "verdict"]
    assert ends == [("verdict", 1, "HOLD"), ("verdict", 2, "REJECT")]
