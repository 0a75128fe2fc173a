"""The whole test cluster: brought up, found again, and taken down without a trace."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support.cluster import api_server, controllers, description, network, services
from support.cluster.api_server import ApiServer
from support.cluster.description import PARTS, Cluster, Part
from support.cluster.kube import Kube
from support.cluster.programs import Programs

from flows.adapters.image import containers
from flows.adapters.process import run
from flows.adapters.server import free_port
from sluice.errors import SluiceError, UsageError

_PROMETHEUS = """global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
  - job_name: pods
    file_sd_configs:
      - files: [{targets}]
        refresh_interval: 2s
"""
_REGISTRIES = """unqualified-search-registries = []
short-name-mode = "disabled"
[[registry]]
prefix = "sluice.local"
location = "{address}"
insecure = true
[[registry]]
location = "{address}"
insecure = true
"""
_NODE_READY = 60.0  # seconds
# Lies in the folder of the cluster to which bridge and namespaces belong.
_OURS = "bridge"
DESCRIPTION = "cluster.json"
_TESTS = Path(__file__).parents[2]
NEEDED = ("docker-registry", "haproxy", "ip", "podman", "prometheus", "redis-server", "unshare")


def found(folder: Path) -> Cluster | None:
    """The cluster of this folder, if it is up and complete."""
    file = folder / DESCRIPTION
    if not file.exists() or not all(one.alive() for one in services.noted(folder)):
        return None
    return description.read(file)


def require_possible() -> None:
    """Raises UsageError where this machine cannot have a cluster, before anything is built."""
    missing = [name for name in NEEDED if not shutil.which(name, path=_path())]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} is not installed; the test cluster needs it",
            "`make cluster` installs it on Debian, where root runs it.",
        )
    network.require_possible()


def up(programs: Programs, folder: Path, say: Callable[[str], None]) -> Cluster:
    """Bring a cluster up in a folder that is not there yet; `say` is told of each part."""
    network.make_bridge()
    folder.mkdir(parents=True)
    (folder / _OURS).touch()
    try:
        return _up(programs, folder, say)
    except BaseException:
        _stop(folder)  # and its logs stay, until somebody tries again
        raise


def down(folder: Path) -> None:
    """End everything that belongs to the cluster of this folder, and remove what it kept."""
    if folder.exists():
        _stop(folder)
        shutil.rmtree(folder)


def _up(programs: Programs, folder: Path, say: Callable[[str], None]) -> Cluster:
    began = time.monotonic()

    def tell(what: str) -> None:
        say(f"{what} ({time.monotonic() - began:.0f} s)")

    server = _api_server(programs, folder)
    client = server.kube
    tell(f"API server {client.get('/version')['gitVersion']}")
    api_server.define_kinds(client, programs)
    controllers.install(client, programs)
    _kubernetes(programs, server, folder)
    tell("Kinds, rights, controller manager, scheduler")
    registry, gateway = _registry(folder), free_port()
    _node(folder, server, registry)
    _python(folder, "gateway", server, str(folder / "gateway"), f"127.0.0.1:{gateway}")
    tell("A node, a registry, a gateway")
    _prometheus(folder)
    controllers.begin_rollouts(programs, server, folder)
    controllers.begin_argocd(programs, server, folder)
    services.require_alive(folder)
    tell("Prometheus, Argo Rollouts, Argo CD")
    cluster = Cluster(
        kubeconfig=str(server.kubeconfig),
        gateway=f"http://127.0.0.1:{gateway}",
        registry=registry,
        prometheus=f"http://{network.HOST}:9090",
        host=network.HOST,
        disks=str(folder / "disks"),
        parts={name: _part(name) for name in PARTS},
    )
    description.write(folder / DESCRIPTION, cluster)
    client.close()
    return cluster


def _part(name: str) -> Part:
    """How a part of this cluster is ended and brought back: by this very package."""
    packages = f"PYTHONPATH={_TESTS}:{_TESTS.parent}"
    words = ["env", packages, sys.executable, "-m", "support.cluster"]
    return Part([*words, "stop", name], [*words, "start", name])


def _api_server(programs: Programs, folder: Path) -> ApiServer:
    server = api_server.begin(programs, folder / "api-server")
    for name, started in zip(("etcd", "kube-apiserver"), server.started, strict=True):
        services.note(folder, name, started.process.pid)
    return server


def _kubernetes(programs: Programs, server: ApiServer, folder: Path) -> None:
    """What makes pods of ReplicaSets, endpoints of Services, and binds pods to the node."""
    common = [f"--kubeconfig={server.kubeconfig}", "--leader-elect=false", "--profiling=false"]
    common += ["--bind-address=127.0.0.1"]
    trusted = folder / "api-server" / "keys" / "ca.crt"
    signing = [f"--service-account-private-key-file={server.tokens}", f"--root-ca-file={trusted}"]
    for name, more in (("kube-controller-manager", signing), ("kube-scheduler", [])):
        port = f"--secure-port={free_port()}"
        services.begin(folder, name, [programs.program(name), *common, port, *more])


def _registry(folder: Path) -> str:
    """Where images are pushed to, and pods pull them from."""
    port = free_port()
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "registry.json").write_text(json.dumps(settings))
    # It takes every REGISTRY_* for a setting of its own.
    cleared = [f"--unset={name}" for name in os.environ if name.startswith("REGISTRY_")]
    words: list[str | Path] = [
        "env",
        *cleared,
        "docker-registry",
        "serve",
        folder / "registry.json",
    ]
    services.begin(folder, "registry", words, port=port).wait(path="/v2/")
    return f"127.0.0.1:{port}"


def _node(folder: Path, server: ApiServer, registry: str) -> None:
    containers.environment(folder / "containers")  # writes its configuration
    (folder / "registries.conf").write_text(_REGISTRIES.format(address=registry))
    (folder / "targets.json").write_text("[]")
    _python(folder, "node", server, str(folder))
    end = time.monotonic() + _NODE_READY
    while not _ready(server.kube):
        services.require_alive(folder)
        if time.monotonic() > end:
            raise SluiceError(f"the node is not ready after {_NODE_READY:g} seconds")
        time.sleep(0.2)


def _ready(client: Kube) -> bool:
    conditions = [
        one
        for node in client.get("/api/v1/nodes")["items"]
        for one in node["status"].get("conditions", [])
    ]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _python(folder: Path, name: str, server: ApiServer, *arguments: str) -> None:
    """A part of the cluster that is ours."""
    words = [sys.executable, "-m", f"support.cluster.{name}", str(server.kubeconfig), *arguments]
    env = {"PYTHONPATH": f"{_TESTS}:{_TESTS.parent}", "PATH": _path()}
    services.begin(folder, name, words, env)


def _prometheus(folder: Path) -> None:
    file = folder / "prometheus.yml"
    file.write_text(_PROMETHEUS.format(targets=folder / "targets.json"))
    words = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    services.begin(folder, "prometheus", [*words, f"--web.listen-address={network.HOST}:9090"])


def _stop(folder: Path) -> None:
    services.end(folder)
    state = folder / "containers"
    if state.exists():
        env = containers.environment(state)
        run(["podman", "rm", "--all", "--force", "--time", "0"], env=env, check=False)
        run(["podman", "system", "reset", "--force"], env=env, check=False)
    if (folder / _OURS).exists():
        network.remove()
        (folder / _OURS).unlink()


def _path() -> str:
    """haproxy and runc of Debian lie where only root looks."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"
