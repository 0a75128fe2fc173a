"""From a request to a report with its verdict, in the order in which it happens.

A release runs it with Prefect, a plan only looks the steps up, `sluice reproduce` and the drills
do it plainly: which of them is the runner's matter.
"""

from flows.decision import baselines, protected_base
from flows.engine.perform import Runner
from flows.engine.phases import Candidate, Case, Decision, Report
from flows.engine.request import Request
from flows.gitops import quarantine
from flows.steps.evidence import EVIDENCE
from flows.steps.gate import GATE
from flows.steps.replay import REPLAY
from flows.steps.score import SCORE
from flows.steps.split import SPLIT
from flows.steps.train import TRAIN
from flows.steps.tune import TUNE
from flows.steps.validate import VALIDATE
from sluice.gate.ledger import Counted


def train(request: Request, runner: Runner) -> Candidate:
    """From the data to a model. Raises Refused where the data break the contract.

    Raises UsageError before anything is done where git fails on what is judged.
    """
    protected_base.require(request)
    validated = runner.do(VALIDATE, request)
    rows = runner.do(SPLIT, request, validated)
    tuned = runner.do(TUNE, request, rows)
    trained = runner.do(TRAIN, request, rows, tuned)
    return Candidate(request, validated, rows, tuned, trained)


def oppose(candidate: Candidate) -> Case:
    """The candidate beside champion and anchor. Raises Quarantined where it may not go live."""
    quarantine.check(candidate.request.live, tag=candidate.tag)
    return baselines.oppose(candidate)


def judge(case: Case, counted: Counted, runner: Runner) -> Report:
    """From a case to its verdict and the evidence; `counted` is what the ledger says of it.

    A release has reserved its use of the holdout by then, so that a crash hides none.
    """
    scored = runner.do(SCORE, case)
    standing = baselines.standing(case, counted)
    decided = runner.do(GATE, case, scored, standing)
    replayed = runner.do(REPLAY, case)
    decision = Decision(case, scored, standing, decided, replayed)
    return Report(decision, runner.do(EVIDENCE, decision))
