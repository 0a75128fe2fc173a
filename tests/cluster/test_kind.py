"""A cluster of kind, as far as it can be looked at without one: a real API server takes what is
installed on it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster import kind
from support.cluster.api_server import ApiServer
from support.cluster.description import PARTS
from support.cluster.kube import Kube, documents
from support.cluster.programs import ensure, version

ROOT = Path(__file__).parents[2]
STANDARD = "/apis/storage.k8s.io/v1/storageclasses/standard"
DEFAULT = "storageclass.kubernetes.io/is-default-class"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def kube(api_server: ApiServer) -> Iterator[Kube]:
    """An API server as kind makes one, with everything that is installed on it."""
    kube = api_server.kube
    kube.apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": {DEFAULT: "true"}},
            "provisioner": "rancher.io/local-path",
        }
    )
    kind.install(kube, ensure(print, ["etcd", "kube-apiserver"]))
    yield kube


def sets(kube: Kube) -> list[tuple[str, Json]]:
    """Each Deployment and StatefulSet, with its address."""
    return [
        (f"/apis/apps/v1/namespaces/{space}/{sort}/{one['metadata']['name']}", one)
        for space in ("argocd", "argo-rollouts", "gateway", "monitoring")
        for sort in ("deployments", "statefulsets")
        for one in kube.get(f"/apis/apps/v1/namespaces/{space}/{sort}")["items"]
    ]


def test_each_part_that_scenes_end_is_there_under_its_name(kube: Kube) -> None:
    parts = kind.parts(Path("kubeconfig"))
    assert set(parts) == set(PARTS)
    there = {path for path, _ in sets(kube)}
    for name, part in parts.items():
        assert part.stop != part.start
        if name != "node":
            [space, _, what] = part.stop[part.stop.index("-n") + 1 :][:3]
            sort, _, called = what.partition("/")
            assert f"/apis/apps/v1/namespaces/{space}/{sort}s/{called}" in there


def test_the_plugin_and_the_controllers_are_of_the_versions_that_are_documented(
    kube: Kube,
) -> None:
    settings = kube.get("/api/v1/namespaces/argo-rollouts/configmaps/argo-rollouts-config")
    [plugin] = yaml.safe_load(settings["data"]["trafficRouterPlugins"])
    assert plugin == {"name": "argoproj-labs/gatewayAPI", "location": kind.PLUGIN}
    readme = (ROOT / "deploy" / "argocd" / "README.md").read_text()
    [row] = [line for line in readme.splitlines() if "[Gateway API plugin]" in line]
    assert f"/{row.split('|')[2].strip()}." in kind.PLUGIN
    images = {
        container["image"]
        for _, one in sets(kube)
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert not [image for image in images if image.endswith(":latest") or ":" not in image]
    for module, image in (("argo-rollouts", "argo-rollouts"), ("argo-cd/v3", "argocd")):
        tag = version(f"github.com/argoproj/{module}")
        assert f"quay.io/argoproj/{image}:{tag}" in images


def test_a_route_finds_the_gateway_and_an_analysis_finds_prometheus(kube: Kube) -> None:
    [route] = documents(ROOT / "deploy" / "argocd" / "base" / "route.yaml")
    [parent] = route["spec"]["parentRefs"]
    group = "/apis/gateway.networking.k8s.io/v1"
    found = kube.get(f"{group}/namespaces/{parent['namespace']}/gateways/{parent['name']}")
    [listener] = found["spec"]["listeners"]
    assert listener["allowedRoutes"]["namespaces"]["from"] == "All"
    pods = kube.get("/apis/apps/v1/namespaces/gateway/deployments/traefik")["spec"]["template"]
    [container] = pods["spec"]["containers"]
    assert f"--entrypoints.web.address=:{listener['port']}" in container["args"]
    ports = {
        kube.get(f"/api/v1/namespaces/{space}/services/{name}")["spec"]["ports"][0]["nodePort"]
        for space, name in (("gateway", "traefik"), ("monitoring", "prometheus"))
    }
    assert ports == {kind.GATEWAY_PORT, kind.PROMETHEUS_PORT}
    written = kube.get("/api/v1/namespaces/monitoring/configmaps/prometheus")["data"]
    jobs = yaml.safe_load(written["prometheus.yml"])["scrape_configs"]
    assert {job["scrape_interval"] for job in jobs} == {"2s"}
    assert {job["job_name"] for job in jobs} >= {"sluice-service"}


def test_argo_cd_looks_at_git_often_without_being_told(kube: Kube) -> None:
    settings = kube.get("/api/v1/namespaces/argocd/configmaps/argocd-cm")
    assert settings["metadata"]["labels"]["app.kubernetes.io/part-of"] == "argocd"
    assert settings["data"]["timeout.reconciliation"] == "20s"


def test_who_names_no_class_gets_the_disk_of_the_scene(kube: Kube) -> None:
    assert kube.get(STANDARD)["metadata"]["annotations"][DEFAULT] == "false"


def test_what_is_not_ready_is_named_until_it_is(kube: Kube) -> None:
    names = {one["metadata"]["name"] for _, one in sets(kube)}
    assert set(kind.unready(kube)) == names
    for path, one in sets(kube):
        count = one["spec"]["replicas"]
        status = {"replicas": count, "readyReplicas": count, "availableReplicas": count}
        kube.merge(f"{path}/status", {"status": status})
    assert kind.unready(kube) == []


def test_the_node_has_the_disks_of_this_machine_and_knows_the_registry(tmp_path: Path) -> None:
    made = kind.configuration(tmp_path)
    [node] = made["nodes"]
    mounts = {one["containerPath"]: Path(one["hostPath"]) for one in node["extraMounts"]}
    assert mounts[str(tmp_path / "disks")] == tmp_path / "disks"
    hosts = mounts["/etc/containerd/certs.d"] / "sluice.local" / "hosts.toml"
    assert hosts.read_text() == f'[host."http://{kind.REGISTRY}:5000"]\n'


def test_a_machine_without_kind_is_told_so(tmp_path: Path) -> None:
    env = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
    words = [sys.executable, "-m", "support.cluster.kind", "up"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: docker, kind, kubectl: not installed;")
