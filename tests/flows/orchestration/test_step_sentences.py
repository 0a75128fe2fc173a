"""Every step of a release is told in words: no name of a field, no long hash."""

import re

import msgspec
import pytest

from flows.facts.decided import Decided
from flows.facts.imaged import Imaged
from flows.facts.replayed import Foretold
from flows.facts.scored import Scored
from flows.facts.trained import Trained
from flows.facts.tuned import Tuned
from flows.orchestration.step_sentences import sentence
from flows.steps.order import STEPS, AnyStep
from flows.steps.smoke import Smoked

DIGEST = "d0" * 32
# A value for each type that a fact has; a text is the longest hash there is.
VALUES = {str: DIGEST, int: 1_234, float: 8.941e-08, float | None: 0.744, bool: False}
VALUES |= {str | None: None}


def facts_of(step: AnyStep) -> msgspec.Struct:
    values = {
        field.name: VALUES.get(field.type, {"forest": 7})
        for field in msgspec.structs.fields(step.facts)
    }
    if step.facts is Decided:
        values |= {"verdict": "HOLD", "sentence": "no better than release 1"}
    if step.facts is Foretold:
        values |= {"origin": "log", "sentence": "nothing is live to be replayed beside"}
    words = {"drift": "none", "winner": "hist_gradient_boosting", "family": "logistic_regression"}
    values |= {name: word for name, word in words.items() if name in values}
    return msgspec.convert(values, step.facts)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_is_told_in_words(step: AnyStep) -> None:
    told = sentence(facts_of(step))
    assert told[0].isupper() or told[0].isdigit()
    assert not re.search(r"[0-9a-f]{17,}|e-0|\bFalse\b|\bTrue\b|_", told), told


def test_facts_without_a_sentence_are_an_error() -> None:
    class Unknown(msgspec.Struct):
        rows: int

    with pytest.raises(TypeError, match="Unknown has no sentence"):
        sentence(Unknown(3))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            Imaged("a" * 16, f"sha256:{DIGEST}", "x", adopted=False),
            f"New in the registry, digest {DIGEST[:12]}",
        ),
        (
            Imaged("a" * 16, f"sha256:{DIGEST}", "x", adopted=True),
            f"In the registry already, digest {DIGEST[:12]}",
        ),
        (Scored(482, 0.744, 0.5), "Recall 74.4 %, precision 50.0 %"),
        (Scored(482), "482 rows scored"),
        (Scored(482, skill=0.61234), "Skill 0.6123 beside the median of the training rows"),
        (Trained("a", None, "random_forest", "min"), "Random forest, a number in min"),
        (Trained("a", None, "linear_regression", ""), "Linear regression, a number"),
        (Trained("a", None, "random_forest"), "Random forest, one class of several"),
        (
            Tuned({"linear_regression": 2}, "linear_regression", {}, 0.5, "skill"),
            "Linear regression is best of 2 trials, skill 0.5000",
        ),
        (Foretold("none", 0, True, "nothing is live"), "Nothing is live"),
        (Smoked(50, 8.941e-08), "The image answers 50 records as the model does"),
        (
            Decided("PROMOTE", "the first model to clear every floor", refresh=False),
            "PROMOTE: the first model to clear every floor",
        ),
        (
            Decided("PROMOTE", "better than release 3: it finds 12 more", refresh=False),
            "PROMOTE: better than release 3: it finds 12 more",
        ),
        (
            Decided("HOLD", "no better than release 1: it finds 12 more", refresh=False),
            "HOLD: no better than release 1",
        ),
        (
            Decided("HOLD", "no better than release 1: it finds 12 more", refresh=True),
            "HOLD: no better than release 1: it finds 12 more",
        ),
        (
            Decided("REJECT", "recall is 0.7012; 0.72 is required. Train another", refresh=False),
            "REJECT: recall is 0.7012",
        ),
        (
            Decided("NOT PROMOTED", "no reason is told", refresh=False),
            "NOT PROMOTED: no reason is told",
        ),
    ],
)
def test_the_sentence_says_what_happened(facts: msgspec.Struct, said: str) -> None:
    assert sentence(facts) == said
