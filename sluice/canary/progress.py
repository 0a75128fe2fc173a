"""How far a canary is, in the words of what the cluster says of it now."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sluice.canary.looks import Look, looks
from sluice.canary.rollout import (
    AnalysisRun,
    Measurement,
    MetricResult,
    Rollout,
    Seen,
    Step,
    pause_seconds,
    weight,
)
from sluice.canary.verdict import Measure
from sluice.canary.weights import thin

NOT_SEEN = "the controller of Argo Rollouts to see the newest Rollout"
INCONCLUSIVE = "InconclusiveAnalysisRun"  # why a Rollout is paused
_OPEN = ("", "Pending", "Running")
_WORST_LAST = ("Successful", "Inconclusive", "Error", "Failed")
_SAID = {
    "Successful": "pass",
    "Failed": "fail",
    "Inconclusive": "inconclusive",
    "Error": "no answer",
}


@dataclass(frozen=True)
class Figure:
    """What an analysis found of a metric: its last value, or the sentence of the judge, and in how
    many looks. `phase` is Successful, Failed, Inconclusive, Error or Running.
    """

    metric: str
    phase: str
    value: str
    looks: int


@dataclass(frozen=True)
class Stage:
    """A step of a canary: what it does, whether it is `done`, `now` or `ahead`, and the verdict of
    its analysis, empty where there is none.
    """

    what: str
    state: str
    verdict: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a canary is.

    `step` of `steps` are done; `weight` is its share of the traffic in percent. `verdict` is what
    the newest look said (pass, fail, inconclusive, no answer), empty before the first one, and
    `sentence` the words or the number of it. `waits_for` says what it waits for, and `since`
    when that began. `stages` are all steps, `looks` those of the judge, and `measures`
    what it found at the newest one. `thin` says why a step cannot have its weight, empty where each
    can.
    """

    rollout: str
    namespace: str
    digest: str
    phase: str
    step: int
    steps: int
    weight: int
    since: str
    verdict: str
    sentence: str
    waits_for: str
    stages: tuple[Stage, ...] = ()
    measures: tuple[Measure, ...] = ()
    looks: tuple[Look, ...] = ()
    thin: str = ""


def progress(seen: Seen) -> Progress:
    """How far the canary is that the Rollout has now."""
    rollout, status = seen.rollout, seen.rollout.status
    look, judged = _newest_look(seen.own_runs), looks(seen)
    return Progress(
        rollout=rollout.metadata.name,
        namespace=rollout.metadata.namespace,
        digest=seen.digest,
        phase=status.phase,
        step=status.current_step_index or 0,
        steps=len(rollout.steps),
        weight=weight(seen),
        since=_since(seen),
        verdict=_SAID.get(look.phase, "") if look else "",
        sentence=words(look) if look else "",
        waits_for=waits_for(seen),
        stages=stages(seen),
        measures=judged[-1].verdict.measures if judged else (),
        looks=judged,
        thin=thin(rollout),
    )


def waits_for(seen: Seen) -> str:
    """What the canary waits for; empty where it is through."""
    rollout, status = seen.rollout, seen.rollout.status
    if not is_observed(rollout):
        return NOT_SEEN
    if status.abort:
        return "git to name a version that is healthy"
    if rollout.spec.paused:
        return "a person to resume it, as one has paused it"
    reasons = [pause.reason for pause in status.pause_conditions]
    if INCONCLUSIVE in reasons:
        return "a person to promote or abort it, as its analysis was inconclusive"
    if status.stable == status.current_pod_hash:
        return "" if status.phase == "Healthy" else f"its pods ({status.message})"
    at = status.current_step_index
    step = rollout.steps[at] if at is not None and at < len(rollout.steps) else None
    if step is None:
        return "its pods to take the place of the ones before"
    if step.pause is not None and reasons:
        seconds = pause_seconds(step)
        return "a person to promote it" if seconds is None else f"a pause of {seconds} s"
    if step.analysis is not None:
        return "its analysis"
    return f"its pods ({status.message})" if status.message else "its pods"


