"""A verdict on the terminal: each rule with its state, and the line that matters."""

from typing import Any

import pytest
from support.terminal import shown

from flows.views import verdict as view
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
