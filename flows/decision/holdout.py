"""The holdout of a candidate, as the ledger knows it.

It is apart from the step that splits the rows: a change to the ledger splits and trains nothing
anew.
"""

import numpy as np

from flows.engine.phases import Candidate
from flows.facts.step_files import HOLDOUT_ROWS, MODEL, TABLE
from sluice.gate.ledger import Allowance, Use, smallest
from sluice.identity import value_hash
from sluice.model.metrics_file import TrainedMetrics
from sluice.model.split import HASH, deciding, row_hashes
from sluice.model.table import from_parquet


def use(candidate: Candidate, score_key: str) -> Use:
    """What a release reserves in the ledger before it scores under `score_key`.

    A holdout is known by the ids of its positives, or by their groups: a new row of a group that
    decided before is nothing new. The champion, looked at again, spends nothing.
    """
    request = candidate.request
    holdout = from_parquet(candidate.split.read(HOLDOUT_ROWS))
    positives = holdout[HASH][holdout[request.contract.target.column] == 1]
    champion = request.champion
    again = champion is not None and champion.model == candidate.trained.facts.model
    gate = request.policy.gate
    metrics = candidate.trained.parsed(f"{MODEL}/metrics.json", TrainedMetrics)
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
        validation=metrics.validation.roc_auc,
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
