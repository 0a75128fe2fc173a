"""Every fault through the real path, one after the other, and what became of it."""

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from flows.decision import seals
from flows.drills.gate.bad_data import BadData, data
from flows.drills.gate.bad_rows import rows
from flows.drills.gate.baseline import Ground
from flows.drills.gate.candidates import candidates
from flows.drills.gate.case import Stage, copied, judge, lay_out, seal, verdict
from flows.drills.gate.changed_contract import GOLDEN, is_swapped, ordered, swapped, unnoticed
from flows.drills.gate.fault import KEPT, Fault, NotHere
from flows.drills.gate.paired_candidates import opponents
from flows.drills.gate.tampering import SEALS, Tampering, state, tampering
from flows.engine.run import Data
from flows.steps import validate
from sluice.errors import Refused, SluiceError
from sluice.gate.case import MET
from sluice.gate.decide import Verdict
from sluice.identity import sha256, value_hash
from sluice.model.table import read_table
from sluice.served.table_refusals import TableRefused

VALIDATION = "validation"
CAUGHT, MISSED, INVALID = "caught", "missed", "invalid"
Found = tuple[str, str]


@dataclass(frozen=True)
class Drill:
    """A fault, the rule that has to see it, whether it did, and the sentence that says so."""

    name: str
    rule: str
    state: str
    reason: str

    def document(self) -> dict[str, object]:
        """As JSON-able values."""
        return {
            "name": self.name,
            "rule": self.rule,
            "caught": self.state == CAUGHT,
            "reason": self.reason,
        }


def planned(ground: Ground) -> list[Fault | BadData | Tampering]:
    """Every fault, in the order in which a release would meet it."""
    swap = [
        Fault(
            "a contract that orders its values in another way since",
            GOLDEN,
            KEPT,
            swapped,
            is_swapped,
        )
    ]
    changed = swap if ordered(ground.run.contract) else []
    return [
        *data(ground.run.contract),
        *changed,
        *rows(),
        *candidates(),
        *opponents(),
        *tampering(),
    ]


def drills(
    ground: Ground, without: Collection[str] = (), only: Collection[str] = ()
) -> Iterator[Drill]:
    """What became of each fault; `without` names rules to switch off, `only` the rules to drill:
    both for tests.
    """
    table = read_table(
        ground.run.data.path.read_bytes(), ground.run.contract, ground.run.data.reference
    )
    for fault in planned(ground):
        rule = rule_of(fault)
        if not only or rule in only:
            try:
                yield Drill(fault.name, rule, *became(ground, table, fault, without))
            except NotHere:
                continue  # nothing of the kind can be done to such rows


def rule_of(fault: Fault | BadData | Tampering) -> str:
    """The rule that has to see it."""
    return (
        fault.rule
        if isinstance(fault, Fault)
        else VALIDATION
        if isinstance(fault, BadData)
        else SEALS
    )


def became(
    ground: Ground,
    table: pd.DataFrame,
    fault: Fault | BadData | Tampering,
    without: Collection[str] = (),
) -> Found:
    """Caught, missed or invalid (the fault is not in what was looked at), and the sentence that
    says why.
    """
    if isinstance(fault, BadData):
        return _validated(ground, table, fault, without)
    if isinstance(fault, Tampering):
        return _tampered(ground, fault, without)
    return _decided(ground, fault, without)


def _validated(
    ground: Ground, table: pd.DataFrame, fault: BadData, without: Collection[str]
) -> Found:
    """A file with the first rows of the real one, changed, through the step that validates."""
    minimum = ground.run.policy.data.minimum_rows
    good = table.head(2 * minimum).astype(object)
    bad = fault.change(good)
    if bad.equals(good) or len(good) < minimum:
        return INVALID, "the file is as it was, or too short to be a good one"
    place = ground.run.settings.home / "bad.csv"
    content = bad.to_csv(index=False).encode()
    place.write_bytes(content)
    run = replace(ground.run, data=Data("bad.csv", place, sha256(content)))
    folder = _emptied(ground.run.settings.home / "validate")
    try:
        if VALIDATION not in without:
            validate.work(run, {}, folder)
    except TableRefused as refused:
        return _named(refused.rule == fault.finding, refused.what)
    except validate.DataRefused as refused:
        said = [
            f
            for f in refused.report.findings
            if (f.column, f.rule) == (fault.column, fault.finding)
        ]
        return _named(
            bool(said),
            "; ".join(f"{f.column or 'table'}: {f.rule} in {f.count:,} rows" for f in said),
        )
    return MISSED, "the file was taken"


def _named(right: bool, reason: str) -> Found:
    return (CAUGHT, reason) if right else (MISSED, f"refused, but for another reason: {reason}")


def _decided(ground: Ground, fault: Fault, without: Collection[str]) -> Found:
    """A candidate scored and judged as a release does it."""
    unseen = fault.rule == GOLDEN and GOLDEN in without
    name = value_hash([fault.name, unseen])
    try:
        case = unnoticed(ground) if unseen else fault.make(ground)
        stage = lay_out(ground, name, case)
        judge(stage, name, case)
    except SluiceError as error:
        return (
            CAUGHT if fault.rule == GOLDEN and error.what.startswith("golden records") else INVALID
        ), error.what
    try:
        happened = fault.happened(ground, stage)
        found = verdict(stage, without)
    except (ArithmeticError, ValueError, IndexError) as error:
        return MISSED, f"the gate fails with it: {error!r}"
    return (
        _judged(fault, found, without)
        if happened
        else (INVALID, "the fault is not in what was judged")
    )


def _judged(fault: Fault, found: Verdict, without: Collection[str]) -> Found:
    wanted = "PROMOTE" in fault.right
    seen = [
        rule for rule in found.rules if rule.rule == fault.rule and (rule.state == MET) == wanted
    ]
    came = "PROMOTE" if found.refresh else found.verdict
    reason = f"{found.verdict}: {str(seen[0]) if seen else found.sentence}"
    return (CAUGHT if came in fault.right and (seen or fault.rule in without) else MISSED), reason


def _tampered(ground: Ground, fault: Tampering, without: Collection[str]) -> Found:
    """A verdict that was sealed, then edited, through the check before image and promotion."""
    stage = _sealed(ground, fault)
    before = state(stage, stage.run)
    run = fault.edit(stage)
    if state(stage, run) == before:
        return INVALID, "nothing was edited"
    try:
        if SEALS not in without:
            seals.check(run, stage.done)
    except Refused as refused:
        return CAUGHT, refused.what
    return MISSED, "it would have been built and promoted"


def _sealed(ground: Ground, fault: Tampering) -> Stage:
    """A verdict with its seals, in folders that nobody else reads; one that does not hold would
    prove nothing.
    """
    case, name = fault.case(ground), value_hash(fault.case.__name__)
    stage = lay_out(ground, name, case)
    judge(stage, name, case)
    seal(stage, name)
    seals.check(stage.run, stage.done)
    place = ground.run.settings.home / "edited"
    shutil.rmtree(place, ignore_errors=True)
    return copied(stage, place)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
