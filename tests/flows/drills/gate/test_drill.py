"""The drill: every fault is caught, every rule is needed for one, and a fault that is not there
proves nothing.

Twenty thousand rows under the shipped limits: with fewer, some faults cannot be told from chance.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support import releases

from flows.drills.gate import drill
from flows.drills.gate.anchor_moves import ANCHOR_RULE
from flows.drills.gate.approval_attacks import APPROVAL_RULE
from flows.drills.gate.bad_data import BadData
from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase
from flows.drills.gate.changed_contract import GOLDEN
from flows.drills.gate.command import show, told
from flows.drills.gate.commits import COMMIT_RULE
from flows.drills.gate.drill import (
    CAUGHT,
    INVALID,
    MISSED,
    NOT_HERE,
    Drill,
    drills,
    planned,
)
from flows.drills.gate.fault import REJECT, Fault
from flows.drills.gate.floors import prepare
from flows.drills.gate.foreign_images import IMAGE_RULE
from flows.drills.gate.forgeries import SIGNATURES
from flows.drills.gate.ledgers import LEDGER_RULE
from flows.drills.gate.tampering import SEALS, Tampering
from flows.engine.request import begin
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from models.attrition import sample
from sluice.gate.decide import MAY_BE_WAIVED, NEVER_WAIVED
from sluice.gitops.state import Standing
from sluice.model.data.table import read_table

ROWS = 20_000
# Every rule of the gate, and what looks before and after them.
RULES = (*NEVER_WAIVED, *MAY_BE_WAIVED)
AROUND = (
    drill.VALIDATION,
    GOLDEN,
    SEALS,
    IMAGE_RULE,
    SIGNATURES,
    APPROVAL_RULE,
    ANCHOR_RULE,
    LEDGER_RULE,
    COMMIT_RULE,
)
# What cannot be done to rows of which none belong together, and where there is a threshold.
ELSEWHERE = (
    "rows that belong together counted each for itself, all records to match",
    "weights of the champion moved in case.json, all records to match",
)
# The defects of the tutorial behind the use case, and what everybody tries first.
KNOWN = (
    "Years at Company in months",
    "opportunities counted from 1 to 3",
    "Job Level has a value nobody listed",
    "Education Level as places in another order",
    "a contract that orders its values in another way since",
    "Age above 65",
    "the champion with its threshold lowered by 0.01",
    "always leave",
    "every score the same",
    "trained on inverted labels",
    "trained on permuted labels",
    "one column and no more, under low floors",
    "train rows leaked into the holdout",
    "rows twice under another id",
    "target copied into a feature",
    "metrics.json edited, evidence.json to match",
    "threshold lowered after the verdict",
    "a verdict under an older policy",
    "one word in the record of the gate: REJECT to PROMOTE",
    "a HOLD that is remembered as one that may replace its champion",
    "the record of an older version, without a hash of its facts",
    "scores of the champion replaced by noise, all records to match",
    "scores of the anchor replaced by noise, all records to match",
    "scores of the best single column replaced by noise, all records to match",
    "rows left out that the champion finds alone, all records to match",
    "an image pushed under the tag before: the model and no service",
    "an image pushed under the tag before: another base",
    "better in all, one group 8 points worse",
    "holdout used up",
    "too few rows",
    "the branch of the ledger deleted before the first release",
    "a split of 0.5999 in the place of 0.6, with the same holdout",
    "another salt of the split",
    "512 made-up people, chosen for the hashes of their ids",
    "a commit whose verdict is REJECT, all else to match",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with rows enough, under the limits that ship."""
    folder = tmp_path_factory.mktemp("drill")
    project = releases.write(folder / "project")
    releases.point(project, sample.to_csv(sample.generate(ROWS)))
    shipped = tomllib.loads((releases.MODEL / "policy.toml").read_text(encoding="utf-8"))
    releases.change_policy(project, gate=shipped["gate"])
    return folder


