"""What is told of a candidate beside a holdout of which nothing is."""

from dataclasses import replace

import numpy as np
import pytest
from support.holdouts import Trial, better, groups, measured, model, world

from sluice.gate.case import BROKEN, MET, OPEN, WAIVED, Facts, Rule
from sluice.gate.decide import decide
from sluice.gate.elsewhere import (
    WITHOUT_LABELS,
    found_on_validation,
    on_validation,
    unmet_of_the_holdout,
    without_labels,
)

TOO_FEW = Facts(left_out=14_000, accepted=0.5, duplicates=900, near_duplicates=900, uses=30)


def shuffled(trial: Trial) -> Trial:
    """The same models on the same rows, of which as many others are positive."""
    labels = np.random.default_rng(11).permutation(trial.of.labels)
    return replace(trial, of=replace(trial.of, labels=labels))


@pytest.mark.parametrize("facts", [Facts(), TOO_FEW], ids=["sound", "not sound"])
def test_rules_without_labels_say_the_same_whoever_is_positive(facts: Facts) -> None:
    trial = better().but(
        facts=facts, segments={"team": groups("AB", [0.5, 0.5])}, near_duplicate_ceiling=0.01
    )
    one, other = trial.judge(), shuffled(trial).judge()
    told = without_labels(one.rules)
    assert {rule.rule for rule in told} >= {"finite", "not_constant", "no_duplicates", "ledger"}
    assert told == without_labels(other.rules)
    assert one.rules != other.rules
    assert one.verdict != other.verdict or facts is TOO_FEW


def test_what_a_label_changes_is_not_among_them() -> None:
    trial = better().but(segments={"team": groups("AB", [0.5, 0.5])})
    pairs = zip(trial.judge().rules, shuffled(trial).judge().rules, strict=True)
    changed = {one.rule for one, other in pairs if one != other}
    assert {"signal", "recall_floor", "better", "not_worse", "calibration"} <= changed
    assert not changed & set(WITHOUT_LABELS)


def test_where_nothing_can_be_measured_only_such_rules_are_there() -> None:
    broken = model("candidate", 0.6)
    trial = Trial(replace(broken, scores=np.full_like(broken.scores, np.nan)))
    rules = trial.judge().rules
    assert without_labels(rules) == rules
    assert "scores are not probabilities" in unmet_of_the_holdout(rules)


def test_on_validation_nothing_is_said_twice_and_nothing_of_validation_against_itself() -> None:
    rules = better().but(segments={"team": groups("AB", [0.5, 0.5])}).judge().rules
    told = {rule.rule for rule in on_validation(rules)}
    assert {"better", "not_worse", "recall_floor", "stable_cross_validation"} <= told
    assert not told & {*WITHOUT_LABELS, "metrics_match", "stable_validation"}


def test_the_rows_are_called_what_they_are() -> None:
    trial = better()
    holdout = replace(trial.holdout, part="the validation rows")
    rules = decide(measured(trial), holdout, trial.facts, trial.policy).rules
    said = " ".join(rule.sentence for rule in on_validation(rules))
    assert "on the validation rows, a difference of" in said
    assert "holdout" not in said


def test_the_sentence_names_what_is_broken_first_and_three_at_most() -> None:
    rules = [Rule(f"r{number}", OPEN, f"Rule {number} is open") for number in range(4)]
    rules += [Rule("worst", BROKEN, "Recall is 0.61; 0.72 is required", needed="Find 12 more")]
    rules += [Rule("set", WAIVED, "It is set aside"), Rule("met", MET, "It is met")]
    assert found_on_validation(rules) == (
        "On the validation rows, which decide nothing, 6 of 7 rules are not met: Recall is 0.61;"
        " 0.72 is required. Find 12 more. Rule 0 is open. Rule 1 is open. 3 more are in the"
        " evidence"
    )
    one = [rules[0], rules[-1]]
    assert found_on_validation(one).endswith("1 of 2 rules is not met: Rule 0 is open")
    assert found_on_validation(rules[-1:]).endswith("which decide nothing, all of 1 rules are met")
    assert found_on_validation([]) == ""


def test_rules_of_the_holdout_that_are_met_or_set_aside_need_no_word() -> None:
    assert unmet_of_the_holdout(better().judge().rules[:3]) == ""
    waived = Rule("comparable", WAIVED, "It is set aside")
    assert unmet_of_the_holdout([waived]) == ""
    few = better().but(facts=TOO_FEW).judge().rules
    assert "of the holdout repeats training rows" in unmet_of_the_holdout(without_labels(few))


def test_the_worlds_differ_in_their_labels() -> None:
    assert (shuffled(better()).of.labels != world().labels).any()
    assert shuffled(better()).of.labels.sum() == world().labels.sum()
