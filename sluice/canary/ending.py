"""How a canary ends, from what the cluster says of it now, however it came to that.

An analysis that failed is harm. An analysis that could not measure, pods that never came up and an
analysis that stays inconclusive are not the fault of the model. What a person did stands. What
Argo Rollouts does in which case: its utils/conditions and rollout/sync.go.
"""

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sluice.canary.rollout import (
    AnalysisRun,
    Measurement,
    MetricResult,
    Rollout,
    Seen,
    pause_seconds,
    seconds_between,
    weight,
    weight_at,
)

# waits     nothing is decided yet, or what is decided is for a person
# healthy   every analysis passed
# unproven  it runs everywhere, and no analysis was asked
# promoted  it runs everywhere because a person said so
# harmful   an analysis failed
# unfit     the cluster could not run or measure it
# aborted   a person took it back
Word = Literal["waits", "healthy", "unproven", "promoted", "harmful", "unfit", "aborted"]

RECORDED: tuple[Word, ...] = ("healthy", "unproven", "promoted")
TAKEN_BACK: tuple[Word, ...] = ("harmful", "unfit", "aborted")
_INCONCLUSIVE = "InconclusiveAnalysisRun"
_ABORTED = "RolloutAborted"
_TIMED_OUT = "ProgressDeadlineExceeded"
_AT_ONCE = 60  # seconds in which the controller aborts after an analysis has ended badly
_OPEN = ("", "Pending", "Running")
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
class Ending:
    """How a canary ended, and why, in a sentence that begins small; `figures` are those of the
    analysis that decided, or of the last one.
    """

    word: Word
    why: str
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far a canary is.

    `step` of `steps` are done; `weight` is its share of the traffic in percent. `verdict` is what
    the newest look said (pass, fail, inconclusive, no answer), empty before the first one, and
    `sentence` the words or the number of it. `waits_for` says what has to happen next, and `since`
    when that began.
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


def ending(seen: Seen, wanted: str, now: datetime.datetime, patience: float) -> Ending:
    """How the canary of the digest `wanted` ended; `patience` is for how many hours it may stay
    inconclusive.
    """
    rollout, status = seen.rollout, seen.rollout.status
    behind = _behind(rollout, wanted)
    if behind:
        return Ending("waits", behind)
    if status.abort:
        return _aborted(seen)
    if rollout.condition("InvalidSpec").status == "True":
        why = f"the Rollout is not valid: {rollout.condition('InvalidSpec').message}"
        return Ending("waits", why)
    if status.stable and status.stable == status.current_pod_hash:
        return _promoted(seen)
    if rollout.condition("Progressing").reason == _TIMED_OUT:
        return Ending("unfit", _never_ready(seen))
    return _inconclusive(seen, now, patience) or Ending("waits", waits_for(seen), _figures(seen))


def progress(seen: Seen) -> Progress:
    """How far the canary is that the Rollout has now."""
    rollout, status = seen.rollout, seen.rollout.status
    look = _newest_look(seen.own_runs)
    return Progress(
        rollout=rollout.metadata.name,
        namespace=rollout.metadata.namespace,
        digest=rollout.digest,
        phase=status.phase,
        step=status.current_step_index or 0,
        steps=len(rollout.steps),
        weight=weight(seen),
        since=_since(seen),
        verdict=_SAID.get(look.phase, "") if look else "",
        sentence=_words(look) if look else "",
        waits_for=waits_for(seen),
    )


def waits_for(seen: Seen) -> str:
    """What has to happen for the canary to go on; empty where it is through."""
    rollout, status = seen.rollout, seen.rollout.status
    if not _is_observed(rollout):
        return "the controller of Argo Rollouts has not seen the newest Rollout yet"
    if status.abort:
        return "git has to name a version that is healthy"
    if rollout.spec.paused:
        return "a person has paused it, and has to resume it"
    reasons = [pause.reason for pause in status.pause_conditions]
    if _INCONCLUSIVE in reasons:
        return "its analysis was inconclusive: a person has to promote or abort it"
    if status.stable == status.current_pod_hash:
        return "" if status.phase == "Healthy" else f"its pods ({status.message})"
    at = status.current_step_index
    step = rollout.steps[at] if at is not None and at < len(rollout.steps) else None
    if step is None:
        return "its pods take the place of the ones before"
    if step.pause is not None and reasons:
        seconds = pause_seconds(step)
        return "a person has to promote it" if seconds is None else f"a pause of {seconds} s"
    if step.analysis is not None:
        return "its analysis"
    return f"its pods ({status.message})" if status.message else "its pods"


