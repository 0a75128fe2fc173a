"""How a canary ends, from what the cluster says of it now, however it came to that.

An analysis that failed is harm. An analysis that could not measure, pods that never came up and an
analysis that stays inconclusive are not the fault of the model. What a person did stands. What
Argo Rollouts does in which case: its utils/conditions and rollout/sync.go.
"""

import datetime
from dataclasses import dataclass
from typing import Literal

from sluice.canary.progress import (
    INCONCLUSIVE,
    NOT_SEEN,
    Figure,
    figures,
    figures_of,
    is_observed,
    results,
    sentence_of,
    waits_for,
    words,
)
from sluice.canary.rollout import (
    AnalysisRun,
    MetricResult,
    Rollout,
    Seen,
    pause_seconds,
    seconds_between,
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
_TIMED_OUT = "ProgressDeadlineExceeded"
_SHORT = 19  # characters of a digest that a person reads: `sha256:` and twelve more
_AT_ONCE = 60  # seconds in which the controller aborts after an analysis has ended badly


@dataclass(frozen=True)
class Ending:
    """How a canary ended, and why, in a sentence that begins small, or what it waits for;
    `figures` are those of the analysis that decided, or of the last one.
    """

    word: Word
    why: str
    figures: tuple[Figure, ...] = ()


def ending(seen: Seen, wanted: str, now: datetime.datetime, patience: float) -> Ending:
    """How the canary of the digest `wanted` ended; `patience` is for how many hours it may stay
    inconclusive.
    """
    rollout, status = seen.rollout, seen.rollout.status
    behind = _behind(seen, wanted)
    if behind:
        return Ending("waits", behind)
    # What runs everywhere is no canary any more: whatever happens to it then is not undone here.
    if status.stable and status.stable == status.current_pod_hash:
        return _promoted(seen)
    if status.abort:
        return _aborted(seen)
    if rollout.condition("InvalidSpec").status == "True":
        said = rollout.condition("InvalidSpec").message
        why = f"somebody to mend the Rollout, which is not valid: {said}"
        return Ending("waits", why)
    if rollout.condition("Progressing").reason == _TIMED_OUT:
        return Ending("unfit", _never_ready(seen))
    return _inconclusive(seen, now, patience) or Ending("waits", waits_for(seen), figures(seen))


def _behind(seen: Seen, wanted: str) -> str:
    """How the cluster does not have what git names yet; empty where it has."""
    if seen.digest != wanted:
        named = seen.digest[:_SHORT] or "no digest"
        return f"Argo CD to sync: the Rollout names {named}, and git names {wanted[:_SHORT]}"
    if not is_observed(seen.rollout):
        return NOT_SEEN
    return ""


def _promoted(seen: Seen) -> Ending:
    """What runs everywhere: how it came to that."""
    rollout = seen.rollout
    if rollout.status.phase != "Healthy":
        return Ending("waits", waits_for(seen), figures(seen))
    found = figures(seen)
    wanted = [at for at, step in enumerate(rollout.steps) if step.analysis is not None]
    if not wanted and rollout.spec.strategy.blue_green and any(r.passed for r in seen.own_runs):
        return Ending("healthy", "its analysis after the switch passed", found)
    if not wanted:
        return Ending("unproven", "the Rollout has no step that is an analysis")
    passed = {run.step for run in seen.own_runs if run.passed}
    missing = [at for at in wanted if at not in passed]
    if missing and not _forgotten(rollout, missing, passed):
        return _without(seen, missing)
    failed = [run for run in seen.own_runs if run.status.phase == "Failed"]
    if failed:
        why = f"a person tried it again after {failed[-1].metadata.name} had failed"
        return Ending("promoted", why, found)
    looks = f"all {len(wanted)} of its analyses" if len(wanted) > 1 else "its analysis"
    return Ending("healthy", f"{looks} passed", found)


def _forgotten(rollout: Rollout, missing: list[int], passed: set[int | None]) -> bool:
    """Whether the runs of the first steps are missing because the controller keeps no more."""
    known = [step for step in passed if step is not None]
    kept = rollout.spec.analysis.successful_run_history_limit
    return len(known) >= kept > 0 and max(missing) < min(known)


def _without(seen: Seen, missing: list[int]) -> Ending:
    """What runs everywhere without these analyses: the first deployment, a way back, or a person's
    word.
    """
    now, found = seen.now, figures(seen)
    if len(seen.versions) == 1 or (now is not None and now.revision == "1"):
        return Ending("unproven", "the first deployment of a Rollout skips its steps", found)
    if now is not None and now.had_run:
        why = "the cluster had run it before, and went back to it without steps"
        return Ending("unproven", why, found)
    steps = ", ".join(str(at + 1) for at in missing)
    return Ending("promoted", f"a person promoted it: no analysis passed in step {steps}", found)


def _aborted(seen: Seen) -> Ending:
    """Why it was aborted."""
    status = seen.rollout.status
    detail = seen.rollout.condition("Progressing").message.partition(": ")[2]
    blamed = _blamed(seen, detail)
    if blamed is not None and blamed.status.phase == "Failed":
        return Ending("harmful", _harm(seen.rollout, blamed), figures_of(blamed))
    if blamed is not None:
        why = f"its analysis could not measure: {blamed.status.message or blamed.metadata.name}"
        return Ending("unfit", why, figures_of(blamed))
    if "assessed Failed" in detail:
        return Ending("harmful", f"its canary failed: {detail}")
    if detail:
        return Ending("unfit", f"the controller aborted it: {detail}")
    if _stood_still(seen):
        return Ending("unfit", _never_ready(seen))
    since = f" at {status.aborted_at}" if status.aborted_at else ""
    return Ending("aborted", f"a person aborted its canary{since}", figures(seen))


def _blamed(seen: Seen, detail: str) -> AnalysisRun | None:
    """The run because of which it was aborted: the newest of this version, where it ended badly and
    the controller says so, or ended just before.
    """
    own = [run for run in seen.own_runs if not run.spec.terminate]
    ended = [run for run in own if run.status.phase in ("Failed", "Error")]
    if not ended:
        return None
    run = ended[-1]
    before = seconds_between(run.status.completed_at, seen.rollout.status.aborted_at)
    at_once = before is not None and before <= _AT_ONCE
    return run if at_once or "analysis" in detail else None


def _harm(rollout: Rollout, run: AnalysisRun) -> str:
    """What a run found that failed, with its numbers."""
    found = [_said(result) for result in results(run) if result.phase == "Failed"]
    at = run.step
    where = f" at {weight_at(rollout.steps, at)} % of the traffic" if at is not None else ""
    said = "; ".join(found) or run.status.message
    return f"its canary failed{where}: {said} ({run.metadata.name})"


def _said(result: MetricResult) -> str:
    """What the look said that failed."""
    looks = [one for one in result.measurements if one.phase == "Failed"]
    if not looks:
        return f"{result.name}: {result.message}"
    word = "says" if sentence_of(looks[-1].value) else "was"
    return f"{result.name} {word} {words(looks[-1])}"


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
        if pause.reason != INCONCLUSIVE:
            continue
        waited = seconds_between(pause.start_time, now.isoformat())
        if waited is not None and waited > patience * 3600:
            why = f"its analysis has been inconclusive for {waited / 3600:.1f} h; "
            return Ending("unfit", f"{why}at most {patience:g} h are waited", figures(seen))
    return None
