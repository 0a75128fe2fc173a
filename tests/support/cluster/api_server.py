"""A real API server, alone: etcd and kube-apiserver on loopback, with the kinds of Argo Rollouts,
Argo CD and the Gateway API. Nothing runs on it: no controller, no pod.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.cluster import certificates, kube
from support.cluster.kube import Kube, Refused
from support.cluster.programs import Programs

from flows.adapters.server import Starting, free_port, start
from sluice.errors import SluiceError

# What the server says of itself; loopback is refused there. In the whole cluster it is the bridge.
ADDRESS = "10.244.77.1"
_SERVICES = "10.96.0.0/16"
_FIRST_SERVICE = "10.96.0.1"
_READY = 120.0  # seconds


@dataclass(frozen=True)
class ApiServer:
    """Where it listens; `kubeconfig` is that of an administrator, and `kube` asks as that one."""

    url: str
    kubeconfig: Path
    authority: bytes
    tokens: Path
    kube: Kube
    started: tuple[Starting, ...]

    def stop(self) -> None:
        """End both, the API server first."""
        self.kube.close()
        for one in reversed(self.started):
            one.stop()


@contextmanager
def running(programs: Programs, folder: Path) -> Iterator[ApiServer]:
    """An API server while the block runs, its state below `folder`."""
    server = begin(programs, folder)
    try:
        define_kinds(server.kube, programs)
        yield server
    finally:
        server.stop()


def begin(programs: Programs, folder: Path) -> ApiServer:
    """Start one, and wait until it answers; who starts it has to stop it."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder / "keys"
    keys.mkdir(0o700, exist_ok=True)
    signer = certificates.authority()
    serving = signer.server("kube-apiserver", ("127.0.0.1", ADDRESS, _FIRST_SERVICE))
    admin = signer.client("admin", "system:masters")
    kubelet = signer.server("kubelet", (ADDRESS,))
    asking = signer.client("kube-apiserver", "system:masters")
    files = {
        "ca.crt": signer.pem(),
        "server.crt": serving.certificate,
        "server.key": serving.key,
        "kubelet.crt": kubelet.certificate,
        "kubelet.key": kubelet.key,
        "asking.crt": asking.certificate,
        "asking.key": asking.key,
    }
    paths = {name: certificates.write(keys / name, content) for name, content in files.items()}
    signs, checks = certificates.tokens_key(keys)
    etcd = _etcd(programs, folder)
    port = free_port()
    words: list[str | Path] = [
        programs.program("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd.port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--advertise-address={ADDRESS}",
        f"--tls-cert-file={paths['server.crt']}",
        f"--tls-private-key-file={paths['server.key']}",
        f"--client-ca-file={paths['ca.crt']}",
        f"--kubelet-certificate-authority={paths['ca.crt']}",
        f"--kubelet-client-certificate={paths['asking.crt']}",
        f"--kubelet-client-key={paths['asking.key']}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={checks}",
        f"--service-account-signing-key-file={signs}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={_SERVICES}",
        "--allow-privileged",  # what is admitted is for Pod Security to say
        "--profiling=false",
    ]
    started = start(words, port, folder / "kube-apiserver.log")
    url = f"https://127.0.0.1:{port}"
    user = {
        "client-certificate-data": kube.encoded(admin.certificate),
        "client-key-data": kube.encoded(admin.key),
    }
    config = kube.kubeconfig(folder / "admin.kubeconfig", url, signer.pem(), user)
    server = ApiServer(url, config, signer.pem(), signs, Kube(config), (etcd, started))
    try:
        _wait(server)
    except BaseException:
        server.stop()
        raise
    return server


def define_kinds(client: Kube, programs: Programs) -> None:
    """Teach it the kinds of the Gateway API, Argo Rollouts and Argo CD, and wait until it knows
    them.
    """
    found = [
        document
        for name in ("gateway-api", "rollouts-crds", "argocd-crds")
        for document in kube.documents(programs.shipped(name))
        if document["kind"] == "CustomResourceDefinition"
    ]
    client.apply_all(found)
    for document in found:
        about = document["spec"]
        for version in about["versions"]:
            if version["served"]:
                _wait_for_kind(client, f"{about['group']}/{version['name']}", about["names"])


def _wait_for_kind(client: Kube, version: str, names: Mapping[str, str]) -> None:
    end = time.monotonic() + _READY
    while not (
        client.knows(version, names["kind"])
        and client.find(f"/apis/{version}/{names['plural']}?limit=1") is not None
    ):
        if time.monotonic() > end:
            raise SluiceError(
                f"the API server does not know {names['kind']} after {_READY:g} seconds"
            )
        time.sleep(0.1)


def _etcd(programs: Programs, folder: Path) -> Starting:
    port, peers = free_port(), free_port()
    words: list[str | Path] = [
        programs.program("etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peers}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
        f"--initial-cluster=default=http://127.0.0.1:{peers}",
        "--unsafe-no-fsync",  # it is thrown away
        "--log-level=warn",
    ]
    started = start(words, port, folder / "etcd.log")
    started.wait(path="/readyz")
    return started


def _wait(server: ApiServer) -> None:
    """Until it answers that it is ready: over TLS, and to an administrator."""
    api = server.started[-1]
    end = time.monotonic() + _READY
    why = "nothing answered"
    while time.monotonic() < end and api.process.poll() is None:
        try:
            server.kube.get("/api/v1/namespaces/default")
            return
        except (OSError, ValueError, Refused, kube.Unreachable) as error:
            why = str(error)
        time.sleep(0.2)
    printed = api.log.read_text(errors="replace")[-4000:]
    raise SluiceError(f"kube-apiserver is not ready: {why}; it printed:\n{printed}")
