"""One model on a cluster: its manifest repository, the Application that follows it, and what the
controllers make of a commit.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.argocd import commit, seed
from support.cluster.candidates import MODEL
from support.cluster.description import Cluster
from support.cluster.forwarding import forward
from support.cluster.kube import Kube, documents
from support.cluster.stage import (
    APPLICATION,
    SPACE,
    address_of_judge,
    clear,
    disk,
    disks_of,
    ours,
    secret,
    volume,
)
from support.git_servers import Hosted, serving

from flows.adapters.process import run

HOST = "attrition.example.com"
OVERLAY = "overlays/production/kustomization.yaml"
KEY, SALT = "a-key-for-tests-" + "0" * 24, "a-salt-for-tests-" + "0" * 24
_ROLLOUT = f"/apis/argoproj.io/v1alpha1/namespaces/{SPACE}/rollouts/{MODEL}"
_ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{SPACE}/httproutes/{MODEL}"
_RUNS = f"/apis/argoproj.io/v1alpha1/namespaces/{SPACE}/analysisruns"
_FAST = """  # Seconds in the place of minutes, and a machine that others use too.
  - target:
      kind: Rollout
    patch: |-
{rollout}  - target:
      kind: AnalysisTemplate
      name: {template}
    patch: |-
{analysis}"""
_REPLACE = "      - {{op: replace, path: {path}, value: {value}}}\n"
# Seconds without progress after which a canary is taken back.
DEADLINE = 60
PAUSE, LOOK = "10s", "4s"
_FEW = 4  # pods, of which one is a quarter
# The judge needs about a hundred requests of the canary, one or two of which come in a second.
SCRAPED, BLOCK, LOOK_OF_JUDGE = 2, 10, "30s"
Json = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """A cluster, and the working copy of the manifest repository that its Argo CD follows."""

    kube: Kube
    work: Path

    def refresh(self) -> None:
        """Let Argo CD look at git now."""
        asked = {"argocd.argoproj.io/refresh": "normal"}
        self.kube.merge(APPLICATION, {"metadata": {"annotations": asked}})

    def application(self) -> tuple[str, str]:
        """Whether the Application is Synced, and whether it is Healthy, in the words of Argo CD."""
        status = self.kube.get(APPLICATION).get("status", {})
        return (
            status.get("sync", {}).get("status", ""),
            status.get("health", {}).get("status", ""),
        )

    def rollout(self) -> Json:
        """The Rollout as it is; empty where there is none yet."""
        return self.kube.find(_ROLLOUT) or {}

    @contextmanager
    def shortcut(self, host: str, service: str = f"{MODEL}-canary") -> Iterator[None]:
        """Somebody's route that leads to one Service alone, whatever the weights are."""
        [route] = documents(self.work / "base" / "route.yaml")
        route["metadata"] |= {"name": f"{MODEL}-shortcut", "namespace": SPACE}
        route["spec"]["hostnames"] = [host]
        for rule in route["spec"]["rules"]:
            rule["backendRefs"] = [rule["backendRefs"][0] | {"name": service, "weight": 1}]
        self.kube.apply(route)
        try:
            yield
        finally:
            self.kube.delete(self.kube.path(route))

    def scale(self, replicas: int) -> None:
        """Ask for so many pods, as `kubectl scale` does."""
        self.kube.merge(f"{_ROLLOUT}/scale", {"spec": {"replicas": replicas}})

    def ready(self) -> int:
        """How many pods are ready."""
        return int(self.rollout().get("status", {}).get("readyReplicas", 0))

    def waiting(self) -> set[str]:
        """Why pods wait, in the words of the node: ImagePullBackOff."""
        pods = self.kube.get(f"/api/v1/namespaces/{SPACE}/pods")["items"]
        states = [
            container["state"].get("waiting", {}).get("reason")
            for pod in pods
            for container in pod.get("status", {}).get("containerStatuses", [])
        ]
        return {reason for reason in states if reason}

    def step(self) -> int:
        """The number of the step that a canary is in, from zero."""
        return int(self.rollout().get("status", {}).get("currentStepIndex", 0))

    def weight(self) -> int:
        """How many of a hundred requests the canary gets, by the route; 0 where none knows it."""
        rules = (self.kube.find(_ROUTE) or {"spec": {"rules": []}})["spec"]["rules"]
        backends = [one for rule in rules for one in rule["backendRefs"]]
        return sum(int(one["weight"]) for one in backends if one["name"].endswith("canary"))

    def runs(self, pod_hash: str) -> list[Json]:
        """The analyses of a version, the first one first."""
        found = [
            one
            for one in self.kube.get(_RUNS)["items"]
            if one["metadata"]["labels"]["rollouts-pod-template-hash"] == pod_hash
        ]
        return sorted(found, key=lambda one: one["metadata"]["creationTimestamp"])

    def measured(self) -> bool:
        """Whether the analysis of this step has looked at least once."""
        runs = self.runs(self.rollout()["status"]["currentPodHash"])
        newest = runs[-1].get("status", {}) if runs else {}
        metrics = newest.get("metricResults", [])
        return newest.get("phase") == "Running" and any(one.get("measurements") for one in metrics)

    def inconclusive(self) -> bool:
        """Whether it stands still for a person, because its analysis could not tell."""
        paused = self.rollout().get("status", {}).get("pauseConditions", [])
        return any(one["reason"] == "InconclusiveAnalysisRun" for one in paused)

    def told(self) -> str:
        """What the controllers say, for who waits in vain."""
        status = self.rollout().get("status", {})
        kept = ("phase", "message", "currentStepIndex", "currentPodHash", "stableRS", "abort")
        said = {name: status.get(name) for name in kept}
        conditions = self.kube.get(APPLICATION).get("status", {}).get("conditions", [])
        runs = [
            (one["metadata"]["name"], one.get("status", {}).get("phase"))
            for one in self.kube.get(_RUNS)["items"]
        ]
        return f"{self.application()} {conditions} {said} {runs}"

    def healthy_with(self, digest: str) -> bool:
        """Whether everybody is served by this image, and Argo CD is content."""
        rollout = self.rollout()
        status = rollout.get("status", {})
        return (
            image_of(rollout) == digest
            and status.get("phase") == "Healthy"
            and status.get("stableRS") == status.get("currentPodHash")
            and self.weight() == 0
            and self.application() == ("Synced", "Healthy")
        )


