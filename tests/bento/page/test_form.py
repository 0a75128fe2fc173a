"""The form for one person: its questions follow from the contract, and its mistakes are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import small
from support.rich_contract import rich, rows

from bento.page import form
from bento.page.form import UNKNOWN, Foreign, GivenOpinion, Mistake
from sluice.served.encoding import FieldError
from sluice.served.uploaded_table import check_record

GOOD = {
    "age": "40",
    "weight": "70.5",
    "spend": "",
    "visits": "",
    "tier": "High",
    "region": "Süd",
    "late": "Yes",
}
KEYS = list(GOOD)
NAMES = {column.key: column.name for column in small().features}


def wrong(**values: str) -> list[Mistake]:
    """The mistakes of a form with these answers."""
    given = GOOD | values
    errors = check_record(small(), form.record(small(), given))
    return form.mistakes(small(), given, errors)


def test_the_questions_are_the_features_in_published_order() -> None:
    fields = form.fields(small(), GOOD, [])
    assert [field.key for field in fields] == KEYS
    assert [field.label for field in fields] == [NAMES[key] for key in KEYS]
    assert [field.value for field in fields] == list(GOOD.values())
    assert not any(field.mistake for field in fields)


def test_a_question_says_what_may_be_answered() -> None:
    age, weight, spend, visits, tier, region, late = form.fields(small(), {}, [])
    assert (age.hint, age.unit, age.whole, age.digits) == ("From -5 to 90.", "years", True, 2)
    assert (weight.hint, weight.whole, weight.digits) == ("From -1.5 to 250.", False, 4)
    assert spend.hint == "From 0 to 1000000. Leave it empty if not known: 12.5 is used."
    assert visits.hint == "From 0 to 9. Leave it empty if not known: 3 is used."
    assert tier.choices == ("Low", "Mid", "High", UNKNOWN)
    assert region.choices == ("N", "Süd", UNKNOWN)
    assert (late.choices, late.few, late.control) == (("No", "Yes"), True, "late-1")
    assert (age.choices, age.few, age.control) == ((), False, "age")


def test_the_form_starts_with_the_examples_of_the_contract() -> None:
    assert form.examples(small()) == dict.fromkeys(KEYS, "") | {"age": "40", "region": "N"}


@given(st.permutations(list(GOOD.items())))
def test_a_form_is_read_in_any_order_and_spaces_around_do_not_count(
    pairs: list[tuple[str, str]],
) -> None:
    assert form.read(small(), [(name, f" {value}\n") for name, value in pairs]) == GOOD


def test_what_was_not_sent_is_empty_and_a_text_without_end_is_cut() -> None:
    values = form.read(small(), [("age", "4" * 10_000)])
    assert values == dict.fromkeys(KEYS, "") | {"age": "4" * 200}


@pytest.mark.parametrize("pairs", [[("shoe", "43")], [("age", "1"), ("age", "2")], [("sex", "F")]])
def test_a_form_with_other_questions_is_of_another_model(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(Foreign, match="The model was changed since this page was loaded"):
        form.read(small(), pairs)


def test_a_whole_form_has_no_mistakes() -> None:
    assert wrong() == []
    assert wrong(tier=UNKNOWN, region=UNKNOWN, spend="0", visits="9") == []


@pytest.mark.parametrize(
    ("key", "value", "field", "sentence"),
    [
        ("age", "", "age", "Enter Age: a whole number from -5 to 90 years"),
        ("age", "91", "age", "Age must be a whole number from -5 to 90 years"),
        ("age", "4.5", "age", "Age must be a whole number from -5 to 90 years"),
        (
            "age",
            "forty",
            "age",
            "Age must be a whole number from -5 to 90 years, in digits alone",
        ),
        ("weight", "70,5", "weight", "Weight must be a number from -1.5 to 250, in digits alone"),
        ("tier", "Top", "tier-1", "Choose Tier: one of Low, Mid, High"),
        ("late", "", "late-1", "Choose Pays-Late?: one of No, Yes"),
        ("late", UNKNOWN, "late-1", "Choose Pays-Late?: one of No, Yes"),
    ],
)
def test_a_mistake_is_a_sentence_beside_its_question(
    key: str, value: str, field: str, sentence: str
) -> None:
    mistakes = wrong(**{key: value})
    assert mistakes == [Mistake(field, sentence)]
    shown = {question.key: question.mistake for question in form.fields(small(), {}, mistakes)}
    assert shown == dict.fromkeys(KEYS, "") | {key: sentence}


@given(st.sets(st.sampled_from(["age", "weight", "late"])))
def test_every_mistake_is_named_in_the_order_of_the_form(keys: set[str]) -> None:
    named = [mistake.field.removesuffix("-1") for mistake in wrong(**dict.fromkeys(keys, "x"))]
    assert named == [key for key in KEYS if key in keys]


def test_a_feature_that_cannot_be_computed_is_no_question() -> None:
    error = FieldError(0, "density", "inf", "a finite number")
    assert form.mistakes(small(), GOOD, [error]) == [
        Mistake("", "density is inf; it must be a finite number")
    ]


def test_a_rule_that_is_broken_is_a_doubt_and_no_mistake() -> None:
    assert form.doubts(small(), form.record(small(), GOOD)) == []
    heavy_child = GOOD | {"age": "5", "weight": "249", "spend": "", "tier": UNKNOWN}
    assert form.doubts(small(), form.record(small(), heavy_child)) == ["plausible"]
    assert wrong(**heavy_child) == []


def test_an_opinion_is_read_and_the_last_of_two_counts() -> None:
    pairs = [("id", "a1"), ("agrees", "yes"), ("agrees", "no"), ("why", " late \n")]
    assert form.opinion(pairs) == GivenOpinion("a1", "no", "late")
    assert form.opinion([]) == GivenOpinion()


@pytest.mark.parametrize(
    ("given_opinion", "fields"),
    [
        (GivenOpinion("a1", "yes"), []),
        (GivenOpinion("a1", "no", "late"), []),
        (GivenOpinion("a1", "no"), ["why"]),
        (GivenOpinion("a1", ""), ["agrees-yes"]),
        (GivenOpinion("a1", "maybe", "x" * 2001), ["agrees-yes", "why"]),
        (GivenOpinion("a 1", "yes"), [""]),
        (GivenOpinion("x" * 81, "yes", "x" * 2000), [""]),
        (GivenOpinion(), ["", "agrees-yes"]),
    ],
)
def test_what_is_wrong_with_an_opinion_is_named_at_its_control(
    given_opinion: GivenOpinion, fields: list[str]
) -> None:
    assert [mistake.field for mistake in form.opinion_mistakes(given_opinion)] == fields


def test_an_opinion_that_is_too_long_says_by_how_much() -> None:
    [mistake] = form.opinion_mistakes(GivenOpinion("a1", "no", "x" * 2001))
    assert mistake.sentence == "Say it in at most 2000 characters; these are 2001"


def test_a_short_category_of_any_text_is_chosen_from_and_a_long_one_typed() -> None:
    blank = form.examples(rich())
    fields = {field.key: field for field in form.fields(rich(), blank, [])}
    assert (fields["shop"].open, fields["shop"].few) == (False, True)
    assert (fields["place"].open, fields["place"].few) == (True, False)
    assert (fields["begins"].first, fields["begins"].last) == ("1999-12-31", "2030-02-28")
    errors = check_record(rich(), form.record(rich(), blank))
    told = {one.sentence for one in form.mistakes(rich(), blank, errors)}
    assert "Choose Shop: one of north, south, airport, other" in told
    assert "Enter Place: a text of at most 200 characters" in told
    assert not any("Charges" in sentence or "Last seen" in sentence for sentence in told)


def test_a_rule_says_nothing_of_a_record_that_lacks_what_it_reads() -> None:
    row = {column.key: rows(1)[0][column.name] for column in rich().features}
    assert form.doubts(rich(), row | {"charges": None, "last_seen": None}) == []
    doubts = form.doubts(rich(), row | {"charges": 950.0, "last_seen": None})
    assert doubts == ["paying"]
