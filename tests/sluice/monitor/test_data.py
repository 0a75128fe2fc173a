"""Changes of the columns: named where they are large and no chance, each with what helps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.artifact.reference import Numbers, Reference, Texts
from sluice.monitor.data import (
    NEW,
    answer_findings,
    data_findings,
    effects,
    histogram_of,
    last_week,
)
from sluice.monitor.day import Day, NumberCounts, TextCounts
from sluice.monitor.distance import distance, holm, share_p_value
from sluice.monitor.report import ACT, WATCH, Finding
from sluice.monitor.units import Unit
from sluice.policy import DriftPolicy
from sluice.served.contract import Column, Contract, Target

AGE = Column("Age", "age", "integer", "feature", unit="years", minimum=0, maximum=120)
JOB = Column("Job", "job", "category", "feature", values=("Baker", "Smith", "Cook"))
CONTRACT = Contract("", "", (AGE, JOB), (), (), Target("left", "yes", "no", "yes", "no"))
REFERENCE: Reference = {
    "age": Numbers(True, tuple(float(edge) for edge in range(20, 71, 5)), (1_000,) * 10),
    "job": Texts({"Baker": 5_000, "Smith": 5_000}),
}
LIMITS = DriftPolicy()


def day(
    at: int,
    ages: tuple[int, ...] = (20,) * 10,
    jobs: dict[str, int] | None = None,
    **given: object,
) -> Day:
    missing, new = given.pop("missing", 0), given.pop("new", {})
    below = given.pop("below", 0)
    columns = {
        "age": NumberCounts(ages, below, 0, missing),  # type: ignore[arg-type]
        "job": TextCounts(jobs or {"Baker": 100, "Smith": 100}, new),  # type: ignore[arg-type]
    }
    name = f"2026-{1 + at // 28:02}-{1 + at % 28:02}"
    return Day(day=name, rows=200, columns=columns, **given)  # type: ignore[arg-type]


def found(*days: Day) -> list[Finding]:
    return data_findings(days, CONTRACT, REFERENCE, LIMITS)


def test_days_like_the_training_rows_raise_nothing() -> None:
    assert found(*[day(at) for at in range(40)]) == []
    assert found() == []


def test_a_shift_is_named_with_its_effect_and_what_chance_makes() -> None:
    shifted = (0,) * 5 + (40,) * 5
    [finding] = found(*[day(at, shifted) for at in range(3)])
    assert (finding.column, finding.severity, finding.kind) == ("Age", WATCH, "data")
    assert "Age has drifted from the training rows on 2026-01-03 (strong): PSI " in finding.sentence
    assert "of which chance makes 0.05" in finding.sentence
    assert "Retrain on recent rows" in finding.response


def test_few_rows_are_no_drift() -> None:
    columns = {"age": NumberCounts((0,) * 9 + (20,)), "job": TextCounts({"Baker": 20}, {})}
    assert found(Day(day="2026-01-01", rows=20, columns=columns)) == []


def test_a_shift_against_the_month_before_is_found_where_training_was_in_between() -> None:
    """Half of the way to either side is near the training rows, and far from each other."""
    old = [day(at, (27,) * 5 + (13,) * 5) for at in range(28)]
    new = [day(at, (13,) * 5 + (27,) * 5) for at in range(28, 35)]
    reference = {**REFERENCE, "job": Texts()}
    findings = data_findings([*old, *new], CONTRACT, reference, DriftPolicy(drifted=0.2))
    assert [finding.column for finding in findings] == ["Age"]
    assert "from the four weeks before" in findings[0].sentence


@pytest.mark.parametrize(
    ("changed", "said", "severity"),
    [
        ({"missing": 20}, "Age is missing in 9.1 % of the rows on 2026-01-01; 0.0 % is", WATCH),
        ({"missing": 400}, "Age is missing in 66.7 % of the rows", ACT),
        ({"below": 20}, "Age lies outside of the training rows in 9.1 % of the rows", WATCH),
        ({"new": {"Cook": 20}}, "that no training row had: Cook, in 9.1 % of the rows", WATCH),
        ({"new": {"Cook": 900}}, "that no training row had: Cook, in 81.8 % of the rows", ACT),
    ],
)
def test_what_is_missing_or_new_is_named(
    changed: dict[str, object], said: str, severity: str
) -> None:
    [finding] = found(day(0, **changed))  # type: ignore[arg-type]
    assert said in finding.sentence
    assert finding.severity == severity


def test_another_unit_is_named_once_and_asks_for_action() -> None:
    shifted = (200,) + (0,) * 9
    months = Unit(12.0, "months for years")
    days = [day(0), day(1, shifted, units={"age": months}), day(2, shifted, units={"age": months})]
    [finding] = found(*days)
    assert finding.severity == ACT
    assert finding.sentence == (
        "Age comes in another unit since 2026-01-02, not in years: its values are 12 times what"
        " they were (months for years)."
    )


def test_the_share_flagged_is_held_against_the_holdout() -> None:
    days = [day(at, flagged=80, tiers={"high": 80, "low": 120}) for at in range(7)]
    assert answer_findings(days, 0.42, 10_000) == []
    [finding] = answer_findings(days, 0.50, 10_000)
    assert finding.sentence == (
        "Flagged in the seven days up to 2026-01-07 are 40.0 % of 1,400 rows; it was 50.0 %"
        " when the"
        " model was judged (tiers: low 60 %, high 40 %)."
    )


def test_effects_are_by_the_published_name() -> None:
    assert effects([day(0)], CONTRACT, REFERENCE) == {"Age": 0.0, "Job": 0.0}
    assert effects([day(0, (0,) * 5 + (40,) * 5)], CONTRACT, REFERENCE)["Age"] > 0.5


def test_days_are_counted_as_the_reference_is_and_new_texts_are_pooled() -> None:
    days = [
        day(0, ages=(1, *(0,) * 9), below=4, missing=2, jobs={"Baker": 3}, new={"Cook": 2}),
        day(1, ages=(0, 5, *(0,) * 8), jobs={"Smith": 7}),
    ]
    assert histogram_of(days, REFERENCE) == {
        "age": Numbers(True, REFERENCE["age"].edges, (5, 5, *(0,) * 8), 2),  # type: ignore[union-attr]
        "job": Texts({"Baker": 3, "Smith": 7, NEW: 2}),
    }
    assert histogram_of([], REFERENCE) == {}
    assert histogram_of(days, {"age": Numbers()}) == {}


def test_a_week_has_the_last_seven_days_with_rows() -> None:
    days = [day(at) for at in range(9)] + [Day(day="2026-02-01")]
    assert last_week(days) == days[2:9]


def test_counts_of_one_column_are_as_far_as_chance_makes_them() -> None:
    random = np.random.default_rng(3)
    shares = np.full(20, 0.05)
    fars = [
        distance(random.multinomial(n, shares), random.multinomial(m, shares), ordered=True)
        for n, m in [(500, 20_000)] * 300
    ]
    assert np.mean([far.psi for far in fars]) == pytest.approx(fars[0].noise, rel=0.1)
    assert np.mean([far.p_value < 0.05 for far in fars]) == pytest.approx(0.05, abs=0.035)


def test_distances_of_two_that_share_nothing() -> None:
    far = distance((100, 0), (0, 100), ordered=True)
    assert far.ks == 1.0
    assert far.jensen_shannon == pytest.approx(1.0, abs=0.05)
    assert far.effect > 5
    assert far.p_value < 1e-40
    assert distance((), (), ordered=True).p_value == 1.0


def test_holm_as_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_equal_shares_have_no_evidence() -> None:
    assert share_p_value(0, 100, 0, 100) == 1.0
    assert share_p_value(5, 100, 0, 0) == 1.0
    assert share_p_value(50, 100, 90, 100) < 1e-9


def test_more_refused_requests_than_before_are_told_with_the_columns() -> None:
    quiet = [day(at, refused=2, refused_fields={"Age": 2}) for at in range(28)]
    loud = [day(at, refused=20, refused_fields={"Job": 19, "Age": 3}) for at in range(28, 35)]
    assert found(*quiet) == []
    [finding] = found(*quiet, *loud)
    assert (finding.kind, finding.severity) == ("request", WATCH)
    assert "140 requests were refused for their fields: 9.1 % of 1,540" in finding.sentence
    assert "1.0 % is usual. Most of all: Job in 133, Age in 21." in finding.sentence


def test_what_is_refused_from_the_first_day_on_is_told_too() -> None:
    [finding] = found(*[day(at, refused=20, refused_fields={"Job": 20}) for at in range(3)])
    assert "0.0 % is usual" in finding.sentence


def test_days_on_which_nothing_else_was_asked_are_no_silence() -> None:
    quiet = [day(at) for at in range(28)]
    name = "2026-02-20"
    [finding] = found(*quiet, Day(day=name, refused=3_000, refused_fields={"Age": 3_000}))
    assert (finding.kind, finding.severity) == ("request", ACT)
    assert name in finding.sentence


@given(st.integers(0, 60), st.integers(0, 60))
def test_no_share_that_stays_is_told(before: int, after: int) -> None:
    days = [day(at, refused=before) for at in range(28)]
    days += [day(at, refused=after) for at in range(28, 35)]
    told = [one for one in found(*days) if one.kind == "request"]
    usual, now = before / (200 + before), after / (200 + after)
    assert not told or now >= usual + 0.02
    assert told or now < usual + 0.06
