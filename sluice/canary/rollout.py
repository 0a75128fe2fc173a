"""What the Kubernetes API says of a canary: the Rollout, its ReplicaSets and its AnalysisRuns, as
far as it matters here, and nothing of how it was asked.

Field names are those of the API. What an object does not have is empty here; a field that is not
named is passed over. Moments are as the API writes them: UTC, to the second, ISO 8601.
"""

import datetime
import re
from dataclasses import dataclass

import msgspec
from msgspec import Struct

HASH = "rollouts-pod-template-hash"  # the label by which all of one version is known
REVISION = "rollout.argoproj.io/revision"
EARLIER = "rollout.argoproj.io/revision-history"  # the revisions that a version had before
_STEP = "step-index"  # the label of an analysis run that is a step
# host:5000/name:tag@sha256:..., of which the tag and the digest may be missing
_IMAGE = re.compile(
    r"(?P<name>(?:[^/@]+/)*[^/:@]+)(?::[^/:@]+)?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_UNIT = re.compile(r"(\d+)(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_KEPT_RUNS = 5  # that passed, where a Rollout does not say how many are kept


class _Of(Struct, frozen=True, kw_only=True, rename="camel"):
    """An object of the API."""


class Owner(_Of, frozen=True, kw_only=True):
    """Whom an object belongs to."""

    uid: str = ""


class Metadata(_Of, frozen=True, kw_only=True):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str = ""
    owner_references: tuple[Owner, ...] = ()


class Container(_Of, frozen=True, kw_only=True):
    """A container of a pod; `image` is `name:tag@sha256:...`."""

    image: str = ""


class PodSpec(_Of, frozen=True, kw_only=True):
    """What a pod runs."""

    containers: tuple[Container, ...] = ()


class PodTemplate(_Of, frozen=True, kw_only=True):
    """What the pods of a version are made from."""

    spec: PodSpec = PodSpec()


class PauseStep(_Of, frozen=True, kw_only=True):
    """A pause; without a duration it lasts until a person ends it."""

    duration: int | str | None = None


class AnalysisStep(_Of, frozen=True, kw_only=True):
    """An analysis that has to pass; which one does not matter here."""


class Step(_Of, frozen=True, kw_only=True):
    """A step of a canary: one of these is set."""

    set_weight: int | None = None
    pause: PauseStep | None = None
    analysis: AnalysisStep | None = None


class CanaryStrategy(_Of, frozen=True, kw_only=True):
    """How a canary goes on; without a router pods alone divide the traffic."""

    steps: tuple[Step, ...] = ()
    traffic_routing: dict[str, object] | None = None


class BlueGreen(_Of, frozen=True, kw_only=True):
    """All traffic goes over at once, to the Service of this name."""

    active_service: str = ""


class Strategy(_Of, frozen=True, kw_only=True):
    """How a version takes the place of another."""

    canary: CanaryStrategy = CanaryStrategy()
    blue_green: BlueGreen | None = None


class History(_Of, frozen=True, kw_only=True):
    """How many analysis runs are kept."""

    successful_run_history_limit: int = _KEPT_RUNS


class RolloutSpec(_Of, frozen=True, kw_only=True):
    """What a Rollout is to be."""

    template: PodTemplate = PodTemplate()
    strategy: Strategy = Strategy()
    replicas: int = 1
    paused: bool = False
    progress_deadline_seconds: int = 600
    analysis: History = History()


class Pause(_Of, frozen=True, kw_only=True):
    """Why a Rollout waits, and since when."""

    reason: str = ""
    start_time: str = ""


class Condition(_Of, frozen=True, kw_only=True):
    """One thing that holds of a Rollout."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class RunOfStep(_Of, frozen=True, kw_only=True):
    """The analysis run that a Rollout names as its present one."""

    name: str = ""
    status: str = ""
    message: str = ""


class Weight(_Of, frozen=True, kw_only=True):
    """The share of the traffic, in percent."""

    weight: int = 0


class Weights(_Of, frozen=True, kw_only=True):
    """What the router was told last."""

    canary: Weight = Weight()


class CanaryStatus(_Of, frozen=True, kw_only=True):
    """How far a canary is; `weights` is None where replicas alone divide the traffic."""

    current_step_analysis_run_status: RunOfStep | None = None
    weights: Weights | None = None


class RolloutStatus(_Of, frozen=True, kw_only=True):
    """What the controller found; `currentPodHash` is the version that is to be, `stableRS` the one
    that takes the traffic otherwise.
    """

    abort: bool = False
    aborted_at: str | None = None
    pause_conditions: tuple[Pause, ...] = ()
    current_pod_hash: str = ""
    current_step_index: int | None = None
    observed_generation: str = ""
    conditions: tuple[Condition, ...] = ()
    canary: CanaryStatus = CanaryStatus()
    stable: str = msgspec.field(name="stableRS", default="")
    phase: str = ""
    message: str = ""


class Rollout(_Of, frozen=True, kw_only=True):
    """A Rollout of Argo."""

    metadata: Metadata = Metadata()
    spec: RolloutSpec = RolloutSpec()
    status: RolloutStatus = RolloutStatus()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of its canary."""
        return self.spec.strategy.canary.steps

    def condition(self, kind: str) -> Condition:
        """The condition of a type; an empty one where there is none."""
        return next((one for one in self.status.conditions if one.type == kind), Condition())


class ReplicaSetSpec(_Of, frozen=True, kw_only=True):
    """What a ReplicaSet runs."""

    template: PodTemplate = PodTemplate()


class ReplicaSet(_Of, frozen=True, kw_only=True):
    """A version of a Rollout."""

    metadata: Metadata = Metadata()
    spec: ReplicaSetSpec = ReplicaSetSpec()

    @property
    def hash(self) -> str:
        """The hash by which everything of this version is known."""
        return self.metadata.labels.get(HASH, "")

    @property
    def revision(self) -> str:
        """Its number among the versions of its Rollout; empty where it has none yet."""
        return self.metadata.annotations.get(REVISION, "")

    @property
    def had_run(self) -> bool:
        """Whether it was the version of an earlier revision too."""
        return bool(self.metadata.annotations.get(EARLIER))


class Measurement(_Of, frozen=True, kw_only=True):
    """One look of an analysis; `value` is JSON or the text of a number."""

    phase: str = ""
    value: str = ""
    message: str = ""
    finished_at: str | None = None


class MetricResult(_Of, frozen=True, kw_only=True):
    """What an analysis found of one metric; the measurements are the newest ones, in their order.

    A metric of a dry run decides nothing.
    """

    name: str = ""
    phase: str = ""
    message: str = ""
    measurements: tuple[Measurement, ...] = ()
    count: int = 0
    error: int = 0
    dry_run: bool = False


class RunStatus(_Of, frozen=True, kw_only=True):
    """How an analysis goes, or went: Pending, Running, Successful, Failed, Error or
    Inconclusive.
    """

    phase: str = ""
    message: str = ""
    metric_results: tuple[MetricResult, ...] = ()
    started_at: str | None = None
    completed_at: str | None = None


class RunSpec(_Of, frozen=True, kw_only=True):
    """Whether an analysis was told to end: what it found then decides nothing."""

    terminate: bool = False


class AnalysisRun(_Of, frozen=True, kw_only=True):
    """An analysis of one version."""

    metadata: Metadata = Metadata()
    spec: RunSpec = RunSpec()
    status: RunStatus = RunStatus()

    @property
    def hash(self) -> str:
        """The version that it is about."""
        return self.metadata.labels.get(HASH, "")

    @property
    def step(self) -> int | None:
        """The step that it is; None for one that goes on beside them."""
        label = self.metadata.labels.get(_STEP, "")
        return int(label) if label.isdecimal() else None

    @property
    def passed(self) -> bool:
        """Whether it ended well by itself."""
        return self.status.phase == "Successful" and not self.spec.terminate


@dataclass(frozen=True)
class Seen:
    """All that was seen of one Rollout: its versions, and its analysis runs in the order in which
    they began. `image` is the name of the image of the model, without tag and digest.
    """

    image: str
    rollout: Rollout
    versions: tuple[ReplicaSet, ...] = ()
    runs: tuple[AnalysisRun, ...] = ()

    @property
    def now(self) -> ReplicaSet | None:
        """The version that is to be; None while it has no ReplicaSet."""
        return self._version(self.rollout.status.current_pod_hash)

    @property
    def digest(self) -> str:
        """The digest that the Rollout is to run; empty where it names the image without one."""
        return _digest(self.rollout.spec.template, self.image)

    @property
    def stable(self) -> str:
        """The digest that the stable version runs; empty where it is not known."""
        version = self._version(self.rollout.status.stable)
        return _digest(version.spec.template, self.image) if version else ""

    @property
    def own_runs(self) -> tuple[AnalysisRun, ...]:
        """The analysis runs of the version that is to be, and of no other."""
        wanted = self.rollout.status.current_pod_hash
        return tuple(run for run in self.runs if wanted and run.hash == wanted)

    def _version(self, wanted: str) -> ReplicaSet | None:
        return next((one for one in self.versions if wanted and one.hash == wanted), None)


def _digest(template: PodTemplate, name: str) -> str:
    """The digest by which a template names an image; empty where it names none."""
    named = [_IMAGE.fullmatch(container.image) for container in template.spec.containers]
    return next((match["digest"] or "" for match in named if match and match["name"] == name), "")


def runs_image(rollout: Rollout, name: str) -> bool:
    """Whether a container of a Rollout runs the image of this name, in whichever version."""
    named = [_IMAGE.fullmatch(one.image) for one in rollout.spec.template.spec.containers]
    return any(match is not None and match["name"] == name for match in named)


def belongs(metadata: Metadata, rollout: Rollout) -> bool:
    """Whether an object was made for this Rollout."""
    return any(owner.uid == rollout.metadata.uid for owner in metadata.owner_references)


def weight(seen: Seen) -> int:
    """The share of the traffic that the canary is given, in percent."""
    told = seen.rollout.status.canary.weights
    if told is not None:
        return told.canary.weight
    return weight_at(seen.rollout.steps, seen.rollout.status.current_step_index)


def weight_at(steps: tuple[Step, ...], index: int | None) -> int:
    """The share of the traffic at a step, in percent: what the last step before it set."""
    before = steps if index is None else steps[: index + 1]
    weights = [step.set_weight for step in before if step.set_weight is not None]
    return weights[-1] if weights else 0


def pause_seconds(step: Step) -> int | None:
    """How long the pause of a step lasts; 0 where it is none, None where it has no end."""
    if step.pause is None:
        return 0
    duration = step.pause.duration
    if duration is None:
        return None
    if isinstance(duration, int):
        return duration
    if duration.isdecimal():
        return int(duration)
    parts = _UNIT.findall(duration)
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def seconds_between(start: str | None, end: str | None) -> float | None:
    """The seconds from one moment to another; None where one of them is not known."""
    try:
        first, last = (datetime.datetime.fromisoformat(one or "") for one in (start, end))
        return (last - first).total_seconds()
    except (ValueError, TypeError):
        return None
