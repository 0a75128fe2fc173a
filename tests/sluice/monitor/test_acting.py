"""What acting does, by a lot; and an action that helps is not taken for a model that is worse."""

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as changed

from flows.project.root import ROOT
from sluice.monitor.acting import acting_findings, effect, in_control
from sluice.monitor.day import Acting, Block, Day, Tally
from sluice.monitor.judge import Watched, judge
from sluice.monitor.labels import NO_LABELS
from sluice.monitor.quality import Measured, Promise
from sluice.monitor.report import Report
from sluice.policy import MonitorPolicy, load_policy
from sluice.served.contract import Contract, Target

START = datetime.date(2026, 1, 5)
DAYS = 120
RECALL, PRECISION, PREVALENCE = 0.75, 0.68, 0.4
POLICY = load_policy(
    (Path(ROOT) / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
)
CONTRACT = Contract("", "", (), (), (), Target("left", "yes", "no", "yes", "no"))
HELPED = 0.5  # of the flagged positives that are acted upon


def test_the_lot_is_a_share_of_the_ids_and_an_id_decides_it_for_good() -> None:
    names = [f"{number:024x}-{number % 7}" for number in range(20_000)]
    drawn = [name for name in names if in_control(name, 0.1)]
    assert 1_850 < len(drawn) < 2_150
    assert set(drawn) <= {name for name in names if in_control(name, 0.2)}
    assert not any(in_control(name, 0.0) for name in names)


def test_the_effect_is_a_difference_with_its_interval() -> None:
    seen = Acting(assigned=800, assigned_positives=272, control=200, control_positives=136)
    found = effect(seen)
    assert found is not None
    assert (found.assigned, found.control) == (0.34, 0.68)
    assert found.less == pytest.approx(0.34)
    assert (round(found.low, 3), round(found.high, 3)) == (0.265, 0.409)
    assert effect(changed(seen, control=20, control_positives=10)) is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    held = 0
    for _ in range(1_000):
        seen = Acting(
            assigned=400,
            assigned_positives=int(random.binomial(400, 0.34)),
            control=60,
            control_positives=int(random.binomial(60, 0.68)),
        )
        found = effect(seen)
        assert found is not None
        held += found.low <= 0.34 <= found.high
    assert held >= 935


def world(control_share: float, *, acting: bool) -> list[Day]:
    """The model is as good as it was; who is flagged is helped, but for those left by lot."""
    random = np.random.default_rng(8)
    days = []
    for at in range(DAYS):
        rows = 120
        positive = random.random(rows) < PREVALENCE
        false = RECALL * PREVALENCE * (1 - PRECISION) / PRECISION / (1 - PREVALENCE)
        flagged = random.random(rows) < np.where(positive, RECALL, false)
        names = [f"{at}-{row}" for row in range(rows)]
        control = np.array([in_control(name, control_share) for name in names])
        acted = flagged & ~control if acting else np.zeros(rows, dtype=bool)
        helped = acted & positive & (random.random(rows) < HELPED)
        block = Block(
            times=np.full(rows, 1.0),
            probabilities=np.where(flagged, 0.8, 0.3),
            flagged=flagged,
            tiers=["medium"] * rows,
            columns={},
            outcomes=np.where(positive & ~helped, 1, 0),
            known=np.full(rows, 2.0),
            acted=acted,
            control=control,
        )
        tally = Tally(CONTRACT, {})
        tally.add(block)
        days.append(tally.done((START + datetime.timedelta(days=at)).isoformat(), "", 0, 0))
    return days


def reported(control_share: float, *, acting: bool, marked: bool = True) -> Report:
    days = world(control_share, acting=acting)
    if not marked:
        days = [unmarked(day) for day in days]
    monitor = MonitorPolicy(control_share=control_share, maturity_days=0)
    watched = Watched(
        model="m",
        release=1,
        since=START,
        contract=CONTRACT,
        reference={},
        policy=replace(POLICY, monitor=monitor),
        promise=Promise(
            Measured(RECALL, 7_000), Measured(PRECISION, 7_500), Measured(0.23, 14_900)
        ),
        flagged=Measured(0.44, 14_900),
        prevalence=Measured(PREVALENCE, 14_900),
        threshold=0.5,
        calibration=0.01,
    )
    return judge(watched, days, NO_LABELS, START + datetime.timedelta(days=DAYS - 1))


def unmarked(day: Day) -> Day:
    """The same rows, of which nobody said that they were acted upon."""
    return changed(day, acting=Acting())


def test_naively_an_action_that_saves_half_of_the_flagged_is_a_model_that_is_worse() -> None:
    report = reported(0.1, acting=True, marked=False)
    assert report.verdict == "act"
    assert any(found.sentence.startswith("Live precision is") for found in report.findings)


def test_where_it_is_marked_the_report_names_the_action_and_judges_the_untouched() -> None:
    report = reported(0.1, acting=True)
    assert report.verdict == "watch"
    [found] = report.findings
    assert found.kind == "intervention"
    assert "acting makes it" in found.sentence
    assert "Quality is judged on untouched rows alone." in found.sentence
    assert report.live.recall == pytest.approx(RECALL, abs=0.05)
    assert any("recall would be 0.6" in note for note in report.notes)


def test_only_untouched_rows_are_judged() -> None:
    days = world(0.25, acting=True)
    assert sum(day.untouched.rows for day in days) == pytest.approx(DAYS * 30, rel=0.1)
    assert all(day.untouched.rows <= day.outcomes.rows for day in days)
    report = reported(0.25, acting=True)
    assert report.live.labelled == sum(day.untouched.rows for day in days)


def test_without_an_untouched_share_nothing_is_judged_and_the_report_says_why() -> None:
    report = reported(0.0, acting=True)
    assert report.verdict == "watch"
    [found] = report.findings
    assert "recall and precision are not judged" in found.sentence
    assert "control_share" in found.response


def test_where_nobody_acts_nothing_is_said_and_all_rows_count() -> None:
    report = reported(0.1, acting=False)
    assert (report.verdict, report.findings) == ("fine", ())
    assert report.live.labelled == 120 * DAYS


def test_too_few_untouched_rows_are_told() -> None:
    seen = Acting(
        assigned=300, assigned_positives=90, control=10, control_positives=6, acted=300, spoiled=2
    )
    [found] = acting_findings(seen, 600, 0.1)
    assert "10 flagged rows are in the smaller" in found.sentence
    assert found.sentence.endswith("2 were acted upon that the lot leaves untouched.")
