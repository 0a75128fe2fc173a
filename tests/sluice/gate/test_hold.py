"""The sentence of a HOLD: one plain sentence, whatever the difference is."""

from dataclasses import replace

import pytest
from support.holdouts import LIMITS, better, model

from sluice.gate.case import Case, Comparison, Facts
from sluice.gate.hold import held_sentence
from sluice.gate.paired import Difference, Pairs, recall_difference
from sluice.gate.paired import better as p_value
from sluice.served.words import Words

LEAVERS = Words("leaver", "leavers")


def told(pairs: Pairs, release: int = 1, *, is_better: bool = False) -> str:
    compared = Comparison("old", 6_227, pairs, recall_difference(pairs, 0.05), p_value(pairs))
    facts = Facts(champion_release=release, uses=3)
    case = Case({}, better().holdout, facts, LIMITS, compared, None, LEAVERS)
    return held_sentence(case, compared, is_better=is_better)


@pytest.mark.parametrize(
    ("gained", "lost", "sentence"),
    [
        (128, 116, "it finds 12 more of 5,758 leavers, within chance"),
        (116, 128, "it finds 12 fewer of 5,758 leavers, within chance"),
        (116, 116, "it finds as many of 5,758 leavers, within chance"),
        (0, 0, "it finds as many of 5,758 leavers, within chance"),
        (10, 50, "it finds 40 fewer of 5,758 leavers, a loss within the margin of 0.01"),
        (
            10,
            150,
            "it finds 140 fewer of 5,758 leavers, a loss not shown to be within the margin of 0.01",
        ),
        (
            50,
            20,
            "it finds 30 more of 5,758 leavers, within what use 4 of the holdout puts down to"
            " chance",
        ),
    ],
)
def test_the_difference_is_told_in_positives_and_with_what_it_is_put_down_to(
    gained: int, lost: int, sentence: str
) -> None:
    pairs = Pairs(gained, lost, 5_758, 1_200)
    assert told(pairs) == f"No better than release 1: flagging as many, {sentence}"


def test_a_champion_whose_number_is_not_known_is_called_the_champion() -> None:
    pairs = Pairs(5, 5, 100, 40)
    assert told(pairs, 0).startswith("No better than the champion: flagging as many, ")


def test_what_is_better_and_held_all_the_same_says_so() -> None:
    assert told(Pairs(300, 100, 5_758, 1_200), is_better=True) == (
        "Better than release 1, and held all the same: flagging as many, it finds 200 more of"
        " 5,758 leavers"
    )


def test_an_ordinary_hold_is_that_one_sentence() -> None:
    twin = better().but(
        candidate=replace(model("old", 1.2), tag="candidate"), facts=Facts(champion_release=7)
    )
    verdict = twin.judge()
    assert (verdict.verdict, verdict.refresh) == ("HOLD", False)
    assert verdict.sentence == (
        "No better than release 7: flagging as many, it finds as many of 6,931 positives, within"
        " chance"
    )


def test_a_hold_for_which_a_rule_waits_names_it_behind_its_sentence() -> None:
    verdict = better().but(facts=Facts(uses=20)).judge()
    held, _, waiting = verdict.sentence.partition(". ")
    assert held.startswith("Better than the champion, and held all the same: ")
    assert waiting.startswith("This holdout has decided 20 times")


def test_a_hold_that_replaces_the_champion_says_what_people_will_get() -> None:
    facts = Facts(fresh=True, champion_days=99)
    twin = better().but(candidate=replace(model("old", 1.2), tag="candidate"), facts=facts)
    sentences = twin.judge().sentence.split(". ")
    assert [sentence.split()[0] for sentence in sentences] == ["No", "Fresh", "As"]


def test_the_interval_tells_what_a_difference_is_put_down_to() -> None:
    """Nothing but the interval: the same counts, with another one."""
    pairs = Pairs(128, 116, 5_758, 1_200)
    wide, above = Difference(0.002, -0.002, 0.006, 0.05), Difference(0.002, 0.001, 0.003, 0.05)
    for recall, ending in ((wide, "within chance"), (above, "puts down to chance")):
        compared = Comparison("old", 6_227, pairs, recall, 0.2)
        case = Case({}, better().holdout, Facts(), LIMITS, compared, None, LEAVERS)
        assert held_sentence(case, compared, is_better=False).endswith(ending)
