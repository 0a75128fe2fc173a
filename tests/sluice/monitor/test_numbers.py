"""The monitor of a model that answers with a number: quiet years, falls, and what is told."""

import datetime
from dataclasses import replace

import numpy as np
import pytest
from support import deliveries

from sluice.monitor.day import NONE, Block, Day, Tally
from sluice.monitor.labels import NO_LABELS, UNCLEAR
from sluice.monitor.number_day import Measure
from sluice.monitor.numbers import Bounded, NumberPromise, WatchedNumber, judge_number
from sluice.monitor.report import Figures, Report
from sluice.policy import MonitorPolicy, load_policy

CONTRACT = deliveries.contract()
POLICY = load_policy(deliveries.POLICY)
MEASURE = Measure(deliveries.QUANTITY, 60.0, 10.0)
START = datetime.date(2026, 1, 5)
HOLDOUT = 1_400
ZONES = ("city", "rural", "suburb")
NOISE, SPREAD = 10.0, 25.0  # of the answers, and of the outcomes
MAE, NOTHING = NOISE * np.sqrt(2 / np.pi), SPREAD * np.sqrt(2 / np.pi)
SKILL = float(1 - MAE / NOTHING)
WITHIN = 0.6827  # of a normal error within one deviation
# Tenths of the validation answers: the model's own bins.
BINS = np.quantile(np.random.default_rng(1).normal(60.0, SPREAD, 100_000), np.arange(1, 10) / 10)
PROMISE = NumberPromise(
    figures=Figures(mae=float(MAE), bias=0.0, skill=SKILL, within=WITHIN),
    nothing=float(NOTHING),
    skill=Bounded(SKILL, SKILL - 0.02, 0.05),
    rows=HOLDOUT,
    validation=1_400,
    groups={("zone", name): Bounded(float(MAE), float(MAE) + 0.6, 0.05) for name in ZONES},
)


def day(at: int, outcomes: np.ndarray, answers: np.ndarray, **changed: np.ndarray) -> Day:
    """A day of answers to rows that turn out so, each known a day later."""
    rows = len(outcomes)
    seconds = (START + datetime.timedelta(days=at) - datetime.date(1970, 1, 1)).days * 86_400.0
    tally = Tally(CONTRACT, {}, MEASURE)
    given = {
        "times": np.full(rows, seconds),
        "outcomes": outcomes,
        "known": np.full(rows, seconds + 86_400),
        "acted": np.zeros(rows, dtype=bool),
        "control": np.zeros(rows, dtype=bool),
    }
    block = Block(
        **{**given, **changed},
        probabilities=deliveries.QUANTITY.shares(answers),
        flagged=np.zeros(rows, dtype=bool),
        tiers=[str(place + 1) for place in np.searchsorted(BINS, answers, side="right")],
        columns={"zone": [ZONES[row % 3] for row in range(rows)]},
        answers=answers,
    )
    tally.add(block)
    return tally.done((START + datetime.timedelta(days=at)).isoformat(), "", 0, 0)


def world(days: int, seed: int, falls: int = 10**6, rows: int = 60) -> list[Day]:
    """Days of rows as they were judged; from the day `falls` on, rural rows are off by three times
    as much.
    """
    chance, made = np.random.default_rng(seed), []
    for at in range(days):
        answers = np.clip(chance.normal(60.0, SPREAD, rows), 1.0, 239.0)
        noise = chance.normal(0.0, NOISE, rows)
        if at >= falls:
            noise[1::3] *= 3
        made.append(day(at, np.clip(answers + noise, 0.0, 240.0), answers))
    return made


def reported(days: list[Day], promise: NumberPromise = PROMISE, **monitor: float) -> Report:
    policy = replace(POLICY, monitor=MonitorPolicy(maturity_days=0, **monitor))  # type: ignore[arg-type]
    watched = WatchedNumber("deliveries", 1, START, CONTRACT, {}, policy, MEASURE, promise, 10)
    return judge_number(watched, days, NO_LABELS, START + datetime.timedelta(days=len(days) - 1))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_quiet_half_year_is_fine_and_all_figures_are_told(seed: int) -> None:
    report = reported(world(180, seed))
    assert (report.verdict, report.findings) == ("fine", ())
    assert report.number is not None
    assert report.number.now is not None
    assert report.live.labelled == 60 * 180
    assert report.number.now.mae == pytest.approx(MAE, rel=0.03)
    assert report.number.now.within == pytest.approx(WITHIN, abs=0.02)
    assert report.number.now.bias == pytest.approx(0.0, abs=0.3)
    assert report.number.now.skill > SKILL
    assert report.number.below > report.number.now.skill
    assert (report.number.unit, report.number.band) == ("min", 10.0)
    assert report.promised is None
    assert all(week.skill is not None and week.flagged is None for week in report.weeks)


