"""A metrics.json by itself: what it says must follow from its own counts, and clear the floors."""

import copy
import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.holdouts import LIMITS

from sluice.gate.declared_metrics import decide
from sluice.model.quality.metrics import at_threshold
from sluice.model.quality.metrics_file import Confusion
from sluice.served.words import Words

GOOD = Confusion(true_positive=800, false_positive=300, false_negative=200, true_negative=700)
WORDS = Words("loss", "losses")
COUNTS = st.integers(0, 10**6)


def declared(counts: Confusion = GOOD) -> dict[str, Any]:
    """The metrics.json of these counts."""
    return {
        "confusion": msgspec.to_builtins(counts),
        "holdout": msgspec.to_builtins(at_threshold(counts)),
        "rows": {"holdout": counts.rows, "holdout_positives": counts.positives},
    }


def changed(section: str, name: str, value: object) -> dict[str, Any]:
    """The same with one other value."""
    document = copy.deepcopy(declared())
    document[section][name] = value
    return document


def test_good_metrics_clear_every_floor() -> None:
    verdict = decide(declared(), LIMITS)
    assert (verdict.verdict, verdict.sentence) == ("PROMOTE", "Every floor is cleared")
    assert [rule.rule for rule in verdict.rules] == [
        "metrics_consistent",
        "recall_floor",
        "precision_floor",
        "flagged_ceiling",
    ]


@given(st.builds(Confusion, COUNTS, COUNTS, COUNTS, COUNTS))
def test_counts_agree_with_themselves_whatever_they_are(counts: Confusion) -> None:
    consistent, *floors = decide(declared(counts), LIMITS).rules
    assert consistent.passed
    shares = at_threshold(counts)
    assert [rule.passed for rule in floors] == [
        shares.recall >= LIMITS.recall_floor,
        shares.precision >= LIMITS.precision_floor,
        shares.share_flagged <= LIMITS.flagged_ceiling,
    ]


@pytest.mark.parametrize(
    ("section", "name"),
    [(section, name) for section, values in declared().items() for name in values],
)
@pytest.mark.parametrize("value", [None, "0.8", True, [], math.nan, math.inf, -1, 0.123456])
def test_a_number_that_was_changed_by_hand_is_named(section: str, name: str, value: object) -> None:
    verdict = decide(changed(section, name, value), LIMITS)
    assert verdict.verdict == "REJECT"
    sentence = verdict.rules[0].sentence
    assert "metrics.json differs from its own counts in " in sentence
    # Without a count nothing else can be counted again; with another one, the shares are wrong.
    assert f"{section}.{name}" in sentence or "holdout.accuracy" in sentence


@pytest.mark.parametrize(("section", "name"), [("holdout", "recall"), ("rows", "holdout")])
def test_the_last_bits_of_a_sum_are_no_difference(section: str, name: str) -> None:
    value = declared()[section][name]
    assert decide(changed(section, name, value + 1e-10), LIMITS).verdict == "PROMOTE"
    assert decide(changed(section, name, value + 1e-8), LIMITS).verdict == "REJECT"


@pytest.mark.parametrize(("lift", "verdict"), [(1.45, "PROMOTE"), (1.46, "REJECT")])
def test_lift_and_skill_follow_from_the_counts_too(lift: float, verdict: str) -> None:
    policy = replace(LIMITS, precision_floor=0.0, lift_floor=lift, brier_skill_floor=0.2)
    document = declared()
    document["holdout"]["brier"] = 0.19
    assert decide(document, policy).verdict == verdict
    assert [rule.rule for rule in decide(document, policy).rules][2:4] == [
        "lift_floor",
        "brier_skill_floor",
    ]
    document["holdout"]["brier"] = 0.21
    sentence = "Brier skill is 0.1600; at least 0.2 is required"
    assert sentence in decide(document, policy).sentence
    del document["holdout"]["brier"]
    assert "Brier skill is nan; at least 0.2 is required" in decide(document, policy).sentence
    del document["rows"]["holdout"]
    assert "Lift is nan; at least" in decide(document, policy).sentence


@pytest.mark.parametrize(
    ("miss", "alarm", "verdict"),
    [(1.0, 1.0, "PROMOTE"), (1.0, 3.0, "REJECT"), (9.0, 1.0, "REJECT")],
)
def test_counts_say_what_errors_cost(miss: float, alarm: float, verdict: str) -> None:
    """800 of 1,000 found, 300 of 1,000 flagged wrongly."""
    policy = replace(
        LIMITS,
        recall_floor=0.0,
        precision_floor=0.0,
        cost_of_a_miss=miss,
        cost_of_a_false_alarm=alarm,
    )
    decided = decide(declared(), policy)
    assert decided.verdict == verdict
    assert [rule.rule for rule in decided.rules] == [
        "metrics_consistent",
        "net_benefit",
        "flagged_ceiling",
    ]
    saved = 0.5 * (min(1_000 * miss, 1_000 * alarm) - 200 * miss - 300 * alarm)
    assert decided.rules[1].sentence.startswith(f"The errors cost {saved:.4g} less for each 1,000")
    assert decide({}, policy).rules[1].value is None


def test_an_empty_file_clears_nothing() -> None:
    verdict = decide({}, LIMITS)
    assert verdict.verdict == "REJECT"
    assert [rule.passed for rule in verdict.rules] == [False] * 4
    assert [rule.value for rule in verdict.rules] == [None] * 4


def test_a_floor_that_is_missed_says_how_many_more_are_to_be_found() -> None:
    few = Confusion(true_positive=719, false_positive=100, false_negative=281, true_negative=900)
    verdict = decide(declared(few), LIMITS, WORDS)
    assert verdict.sentence == ("Recall is 0.7190; at least 0.72 is required. Find 1 more loss")
    fewer = Confusion(true_positive=0, false_positive=0, false_negative=2_000, true_negative=900)
    assert "Recall is 0.0000; at least 0.72 is required. Find 1,440 more losses" in str(
        decide(declared(fewer), LIMITS, WORDS).sentence
    )


@given(st.integers(1, 5_000), st.data())
def test_with_so_many_more_found_the_floor_is_cleared(positives: int, data: st.DataObject) -> None:
    found = data.draw(st.integers(0, positives))
    counts = Confusion(found, 0, positives - found, positives)
    rule = decide(declared(counts), LIMITS, WORDS).rules[1]
    if rule.passed:
        return
    more = int(rule.needed.split()[1].replace(",", ""))
    assert (found + more) / positives >= LIMITS.recall_floor - 1e-9
    assert (found + more - 1) / positives < LIMITS.recall_floor


def test_too_many_flagged_rows_are_refused_and_all_reasons_are_given() -> None:
    everyone = Confusion(true_positive=400, false_positive=600, false_negative=0, true_negative=0)
    verdict = decide(declared(everyone), LIMITS)
    assert verdict.sentence == (
        "Precision is 0.4000; at least 0.66 is required. "
        "100.0 % of the rows are flagged; at most 70 % is allowed"
    )
