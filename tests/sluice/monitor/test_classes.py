"""The monitor of a model of several classes: quiet years, a class that falls, and what is told."""

import datetime
from dataclasses import replace

import numpy as np
import pytest

from flows.project.models import model_folder
from flows.project.root import ROOT
from sluice.monitor.classes import ClassPromise, WatchedClasses, judge_classes, least_mean
from sluice.monitor.day import NONE, Block, Day, OfClass, Tally
from sluice.monitor.labels import NO_LABELS, UNCLEAR
from sluice.monitor.quality import Measured
from sluice.monitor.report import Report
from sluice.policy import MonitorPolicy, load_policy
from sluice.served.contract import load_contract

FOLDER = model_folder("pumps", ROOT)
CONTRACT = load_contract((FOLDER / "contract.toml").read_text(encoding="utf-8"))
POLICY = load_policy((FOLDER / "policy.toml").read_text(encoding="utf-8"))
NAMES = CONTRACT.target.classes
START = datetime.date(2026, 1, 5)
SHARES = np.array([0.70, 0.22, 0.08])
RECALLS = np.array([0.90, 0.60, 0.50])
HOLDOUT = 1_400
# What becomes of a row of each class: how often it is answered with each.
ANSWERED = np.array([[0.90, 0.06, 0.04], [0.25, 0.60, 0.15], [0.30, 0.20, 0.50]])
PROMISE = ClassPromise(
    recall=float(RECALLS.mean()),
    precision=0.6,
    brier=0.2,
    classes={
        name: Measured(recall, round(HOLDOUT * share))
        for name, recall, share in zip(NAMES, RECALLS.tolist(), SHARES.tolist(), strict=True)
    },
    of=dict(zip(NAMES, [Measured(one, HOLDOUT) for one in SHARES.tolist()], strict=True)),
    answered=dict(
        zip(NAMES, [Measured(one, HOLDOUT) for one in (SHARES @ ANSWERED).tolist()], strict=True)
    ),
)


def day(at: int, labels: np.ndarray, answers: np.ndarray, **changed: np.ndarray) -> Day:
    """A day of answers to rows of these classes, each known a day later."""
    rows = len(labels)
    seconds = (START + datetime.timedelta(days=at) - datetime.date(1970, 1, 1)).days * 86_400.0
    tally = Tally(CONTRACT, {})
    given = {
        "times": np.full(rows, seconds),
        "probabilities": np.full(rows, 0.6),
        "flagged": np.zeros(rows, dtype=bool),
        "outcomes": labels,
        "known": np.full(rows, seconds + 86_400),
        "acted": np.zeros(rows, dtype=bool),
        "control": np.zeros(rows, dtype=bool),
    }
    columns = {"make": ["A20"] * rows}
    tiers = [NAMES[place] for place in answers]
    tally.add(Block(**{**given, **changed}, tiers=tiers, columns=columns))
    return tally.done((START + datetime.timedelta(days=at)).isoformat(), "", 0, 0)


def world(days: int, seed: int, falls: int = 10**6, rows: int = 100) -> list[Day]:
    """Days of rows as they were judged; from the day `falls` on, half of the worn bearings that
    were found are taken for sound.
    """
    chance, made = np.random.default_rng(seed), []
    for at in range(days):
        labels = chance.choice(3, rows, p=SHARES)
        cuts = ANSWERED.cumsum(axis=1)[labels]
        answers = (chance.random(rows)[:, None] > cuts).sum(axis=1)
        if at >= falls:
            missed = (labels == 1) & (answers == 1) & (chance.random(rows) < 0.5)
            answers[missed] = 0
        made.append(day(at, labels, answers))
    return made


