"""The holdout of a candidate, as the ledger knows it.

It is apart from the step that splits the rows: a change to the ledger splits and trains nothing
anew.
"""

from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.facts.step_files import HOLDOUT_ROWS
from sluice.gate.ledger import Use, sketch
from sluice.identity import value_hash
from sluice.model.split import HASH
from sluice.model.table import from_parquet


def use(candidate: Candidate, score_key: str) -> Use:
    """What a release reserves in the ledger before it scores under `score_key`.

    A holdout is known by its split policy and by its positives. The champion, looked at again,
    spends nothing.
    """
    request = candidate.request
    holdout = from_parquet(candidate.split.read(HOLDOUT_ROWS))
    positives = holdout[HASH][holdout[request.contract.target.column] == 1]
    champion = request.champion
    again = champion is not None and champion.model == candidate.trained.facts.model
    return Use(score_key, name_of(request), sketch(positives), spends=not again)


def name_of(request: Request) -> str:
    """The name of the holdout in the ledger: its split policy, by hash."""
    return value_hash(vars(request.policy.split))[:16]
