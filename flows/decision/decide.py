"""The verdict on a folder: metrics.json, scores.parquet and case.json, as a release wrote them."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from flows.decision.case_file import CaseFile, Opponent
from flows.decision.scores_file import Scores, read_scores
from flows.facts.step_files import CASE, METRICS, SCORES
from sluice.gate.decide import Facts, Holdout, Model, Verdict, decide
from sluice.model.json_file import parse_json, read_json
from sluice.policy import GatePolicy
from sluice.served.words import Words

if TYPE_CHECKING:
    from sluice.gitops.state import Standing

_HALF = 0.5  # the threshold of the best single column: no rule looks at what it flags


def decide_folder(
    folder: Path,
    policy: GatePolicy,
    standing: "Standing",
    *,
    words: Words,
    without: Collection[str] = (),
) -> Verdict:
    """Decide on the scores in a folder.

    `words` are the contract's, for the sentences; `without` names rules that a test leaves out.
    Raises OSError or ValueError where a file is missing or does not follow its schema. What
    metrics.json says is not trusted: the gate holds it against the scores, so no schema is asked of
    it.
    """
    case = read_json((folder / CASE).read_bytes(), CaseFile, CASE)
    metrics = parse_json((folder / METRICS).read_bytes(), METRICS)
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
        waived=standing.override.rule,
    )
    return decide(metrics, _holdout(case, scores), facts, policy, words=words, without=without)


def _holdout(case: CaseFile, scores: Scores) -> Holdout:
    return Holdout(
        scores.labels,
        scores.row_hash,
        Model("candidate", case.candidate.threshold, scores.candidate),
        _model(case.champion, scores.champion),
        _model(case.anchor, scores.anchor),
        Model(case.one_column, _HALF, scores.alone),
        scores.segments,
    )


def _model(opponent: Opponent | None, scores: np.ndarray | None) -> Model | None:
    if opponent is None:
        return None
    if scores is None:
        raise ValueError(f"{SCORES} has no scores of {opponent.tag}")
    return Model(opponent.tag, opponent.threshold, scores, opponent.moved)
