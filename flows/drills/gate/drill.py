"""Every fault through the real path, one after the other, and what became of it."""

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from flows.drills.gate import anchor_moves, approval_attacks, commits, ledgers
from flows.drills.gate.anchor_moves import ANCHOR_RULE, AnchorMove
from flows.drills.gate.approval_attacks import APPROVAL_RULE, ApprovalAttack
from flows.drills.gate.bad_data import BadData, data
from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase, judge, lay_out, seal, verdict
from flows.drills.gate.changed_contract import GOLDEN, is_swapped, ordered, swapped, unnoticed
from flows.drills.gate.commits import COMMIT_RULE, ForgedCommit, forged_commits
from flows.drills.gate.fault import KEPT, REJECT, Fault, NotHere
from flows.drills.gate.foreign_images import IMAGE_RULE, ForeignImage, foreign_images, prepared
from flows.drills.gate.forgeries import SIGNATURES, Forgery, forged, forgeries
from flows.drills.gate.kinds import kind_of
from flows.drills.gate.ledgers import LEDGER_RULE, LedgerAttack, ledger_attacks, remembered, spent
from flows.drills.gate.tampering import SEALS, Tampering, copied, found, state, tampering
from flows.engine.phases import Report
from flows.engine.request import Request
from flows.project.data_source import Data
from flows.steps import recheck
from flows.steps.image import IMAGE
from flows.steps.validate import VALIDATE, DataRefused
from sluice.errors import Refused, SluiceError
from sluice.gate.case import MET, OPEN
from sluice.gate.decide import Verdict
from sluice.identity import sha256, value_hash
from sluice.model.data.table import read_table
from sluice.served.table_refusals import TableRefused

VALIDATION = "validation"
CAUGHT, MISSED, INVALID, NOT_HERE = "caught", "missed", "invalid", "not here"
AnyFault = (
    Fault
    | BadData
    | Tampering
    | ForeignImage
    | Forgery
    | ApprovalAttack
    | AnchorMove
    | LedgerAttack
    | ForgedCommit
)


class Seen(NamedTuple):
    """Caught, missed, invalid (what is honest does not go through, so the drill proves nothing) or
    not here (the fault cannot be made of these rows), and why.
    """

    state: str
    reason: str


@dataclass(frozen=True)
class Drill:
    """A fault, the rule that has to see it, whether it did, and the sentence that says so."""

    name: str
    rule: str
    state: str
    reason: str

    def document(self) -> dict[str, object]:
        """The drill as JSON-able values."""
        return {
            "name": self.name,
            "rule": self.rule,
            "caught": self.state == CAUGHT,
            "state": self.state,
            "reason": self.reason,
        }


def planned(ground: Ground) -> list[AnyFault]:
    """Every fault, in the order in which a release would meet it."""
    contract = ground.request.contract
    changed: list[AnyFault] = []
    if ordered(contract):
        name = "a contract that orders its values in another way since"
        changed.append(Fault(name, GOLDEN, KEPT, swapped, is_swapped))
    decided = list(kind_of(contract.target).faults())
    attacks: list[AnyFault] = [*tampering(), *foreign_images(), *forgeries()]
    target = anchor_moves.target_of(ground.request.policy)
    attacks += [*approval_attacks.approval_attacks(), *anchor_moves.anchor_moves(target)]
    attacks += [*ledger_attacks(), *forged_commits()]
    return [*data(contract), *changed, *decided, *attacks]


def drills(
    ground: Ground, without: Collection[str] = (), only: Collection[str] = ()
) -> Iterator[Drill]:
    """What became of each fault.

    For tests: `without` names rules to switch off, `only` the rules to drill.
    """
    request = ground.request
    table = read_table(request.data.path.read_bytes(), request.contract, request.data.reference)
    for fault in planned(ground):
        rule = rule_of(fault)
        if only and rule not in only:
            continue
        try:
            yield Drill(fault.name, rule, *became(ground, table, fault, without))
        except NotHere as why:
            yield Drill(fault.name, rule, NOT_HERE, str(why))


def rule_of(fault: AnyFault) -> str:
    """The rule that has to see the fault."""
    if isinstance(fault, Fault):
        return fault.rule
    if isinstance(fault, BadData):
        return VALIDATION
    if isinstance(fault, ForeignImage):
        return IMAGE_RULE
    if isinstance(fault, Forgery):
        return SIGNATURES
    if isinstance(fault, ApprovalAttack):
        return APPROVAL_RULE
    if isinstance(fault, AnchorMove):
        return ANCHOR_RULE
    if isinstance(fault, LedgerAttack):
        return LEDGER_RULE
    if isinstance(fault, ForgedCommit):
        return COMMIT_RULE
    return SEALS