def _behind(rollout: Rollout, wanted: str) -> str:
    """How the cluster does not have what git names yet; empty where it has."""
    if rollout.digest != wanted:
        named = rollout.digest or "no digest"
        return f"the Rollout names {named}; {wanted} is wanted, which Argo CD has not synced yet"
    if not _is_observed(rollout):
        return "the controller of Argo Rollouts has not seen the newest Rollout yet"
    return ""


def _is_observed(rollout: Rollout) -> bool:
    """Whether the status is about the Rollout as it stands now."""
    return rollout.status.observed_generation == str(rollout.metadata.generation)


def _promoted(seen: Seen) -> Ending:
    """What runs everywhere: how it came to that."""
    rollout = seen.rollout
    if rollout.status.phase != "Healthy":
        return Ending("waits", waits_for(seen), _figures(seen))
    figures = _figures(seen)
    wanted = [at for at, step in enumerate(rollout.steps) if step.analysis is not None]
    if not wanted:
        return Ending("unproven", "the Rollout has no step that is an analysis")
    passed = {run.step for run in seen.own_runs if run.passed}
    missing = [at for at in wanted if at not in passed]
    if missing and not _forgotten(rollout, missing, passed):
        return _without(seen, missing)
    failed = [run for run in seen.own_runs if run.status.phase == "Failed"]
    if failed:
        why = f"a person tried it again after {failed[-1].metadata.name} had failed"
        return Ending("promoted", why, figures)
    looks = f"all {len(wanted)} of its analyses" if len(wanted) > 1 else "its analysis"
    return Ending("healthy", f"{looks} passed", figures)


def _forgotten(rollout: Rollout, missing: list[int], passed: set[int | None]) -> bool:
    """Whether the runs of the first steps are missing because the controller keeps no more."""
    known = [step for step in passed if step is not None]
    kept = rollout.spec.analysis.successful_run_history_limit
    return len(known) >= kept > 0 and max(missing) < min(known)


def _without(seen: Seen, missing: list[int]) -> Ending:
    """What runs everywhere without these analyses: the first deployment, a way back, or a person's
    word.
    """
    now, figures = seen.now, _figures(seen)
    if len(seen.versions) == 1 or (now is not None and now.revision == "1"):
        return Ending("unproven", "the first deployment of a Rollout skips its steps", figures)
    if now is not None and now.had_run:
        why = "the cluster had run it before, and went back to it without steps"
        return Ending("unproven", why, figures)
    steps = ", ".join(str(at + 1) for at in missing)
    return Ending("promoted", f"a person promoted it: no analysis passed in step {steps}", figures)


def _aborted(seen: Seen) -> Ending:
    """Why it was aborted."""
    status = seen.rollout.status
    detail = seen.rollout.condition("Progressing").message.partition(": ")[2]
    blamed = _blamed(seen, detail)
    if blamed is not None and blamed.status.phase == "Failed":
        return Ending("harmful", _harm(seen.rollout, blamed), _figures_of(blamed))
    if blamed is not None:
        why = f"its analysis could not measure: {blamed.status.message or blamed.metadata.name}"
        return Ending("unfit", why, _figures_of(blamed))
    if "assessed Failed" in detail:
        return Ending("harmful", f"its canary failed: {detail}")
    if detail:
        return Ending("unfit", f"the controller aborted it: {detail}")
    if _stood_still(seen):
        return Ending("unfit", _never_ready(seen))
    since = f" at {status.aborted_at}" if status.aborted_at else ""
    return Ending("aborted", f"a person aborted its canary{since}", _figures(seen))