def test_a_group_that_is_further_off_is_named_beside_the_whole() -> None:
    report = reported(world(180, 4, falls=40))
    acts = [found for found in report.findings if found.severity == "act"]
    assert report.verdict == "act"
    assert {found.kind for found in acts} == {"concept"}
    assert {found.column for found in acts} == {"", "zone = rural"}
    said = " ".join(found.sentence for found in acts)
    assert "Live skill is 0." in said
    assert "because the release had 0.600" in said
    assert "Answers no more than 10 min off are" in said
    assert "The live mean absolute error of zone = rural is" in said
    assert report.number is not None
    assert report.number.below < SKILL


def test_the_anchor_is_asked_too() -> None:
    high = replace(PROMISE, anchor=0.8)
    said = [found.sentence for found in reported(world(120, 5), high).findings]
    assert len(said) == 1
    assert "because the anchor had 0.800" in said[0]


def test_answers_and_outcomes_that_lie_elsewhere_are_told() -> None:
    chance, days = np.random.default_rng(6), []
    for at in range(14):
        answers = chance.normal(85.0, SPREAD, 100).clip(1.0, 239.0)
        days.append(day(at, (answers + chance.normal(0, NOISE, 100)).clip(0, 240), answers))
    told = {found.kind: found.sentence for found in reported(days).findings}
    assert set(told) == {"prediction", "label"}
    assert told["prediction"].startswith(
        "Answers in the seven days up to 2026-01-18, of 700 rows, lie elsewhere than those to the"
        " validation rows: PSI"
    )
    assert told["label"].startswith("Outcomes above 60 min, the median of the training rows, are 8")


def test_outcomes_beyond_the_range_count_as_its_ends_and_are_told() -> None:
    answers = np.full(100, 100.0)
    outcomes = np.where(np.arange(100) < 4, 300.0, 100.0)
    days = [day(at, outcomes, answers) for at in range(3)]
    assert days[0].outcomes.number.off == 4 * 140.0
    assert days[0].outcomes.number.near == 96
    said = [found.sentence for found in reported(days).findings]
    assert any(one.startswith("Outcomes outside of the plausible range are 4.0 %") for one in said)


def test_labels_that_say_nothing_about_a_row_are_not_counted() -> None:
    """A number may be one that stands for something else elsewhere: -1 is an outcome."""
    outcomes = np.array([50.0, 50.0, 70.0, -1.0, UNCLEAR, NONE])
    known = np.array([0.0, 9e9, 9e9, 9e9, 9e9, 0.0])
    seen = day(0, outcomes, np.full(6, 60.0), known=known).outcomes
    assert (seen.number.rows, seen.early, seen.unclear) == (3, 1, 1)
    assert (seen.number.above, seen.number.below, seen.number.beyond) == (1, 2, 1)
    assert seen.number.groups["zone"]["rural"].rows == 1


def test_where_rows_are_acted_upon_the_untouched_alone_are_judged() -> None:
    days, chance = [], np.random.default_rng(9)
    for at in range(60):
        answers = chance.normal(60.0, SPREAD, 100).clip(1.0, 239.0)
        control = chance.random(100) < 0.2
        acted = (answers > 80) & ~control
        noise = chance.normal(0.0, NOISE, 100) - 60.0 * acted
        outcomes = (answers + noise).clip(0.0, 240.0)
        days.append(day(at, outcomes, answers, acted=acted, control=control))
    judged = reported(days, control_share=0.2)
    assert [found.kind for found in judged.findings] == ["intervention"]
    assert judged.number is not None
    assert judged.number.now is not None
    assert judged.number.now.mae == pytest.approx(MAE, rel=0.1)
    unjudged = reported(days)
    assert unjudged.verdict == "watch"
    assert "are not judged" in unjudged.sentence


def test_a_limit_at_another_level_is_as_far_as_a_normal_one() -> None:
    assert Bounded(0.6, 0.58, 0.05).away(0.05) == pytest.approx(0.02)
    assert Bounded(0.6, 0.58, 0.05).away(0.001) == pytest.approx(0.02 * 3.0902 / 1.6449, rel=1e-3)