@contextmanager
def beginning(
    cluster: Cluster, folder: Path, analysis: str, more: str, deadline: int, looks: int = 0
) -> Iterator[Story]:
    """A manifest repository with short pauses, in which a canary is judged by one of the shipped
    analyses, and the namespace for it; Argo CD reaches the repository while the block runs. `more`
    is a component that is switched on besides. What an earlier one left on the cluster is removed
    first. The judge looks at a step `looks` times at most, or as often as is shipped.
    """
    kube = cluster.kube()
    clear(kube)
    with serving(Hosted(folder)) as hosted:
        port = forward(cluster.host, urlsplit(hosted.url).port or 0)
        bare = seed(folder, f"http://{cluster.host}:{port}/manifests.git")
        work = folder / "work"
        run(["git", "remote", "add", "origin", bare.as_uri()], cwd=work)
        _choose(work, analysis, more, _fast(work, analysis, more, deadline, looks))
        kube.apply_all(ours(documents(work / "namespaces.yaml")))
        kube.apply_all(address_of_judge(cluster.host))
        kube.apply(secret(f"{MODEL}-api-keys", "keys", KEY))
        kube.apply(secret(f"{MODEL}-prediction-log", "salt", SALT))
        kube.apply(volume("predictions", disk(disks_of(cluster) / "predictions")))
        kube.apply_all(documents(work / "project.yaml"))
        yield Story(kube, work)
        kube.close()