def reported(days: list[Day], **monitor: float) -> Report:
    policy = replace(POLICY, monitor=MonitorPolicy(maturity_days=0, **monitor))  # type: ignore[arg-type]
    watched = WatchedClasses("pumps", 1, START, CONTRACT, {}, policy, PROMISE)
    return judge_classes(watched, days, NO_LABELS, START + datetime.timedelta(days=len(days) - 1))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_quiet_half_year_is_fine_and_each_class_is_told(seed: int) -> None:
    report = reported(world(180, seed))
    assert (report.verdict, report.findings) == ("fine", ())
    assert report.live.recall == pytest.approx(RECALLS.mean(), abs=0.03)
    assert [one.name for one in report.classes] == list(NAMES)
    assert sum(one.rows for one in report.classes) == report.live.labelled == 18_000
    for one, recall in zip(report.classes, RECALLS, strict=True):
        assert one.recall == pytest.approx(recall, abs=0.05)
        assert one.promised == recall
    assert report.promised.flagged is None
    assert all(week.flagged is None for week in report.weeks)


def test_a_class_that_is_found_half_as_often_is_named_beside_the_mean() -> None:
    report = reported(world(180, 4, falls=40))
    assert report.verdict == "act"
    acts = [found for found in report.findings if found.severity == "act"]
    assert {found.kind for found in acts} == {"concept"}
    assert {found.column for found in acts} == {"", "worn bearing"}
    assert any(found.sentence.startswith("Live mean recall is 0.") for found in acts)
    assert report.live.below < RECALLS.mean()


def test_answers_and_outcomes_whose_mix_has_changed_are_told() -> None:
    labels, answers = np.repeat([0, 1, 2], [50, 40, 10]), np.repeat([0, 1, 2], [50, 30, 20])
    report = reported([day(at, labels, answers) for at in range(14)])
    told = {found.kind: found.sentence for found in report.findings if found.severity == "watch"}
    assert told["label"] == (
        'Outcomes among 1,400 labels: "sound" 50.0 % (70.0 % on the holdout), "worn bearing" 40.0 %'
        " (22.0 % on the holdout)."
    )
    assert told["prediction"].startswith("Answered in the seven days up to 2026-01-18, of 700 rows")


def test_labels_that_say_nothing_about_a_row_are_not_counted() -> None:
    labels, answers = np.array([0, 0, 1, 2, UNCLEAR, NONE]), np.zeros(6, dtype=np.int64)
    early = day(0, labels, answers, known=np.array([0.0, 9e9, 9e9, 9e9, 9e9, 0.0]))
    assert early.outcomes.classes == {
        "sound": OfClass(1, 1),
        "worn bearing": OfClass(1, 0),
        "blocked": OfClass(1, 0),
    }
    assert (early.outcomes.early, early.outcomes.unclear) == (1, 1)
    assert early.tiers == {"sound": 6}


def test_where_rows_are_acted_upon_the_untouched_alone_are_judged() -> None:
    """Worn bearings that were answered are changed at once, and found sound."""
    days, chance = [], np.random.default_rng(6)
    for at in range(120):
        labels = chance.choice(3, 200, p=SHARES)
        answers = (chance.random(200)[:, None] > ANSWERED.cumsum(axis=1)[labels]).sum(axis=1)
        control = chance.random(200) < 0.2
        acted = (answers == 1) & ~control
        labels = np.where(acted, 0, labels)
        days.append(day(at, labels, answers, acted=acted, control=control))
    judged = reported(days, control_share=0.2)
    assert [found.kind for found in judged.findings] == ["intervention"]
    assert judged.findings[0].sentence.endswith("Quality is judged on untouched rows alone.")
    assert judged.live.recall == pytest.approx(RECALLS.mean(), abs=0.05)
    unjudged = reported(days)
    assert unjudged.verdict == "watch"
    assert "are not judged" in unjudged.sentence


def test_what_was_promised_by_few_rows_is_required_less() -> None:
    level = 0.001
    many = {name: Measured(0.7, 100_000) for name in NAMES}
    few = {name: Measured(0.7, 40) for name in NAMES}
    assert least_mean(many, 0.7, 0.03, level) == pytest.approx(0.67)
    assert least_mean(few, 0.7, 0.03, level) < 0.60
    assert least_mean({name: Measured(0.0, 9) for name in NAMES}, 0.0, 0.03, level) == 0.0
