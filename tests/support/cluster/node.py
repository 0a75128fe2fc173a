"""A node of the test cluster: registers itself, and runs the pods that are bound to it with podman,
each in a network namespace of its own.

    python -m support.cluster.node KUBECONFIG FOLDER

What a kubelet does that the tests need: pulls by digest, volumes, environment, limits of memory,
probes, restarts with a pause, termination with its grace, logs, status, events. What it cannot do,
it says in an event, and the pod waits. Prometheus of Debian knows no Kubernetes, so the node also
writes down which pods are to be scraped.
"""

import contextlib
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from support.cluster import containers_of_pods, forwarding, kubelet, network
from support.cluster.containers_of_pods import Place, Unknown
from support.cluster.kube import Kube, Refused, Unreachable

from flows.adapters.image import containers
from flows.adapters.process import CommandFailed, Result, run

NAME = "sluice-node"
_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NAME}"
_LOOK = 0.3  # seconds between looks at the pods, and at their probes
_BEAT = 10.0  # seconds between signs of life
_BACK_OFF = (10, 20, 40, 60)  # seconds before a container is started again
_RESOURCES = {"cpu": "64", "memory": "64Gi", "pods": "110", "ephemeral-storage": "200Gi"}
Json = dict[str, Any]


def now() -> str:
    """As Kubernetes writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Node:
    """The API server as this node, its folder, the variables that every container gets, and the
    numbers of addresses that are taken.
    """

    kube: Kube
    folder: Path
    given: Json
    port: int = 0  # where it answers the API server
    taken: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def logs(self) -> Path:
        """The folder of what its pods print."""
        return self.folder / "pods"

    def podman(self, *words: str, check: bool = True, timeout: float = 300.0) -> Result:
        """Run it on the storage of the cluster, with its registries."""
        own = {"CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf")}
        env = containers.environment(self.folder / "containers") | own
        return run(["podman", *words], env=env, check=check, timeout=timeout)

    def number(self) -> int:
        """A free number for an address."""
        with self.lock:
            found = next(number for number in range(10, 250) if number not in self.taken)
            self.taken.add(found)
            return found


@dataclass
class Running:
    """A pod on this node, and what is known of it by now."""

    pod: Json
    node: Node
    deleted: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    number: int = 0
    container: str = ""
    started: bool = False
    ready: bool = False
    restarts: int = 0
    over: str = ""  # the phase of a pod that is not started again
    began: str = field(default_factory=now)
    state: Json = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Json = field(default_factory=dict)
    changed: dict[str, tuple[bool, str]] = field(default_factory=dict)

    @property
    def about(self) -> Json:
        found: Json = self.pod["metadata"]
        return found

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.about['namespace']}/pods/{self.about['name']}"

    @property
    def place(self) -> Place:
        short = self.about["uid"][:8]
        log = kubelet.log_of(self.node.logs, self.about["namespace"], self.about["name"])
        return Place(
            container=f"sluice-{short}",
            network=f"{network.NAMESPACES}{short}",
            log=log,
            mounts=log.with_suffix(""),
        )

    @property
    def spec(self) -> Json:
        found: Json = self.pod["spec"]["containers"][0]
        return found


def live(running: Running) -> None:
    """From the first look at a pod to its end."""
    if _taken_over(running):
        _serve(running)
        if not running.deleted.is_set():
            _ended(running)
    pulled = _until_done(running, _pulled, "ImagePullBackOff")
    if pulled and _until_done(running, _joined, "NetworkNotReady"):
        while not running.deleted.is_set():
            if not _until_done(running, _created, "CreateContainerError"):
                break
            _serve(running)
            if not running.deleted.is_set():
                _ended(running)
            if running.over:
                running.deleted.wait()
    _finish(running)


def recall(running: Running) -> None:
    """Take the address for taken that a pod has since before this node was away."""
    address = running.pod.get("status", {}).get("podIP", "")
    if address:
        running.address, running.number = address, int(address.rpartition(".")[2])
        running.node.taken.add(running.number)


def _taken_over(running: Running) -> bool:
    """Whether its container runs since before this node was away, as a kubelet finds it."""
    if not running.address:
        return False
    words = ("inspect", "--format", "{{.Id}} {{.State.Running}}", running.place.container)
    found, _, runs = running.node.podman(*words, check=False).stdout.strip().partition(" ")
    if runs != "true":
        return False
    status = running.pod["status"]
    [container] = status["containerStatuses"]
    running.container, running.began = found, status["startTime"]
    running.started, running.ready = container["started"], container["ready"]
    running.state, running.restarts = container["state"], container["restartCount"]
    return True


def _until_done(running: Running, step: Callable[[Running], None], waiting: str) -> bool:
    """Do something until it succeeds, as a kubelet does; False where the pod is deleted before."""
    while not running.deleted.is_set():
        try:
            step(running)
            return True
        except (CommandFailed, Unknown, Refused, Unreachable, OSError) as error:
            said = str(error)[-800:]
            print(now(), running.about["name"], waiting, said, flush=True)
            running.state = {"waiting": {"reason": waiting, "message": said}}
            _event(running, "Failed", said, "Warning")
            _tell(running, "Pending")
            running.deleted.wait(_BACK_OFF[0])
    return False


def _pulled(running: Running) -> None:
    _tell(running, "Pending")
    image = containers_of_pods.without_tag(running.spec["image"])
    if running.node.podman("image", "exists", image, check=False).code == 0:
        return
    _event(running, "Pulling", f"Pulling {image}")
    with running.node.lock:  # podman's storage is pulled into by one at a time anyway
        policy = str(running.node.folder / "containers" / "policy.json")
        running.node.podman("pull", "--quiet", "--signature-policy", policy, image, timeout=900)
    _event(running, "Pulled", f"Pulled {image}")


def _joined(running: Running) -> None:
    running.number = running.number or running.node.number()
    running.address = network.join(running.place.network, running.number)


def _created(running: Running) -> None:
    place = running.place
    running.node.podman("rm", "--force", place.container, check=False)
    image = containers_of_pods.without_tag(running.spec["image"])
    node = running.node
    words = containers_of_pods.words(running.pod, image, place, node.kube, node.given)
    running.container = running.node.podman(*words).stdout.strip()
    running.started, running.ready = "startupProbe" not in running.spec, False
    running.state = {"running": {"startedAt": now()}}
    _event(running, "Started", f"Started container {running.spec['name']}")
    _tell(running)


@dataclass
class _Probe:
    """One of the three, how often it failed in a row, and when it is due."""

    kind: str
    said: Json
    failed: int = 0
    due: float = 0.0


def _serve(running: Running) -> None:
    """Ask the probes until the container ends, or the pod is deleted."""
    asked = running.node.podman("inspect", "--format", "{{.State.Pid}}", running.place.container)
    pid = int(asked.stdout)
    if not pid:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        kinds = ("startupProbe", "readinessProbe", "livenessProbe")
        probes = [_Probe(kind, running.spec[kind]) for kind in kinds if kind in running.spec]
        for probe in probes:
            probe.due = time.monotonic() + probe.said.get("initialDelaySeconds", 0)
        while not running.deleted.is_set() and process.status() != psutil.STATUS_ZOMBIE:
            for probe in probes:
                _look(running, probe)
            running.deleted.wait(_LOOK)


def _look(running: Running, probe: _Probe) -> None:
    starting = probe.kind == "startupProbe"
    if starting is running.started or time.monotonic() < probe.due:
        return
    probe.due = time.monotonic() + probe.said.get("periodSeconds", 10)
    good = _answers(running, probe.said)
    probe.failed = 0 if good else probe.failed + 1
    over = probe.failed >= probe.said.get("failureThreshold", 3)
    if probe.kind == "readinessProbe":
        wanted = good or (running.ready and not over)
        if wanted is not running.ready:
            running.ready = wanted
            _tell(running)
    elif starting and good:
        running.started = True
        _tell(running)
    elif over:
        probe.failed = 0
        _event(running, "Unhealthy", f"{probe.kind} failed", "Warning")
        running.node.podman("kill", running.place.container, check=False)


def _answers(running: Running, probe: Json) -> bool:
    port, path = containers_of_pods.probe_address(running.spec, probe)
    timeout = probe.get("timeoutSeconds", 1)
    connection = http.client.HTTPConnection(running.address, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ended(running: Running) -> None:
    """The container ended by itself: it is started again, after a while, unless the pod says
    never.
    """
    code = _exit_code(running)
    print(now(), running.about["name"], "ended with exit code", code, flush=True)
    running.started = running.ready = False
    if running.pod["spec"].get("restartPolicy") == "Never":
        running.over = "Failed" if code else "Succeeded"
        reason = "Error" if code else "Completed"
        done = {"exitCode": code, "reason": reason, "startedAt": running.began, "finishedAt": now()}
        running.state = {"terminated": done}
        _tell(running, running.over)
        return
    running.last = {"terminated": {"exitCode": code, "reason": "Error", "finishedAt": now()}}
    running.state = {"waiting": {"reason": "CrashLoopBackOff"}}
    running.restarts += 1
    _event(running, "BackOff", f"exit code {code}", "Warning")
    _tell(running)
    running.deleted.wait(_BACK_OFF[min(running.restarts, len(_BACK_OFF)) - 1])


def _exit_code(running: Running) -> int:
    words = ("inspect", "--format", "{{.State.ExitCode}}", running.place.container)
    printed = running.node.podman(*words, check=False).stdout.strip()
    return int(printed) if printed.lstrip("-").isdigit() else 1


def _finish(running: Running) -> None:
    """End the container within the grace of the pod, and let the pod go."""
    grace = running.about.get("deletionGracePeriodSeconds", 30)
    end = time.monotonic() + grace
    running.ready = False
    if running.over:
        running.node.podman("rm", "--force", running.place.container, check=False)
    elif running.container:
        _tell(running)
        hook = running.spec.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        time.sleep(min(hook.get("seconds", 0), grace))
        left = max(2, int(end - time.monotonic()))
        running.node.podman("stop", "--time", str(left), running.place.container, check=False)
        code = _exit_code(running)
        running.state = {"terminated": {"exitCode": code, "finishedAt": now()}}
        _tell(running, "Succeeded" if code == 0 else "Failed")
        running.node.podman("rm", "--force", running.place.container, check=False)
    if running.number:
        network.leave(running.place.network)
        running.node.taken.discard(running.number)
    with contextlib.suppress(Refused):
        certain = {"gracePeriodSeconds": 0, "preconditions": {"uid": running.about["uid"]}}
        running.node.kube.delete(running.path, certain)


def _tell(running: Running, phase: str = "Running") -> None:
    """Write the status of a pod; one that is gone has none."""
    ready = running.ready and not running.deleted.is_set()
    held = {
        "PodReadyToStartContainers": bool(running.address),
        "Initialized": True,
        "ContainersReady": ready,
        "Ready": ready,
        "PodScheduled": True,
    }
    status: Json = {
        "phase": phase,
        "startTime": running.began,
        "hostIP": network.HOST,
        "hostIPs": [{"ip": network.HOST}],
        "conditions": [_condition(running, kind, value) for kind, value in held.items()],
        "containerStatuses": [
            {
                "name": running.spec["name"],
                "image": running.spec["image"],
                "imageID": running.spec["image"],
                "containerID": f"podman://{running.container}",
                "ready": ready,
                "started": running.started,
                "restartCount": running.restarts,
                "state": running.state,
                "lastState": running.last,
            }
        ],
    }
    if running.address:
        status |= {"podIP": running.address, "podIPs": [{"ip": running.address}]}
    change = {"metadata": {"uid": running.about["uid"]}, "status": status}
    try:
        running.node.kube.strategic(f"{running.path}/status", change)
    except Refused as refused:
        if refused.status not in (404, 409):
            raise


def _condition(running: Running, kind: str, value: bool) -> Json:
    before = running.changed.get(kind)
    if before is None or before[0] is not value:
        running.changed[kind] = value, now()
    said = "True" if value else "False"
    return {"type": kind, "status": said, "lastTransitionTime": running.changed[kind][1]}


def _event(running: Running, reason: str, message: str, kind: str = "Normal") -> None:
    space, name = running.about["namespace"], running.about["name"]
    document = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{name}."},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": space,
            "name": name,
            "uid": running.about["uid"],
        },
        "reason": reason,
        "message": message[:1000],
        "type": kind,
        "source": {"component": "sluice-node", "host": NAME},
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
    }
    with contextlib.suppress(Refused, Unreachable):
        running.node.kube.post(f"/api/v1/namespaces/{space}/events", document)


def _register(node: Node) -> None:
    labels = {"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux"}
    about = {"name": NAME, "labels": labels}
    node.kube.apply({"apiVersion": "v1", "kind": "Node", "metadata": about})
    _beat(node)


def _beat(node: Node) -> None:
    """A sign of life: lease and status."""
    ready = _said("Ready", True, "KubeletReady")
    pressed = ("MemoryPressure", "DiskPressure", "PIDPressure")
    conditions = [ready, *(_said(kind, False, "Enough") for kind in pressed)]
    status = {
        "capacity": _RESOURCES,
        "allocatable": _RESOURCES,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": network.HOST},
            {"type": "Hostname", "address": NAME},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": node.port}},
    }
    node.kube.strategic(f"/api/v1/nodes/{NAME}/status", {"status": status})
    renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME, "namespace": "kube-node-lease"},
        "spec": {"holderIdentity": NAME, "leaseDurationSeconds": 40, "renewTime": renewed},
    }
    node.kube.apply(lease)


def _said(kind: str, holds: bool, reason: str) -> Json:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": reason,
        "message": "",
        "lastHeartbeatTime": now(),
    }


def _keep_beating(node: Node) -> None:
    while True:
        time.sleep(_BEAT)
        try:
            _beat(node)
        except (Refused, Unreachable) as error:
            print(now(), "no sign of life could be given:", error, flush=True)


def _write_targets(node: Node, pods: list[Json]) -> None:
    """For Prometheus: the pods that have a port for metrics, with the labels that a PodMonitor
    keeps.
    """
    targets = []
    for pod in pods:
        address = pod.get("status", {}).get("podIP")
        ports = pod["spec"]["containers"][0].get("ports", [])
        if not address or not any(port.get("name") == "metrics" for port in ports):
            continue
        about = pod["metadata"]
        labels = {
            "namespace": about["namespace"],
            "pod": about["name"],
            "rollouts_pod_template_hash": about["labels"].get("rollouts-pod-template-hash", ""),
        }
        number = containers_of_pods.port(ports, "metrics")
        targets.append({"targets": [f"{address}:{number}"], "labels": labels})
    text = json.dumps(targets, indent=1)
    file = node.folder / "targets.json"
    if not file.exists() or file.read_text() != text:
        part = file.with_suffix(".part")
        part.write_text(text)
        part.replace(file)


def watch(node: Node) -> None:
    """Look at the pods of this node, for ever: begin with those that are new, end those that are to
    go.
    """
    pods: dict[str, Running] = {}
    while True:
        try:
            listed = node.kube.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NAME}")["items"]
        except (Refused, Unreachable) as error:
            print(now(), "the pods could not be listed:", error, flush=True)
            time.sleep(1)
            continue
        new = [Running(pod, node) for pod in listed if pod["metadata"]["uid"] not in pods]
        for running in new:
            recall(running)
        for running in new:
            uid = running.about["uid"]
            pods[uid] = running
            threading.Thread(target=live, args=[running], name=uid, daemon=True).start()
        for pod in listed:
            uid = pod["metadata"]["uid"]
            if "deletionTimestamp" in pod["metadata"] and not pods[uid].deleted.is_set():
                pods[uid].pod["metadata"] = pod["metadata"]
                pods[uid].deleted.set()
        for uid in set(pods) - {pod["metadata"]["uid"] for pod in listed}:
            pods.pop(uid).deleted.set()
        _write_targets(node, listed)
        time.sleep(_LOOK)


def _for_all(kubeconfig: Path) -> Json:
    """Where containers reach the API server: by a port of the bridge."""
    [cluster] = json.loads(kubeconfig.read_text())["clusters"]
    port = urlsplit(cluster["cluster"]["server"]).port or 443
    forwarded = forwarding.forward(network.HOST, port)
    return {
        "KUBERNETES_SERVICE_HOST": network.HOST,
        "KUBERNETES_SERVICE_PORT": str(forwarded),
    }


def main(kubeconfig: Path, folder: Path) -> None:
    """Be a node until somebody ends this process."""
    logs = folder / "pods"
    logs.mkdir(exist_ok=True)
    port = kubelet.serve(logs, folder / "api-server" / "keys")
    node = Node(Kube(kubeconfig), folder, _for_all(kubeconfig), port)
    _register(node)
    threading.Thread(target=_keep_beating, args=[node], daemon=True).start()
    watch(node)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
