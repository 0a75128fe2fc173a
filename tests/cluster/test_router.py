"""The traffic router of the test cluster, started by the real Argo Rollouts: it does to a route
what the Gateway API plugin does. Pods are not needed for that: the test says that they are ready.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.cluster import controllers
from support.cluster.api_server import ApiServer
from support.cluster.kube import Kube
from support.cluster.programs import Programs
from support.cluster.waiting import until

Json = dict[str, Any]
SPACE = "routed"
LABEL = "rollouts.argoproj.io/gatewayapi-canary"
ROLLOUT = f"/apis/argoproj.io/v1alpha1/namespaces/{SPACE}/rollouts/web"
ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{SPACE}/httproutes/web"
SETS = f"/apis/apps/v1/namespaces/{SPACE}/replicasets"


def named(version: str, kind: str, name: str, **more: Any) -> Json:
    about = {"name": name, "namespace": SPACE}
    return {"apiVersion": version, "kind": kind, "metadata": about, **more}


def backend(name: str, weight: int) -> Json:
    return {"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight}


def rollout(release: str) -> Json:
    """A Rollout whose pods differ by an annotation."""
    router = {"plugins": {controllers.PLUGIN: {"httpRoute": "web", "namespace": SPACE}}}
    canary = {
        "stableService": "stable",
        "canaryService": "canary",
        "trafficRouting": router,
        "steps": [{"setWeight": 5}, {"pause": {}}],
    }
    about = {"labels": {"app": "web"}, "annotations": {"release": release}}
    pod = {"metadata": about, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    return named(
        "argoproj.io/v1alpha1", "Rollout", "web", spec=spec | {"strategy": {"canary": canary}}
    )


@pytest.fixture(scope="module")
def kube(
    api_server: ApiServer, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kube]:
    """An API server with Argo Rollouts, and a route in it."""
    folder, kube = tmp_path_factory.mktemp("rollouts"), api_server.kube
    controllers.install(kube, programs)
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    for name in ("stable", "canary"):
        service = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}
        kube.apply(named("v1", "Service", name, spec=service))
    rules = [
        {"backendRefs": [backend("stable", 100), backend("canary", 0)]},
        {"backendRefs": [backend("other", 7)]},
    ]
    route = {"hostnames": ["web.example.com"], "rules": rules}
    kube.apply(named("gateway.networking.k8s.io/v1", "HTTPRoute", "web", spec=route))
    started = controllers.begin_rollouts(programs, api_server, folder)
    yield kube
    started.stop()


def seen(kube: Kube) -> tuple[list[list[int]], str | None]:
    """The weights of each rule, and the label."""
    route = kube.get(ROUTE)
    weights = [[one["weight"] for one in rule["backendRefs"]] for rule in route["spec"]["rules"]]
    return weights, route["metadata"].get("labels", {}).get(LABEL)


def make_ready(kube: Kube) -> None:
    """Say of each ReplicaSet that its pods are there."""
    for one in kube.get(SETS)["items"]:
        count = one["spec"]["replicas"]
        states = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
        status = dict.fromkeys(states, count)
        observed = {"observedGeneration": one["metadata"]["generation"]}
        kube.merge(f"{SETS}/{one['metadata']['name']}/status", {"status": status | observed})


def reached(kube: Kube, phase: str) -> bool:
    make_ready(kube)
    return bool(kube.get(ROLLOUT).get("status", {}).get("phase") == phase)


def test_weights_and_label_follow_the_canary(kube: Kube) -> None:
    kube.apply(rollout("one"))
    until(lambda: reached(kube, "Healthy"), 60, lambda: kube.get(ROLLOUT)["status"])
    assert seen(kube) == ([[100, 0], [7]], None)
    kube.apply(rollout("two"))
    until(lambda: reached(kube, "Paused"), 60, lambda: kube.get(ROLLOUT)["status"])
    assert seen(kube) == ([[95, 5], [7]], "in-progress")
    time.sleep(3)  # what is written while the controller writes is overlooked by it
    kube.merge(f"{ROLLOUT}/status", {"status": {"abort": True}})
    until(lambda: reached(kube, "Degraded"), 60, lambda: kube.get(ROLLOUT)["status"])
    until(lambda: seen(kube) == ([[100, 0], [7]], None), 20, lambda: seen(kube))


def test_a_route_without_the_canary_is_said_to_have_none(kube: Kube) -> None:
    spec = {"rules": [{"backendRefs": [backend("stable", 100)]}]}
    before = kube.get(ROUTE)["spec"]
    kube.merge(ROUTE, {"spec": spec})
    kube.apply(rollout("three"))

    def told() -> list[str]:
        make_ready(kube)
        events = kube.get(f"/api/v1/namespaces/{SPACE}/events")["items"]
        return [one["message"] for one in events if "has no backend canary" in one["message"]]

    until(told, 60, lambda: kube.get(ROLLOUT)["status"])
    kube.merge(ROUTE, {"spec": before})
