"""The holdout of a candidate, as the ledger knows it.

It is apart from the step that splits the rows: a change to the ledger splits and trains nothing
anew.
"""

from collections.abc import Mapping

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from flows.engine.phases import Candidate
from flows.facts.step_files import HOLDOUT_ROWS, MODEL, TABLE
from sluice.gate.ledger import Allowance, Use, smallest
from sluice.identity import value_hash
from sluice.model.data.split import HASH, deciding, row_hashes
from sluice.model.data.table import from_parquet
from sluice.served.contract import Target


class _Area(Struct, frozen=True):
    roc_auc: float | UnsetType = UNSET
    skill: float | UnsetType = UNSET  # of a number

    @property
    def value(self) -> float:
        """What candidates are told apart by before they are looked at."""
        known = [one for one in (self.roc_auc, self.skill) if one is not UNSET]
        return known[0] if known else 0.0


class _Trained(Struct, frozen=True):
    """What is read of the metrics.json of an artifact, whatever its target is."""

    validation: _Area


def _deciding(target: Target, holdout: Mapping[str, np.ndarray]) -> np.ndarray:
    """The rows by which the holdout is known: the positives; of several classes every row, because
    each counts in the recall of its class, and of a number because each counts.
    """
    labels = holdout[target.column]
    every = target.several or target.quantity is not None
    return np.ones(len(labels), dtype=bool) if every else labels == 1


def use(candidate: Candidate, score_key: str) -> Use:
    """What a release reserves in the ledger before it scores under `score_key`.

    A holdout is known by the ids of its positives, or by their groups: a new row of a group that
    decided before is nothing new. The champion, looked at again, spends nothing.
    """
    request = candidate.request
    holdout = from_parquet(candidate.split.read(HOLDOUT_ROWS))
    positives = holdout[HASH][_deciding(request.contract.target, holdout)]
    champion = request.champion
    again = champion is not None and champion.model == candidate.trained.facts.model
    gate = request.policy.gate
    metrics = candidate.trained.parsed(f"{MODEL}/metrics.json", _Trained)
    return Use(
        candidate=score_key,
        ids=_ids(candidate, positives),
        today=request.tools.today(),
        model=candidate.trained.facts.model,
        against=champion.model if champion else "",
        spends=not again,
        allowance=Allowance(gate.uses, gate.look_days, gate.look_choice == "best"),
        split=value_hash(request.policy.split.named)[:16],
        salted=smallest(positives.tolist()),
        validation=metrics.validation.value,
        data=request.data.sha256,
    )


def _ids(candidate: Candidate, hashes: np.ndarray) -> tuple[str, ...]:
    """The ids, as texts, of the rows with these hashes; where the contract has groups, the groups
    of these rows, each once.
    """
    contract = candidate.request.contract
    columns = from_parquet(candidate.validated.read(TABLE))
    ids = columns[contract.id.key]
    wanted = np.isin(row_hashes(candidate.request.policy.split.salt, ids), hashes)
    chosen = deciding(contract, columns)[wanted]
    return tuple(dict.fromkeys(str(one) for one in chosen))
