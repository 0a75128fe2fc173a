"""The use of a release where looks are rationed: for the best candidate of those that wait.

The best one may be of another night. Its steps lie in the store under what its data were, and its
data under their SHA-256, so it is found there and is judged like any other, beside the champion of
today. What cannot be found any more (another machine, a store that was swept, another version of
code or policy, a quarantine) is passed over, and the next one has the look.
"""

from dataclasses import dataclass, replace

from flows.decision import holdout
from flows.engine.perform import key_of
from flows.engine.phases import Case
from flows.engine.request import Request
from flows.gitops import ledger, quarantine
from flows.gitops.ledger import AnotherTurn
from flows.orchestration import pipeline
from flows.orchestration.plan import LookUp, Missing, RefusedBefore
from flows.project.data_source import Data
from flows.steps.score import SCORE
from flows.views import terminal
from sluice.gate.ledger import Counted
from sluice.gate.rations import Waiting


@dataclass(frozen=True)
class Reserved:
    """The case that has the look, the number of its release, and what the ledger counts."""

    case: Case
    number: int
    counted: Counted


def reserve(case: Case) -> Reserved:
    """Reserve a use for the candidate that has the look: this one, or a better one that waits.

    Raises Waits where the ration has not ended; then the candidate waits in the ledger.
    """
    passed_over: tuple[str, ...] = ()
    while True:
        request = case.request
        use = holdout.use(case.candidate, key_of(SCORE, case))
        live = request.champion.release if request.champion else 0
        try:
            number, counted = ledger.reserve(
                request.settings, request.model, replace(use, passed_over=passed_over), live
            )
        except AnotherTurn as other:
            found = waiting_case(request, other.waiting)
            if found is None:
                passed_over = (*passed_over, other.waiting.model)
                continue
            terminal.note(other.what)
            case = found
            continue
        return Reserved(case, number, counted)


def waiting_case(request: Request, waiting: Waiting) -> Case | None:
    """A candidate that waits beside the champion of today; None where it is not here any more."""
    path = request.settings.home / "data" / waiting.data
    champion = request.champion
    if not path.is_file() or (champion is not None and champion.model == waiting.model):
        return None
    data = Data(f"data {waiting.data[:12]}", path, waiting.data)
    then = replace(request, data=data, cache=True)  # nothing is trained anew for it
    try:
        candidate = pipeline.train(then, LookUp(then))
        case = pipeline.oppose(candidate)
    except (Missing, RefusedBefore, quarantine.Quarantined):
        return None
    return case if candidate.trained.facts.model == waiting.model else None
