"""A verdict on the terminal: each rule with its state, and the line that matters."""

from typing import Any

import pytest
from support.terminal import shown

from flows.views.gating import verdict as view
from sluice.gate.case import BROKEN, MET, OPEN, WAIVED, Rule
from sluice.gate.decide import Verdict


def rule(state: str) -> Rule:
    return Rule("recall", state, "Recall is 0.70; at least 0.735 is required", needed="Find more")


def judged(word: str, *rules: Rule) -> Verdict:
    return Verdict(word, "recall is too low", rules)


@pytest.mark.parametrize("state", [MET, BROKEN, OPEN, WAIVED])
def test_every_state_of_a_rule_has_its_word(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    view.show(judged("REJECT", rule(state)), {})
    assert shown(capsys) == [
        f"{state} recall Recall is 0.70; at least 0.735 is required. Find more",
        "REJECT: recall is too low",
    ]


def test_the_words_of_all_states_are_equally_wide(capsys: pytest.CaptureFixture[str]) -> None:
    view.show(judged("REJECT", *(rule(state) for state in (MET, BROKEN, OPEN, WAIVED))), {})
    lines = capsys.readouterr().out.splitlines()[:-1]
    assert {line.index("  recall") for line in lines} == {6}


@pytest.mark.parametrize("metrics", [{}, {"confusion": {}}, {"intervals": {}}])
def test_without_what_was_measured_the_sentence_stands(
    metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    view.show(judged("PROMOTE"), metrics)
    assert shown(capsys) == ["PROMOTE: recall is too low"]


def measured() -> dict[str, Any]:
    """A metrics.json with one group that is found less often than the rest."""
    few = {"rows": 200, "positives": 100, "precision": 0.5, "share_flagged": 0.1}
    return {
        "confusion": {
            "true_positive": 750,
            "false_negative": 250,
            "false_positive": 300,
            "true_negative": 700,
        },
        "intervals": {
            "level": 0.9,
            "recall": [0.73, 0.77],
            "precision": [0.69, 0.73],
            "accuracy": [0.7, 0.75],
            "roc_auc": [0.7, 0.8],
        },
        "segments": {
            "job_level": {
                "Entry": {**few, "recall": 0.8, "recall_interval": [0.72, 0.87]},
                "Senior": {**few, "recall": 0.2, "recall_interval": [0.14, 0.28]},
            }
        },
    }


def test_the_group_that_is_found_least_often_is_called_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view.show(judged("PROMOTE"), measured())
    assert shown(capsys) == [
        "Found least often: job_level = Senior, recall 0.2000 [0.1400, 0.2800] where that of all"
        " rows is 0.7500",
        "PROMOTE: recall 0.7500 [0.7300, 0.7700], precision 0.7143 [0.6900, 0.7300] (90 %"
        " intervals)",
    ]


@pytest.mark.parametrize("word", ["HOLD", "REJECT", "INSUFFICIENT"])
def test_where_the_last_line_says_why_the_numbers_stand_above_it(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    view.show(judged(word), {**measured(), "segments": {}})
    assert shown(capsys) == [
        "Measured: recall 0.7500 [0.7300, 0.7700], precision 0.7143 [0.6900, 0.7300] (90 %"
        " intervals)",
        f"{word}: recall is too low",
    ]


def test_how_good_it_is_stands_before_whether_the_numbers_are_sound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("labelled", "finite", "metrics_match", "recall_floor", "calibration", "better")
    view.show(judged("REJECT", *(Rule(name, MET, "So") for name in names)), {})
    assert [line.split()[1] for line in shown(capsys)[:-1]] == [
        "recall_floor",
        "better",
        "calibration",
        "labelled",
        "finite",
        "metrics_match",
    ]