def is_observed(rollout: Rollout) -> bool:
    """Whether the status is about the Rollout as it stands now."""
    return rollout.status.observed_generation == str(rollout.metadata.generation)


def _since(seen: Seen) -> str:
    """Since when it is where it is."""
    status = seen.rollout.status
    if status.aborted_at:
        return status.aborted_at
    if status.pause_conditions:
        return status.pause_conditions[0].start_time
    running = [run for run in seen.own_runs if run.status.phase in _OPEN]
    if running and running[-1].status.started_at:
        return running[-1].status.started_at
    return seen.now.metadata.creation_timestamp if seen.now else ""


def figures(seen: Seen) -> tuple[Figure, ...]:
    """The figures of the newest run of this version that was not told to end."""
    runs = [run for run in seen.own_runs if not run.spec.terminate]
    return figures_of(runs[-1]) if runs else ()


def figures_of(run: AnalysisRun) -> tuple[Figure, ...]:
    return tuple(_figure(result) for result in results(run))


def results(run: AnalysisRun) -> Iterable[MetricResult]:
    return (result for result in run.status.metric_results if not result.dry_run)


def _figure(result: MetricResult) -> Figure:
    value = words(result.measurements[-1]) if result.measurements else ""
    return Figure(result.name, result.phase, value, result.count)


def _newest_look(runs: Iterable[AnalysisRun]) -> Measurement | None:
    """The last look of any metric; of those at the same moment the worst."""
    looks = [
        look
        for run in runs
        for result in results(run)
        for look in result.measurements[-1:]
        if look.phase in _WORST_LAST
    ]
    return max(
        looks, key=lambda one: (one.finished_at or "", _WORST_LAST.index(one.phase)), default=None
    )


def words(look: Measurement) -> str:
    """What a look found: the sentence of the judge, a number, or why there is none."""
    return sentence_of(look.value) or _number(look.value) or look.message


def sentence_of(value: str) -> str:
    """The sentence of an answer of the judge; empty where this is none."""
    answer = _parsed(value)
    sentence = answer.get("sentence") if isinstance(answer, dict) else None
    return sentence if isinstance(sentence, str) else ""


def _number(value: str) -> str:
    """A value as people read it; Prometheus puts it into a list."""
    answer = _parsed(value)
    if isinstance(answer, list):
        answer = answer[0] if len(answer) == 1 else answer
    return f"{answer:.4g}" if isinstance(answer, float) else value.strip("[]")


def _parsed(value: str) -> object:
    try:
        parsed: object = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return parsed


def stages(seen: Seen) -> tuple[Stage, ...]:
    """All steps of the canary, in their order."""
    at = seen.rollout.status.current_step_index
    verdicts = {run.step: _verdict(run) for run in seen.own_runs if run.step is not None}
    return tuple(
        Stage(_what(step), _state(number, at), verdicts.get(number, ""))
        for number, step in enumerate(seen.rollout.steps)
    )


def _what(step: Step) -> str:
    if step.set_weight is not None:
        return f"{step.set_weight} % of the traffic"
    if step.analysis is not None:
        return "analysis"
    if step.pause is None:
        return "a step of another kind"
    seconds = pause_seconds(step)
    return "pause until a person promotes it" if seconds is None else f"pause of {seconds} s"


def _state(number: int, at: int | None) -> str:
    if at is None or number < at:
        return "done"
    return "now" if number == at else "ahead"


def _verdict(run: AnalysisRun) -> str:
    """What an analysis said: its end, or its newest look."""
    if run.spec.terminate:
        return "ended early"
    if run.status.phase not in _OPEN:
        return _SAID.get(run.status.phase, "")
    look = _newest_look([run])
    return f"so far {_SAID[look.phase]}" if look else "no look yet"
