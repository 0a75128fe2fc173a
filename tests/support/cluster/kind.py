"""The scenes' other cluster: kind, with a kubelet, network policies, the Gateway API plugin of Argo
Rollouts itself and a gateway that others use, each from its own image.

    python -m support.cluster.kind up, or down

It needs kind, kubectl and docker, and an address in the world from which images come. With `up`, it
writes a description for `pytest tests/cluster --cluster FILE`.
"""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from support.cluster import api_server, controllers, description
from support.cluster.description import Cluster, Part
from support.cluster.kube import Kube, documents
from support.cluster.programs import Programs, ensure

from flows.adapters.process import run
from flows.project.root import ROOT
from sluice.errors import SluiceError, UsageError

FOLDER = ROOT / ".sluice" / "kind"
FILES = ROOT / "tests" / "cluster" / "kind"
NEEDED = ("docker", "kind", "kubectl")
NAME = "sluice"
NODE = f"{NAME}-control-plane"
REGISTRY = "sluice-registry"
PLUGIN = (
    "https://github.com/argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi/releases/download"
    "/v0.15.0/gatewayapi-plugin-linux-amd64"
)
# What the Services of tests/cluster/kind have.
GATEWAY_PORT, PROMETHEUS_PORT = 30080, 30090
# Argo CD looks at git by itself so often: nobody tells it of the commits of the loop closer.
_LOOK = {"timeout.reconciliation": "20s", "timeout.reconciliation.jitter": "0s"}
_SCRAPED = "2s"
_READY = 900.0  # seconds, in which images are pulled
_SPACES = ("argocd", "argo-rollouts", "gateway", "monitoring")
_SETS = ("deployments", "statefulsets")
_LATE = 2.0  # seconds: Traefik watches, and builds its routes anew
Json = dict[str, Any]


def main(words: list[str]) -> int:
    """`up` or `down`; the exit code."""
    try:
        match words:
            case ["up"]:
                up(_say)
            case ["down"]:
                down()
            case _:
                raise UsageError("up or down is required")
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except SluiceError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def up(say: Callable[[str], None]) -> None:
    """Make the cluster, and write how it is reached, unless that is done. What is left of one that
    broke goes first.
    """
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        raise UsageError(
            f"{', '.join(missing)}: not installed; a cluster of kind needs each of them",
            "Install them, or take the cluster of `make cluster`, which needs none of them.",
        )
    if (FOLDER / "cluster.json").exists():
        say("up already.")
        return
    down()
    programs = ensure(say, [])  # the manifests of the modules alone
    FOLDER.mkdir(parents=True, exist_ok=True)
    config = FOLDER / "kind.yaml"
    config.write_text(yaml.safe_dump(configuration(FOLDER)))
    kubeconfig = FOLDER / "kubeconfig"
    run(["kind", "create", "cluster", "--config", config, "--kubeconfig", kubeconfig])
    say("kind is there")
    run(["docker", "run", "--detach", "--name", REGISTRY, "--network", "kind", *_PUBLISHED])
    kube = Kube(kubeconfig)
    install(kube, programs)
    wait(kube, say)
    cluster = described(kubeconfig)
    description.write(FOLDER / "cluster.json", cluster)
    say("up. To play the scenes on it: make kind-e2e")


_PUBLISHED = ("--publish", "127.0.0.1::5000", "docker.io/library/registry:3")


def down() -> None:
    """Take it away; none is no error."""
    run(["docker", "rm", "--force", "--volumes", REGISTRY], check=False)
    run(["kind", "delete", "cluster", "--name", NAME], check=False)
    shutil.rmtree(FOLDER, ignore_errors=True)


def configuration(folder: Path) -> Json:
    """Of kind: one node, which finds the volumes of scenes at their path here, and pulls what is
    named `sluice.local` from the registry beside it. The folders are made.
    """
    disks, registries = folder / "disks", folder / "registries"
    (registries / "sluice.local").mkdir(parents=True, exist_ok=True)
    disks.mkdir(exist_ok=True)
    (registries / "sluice.local" / "hosts.toml").write_text(f'[host."http://{REGISTRY}:5000"]\n')
    mounts = {disks: str(disks), registries: "/etc/containerd/certs.d"}
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": NAME,
        "nodes": [
            {
                "role": "control-plane",
                "extraMounts": [
                    {"hostPath": str(here), "containerPath": there}
                    for here, there in mounts.items()
                ],
            }
        ],
    }