def became(
    ground: Ground, table: pd.DataFrame, fault: AnyFault, without: Collection[str] = ()
) -> Seen:
    """Try one fault; `table` are the real data as text."""
    if isinstance(fault, BadData):
        return _validated(ground, table, fault, without)
    if isinstance(fault, Tampering):
        return _tampered(ground, fault, without)
    if isinstance(fault, ForeignImage):
        return _imaged(ground, fault, without)
    if isinstance(fault, Forgery):
        return _forged(ground, fault, without)
    if isinstance(fault, ApprovalAttack):
        return _approved(ground, fault, without)
    if isinstance(fault, AnchorMove):
        return _moved(ground, fault, without)
    if isinstance(fault, LedgerAttack):
        return _forgotten(ground, fault, without)
    if isinstance(fault, ForgedCommit):
        return _committed(ground, fault, without)
    return _decided(ground, fault, without)


def _validated(
    ground: Ground, table: pd.DataFrame, fault: BadData, without: Collection[str]
) -> Seen:
    """A file with the first rows of the real one, changed, through the step that validates."""
    minimum = ground.request.policy.data.minimum_rows
    good = table.head(2 * minimum).astype(object)
    bad = fault.change(good)
    if bad.equals(good) or len(good) < minimum:
        return Seen(NOT_HERE, "the file is as it was, or too short to be a good one")
    request = _with_data(ground.request, bad.to_csv(index=False).encode())
    folder = _emptied(ground.request.settings.home / "validate")
    try:
        if VALIDATION not in without:
            VALIDATE.work(folder, request)
    except TableRefused as refused:
        return _named(refused.rule == fault.finding, refused.what)
    except DataRefused as refused:
        return _refused(refused, fault)
    return Seen(MISSED, "the file was taken")


def _with_data(request: Request, content: bytes) -> Request:
    """The request for a file with this content, in the scratch folder."""
    path = request.settings.home / "bad.csv"
    path.write_bytes(content)
    return replace(request, data=Data(path.name, path, sha256(content)))


def _refused(refused: DataRefused, fault: BadData) -> Seen:
    """Whether the data were refused for the rule and the column of the fault."""
    expected = [
        finding
        for finding in refused.report.findings
        if (finding.column, finding.rule) == (fault.column, fault.finding)
    ]
    reasons = [
        f"{finding.column or 'table'}: {finding.rule} in {finding.count:,} rows"
        for finding in expected
    ]
    return _named(bool(expected), "; ".join(reasons))


def _named(right: bool, reason: str) -> Seen:
    if right:
        return Seen(CAUGHT, reason)
    return Seen(MISSED, f"refused, but for another reason: {reason}")


def _decided(ground: Ground, fault: Fault, without: Collection[str]) -> Seen:
    """A candidate scored and judged as a release does it."""
    unseen = fault.rule == GOLDEN and GOLDEN in without
    name = value_hash([fault.name, unseen])
    try:
        made = unnoticed(ground) if unseen else fault.make(ground)
        decision = judge(lay_out(ground, name, made), name, made)
    except SluiceError as error:
        caught = fault.rule == GOLDEN and error.what.startswith("golden records")
        return Seen(CAUGHT if caught else NOT_HERE, error.what)
    try:
        happened = fault.happened(ground, decision)
        judged = verdict(decision, without)
    except (ArithmeticError, ValueError, IndexError) as error:
        return Seen(MISSED, f"the gate fails with it: {error!r}")
    if not happened:
        return Seen(NOT_HERE, "the fault is not in what was judged")
    seen = _judged(fault, judged, without)
    if seen.state == CAUGHT or _effect(judged) == "PROMOTE":
        return seen
    # It was stopped, and not as it should be: by what stops the real model too, if that is so.
    unsound = _unsound(ground)
    return Seen(NOT_HERE, unsound) if unsound else seen


def _effect(judged: Verdict) -> str:
    """What a verdict comes to: a HOLD that may replace its champion lets a candidate in."""
    return "PROMOTE" if judged.refresh else judged.verdict


def _unsound(ground: Ground) -> str:
    """Why the gate does not promote the real model itself; empty where it does."""
    made, name = MadeCase(), "the real model"
    found = verdict(judge(lay_out(ground, name, made), name, made))
    if found.verdict == "PROMOTE":
        return ""
    return f"the real model itself is not promoted: {found.verdict}: {found.sentence}"


def _judged(fault: Fault, judged: Verdict, without: Collection[str]) -> Seen:
    """Whether the verdict is right, and for the rule that has to see the fault."""
    wanted = "PROMOTE" in fault.right
    expected = [
        rule for rule in judged.rules if rule.rule == fault.rule and (rule.state == MET) == wanted
    ]
    effect = _effect(judged)
    caught = effect in fault.right and (bool(expected) or fault.rule in without)
    # Of few rows no rule is sure: the candidate is stopped all the same, and by the right rule.
    unsure = any(rule.state == OPEN for rule in expected) and effect in KEPT
    caught = caught or (unsure and fault.right == REJECT)
    sentence = str(expected[0]) if expected else judged.sentence
    return Seen(CAUGHT if caught else MISSED, f"{judged.verdict}: {sentence}")


