"""What the judge is asked by the analysis of a rollout, and what it answers."""

import re
from dataclasses import fields, replace

import msgspec

from sluice.canary.verdict import AS_BEFORE, Expectation, Measure, Verdict, Word
from sluice.errors import UsageError, cause
from sluice.policy import CanaryPolicy, check_canary

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # of Kubernetes
_MANIFEST = "Write it as in deploy/argocd/base/analysis.yaml."


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One look: the pod template hashes of both versions, the weight of the step in percent.

    Numbers may be texts, which is all that the arguments of an analysis can be. `start` is when the
    rollout began, in seconds of the epoch; without it, it is found out. `policy` has limits of
    `CanaryPolicy` that are not the default.
    """

    namespace: str
    canary: str
    stable: str
    weight: float
    start: float | None = None
    scrape_seconds: float = 15.0
    look_seconds: float = 60.0
    policy: dict[str, float] = {}
    expected: Expectation = AS_BEFORE


class Answer(msgspec.Struct, frozen=True):
    """What the analysis decides by, and what it keeps of a look for those who follow it."""

    verdict: Word
    sentence: str
    more_requests: int | None
    measures: tuple[Measure, ...] = ()
    looks: int = 0
    canary_rows: int = 0
    stable_rows: int = 0


class Reply(msgspec.Struct, frozen=True):
    """An answer, and all that it rests on."""

    answer: Answer
    whole: Verdict


def read_question(body: bytes) -> Question:
    """The question in a JSON body. Raise UsageError for one that cannot be answered."""
    try:
        question = msgspec.json.decode(body, type=Question, strict=False)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the question cannot be read: {cause(error)}", _MANIFEST) from None
    for name in (question.namespace, question.canary, question.stable):
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of Kubernetes", _MANIFEST)
    if question.canary == question.stable:
        raise UsageError("canary and stable are the same version; two are required", _MANIFEST)
    if not 0.0 < question.weight <= 100.0:
        what = f"weight is {question.weight:g}; above 0 and at most 100 is required"
        raise UsageError(what, _MANIFEST)
    if not 1.0 <= question.scrape_seconds <= question.look_seconds <= 3600.0:
        what = (
            f"scrape_seconds is {question.scrape_seconds:g} and look_seconds is"
            f" {question.look_seconds:g}; 1 to look_seconds and at most 3600 are required"
        )
        raise UsageError(what, _MANIFEST)
    return question


def policy_of(question: Question) -> CanaryPolicy:
    """The limits that a question is judged by. Raise UsageError."""
    known = {field.name for field in fields(CanaryPolicy)}
    for name in question.policy:
        if name not in known:
            raise UsageError(f"{name!r} is no limit of a canary", f"Known: {', '.join(known)}.")
    policy = replace(CanaryPolicy(), **question.policy)  # type: ignore[arg-type]
    check_canary("the question", policy)
    return policy


def reply(verdict: Verdict) -> Reply:
    """A verdict as it is answered."""
    kept = Answer(
        verdict.verdict,
        verdict.sentence,
        verdict.more_requests,
        verdict.measures,
        verdict.looks,
        verdict.canary_rows,
        verdict.stable_rows,
    )
    return Reply(kept, verdict)
