"""The verdict on a folder: metrics.json, scores.parquet and case.json, as a release wrote them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from flows.decision.case_file import CaseFile, Opponent
from flows.decision.scores_file import Scores, read_scores
from flows.facts.step_files import CASE, METRICS, SCORES
from sluice.gate.decide import Facts, Holdout, Model, Verdict, case_of, decide
from sluice.gate.group_table import GroupRow, group_rows
from sluice.model.clusters import numbered
from sluice.model.json_file import parse_json, read_json
from sluice.policy import GatePolicy
from sluice.served.words import Words

if TYPE_CHECKING:
    from sluice.gitops.state import Standing

_HALF = 0.5  # the threshold of the best single column: no rule looks at what it flags


@dataclass(frozen=True)
class Named:
    """What a verdict is told with: the words of the contract, and the number of the champion's
    release; 0 where it is not known. No rule depends on either.

    `moves_on` says that the split is by time, so that no use goes on with more labels: then no next
    step says so.
    """

    words: Words
    release: int = 0
    moves_on: bool = False


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
    holdout, facts = _read(folder, standing, named)
    metrics = parse_json((folder / METRICS).read_bytes(), METRICS)
    return decide(metrics, holdout, facts, policy, words=named.words, without=without)


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
    facts = Facts(
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
    return _holdout(case, scores), facts


def _holdout(case: CaseFile, scores: Scores) -> Holdout:
    return Holdout(
        scores.labels,
        scores.row_hash,
        Model("candidate", case.candidate.threshold, scores.candidate),
        _model(case.champion, scores.champion),
        _model(case.anchor, scores.anchor),
        Model(case.one_column, _HALF, scores.alone),
        scores.segments,
        numbered(scores.group_hash),
    )


def _model(opponent: Opponent | None, scores: np.ndarray | None) -> Model | None:
    if opponent is None:
        return None
    if scores is None:
        raise ValueError(f"{SCORES} has no scores of {opponent.tag}")
    return Model(opponent.tag, opponent.threshold, scores, opponent.moved)