def install(kube: Kube, programs: Programs) -> None:
    """Argo CD, Argo Rollouts with the plugin, a gateway and Prometheus."""
    # No volume is made for who names no class: the scenes bring their own.
    usual = {"storageclass.kubernetes.io/is-default-class": "false"}
    path = "/apis/storage.k8s.io/v1/storageclasses/standard"
    if kube.find(path):
        kube.merge(path, {"metadata": {"annotations": usual}})
    api_server.define_kinds(kube, programs)
    _set(kube, "argocd", "argocd-cm", _LOOK)  # pods read it once, when they start
    controllers.install(kube, programs, PLUGIN, pods=True)
    kube.apply_all(documents(FILES / "gateway.yaml"))
    kube.apply(scraping())
    kube.apply_all(documents(FILES / "prometheus.yaml"))


def _set(kube: Kube, space: str, name: str, data: dict[str, str]) -> None:
    """Make a ConfigMap that is installed after it, which keeps what it has here."""
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    kube.post(f"/api/v1/namespaces/{space}/configmaps", document)


def scraping() -> Json:
    """The shipped configuration of Prometheus, with other times."""
    [shipped] = documents(ROOT / "deploy" / "prometheus" / "scrape.yaml")
    for job in shipped["scrape_configs"]:
        job |= {"scrape_interval": _SCRAPED, "scrape_timeout": _SCRAPED}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "prometheus", "namespace": "monitoring"},
        "data": {"prometheus.yml": yaml.safe_dump(shipped)},
    }


def wait(kube: Kube, say: Callable[[str], None]) -> None:
    """Until everything that was installed is ready. Raises SluiceError where it is not in time."""
    end = time.monotonic() + _READY
    while missing := unready(kube):
        if time.monotonic() > end:
            raise SluiceError(f"{', '.join(missing)}: not ready after {_READY:g} seconds")
        time.sleep(2)
    say(f"{', '.join(_SPACES)}: ready")


def unready(kube: Kube) -> list[str]:
    """What has fewer pods that are ready than it wants."""
    listed = [
        one
        for space in _SPACES
        for kind in _SETS
        for one in kube.get(f"/apis/apps/v1/namespaces/{space}/{kind}")["items"]
    ]
    return [
        one["metadata"]["name"]
        for one in listed
        if one.get("status", {}).get("readyReplicas", 0) < one["spec"]["replicas"]
    ]


def described(kubeconfig: Path) -> Cluster:
    """How this machine and the cluster reach each other."""
    node = _asked("docker", "inspect", "--format", _ADDRESS, NODE)
    gateways = _asked("docker", "network", "inspect", "--format", _GATEWAYS, "kind").split()
    host = next(address for address in gateways if "." in address)
    published = _asked("docker", "port", REGISTRY, "5000/tcp").splitlines()[0]
    return Cluster(
        kubeconfig=str(kubeconfig),
        gateway=f"http://{node}:{GATEWAY_PORT}",
        registry=published,
        prometheus=f"http://{node}:{PROMETHEUS_PORT}",
        host=host,
        disks=str(FOLDER / "disks"),
        parts=parts(kubeconfig),
        late=_LATE,
    )


_ADDRESS = "{{.NetworkSettings.Networks.kind.IPAddress}}"
_GATEWAYS = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"


def parts(kubeconfig: Path) -> dict[str, Part]:
    """How each part is ended and brought back: pods by their number, the node by its kubelet."""
    scaled = {
        "prometheus": ("monitoring", "deployment/prometheus"),
        "argo-rollouts": ("argo-rollouts", "deployment/argo-rollouts"),
        "argocd-application-controller": ("argocd", "statefulset/argocd-application-controller"),
        "argocd-repo-server": ("argocd", "deployment/argocd-repo-server"),
    }
    kubelet = ["docker", "exec", NODE, "systemctl"]
    found = {"node": Part([*kubelet, "stop", "kubelet"], [*kubelet, "start", "kubelet"])}
    for name, (space, what) in scaled.items():
        scale = ["kubectl", "--kubeconfig", str(kubeconfig), "-n", space, "scale", what]
        found[name] = Part([*scale, "--replicas=0"], [*scale, "--replicas=1"])
    return found


def _asked(*words: str) -> str:
    return run(words).stdout.strip()


def _say(text: str) -> None:
    print(f"kind: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
