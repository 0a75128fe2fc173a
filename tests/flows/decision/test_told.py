"""The door: what it gives out in words, and that nothing else opens what lies behind it."""

import re
from typing import cast

import pytest

from flows.decision import told
from flows.facts.decided import NOT_PROMOTED, Decided
from flows.facts.scored import Scored
from flows.project.root import ROOT
from sluice.gate.case import BROKEN, MET, OPEN, Rule
from sluice.gate.decide import Verdict
from sluice.model.quality.metrics_file import Metrics
from sluice.policy import GatePolicy

# Who writes these files, works them out anew, or gives them out.
BEHIND = {"flows/decision/told.py", "flows/steps/recheck.py", "flows/engine/phases.py"}
OPENED = re.compile(
    r"\b(?:decision|self)\.metrics\b|\bscored\.(?:read|document|parsed)\(|"
    r"\bdecided\.(?:read|document|parsed)\("
)


class Policy:
    """A policy as far as the door looks at it."""

    def __init__(self, told: str) -> None:
        self.worded = told != "figures"
        self.promoted_figures = told != "words"


WORDS, PROMOTED, FIGURES = (
    cast("GatePolicy", Policy(told)) for told in ("words", "promoted", "figures")
)


@pytest.mark.parametrize("policy", [WORDS, PROMOTED], ids=["words", "promoted"])
@pytest.mark.parametrize("verdict", ["HOLD", "REJECT", "INSUFFICIENT"])
def test_every_verdict_but_promote_is_told_alike(verdict: str, policy: GatePolicy) -> None:
    refreshed = Verdict(verdict, "It finds 12 more of 5,758 positives", (), refresh=True)
    found = told.decided(refreshed, policy, override="", policy_changed="")
    assert (found.verdict, found.refresh, found.promotes) == (NOT_PROMOTED, False, False)
    assert (
        found.sentence
        == told.decided(Verdict("HOLD", "", ()), WORDS, override="", policy_changed="").sentence
    )
    assert not re.search(r"\d", found.sentence)


@pytest.mark.parametrize("policy", [WORDS, PROMOTED], ids=["words", "promoted"])
def test_a_promote_is_told_without_what_it_gained(policy: GatePolicy) -> None:
    better = Verdict("PROMOTE", "It finds 299 that the champion misses", ())
    found = told.decided(better, policy, override="signed", policy_changed="changed")
    assert (found.verdict, found.promotes) == ("PROMOTE", True)
    assert (found.override, found.policy_changed) == ("signed", "changed")
    assert "299" not in found.sentence


def test_the_sentence_of_a_promote_says_what_else_is_told() -> None:
    better = Verdict("PROMOTE", "", ())
    words = told.decided(better, WORDS, override="", policy_changed="").sentence
    figures = told.decided(better, PROMOTED, override="", policy_changed="").sentence
    assert "tells no figure" in words
    assert "tells figures of the whole holdout" in figures
    assert words.startswith(figures.partition(", which tells")[0])


def test_of_a_first_release_a_promote_says_that_it_is_one() -> None:
    better = Verdict("PROMOTE", "", ())
    for policy in (WORDS, PROMOTED):
        found = told.decided(better, policy, first=True, override="", policy_changed="")
        assert found.sentence.startswith("This is the first model, and it clears every floor")
    refused = Verdict("INSUFFICIENT", "", ())
    first, later = (
        told.decided(refused, PROMOTED, first=one, override="", policy_changed="")
        for one in (True, False)
    )
    assert first == later


def test_what_looks_at_no_label_and_what_validation_says_are_told() -> None:
    """Of the rules on the holdout that are not met no other."""
    rules = (
        Rule("comparable", OPEN, "The champion accepts 3.0 % of the rows", needed="Sign"),
        Rule("recall_floor", BROKEN, "Recall is 0.6111 on the holdout"),
        Rule("finite", MET, "0 of 482 scores are not probabilities"),
    )
    beside = (Rule("recall_floor", BROKEN, "Recall is 0.6333; 0.72 is required"),)
    found = told.decided(
        Verdict("REJECT", "Recall is 0.6111", rules),
        PROMOTED,
        beside,
        override="",
        policy_changed="",
    )
    assert found.verdict == NOT_PROMOTED
    assert "0.6111" not in found.sentence
    assert (
        ". The champion accepts 3.0 % of the rows. Sign. On the validation rows" in found.sentence
    )
    assert found.sentence.endswith("1 of 1 rules is not met: Recall is 0.6333; 0.72 is required")


def test_in_figures_the_verdict_is_told_as_it_is() -> None:
    held = Verdict("HOLD", "why", (), refresh=True)
    assert told.decided(held, FIGURES, override="", policy_changed="") == Decided(
        "HOLD", "why", refresh=True
    )


def test_of_the_score_words_tell_the_rows_alone() -> None:
    class Rows:
        holdout = 482

    class Measured:
        recall, precision = 0.75, 0.7

    class Found:
        rows, holdout = Rows, Measured

    metrics = cast("Metrics", Found)
    assert told.scored(metrics, WORDS) == Scored(482)
    assert told.scored(metrics, PROMOTED) == Scored(482)  # its verdict is not known yet
    assert told.scored(metrics, FIGURES) == Scored(482, 0.75, 0.7)


def test_nothing_else_opens_what_lies_behind_the_door() -> None:
    opened = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "flows").rglob("*.py")
        if "drills" not in path.parts and OPENED.search(path.read_text(encoding="utf-8"))
    }
    assert opened == BEHIND