@pytest.fixture(scope="module")
def ground(place: Path) -> Iterator[Ground]:
    given = settings.Settings(home=place / "home", project=place / "project", workers=1)
    (place / "scratch").mkdir()
    yield prepare(begin(given, real_tools(), "attrition"), place / "scratch")


@pytest.fixture(scope="module")
def found(ground: Ground) -> dict[str, Drill]:
    return {drill.name: drill for drill in drills(ground)}


@pytest.fixture(scope="module")
def table(ground: Ground) -> pd.DataFrame:
    return read_table(ground.request.data.path.read_bytes(), ground.request.contract, "rows.csv")


def test_every_fault_is_caught(found: dict[str, Drill]) -> None:
    uncaught = {name for name, drill in found.items() if drill.state != CAUGHT}
    assert uncaught == set(ELSEWHERE)
    assert {found[name].state for name in ELSEWHERE} == {NOT_HERE}
    assert all(drill.reason for drill in found.values())
    assert len(found) > 50


def test_with_rows_enough_who_is_to_be_refused_is_refused(
    ground: Ground, found: dict[str, Drill]
) -> None:
    """And not stopped for want of rows alone."""
    refused = [
        fault.name
        for fault in planned(ground)
        if isinstance(fault, Fault) and fault.right == REJECT
    ]
    assert len(refused) > 25
    assert [name for name in refused if not found[name].reason.startswith("REJECT: ")] == []


def test_what_is_known_to_have_gone_wrong_is_among_them(found: dict[str, Drill]) -> None:
    assert set(KNOWN) - set(found) == set()


def test_each_names_its_reason_with_its_numbers(found: dict[str, Drill]) -> None:
    said = {
        "Years at Company in months": "Years at Company: out of range in ",
        "every score the same": "REJECT: 100.0 % of the rows share one score",
        "trained on inverted labels": "the scores are upside down",
        "trained on permuted labels": "no better than chance, as if labels were shuffled",
        "train rows leaked into the holdout": "of the holdout repeats training rows",
        "better in all, one group 8 points worse": "Recall of job_level = Senior falls by 0.",
        "the champion with its threshold lowered by 0.01": (
            "HOLD: The candidate finds 0 leavers that "
        ),
        "metrics.json edited after the verdict": "metrics.json changed after score wrote it",
        "metrics.json edited, evidence.json to match": "metrics.json changed after score wrote it",
        "metrics.json edited, all records to match": "metrics.json of score is not what it is",
        "one word in the record of the gate: REJECT to PROMOTE": "step.json changed after gate",
        "one word in the record of the gate, its hash to match": "decided anew it is REJECT",
        "a HOLD that is remembered as one that may replace its champion": "decided anew it is HOLD",
        "the record of an older version, without a hash of its facts": "is not believed",
        "scores of the champion replaced by noise, all records to match": "scores of the champion",
        "rows left out that the champion finds alone, all records to match": "the choice of rows",
        "an image pushed under the tag before: the model and no service": "another layer",
        "threshold lowered after the verdict": "model/policy.toml changed after train wrote it",
        "a verdict under an older policy": "policy changed since the verdict",
        "no fault: a truly better model, which must go through": "PROMOTE: ",
    }
    assert {
        name: found[name].reason for name, words in said.items() if words not in found[name].reason
    } == {}


def test_every_rule_has_its_drill(ground: Ground, found: dict[str, Drill]) -> None:
    """Those that the gate looked at while it was drilled are all the rules there are."""
    verdicts = (ground.request.settings.home / "store" / "gate").glob("*/verdict.json")
    looked_at = {
        rule["rule"]
        for path in verdicts
        for rule in json.loads(path.read_text(encoding="utf-8"))["rules"]
    }
    assert looked_at == set(RULES)
    assert {drill.rule for drill in found.values()} == {*RULES, *AROUND}


@pytest.mark.parametrize("rule", [*RULES, *AROUND])
def test_without_a_rule_the_score_drops(rule: str, ground: Ground, found: dict[str, Drill]) -> None:
    """Somebody's fault is then let through: no other rule sees it."""
    missed = [
        drill for drill in drills(ground, without=[rule], only=[rule]) if drill.state == MISSED
    ]
    assert missed


