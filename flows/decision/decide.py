"""The verdict on a folder: metrics.json, scores.parquet and case.json, as a release wrote them."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET, UnsetType, structs

from flows.decision.case_file import CaseFile, Opponent
from flows.decision.scores_file import Scores, read_scores
from flows.facts.step_files import CASE, METRICS, SCORES
from sluice.class_policy import ClassPolicy
from sluice.gate.case import HOLDOUT, Rule
from sluice.gate.classes import case as classes_case
from sluice.gate.classes.case import Classifier
from sluice.gate.classes.decide import decide as decide_classes
from sluice.gate.decide import Facts, Holdout, Model, Verdict, case_of, decide
from sluice.gate.elsewhere import VALIDATION, on_validation
from sluice.gate.group_table import GroupRow, group_rows
from sluice.gate.number import case as number_case
from sluice.gate.number.case import Answering
from sluice.gate.number.decide import decide as decide_number
from sluice.model.json_file import Unreadable, parse_json, read_json
from sluice.model.quality.clusters import numbered
from sluice.number_policy import NumberPolicy
from sluice.policy import GatePolicy, Policy
from sluice.served.contract import Target
from sluice.served.quantity import Quantity
from sluice.served.words import Words

if TYPE_CHECKING:
    from sluice.gitops.state import Standing

_AGAIN = "Run the release again with --no-cache: it writes the file anew."
_HALF = 0.5  # the threshold of the best single column: no rule looks at what it flags


@dataclass(frozen=True)
class Named:
    """What a verdict is told with: the words of the contract, and the number of the champion's
    release; 0 where it is not known. No rule depends on either.

    `moves_on` says that the split is by time, so that no use goes on with more labels: then no next
    step says so. `classes` is there where the target has several, `number` where it is one. `part`
    is what the rows of the folder are called.
    """

    words: Words
    release: int = 0
    moves_on: bool = False
    classes: "Several | None" = None
    part: str = HOLDOUT
    number: "Number | None" = None


@dataclass(frozen=True)
class Several:
    """The classes of a target that has several, and what the policy says of them."""

    names: tuple[str, ...]
    policy: ClassPolicy


@dataclass(frozen=True)
class Number:
    """The number that is predicted, and what the policy says of it."""

    quantity: Quantity
    policy: NumberPolicy


def number(target: Target, policy: Policy) -> Number | None:
    """What a verdict needs to know of a number; None where the target is none."""
    if policy.number is None or target.quantity is None:
        return None
    return Number(target.quantity, policy.number)


def several(target: Target, policy: Policy) -> Several | None:
    """What a verdict needs to know of several classes; None where there is one positive class."""
    if policy.classes is None or not target.several:
        return None
    return Several(target.classes, policy.classes)


def decide_folder(
    folder: Path,
    policy: GatePolicy,
    standing: "Standing",
    named: Named,
    *,
    without: Collection[str] = (),
) -> Verdict:
    """Decide on the scores in a folder; `without` names rules that a test leaves out.

    Raises OSError or ValueError where a file is missing or does not follow its schema. What
    metrics.json says is not trusted: the gate holds it against the scores, so no schema is asked of
    it.
    """
    if named.classes:
        return _decide_classes(folder, policy, standing, named, named.classes, without)
    if named.number:
        return _decide_number(folder, policy, standing, named, named.number, without)
    holdout, facts = _read(folder, standing, named)
    metrics = parse_json((folder / METRICS).read_bytes(), METRICS)
    return decide(metrics, holdout, facts, policy, words=named.words, without=without)


def rules_on_validation(
    folder: Path, policy: GatePolicy, standing: "Standing", named: Named
) -> tuple[Rule, ...]:
    """The rules on the validation rows, whose scores lie in a folder as those of the holdout do.

    They decide nothing, and each look at them is a first one. Raises as `decide_folder`.
    """
    first = structs.replace(standing, looks=UNSET)
    verdict = decide_folder(folder, policy, first, replace(named, part=VALIDATION))
    return on_validation(verdict.rules)


def _decide_classes(
    folder: Path,
    policy: GatePolicy,
    standing: "Standing",
    named: Named,
    several: Several,
    without: Collection[str],
) -> Verdict:
    case = read_json((folder / CASE).read_bytes(), CaseFile, CASE)
    scores = read_scores((folder / SCORES).read_bytes())
    metrics = parse_json((folder / METRICS).read_bytes(), METRICS)
    ships = case.candidate.weights
    if isinstance(ships, UnsetType):
        raise Unreadable(f"{CASE} does not follow its schema: candidate has no weights", _AGAIN)
    holdout = classes_case.Holdout(
        labels=scores.labels,
        classes=several.names,
        candidate=Classifier("candidate", scores.candidate, ships),
        champion=_classifier(case.champion, scores.champion),
        anchor=_classifier(case.anchor, scores.anchor),
        one_column=Classifier(case.one_column, scores.alone, ships),
        segments=scores.segments,
        clusters=numbered(scores.group_hash),
        part=named.part,
    )
    facts = _facts(case, standing, named)
    return decide_classes(metrics, holdout, facts, policy, several.policy, named.words, without)


def _decide_number(
    folder: Path,
    policy: GatePolicy,
    standing: "Standing",
    named: Named,
    number: Number,
    without: Collection[str],
) -> Verdict:
    case = read_json((folder / CASE).read_bytes(), CaseFile, CASE)
    scores = read_scores((folder / SCORES).read_bytes())
    metrics = parse_json((folder / METRICS).read_bytes(), METRICS)
    middle = case.candidate.middle
    if isinstance(middle, UnsetType):
        raise Unreadable(f"{CASE} does not follow its schema: candidate has no middle", _AGAIN)
    holdout = number_case.Holdout(
        labels=scores.labels,
        quantity=number.quantity,
        middle=middle,
        candidate=Answering("candidate", scores.candidate),
        champion=_answering(case.champion, scores.champion),
        anchor=_answering(case.anchor, scores.anchor),
        one_column=Answering(case.one_column, scores.alone),
        segments=scores.segments,
        clusters=numbered(scores.group_hash),
        part=named.part,
    )
    facts = _facts(case, standing, named)
    return decide_number(metrics, holdout, facts, policy, number.policy, named.words, without)


def _answering(opponent: Opponent | None, scores: np.ndarray | None) -> Answering | None:
    if opponent is None:
        return None
    if scores is None:
        raise ValueError(f"{SCORES} has no scores of {opponent.tag}")
    return Answering(opponent.tag, scores)


def _classifier(opponent: Opponent | None, scores: np.ndarray | None) -> Classifier | None:
    if opponent is None:
        return None
    if scores is None:
        raise ValueError(f"{SCORES} has no scores of {opponent.tag}")
    # Of a champion of another kind of target there are none, and its weights are of no use.
    even = (1.0,) * scores.shape[-1]
    weights = even if isinstance(opponent.weights, UnsetType) else opponent.weights
    return Classifier(opponent.tag, scores, weights, opponent.moved)


def groups_in_folder(
    folder: Path, policy: GatePolicy, standing: "Standing", named: Named
) -> tuple[GroupRow, ...]:
    """The groups of the holdout in a folder beside champion and anchor. Raises as
    `decide_folder`.
    """
    holdout, facts = _read(folder, standing, named)
    return group_rows(case_of({}, holdout, facts, policy, named.words))


def _read(folder: Path, standing: "Standing", named: Named) -> tuple[Holdout, Facts]:
    case = read_json((folder / CASE).read_bytes(), CaseFile, CASE)
    scores = read_scores((folder / SCORES).read_bytes())
    return _holdout(case, scores, named.part), _facts(case, standing, named)


def _facts(case: CaseFile, standing: "Standing", named: Named) -> Facts:
    return Facts(
        duplicates=case.facts.duplicates,
        near_duplicates=case.facts.near_duplicates,
        left_out=case.facts.left_out,
        accepted=case.facts.accepted,
        uses=standing.uses,
        looks=0 if standing.looks is UNSET else standing.looks,
        fresh=standing.fresh,
        champion_days=standing.champion_days,
        champion_release=named.release,
        moves_on=named.moves_on,
        waived=standing.override.rule,
    )


def _holdout(case: CaseFile, scores: Scores, part: str) -> Holdout:
    return Holdout(
        scores.labels,
        scores.row_hash,
        Model("candidate", _of_candidate(case), scores.candidate),
        _model(case.champion, scores.champion),
        _model(case.anchor, scores.anchor),
        Model(case.one_column, _HALF, scores.alone),
        scores.segments,
        numbered(scores.group_hash),
        part,
    )


def _model(opponent: Opponent | None, scores: np.ndarray | None) -> Model | None:
    if opponent is None:
        return None
    if scores is None:
        raise ValueError(f"{SCORES} has no scores of {opponent.tag}")
    return Model(opponent.tag, _threshold(opponent), scores, opponent.moved)


def _of_candidate(case: CaseFile) -> float:
    """Its threshold. Raises Unreadable where there is none."""
    threshold = case.candidate.threshold
    if isinstance(threshold, UnsetType):
        raise Unreadable(f"{CASE} does not follow its schema: candidate has no threshold", _AGAIN)
    return threshold


def _threshold(ships: Opponent) -> float:
    """The threshold; no number where a champion of several classes has none."""
    return math.nan if isinstance(ships.threshold, UnsetType) else ships.threshold