def _tampered(ground: Ground, fault: Tampering, without: Collection[str]) -> Seen:
    """A verdict that was sealed, then edited, found by the next run, and through the check before
    image and promotion.
    """
    report = _sealed(ground, fault.case)
    before = state(report)
    edited = fault.edit(report)
    if state(edited) == before:
        return Seen(INVALID, "nothing was edited")
    try:
        if SEALS not in without:
            recheck.check(found(edited))
    except Refused as refused:
        return Seen(CAUGHT, refused.what)
    return Seen(MISSED, "it would have been built and promoted")


def _forged(ground: Ground, fault: Forgery, without: Collection[str]) -> Seen:
    """A signed override that counts, then a forgery of it, through the check of signatures."""
    request = ground.request
    folder = _emptied(request.settings.home / "signed")
    try:
        refused = forged(fault, request.settings, folder, request.tools.today())
    except SluiceError as error:
        return Seen(INVALID, f"the honest override does not count: {error.what}")
    if refused and SIGNATURES not in without:
        return Seen(CAUGHT, refused)
    return Seen(MISSED, "it would have set the rule aside")


def _approved(ground: Ground, fault: ApprovalAttack, without: Collection[str]) -> Seen:
    """A release that waits for a second person, then an approval that must not count."""
    request = ground.request
    home, today = request.settings.home / "approvals", request.tools.today()
    try:
        there = approval_attacks.begun(home / "begun", today)
    except SluiceError as error:
        return Seen(INVALID, f"two honest approvals are not enough: {error.what}")
    kept = approval_attacks.unapproved(
        fault, approval_attacks.copied(there, home / "attacked"), today
    )
    if kept and APPROVAL_RULE not in without:
        return Seen(CAUGHT, kept)
    return Seen(MISSED, "the release would have gone live")


def _moved(ground: Ground, fault: AnchorMove, without: Collection[str]) -> Seen:
    """A manifest repo where an honest move of the anchor goes through, then one that must not."""
    home = ground.request.settings.home / "anchors"
    try:
        begun = anchor_moves.begun(ground.request.policy_text, home / "begun")
    except SluiceError as error:
        return Seen(INVALID, f"the honest move does not go through: {error.what}")
    kept = anchor_moves.unmoved(fault, anchor_moves.copied(begun, home / "attacked"))
    if kept and ANCHOR_RULE not in without:
        return Seen(CAUGHT, kept)
    return Seen(MISSED, "the anchor would have moved")


def _forgotten(ground: Ground, fault: LedgerAttack, without: Collection[str]) -> Seen:
    """A ledger in which the holdout decided, then an attack, and the next look at it."""
    home = ground.request.settings.home / "ledgers"
    try:
        there = ledgers.copied(spent(ground, home / "spent"), home / "attacked")
        known = remembered(there, fault)
    except ValueError as error:
        return Seen(INVALID, str(error))
    if known and LEDGER_RULE not in without:
        return Seen(CAUGHT, known)
    return Seen(MISSED, "the holdout would have decided as if it were new")


def _committed(ground: Ground, fault: ForgedCommit, without: Collection[str]) -> Seen:
    """A release that `sluice verify` calls sound, then its commit forged."""
    home = ground.request.settings.home / "commits"
    try:
        there = commits.copied(commits.begun(ground, home / "begun"), home / "attacked")
        problem = commits.found(there, fault)
    except SluiceError as error:
        if unsound := _unsound(ground):
            return Seen(NOT_HERE, unsound)
        return Seen(INVALID, f"the commit is not sound for another reason: {error.what}")
    if problem and COMMIT_RULE not in without:
        return Seen(CAUGHT, problem)
    return Seen(MISSED, "the commit would have been called sound")


def _sealed(ground: Ground, make: Callable[[Ground], MadeCase]) -> Report:
    """A verdict with its seals, in folders that nobody else reads.

    Raises Refused where its seals do not hold: an edit of it would prove nothing.
    """
    whole = ground.unshortened
    made, name = make(whole), value_hash(make.__name__)
    report = seal(judge(lay_out(whole, name, made), name, made), name)
    home = ground.request.settings.home
    checked = home / "checked" / name
    if not checked.is_dir():
        recheck.check(report)
        checked.mkdir(parents=True)
    folder = home / "edited"
    shutil.rmtree(folder, ignore_errors=True)
    return copied(report, folder)


def _imaged(ground: Ground, fault: ForeignImage, without: Collection[str]) -> Seen:
    """The step that makes an image, where the tag of the image is taken already."""
    home = _emptied(ground.request.settings.home / "image")
    there = prepared(ground.candidate, home)
    fault.lay(there)
    try:
        if IMAGE_RULE not in without:
            IMAGE.work(_emptied(home / "again"), there.candidate, there.packaged)
    except Refused as refused:
        return Seen(CAUGHT, refused.what)
    return Seen(MISSED, "the image was adopted")


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