def test_a_fault_that_is_not_there_proves_nothing(ground: Ground, table: pd.DataFrame) -> None:
    faults = (
        Fault("nothing", "signal", ("PROMOTE",), lambda _: MadeCase(), lambda *_: False),
        BadData("nothing", "Age", "out of range", lambda frame: frame),
        Tampering("nothing", lambda report: report),
    )
    assert [drill.became(ground, table, fault)[0] for fault in faults] == [
        NOT_HERE,
        NOT_HERE,
        INVALID,
    ]


def test_the_right_verdict_for_another_reason_is_a_miss(
    ground: Ground, table: pd.DataFrame
) -> None:
    wrong = Fault(
        "used up",
        "calibration",
        ("INSUFFICIENT",),
        lambda _: MadeCase(standing=Standing(uses=99)),
        lambda *_: True,
    )
    assert drill.became(ground, table, wrong)[0] == MISSED
    months = next(fault for fault in planned(ground) if "months" in fault.name)
    assert isinstance(months, BadData)
    typed = BadData("years", "Age", "wrong type", months.change)
    assert drill.became(ground, table, typed)[0] == MISSED


def test_where_the_real_model_is_refused_what_is_let_through_is_missed_all_the_same(
    ground: Ground, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "_unsound", lambda _: "the real model itself is not promoted")
    through = Fault("none", "signal", REJECT, lambda _: MadeCase(), lambda *_: True)
    stopped = Fault(
        "none",
        "better",
        ("PROMOTE",),
        lambda _: MadeCase(limits={"recall_floor": 0.999}),
        lambda *_: True,
    )
    assert drill.became(ground, table, through).state == MISSED
    assert drill.became(ground, table, stopped).state == NOT_HERE


def test_nothing_is_kept_but_the_data(place: Path, found: dict[str, Drill]) -> None:
    assert {path.name for path in (place / "home").iterdir()} == {"data"}


def test_what_was_missed_stands_below_the_table_and_the_score_comes_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(
        [
            Drill("months", "validation", CAUGHT, "x"),
            Drill("always [b]", "flagged_ceiling", MISSED, "PROMOTE: fine"),
            Drill("none", "flagged_ceiling", INVALID, "not there"),
        ],
        41.2,
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 of 3 faults caught in 41 s"
    assert "missed  flagged_ceiling: always [b]" in lines
    assert any("flagged ceiling" in line and "0 of 2" in line for line in lines)
    assert any("validation" in line and "1 of 1" in line for line in lines)


def test_for_programs_it_is_json_with_a_reason_each(capsys: pytest.CaptureFixture[str]) -> None:
    caught, missed = (
        Drill("months", "validation", CAUGHT, "x"),
        Drill("all", "flagged_ceiling", MISSED, "PROMOTE: y"),
    )
    assert told([caught], 1.0, as_json=True) == 0
    capsys.readouterr()
    assert told([caught, missed], 1.0, as_json=True) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["drills"] == [
        {
            "name": "months",
            "rule": "validation",
            "caught": True,
            "state": "caught",
            "reason": "x",
        },
        {
            "name": "all",
            "rule": "flagged_ceiling",
            "caught": False,
            "state": "missed",
            "reason": "PROMOTE: y",
        },
    ]
    assert err == ""


def test_what_cannot_be_made_of_the_rows_is_told_and_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried = [
        Drill("months", "validation", CAUGHT, "x"),
        Drill("one [b]", "segments", NOT_HERE, "no columns"),
        Drill("two", "anchor_segments", NOT_HERE, "no columns"),
    ]
    assert told(tried, 1.0, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "2 more cannot be made of these rows:",
        "  one [b]; two: no columns",
        "1 of 1 faults caught in 1 s",
    ]
    assert not any("segments" in line for line in lines[:-3])
