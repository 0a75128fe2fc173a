"""A canary as the controllers of Argo Rollouts 1.9 leave it in the API: the shipped Rollout with a
status, its ReplicaSets and its AnalysisRuns, as documents.

Which fields they write in which case was seen on real controllers and read in their sources
(rollout/sync.go, rollout/canary.go, rollout/analysis.go, utils/conditions).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml

from sluice.canary.rollout import AnalysisRun, ReplicaSet, Rollout, Seen
from support.argocd import DEPLOY

Document = dict[str, Any]
NAMESPACE = "attrition"
OLD, NEW = "7d9c5b6f4", "564f8d66c"  # hashes of the version before, and of the canary
UID = "4f8a6f1e-0d1c-4a51-9d52-6d4f2a1b3c5d"
BEGAN, ABORTED = "2026-11-28T17:12:40Z", "2026-11-28T17:13:44Z"
ANALYSES = (2, 5, 8, 11)  # the steps of the shipped Rollout that are analyses
STEPS = 12
FAILED = (
    "Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric"
    ' "error-share" assessed Failed due to failed (1) > failureLimit (0)'
)
ERRORS = (
    "Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric"
    ' "requests" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4)'
)
NO_REASON = "Rollout aborted update to revision 2"


def image(digest: str, tag: str = "2" * 16) -> str:
    """A reference as a release writes it."""
    return f"sluice.local/attrition:{tag}@{digest}"


def rollout(digest: str, status: Mapping[str, Any], **spec: Any) -> Document:
    """The shipped Rollout with the image of a digest; `spec` changes fields of its spec."""
    document: Document = yaml.safe_load((DEPLOY / "base" / "rollout.yaml").read_text())
    document["metadata"] |= {"namespace": NAMESPACE, "uid": UID, "generation": 2}
    document["spec"] |= spec
    document["spec"]["template"]["spec"]["containers"][0]["image"] = image(digest)
    return {**document, "status": {"observedGeneration": "2", **status}}


def condition(kind: str, status: str, reason: str, message: str, at: str = BEGAN) -> Document:
    """A condition of a Rollout."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at,
        "lastUpdateTime": at,
    }


def completed(is_so: bool) -> Document:
    """The condition that tells when the last update began."""
    reason = "RolloutCompleted"
    return condition("Completed", str(is_so), reason, reason)


def going_on(step: int = 2, weight: int = 5, **more: Any) -> Document:
    """The status of a canary at a step."""
    message = f'ReplicaSet "attrition-{NEW}" is progressing.'
    return {
        "phase": "Progressing",
        "message": "more replicas need to be updated",
        "currentPodHash": NEW,
        "stableRS": OLD,
        "currentStepIndex": step,
        "replicas": 4,
        "canary": {
            "weights": {
                "canary": {"weight": weight, "podTemplateHash": NEW},
                "stable": {"weight": 100 - weight, "podTemplateHash": OLD},
            }
        },
        "conditions": [
            completed(False),
            condition("Progressing", "True", "ReplicaSetUpdated", message),
        ],
        **more,
    }


def paused(reason: str, since: str, step: int = 2) -> Document:
    """The status of a canary that waits."""
    return going_on(
        step,
        phase="Paused",
        message=reason,
        controllerPause=True,
        pauseConditions=[{"reason": reason, "startTime": since}],
    )


def healthy() -> Document:
    """The status of a version that runs everywhere."""
    message = f'ReplicaSet "attrition-{NEW}" has successfully progressed.'
    return {
        "phase": "Healthy",
        "currentPodHash": NEW,
        "stableRS": NEW,
        "currentStepIndex": STEPS,
        "replicas": 3,
        "conditions": [
            completed(True),
            condition("Healthy", "True", "RolloutHealthy", "Rollout is healthy"),
            condition("Progressing", "True", "NewReplicaSetAvailable", message),
        ],
    }


def aborted(message: str, at: str = ABORTED) -> Document:
    """The status of a canary that was taken back."""
    return going_on(
        step=0,
        weight=0,
        phase="Degraded",
        message=f"RolloutAborted: {message}",
        abort=True,
        abortedAt=at,
        conditions=[
            completed(False),
            condition("Progressing", "False", "RolloutAborted", message, at),
        ],
    )


