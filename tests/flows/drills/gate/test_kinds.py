"""The drill of a gate for a number, and of one for several classes: every fault is caught, every
rule is needed for one.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import deliveries, parcels, releases

from flows.drills.gate.anchor_moves import ANCHOR_RULE
from flows.drills.gate.approval_attacks import APPROVAL_RULE
from flows.drills.gate.baseline import Ground
from flows.drills.gate.commits import COMMIT_RULE
from flows.drills.gate.drill import CAUGHT, MISSED, NOT_HERE, VALIDATION, Drill, drills
from flows.drills.gate.floors import prepare
from flows.drills.gate.foreign_images import IMAGE_RULE
from flows.drills.gate.forgeries import SIGNATURES
from flows.drills.gate.ledgers import LEDGER_RULE
from flows.drills.gate.tampering import SEALS
from flows.engine.request import begin
from flows.orchestration.real_tools import real_tools
from flows.project import settings

ROWS = 4_000
AROUND = {
    *(VALIDATION, SEALS, IMAGE_RULE, SIGNATURES, APPROVAL_RULE, ANCHOR_RULE, LEDGER_RULE),
    COMMIT_RULE,
}
ANY = (
    *("labelled", "finite", "signal", "no_duplicates", "no_near_duplicates", "no_leak"),
    *("more_than_one_column", "metrics_match", "stable_cross_validation", "stable_validation"),
    *("ledger", "comparable", "anchored", "better", "not_worse", "segments", "anchor_segments"),
    "segments_required",
)
OF_NUMBER = (*ANY, "binary", "differing", "skill_floor", "mae_ceiling", "bias", "anchor_skill")
OF_CLASSES = (
    *ANY,
    *("recall_floor", "class_floors", "calibration", "anchor_recall", "anchor_brier"),
    *("group_floors", "split_changed"),
)
OF_ONE_CLASS = (
    "threshold lowered after the verdict",
    "threshold lowered, scored and decided anew, all records to match",
    "threshold of the champion moved in case.json, all records to match",
    "rows that belong together counted each for itself, all records to match",
)
WEIGHTS = "weights of the champion moved in case.json, all records to match"
# Of classes: a label that is none of them is refused with the data, and nothing can be measured
# with it. Its rule is for a folder that somebody else wrote.
UNREACHED = {"binary"}


@dataclass(frozen=True)
class Tried:
    """What a drill starts from, what became of each fault, the rules that it is to try, and the
    faults that these rows cannot have.
    """

    ground: Ground
    found: dict[str, Drill]
    rules: tuple[str, ...]
    elsewhere: tuple[str, ...]


def prepared(folder: Path, model: str, contract: str, policy: str, rows: bytes) -> Ground:
    project = releases.write(folder / "project")
    own = project / "models" / model
    own.mkdir()
    (own / "contract.toml").write_text(contract, encoding="utf-8")
    (own / "policy.toml").write_text(policy, encoding="utf-8")
    table = folder / "rows.csv"
    table.write_bytes(rows)
    given = settings.Settings(home=folder / "home", project=project, workers=1)
    (folder / "scratch").mkdir()
    return prepare(begin(given, real_tools(), model, table), folder / "scratch")


@pytest.fixture(scope="module", params=["deliveries", "parcels"])
def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "parcels":
        rules, elsewhere = OF_CLASSES, OF_ONE_CLASS
        ground = prepared(
            folder, request.param, parcels.CONTRACT, parcels.POLICY, parcels.to_csv(ROWS)
        )
    else:
        rules, elsewhere = OF_NUMBER, (*OF_ONE_CLASS, WEIGHTS)
        ground = prepared(
            folder, request.param, deliveries.CONTRACT, deliveries.POLICY, deliveries.to_csv(ROWS)
        )
    return Tried(ground, {one.name: one for one in drills(ground)}, rules, elsewhere)


def test_every_fault_is_caught(tried: Tried) -> None:
    uncaught = {name: one for name, one in tried.found.items() if one.state != CAUGHT}
    assert {one.state for one in uncaught.values()} == {NOT_HERE}
    assert set(uncaught) == set(tried.elsewhere)
    assert all(one.reason for one in tried.found.values())
    assert len(tried.found) > 100


def test_every_rule_has_its_drill(tried: Tried) -> None:
    verdicts = (tried.ground.request.settings.home / "store" / "gate").glob("*/verdict.json")
    looked_at = {
        rule["rule"]
        for path in verdicts
        for rule in json.loads(path.read_text(encoding="utf-8"))["rules"]
    }
    assert looked_at - UNREACHED == set(tried.rules) - UNREACHED
    assert {one.rule for one in tried.found.values()} == {*tried.rules, *AROUND}


def test_without_a_rule_somebody_s_fault_is_let_through(tried: Tried) -> None:
    """No other rule sees it."""
    needless = [rule for rule in [*tried.rules, *AROUND] if not list(missed(tried.ground, rule))]
    assert needless == []


def missed(ground: Ground, rule: str) -> Iterator[Drill]:
    for one in drills(ground, without=[rule], only=[rule]):
        if one.state == MISSED:
            yield one
            return