def _blamed(seen: Seen, detail: str) -> AnalysisRun | None:
    """The run because of which it was aborted: the newest of this version, where it ended badly and
    the controller says so, or ended just before.
    """
    ended = [run for run in seen.own_runs if run.status.phase in ("Failed", "Error")]
    if not ended:
        return None
    run = ended[-1]
    before = seconds_between(run.status.completed_at, seen.rollout.status.aborted_at)
    at_once = before is not None and before <= _AT_ONCE
    return run if at_once or "analysis" in detail else None


def _harm(rollout: Rollout, run: AnalysisRun) -> str:
    """What a run found that failed, with its numbers."""
    found = [_said(result) for result in _results(run) if result.phase == "Failed"]
    at = run.step
    where = f" at {weight_at(rollout.steps, at)} % of the traffic" if at is not None else ""
    said = "; ".join(found) or run.status.message
    return f"its canary failed{where}: {said} ({run.metadata.name})"


def _said(result: MetricResult) -> str:
    """What the look said that failed."""
    looks = [one for one in result.measurements if one.phase == "Failed"]
    if not looks:
        return f"{result.name}: {result.message}"
    word = "says" if _sentence(looks[-1].value) else "was"
    return f"{result.name} {word} {_words(looks[-1])}"


def _stood_still(seen: Seen) -> bool:
    """Whether an abort of which nobody says why is that of the deadline: for so long nothing came
    up, no analysis was under way and no pause was without an end. Otherwise a person did it.
    """
    rollout, now = seen.rollout, seen.now
    known = [run.status.completed_at or "" for run in seen.own_runs if run.passed]
    known += [rollout.condition("Completed").last_transition_time or ""]
    known += [now.metadata.creation_timestamp] if now else []
    still = seconds_between(max(known), rollout.status.aborted_at)
    if still is None or still < rollout.spec.progress_deadline_seconds:
        return False
    if any(not run.passed for run in seen.own_runs[-1:]):
        return False
    at = max((run.step + 1 for run in seen.own_runs if run.step is not None), default=0)
    for step in rollout.steps[at:]:
        if step.analysis is not None:
            break
        if pause_seconds(step) is None:
            return False
    return True


def _never_ready(seen: Seen) -> str:
    seconds = seen.rollout.spec.progress_deadline_seconds
    return f"its pods did not come up: for {seconds} s nothing moved, which is the deadline"


def _inconclusive(seen: Seen, now: datetime.datetime, patience: float) -> Ending | None:
    """The end of a canary that has been inconclusive for longer than is waited."""
    for pause in seen.rollout.status.pause_conditions:
        if pause.reason != _INCONCLUSIVE:
            continue
        waited = seconds_between(pause.start_time, now.isoformat())
        if waited is not None and waited > patience * 3600:
            why = f"its analysis has been inconclusive for {waited / 3600:.1f} h; "
            return Ending("unfit", f"{why}at most {patience:g} h are waited", _figures(seen))
    return None


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


def _figures(seen: Seen) -> tuple[Figure, ...]:
    """The figures of the newest run of this version that was not told to end."""
    runs = [run for run in seen.own_runs if not run.spec.terminate]
    return _figures_of(runs[-1]) if runs else ()


def _figures_of(run: AnalysisRun) -> tuple[Figure, ...]:
    return tuple(_figure(result) for result in _results(run))


def _results(run: AnalysisRun) -> Iterable[MetricResult]:
    return (result for result in run.status.metric_results if not result.dry_run)


def _figure(result: MetricResult) -> Figure:
    value = _words(result.measurements[-1]) if result.measurements else ""
    return Figure(result.name, result.phase, value, result.count)


def _newest_look(runs: Iterable[AnalysisRun]) -> Measurement | None:
    """The last look of any metric; of those at the same moment the worst."""
    order = ("Successful", "Inconclusive", "Error", "Failed")
    looks = [
        look
        for run in runs
        for result in _results(run)
        for look in result.measurements[-1:]
        if look.phase in order
    ]
    return max(looks, key=lambda one: (one.finished_at or "", order.index(one.phase)), default=None)


def _words(look: Measurement) -> str:
    """What a look found: the sentence of the judge, a number, or why there is none."""
    return _sentence(look.value) or _number(look.value) or look.message


def _sentence(value: str) -> str:
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
