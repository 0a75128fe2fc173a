"""Argo CD and Argo Rollouts in a test cluster: what their manifests install. Without pods, their
programs run on this machine.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.cluster import kube, network, services
from support.cluster.api_server import ApiServer
from support.cluster.kube import Kube, documents
from support.cluster.programs import Programs, version

from flows.adapters.server import Starting, free_port

PLUGIN = "argoproj-labs/gatewayAPI"
# The kinds are there before, and this is what pods need.
_WORKLOADS = {
    "CustomResourceDefinition",
    "Deployment",
    "StatefulSet",
    "NetworkPolicy",
    "Service",
}
_LATEST = "argo-rollouts:latest"
_OWN = f"argo-rollouts:{version('github.com/argoproj/argo-rollouts')}"
_CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
_TOKEN_SECONDS = 7 * 24 * 3600
Json = dict[str, Any]


def install(client: Kube, programs: Programs, location: str = "", *, pods: bool = False) -> None:
    """Rights, settings and accounts of both, and of the router, and their pods where they are
    wanted. `location` is the URL of the router; without one it is the program of the tests.
    """
    for name in ("argocd", "argo-rollouts", "monitoring", "gateway"):
        client.apply(_object("v1", "Namespace", name))
    for file, space in (("argocd.yaml", "argocd"), ("rollouts.yaml", "argo-rollouts")):
        left_out = {"CustomResourceDefinition"} if pods else _WORKLOADS
        client.apply_all(_placed(documents(programs.shipped(file)), space, left_out))
    location = location or f"file://{programs.program('router')}"
    plugin = f"- name: {PLUGIN}\n  location: {location}\n"
    settings = _object("v1", "ConfigMap", "argo-rollouts-config", "argo-rollouts")
    client.apply(settings | {"data": {"trafficRouterPlugins": plugin}})
    role = _object("rbac.authorization.k8s.io/v1", "ClusterRole", "gateway-router")
    routes = {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"]}
    client.apply(role | {"rules": [routes | {"verbs": ["get", "update"]}]})
    binding = _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "gateway-router")
    about = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    who = {"kind": "ServiceAccount", "name": "argo-rollouts", "namespace": "argo-rollouts"}
    client.apply(binding | {"roleRef": about | {"name": "gateway-router"}, "subjects": [who]})


def begin_rollouts(programs: Programs, server: ApiServer, folder: Path) -> Starting:
    """Argo Rollouts, as its service account and no more; wait until it is ready."""
    config = as_account(server, folder, "argo-rollouts", "argo-rollouts")
    port, health = free_port(), free_port()
    words = [
        programs.program("rollouts-controller"),
        f"--kubeconfig={config}",
        "--leader-elect=false",
        f"--metricsPort={port}",
        f"--healthzPort={health}",
    ]
    home = folder / "rollouts"  # where it keeps its copy of the plugin
    home.mkdir(exist_ok=True)
    listed = Path("/etc/hosts").read_text() + f"{network.HOST} {' '.join(network.NAMES)}\n"
    (folder / "hosts").write_text(listed)
    # A file of names of its own, in a namespace of mounts: the address in the analysis holds. A
    # plugin that outlived its controller, as none does in a pod, would keep the next from copying
    # its own.
    plugins = f"{home}/[p]lugin-bin/"  # as a pattern it is not found in this very script
    script = (
        f"mount --bind {folder / 'hosts'} /etc/hosts && cd {shlex.quote(str(home))}"
        f" && {{ pkill -KILL -f {shlex.quote(plugins)} || true; }} && rm -rf plugin-bin"
        f" && exec {shlex.join(map(str, words))}"
    )
    env = {"KUBECONFIG": str(config)}  # the plugin's
    started = services.begin(
        folder, "argo-rollouts", ["unshare", "--mount", "sh", "-c", script], env, port=health
    )
    started.wait(path="/healthz")
    return started


def begin_argocd(programs: Programs, server: ApiServer, folder: Path) -> None:
    """The parts of Argo CD that a sync needs, and redis; wait until they are ready."""
    redis, repository, metrics = free_port(), free_port(), free_port()
    nothing = ["--save", "", "--appendonly", "no"]
    services.begin(
        folder,
        "redis",
        ["redis-server", *nothing, "--port", str(redis), "--bind", "127.0.0.1"],
        port=redis,
    )
    config = as_account(server, folder, "argocd", "argocd-application-controller")
    env = _environment(programs, folder / "argocd") | {"KUBECONFIG": str(config)}
    words: list[str | Path] = [
        programs.program("argocd"),
        "argocd-repo-server",
        "--address",
        "127.0.0.1",
    ]
    words += ["--port", str(repository), "--metrics-port", str(metrics)]
    words += ["--redis", f"127.0.0.1:{redis}", "--disable-tls", "--client-ca-path", ""]
    # Nobody tells it of the commits of the loop closer: it looks at git itself, each 20 seconds.
    words += ["--revision-cache-expiration", "5s"]
    started = services.begin(folder, "argocd-repo-server", words, env, port=metrics)
    started.wait(path="/metrics")
    metrics = free_port()
    words = [programs.program("argocd"), "argocd-application-controller"]
    words += ["--namespace", "argocd", "--redis", f"127.0.0.1:{redis}"]
    words += ["--repo-server", f"127.0.0.1:{repository}", "--repo-server-plaintext"]
    words += ["--metrics-port", str(metrics), "--app-resync", "20", "--app-resync-jitter", "0"]
    env |= {"HOSTNAME": "argocd-application-controller-0"}
    started = services.begin(folder, "argocd-application-controller", words, env, port=metrics)
    started.wait(path="/healthz")


def as_account(server: ApiServer, folder: Path, space: str, name: str) -> Path:
    """A kubeconfig with a token of a service account."""
    path = f"/api/v1/namespaces/{space}/serviceaccounts/{name}/token"
    asked = {"spec": {"expirationSeconds": _TOKEN_SECONDS}}
    token = server.kube.post(path, asked)["status"]["token"]
    file = folder / f"{name}.kubeconfig"
    return kube.kubeconfig(file, server.url, server.authority, {"token": token})


def _environment(programs: Programs, home: Path) -> dict[str, str]:
    """Where Argo CD keeps things, which is /app in its image, and what it calls."""
    places = {
        "ARGOCD_TLS_DATA_PATH": "tls",
        "ARGOCD_SSH_DATA_PATH": "ssh",
        "ARGOCD_GNUPGHOME": "gpg/keys",
        "ARGOCD_GPG_DATA_PATH": "gpg/source",
        "ARGOCD_PLUGINSOCKFILEPATH": "plugins",
    }
    for place in places.values():
        (home / place).mkdir(parents=True, exist_ok=True)
    called = f"{programs.folder / 'bin'}:{programs.shipped('')}:{os.environ['PATH']}"
    settings = {"ARGOCD_FAKE_IN_CLUSTER": "true", "ARGOCD_GPG_ENABLED": "false", "PATH": called}
    return settings | {name: str(home / place) for name, place in places.items()}


def _placed(found: list[Json], space: str, left_out: set[str]) -> list[Json]:
    """Each document in its namespace, but for the kinds that are left out."""
    kept = [document for document in found if document["kind"] not in left_out]
    for document in kept:
        if document["kind"] not in _CLUSTER_WIDE:
            document["metadata"]["namespace"] = space
        if document["kind"] == "Deployment":
            for container in document["spec"]["template"]["spec"]["containers"]:
                # The sources of Argo Rollouts say `latest`, which is not what they are.
                container["image"] = container["image"].replace(_LATEST, _OWN)
    return kept


def _object(version: str, kind: str, name: str, space: str = "") -> Json:
    about: Mapping[str, str] = {"name": name} | ({"namespace": space} if space else {})
    return {"apiVersion": version, "kind": kind, "metadata": dict(about)}