def _choose(work: Path, analysis: str, more: str, fast: str) -> None:
    """Commit the components that a scene is about, and its patches."""
    file = work / OVERLAY
    text = file.read_text().replace("patches:\n", f"patches:\n{fast}", 1)
    judged = [str(Path(analysis).parent)] if analysis.startswith("components/") else []
    for component in [*judged, *([more] if more else [])]:
        assert f"  # - ../../{component} " in text
        text = text.replace(f"  # - ../../{component} ", f"  - ../../{component} ")
    file.write_text(text)
    commit(work, "Shorten the pauses")
    run(["git", "push", "--quiet", "origin", "main"], cwd=work)


def follow(story: Story) -> None:
    """Let Argo CD begin: from here on, git alone says what runs."""
    story.kube.apply_all(documents(story.work / "applications" / "production.yaml"))


def image_of(rollout: Json) -> str:
    """The digest that a Rollout names."""
    if not rollout:
        return ""
    [container] = rollout["spec"]["template"]["spec"]["containers"]
    return str(container["image"]).rpartition("@")[2]


def _fast(work: Path, analysis: str, more: str, deadline: int, looks: int) -> str:
    """Patches that shorten the shipped pauses and looks, and let a busy machine be slow, with as
    many pods as it can bear. Nothing else is changed.
    """
    changes = {"/spec/progressDeadlineSeconds": str(deadline)}
    if "blue-green" in analysis:
        changes["/spec/strategy/blueGreen/scaleDownDelaySeconds"] = "30"
    else:
        changes |= _short_steps(work)
    if "replicas" in more:
        changes |= {"/spec/replicas": str(_FEW), "/spec/strategy/canary/steps/0/setWeight": "25"}
    [template] = documents(work / analysis)
    return _FAST.format(
        rollout=_replaced(changes),
        template=template["metadata"]["name"],
        analysis=_replaced(_quicker(template["spec"]) | _patient(looks)),
    )


def _short_steps(work: Path) -> dict[str, str]:
    """Each pause of the shipped canary, by its path."""
    [rollout] = documents(work / "base" / "rollout.yaml")
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    return {
        f"/spec/strategy/canary/steps/{number}/pause/duration": PAUSE
        for number, step in enumerate(steps)
        if "pause" in step
    }


def _quicker(spec: Json) -> dict[str, str]:
    """What is shorter in an analysis, by its path."""
    judged = "web" in spec["metrics"][0]["provider"]
    look = LOOK_OF_JUDGE if judged else LOOK
    changes = {}
    for number, metric in enumerate(spec["metrics"]):
        for wait in ("interval", "initialDelay"):
            if wait in metric:
                changes[f"/spec/metrics/{number}/{wait}"] = look
    wanted = {
        "scrape-seconds": f'"{SCRAPED}"',
        "maximum-p95-seconds": '"2"',
        "p95-seconds": '"2"',
        "p99-seconds": '"5"',
    }
    for number, argument in enumerate(spec["args"]):
        if argument["name"] in wanted:
            changes[f"/spec/args/{number}/value"] = wanted[argument["name"]]
    if judged:
        changes["/spec/metrics/0/provider/web/jsonBody/look_seconds"] = f'"{BLOCK}"'
    return changes


def _patient(looks: int) -> dict[str, str]:
    """As many looks of the judge, one for each block, for a canary that is asked little: the five
    that are shipped would be over before it answered enough. Nothing changes where it is 0.
    """
    if not looks:
        return {}
    changes = {"count": looks, "inconclusiveLimit": looks - 1, "interval": f"{BLOCK}s"}
    return {f"/spec/metrics/0/{name}": str(value) for name, value in changes.items()}


def _replaced(changes: Mapping[str, str]) -> str:
    return "".join(_REPLACE.format(path=path, value=value) for path, value in changes.items())