def timed_out() -> Document:
    """The status of a canary whose pods did not come up, where nothing aborts it for that."""
    message = f'ReplicaSet "attrition-{NEW}" has timed out progressing.'
    reason = "ProgressDeadlineExceeded"
    return going_on(
        step=0,
        weight=0,
        phase="Degraded",
        message=f"{reason}: {message}",
        conditions=[completed(False), condition("Progressing", "False", reason, message)],
    )


def _owned(name: str, hash_: str, created: str) -> Document:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "labels": {"rollouts-pod-template-hash": hash_, "app.kubernetes.io/name": "attrition"},
        "annotations": {},
        "creationTimestamp": created,
        "ownerReferences": [
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "name": "attrition",
                "uid": UID,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def replica_set(
    hash_: str, digest: str, revision: int, created: str = BEGAN, earlier: str = ""
) -> Document:
    """A version; `earlier` are the revisions that it had before."""
    metadata = _owned(f"attrition-{hash_}", hash_, created)
    metadata["annotations"]["rollout.argoproj.io/revision"] = str(revision)
    if earlier:
        metadata["annotations"]["rollout.argoproj.io/revision-history"] = earlier
    labels = {"rollouts-pod-template-hash": hash_}
    container = {"name": "attrition", "image": image(digest)}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def metric(name: str, phase: str, value: str, looks: int = 1) -> Document:
    """What an analysis found of a metric."""
    word = {"Successful": "successful", "Failed": "failed", "Inconclusive": "inconclusive"}
    look = {
        "phase": phase,
        "value": value,
        "startedAt": ABORTED,
        "finishedAt": ABORTED,
    }
    counted = {word[phase]: looks, "count": looks} if phase in word else {"error": looks}
    return {"name": name, "phase": phase, "measurements": [look], **counted}


def answer(verdict: str, sentence: str) -> str:
    """An answer of the judge, as the `web` provider keeps it."""
    measure = {
        "name": "flagged",
        "verdict": verdict,
        "sentence": sentence,
        "canary": 0.4,
        "stable": 0.2,
        "low": 0.11,
        "high": 0.29,
    }
    found = {"verdict": verdict, "sentence": sentence, "measures": [measure]}
    return json.dumps(found, separators=(",", ":"))


def run(
    step: int,
    phase: str,
    metrics: Sequence[Document] = (),
    *,
    hash_: str = NEW,
    message: str = "",
    terminated: bool = False,
    again: str = "",
) -> Document:
    """The analysis of a step, which ended before the abort; `again` ends the name of one that was
    begun once more.
    """
    metadata = _owned(f"attrition-{hash_}-2-{step}{again}", hash_, f"2026-11-28T17:13:{10 + step}Z")
    metadata["labels"] |= {"step-index": str(step), "rollout-type": "Step"}
    ended = {} if phase in ("Running", "Pending") else {"completedAt": ABORTED}
    status = {
        "phase": phase,
        "message": message,
        "startedAt": f"2026-11-28T17:13:{10 + step}Z",
        "metricResults": list(metrics),
        **ended,
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": metadata,
        "spec": {
            "metrics": [
                {"name": "error-share", "provider": {"web": {"url": "http://127.0.0.1:9/"}}}
            ],
            **({"terminate": True} if terminated else {}),
        },
        "status": status,
    }


def all_passed() -> list[Document]:
    """The analyses of a canary that went through."""
    good = [metric("error-share", "Successful", "[0.0014]", 5)]
    return [run(step, "Successful", good) for step in ANALYSES]


def both(old: str, new: str) -> list[Document]:
    """The version before, and the canary."""
    return [
        replica_set(OLD, old, 1, "2026-11-20T09:00:00Z"),
        replica_set(NEW, new, 2),
    ]


def seen(document: Document, versions: Sequence[Document], runs: Sequence[Document] = ()) -> Seen:
    """The same as the rules get it."""
    return Seen(
        "sluice.local/attrition",
        msgspec.convert(document, Rollout),
        tuple(msgspec.convert(one, ReplicaSet) for one in versions),
        tuple(msgspec.convert(one, AnalysisRun) for one in runs),
    )
