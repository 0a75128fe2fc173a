"""The Gateway `public` of the test cluster: haproxy, which is told by HTTPRoutes and EndpointSlices
where requests go.

    python -m support.cluster.gateway KUBECONFIG FOLDER ADDRESS:PORT

What a route matches is in haproxy's configuration. Weights, and the pods behind a Service, are set
in the running haproxy through its socket: nothing is restarted while a canary runs. Requests go
round by weight, so a split is as exact as whole requests can be.
"""

import json
import math
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cluster.kube import Kube, Refused, Unreachable
from support.cluster.node import now

CONTROLLER = "sluice.test/gateway"
_API = "gateway.networking.k8s.io/v1"
_LOOK = 0.2  # seconds
_SLOTS = 24  # pods of one rule
_HEAVIEST = 256  # weight of a server in haproxy
Json = dict[str, Any]

_GLOBAL = """global
  master-worker
  stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
  hard-stop-after 60s
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout queue 10s
  option redispatch
  retries 3
  retry-on conn-failure
frontend public
  bind {address}
"""
_END = """  default_backend no-route
backend no-route
  http-request return status 404 content-type text/plain string "no route"
frontend no-endpoint
  bind unix@{folder}/no-endpoint.sock
  http-request return status 503 content-type text/plain string "no endpoint"
"""


@dataclass(frozen=True)
class Match:
    """What a request has to be: path as haproxy tests it, method or nothing."""

    path: str
    method: str


@dataclass(frozen=True)
class Backend:
    """A Service with its weight, and the addresses of its ready pods."""

    service: str
    weight: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One rule of a route: which requests, and who answers."""

    name: str
    hosts: tuple[str, ...]
    matches: tuple[Match, ...]
    backends: tuple[Backend, ...]


def rules(kube: Kube, route: Json) -> list[Rule]:
    """The rules of an HTTPRoute, with the pods that stand behind them now."""
    space, name = route["metadata"]["namespace"], route["metadata"]["name"]
    return [
        Rule(
            name=f"{space}.{name}.{number}",
            hosts=tuple(route["spec"].get("hostnames", [])),
            matches=tuple(_match(one) for one in rule.get("matches", [])),
            backends=tuple(_backend(kube, space, one) for one in rule.get("backendRefs", [])),
        )
        for number, rule in enumerate(route["spec"]["rules"])
    ]


def _match(said: Json) -> Match:
    path = said.get("path", {"type": "PathPrefix", "value": "/"})
    test = {"Exact": "path", "PathPrefix": "path_beg"}[path["type"]]
    return Match(f"{test} {path['value']}", said.get("method", ""))


def _backend(kube: Kube, space: str, reference: Json) -> Backend:
    service, weight = reference["name"], reference.get("weight", 1)
    path = f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices"
    slices = kube.get(f"{path}?labelSelector=kubernetes.io/service-name%3D{service}")["items"]
    found = {
        f"{address} {one['ports'][0]['port']}"
        for one in slices
        for endpoint in one.get("endpoints") or []
        if endpoint.get("conditions", {}).get("ready")
        for address in endpoint["addresses"]
    }
    return Backend(service, weight, tuple(sorted(found)))


def configuration(found: Sequence[Rule], folder: Path, address: str) -> str:
    """What haproxy reads; it names no pod and no weight."""
    lines = [_GLOBAL.format(folder=folder, address=address)]
    for rule in found:
        for match in rule.matches:
            method = f" {{ method {match.method} }}" if match.method else ""
            hosts = " ".join(rule.hosts)
            host = f" {{ hdr(host),field(1,:) -i {hosts} }}" if hosts else ""
            lines.append(f"  use_backend {rule.name} if {{ {match.path} }}{method}{host}\n")
    lines.append(_END.format(folder=folder))
    for rule in found:
        lines.append(f"backend {rule.name}\n  balance roundrobin\n")
        lines.append(f"  server-template pod {_SLOTS} 192.0.2.1:80 disabled\n")
        lines.append(f"  server none unix@{folder}/no-endpoint.sock weight 0\n")
    return "".join(lines)


def weights(rule: Rule) -> dict[str, int]:
    """The weight of each pod of a rule, and that of `none`, who answers for a Service without pods.

    Pods of one Service share its weight; one that stands behind two counts for each of them.
    """
    parts = [len(backend.addresses) for backend in rule.backends if backend.addresses]
    whole = math.lcm(*parts) if parts else 1
    found = {
        f"{backend.service} {address}": backend.weight * whole // len(backend.addresses)
        for backend in rule.backends
        for address in backend.addresses
    }
    found["none"] = sum(one.weight * whole for one in rule.backends if not one.addresses)
    return min((_scaled(found, top) for top in range(1, _HEAVIEST + 1)), key=_far_from(found))


def _scaled(found: dict[str, int], top: int) -> dict[str, int]:
    """The same in whole numbers up to `top`."""
    heaviest = max(1, *found.values())
    return {name: round(value * top / heaviest) for name, value in found.items()}


def _far_from(wanted: dict[str, int]) -> Callable[[dict[str, int]], float]:
    """How far shares are from those that are wanted."""
    whole = max(1, sum(wanted.values()))

    def far(found: dict[str, int]) -> float:
        total = max(1, sum(found.values()))
        return sum(abs(found[name] / total - value / whole) for name, value in wanted.items())

    return far


@dataclass
class Slots:
    """Which pod has which slot of a rule in the running haproxy."""

    rule: str
    pods: dict[str, int]

    def orders(self, wanted: dict[str, int]) -> list[str]:
        """What haproxy is told: who goes first hears it first, and a pod keeps its slot."""
        gone = [self.pods.pop(pod) for pod in list(self.pods) if pod not in wanted]
        orders = [f"set server {self.rule}/pod{slot} state maint" for slot in gone]
        for pod, weight in wanted.items():
            if pod == "none":
                orders.append(f"set server {self.rule}/none weight {weight}")
                continue
            new = pod not in self.pods
            if new:
                taken = set(self.pods.values())
                self.pods[pod] = next(n for n in range(1, _SLOTS + 1) if n not in taken)
            server = f"{self.rule}/pod{self.pods[pod]}"
            if new:
                _, address, port = pod.split()
                orders.append(f"set server {server} addr {address} port {port}")
            orders.append(f"set server {server} weight {weight}")
            if new:
                orders.append(f"set server {server} state ready")
        return orders


@dataclass
class Proxy:
    """A haproxy that runs, and what it was told."""

    folder: Path
    address: str
    process: subprocess.Popen[bytes] | None = None
    text: str = ""
    slots: dict[str, Slots] | None = None
    told: tuple[Rule, ...] = ()

    def follow(self, found: Sequence[Rule]) -> None:
        """Let requests go as these rules say."""
        if tuple(found) == self.told and self.process is not None:
            return
        text = configuration(found, self.folder, self.address)
        if text != self.text or self.process is None:
            self._restart(text)
        assert self.slots is not None
        for rule in found:
            slots = self.slots.setdefault(rule.name, Slots(rule.name, {}))
            wanted = weights(rule)
            for order in slots.orders(wanted):
                self._tell(order)
            print(now(), rule.name, json.dumps(wanted), flush=True)
        self.told = tuple(found)

    def _restart(self, text: str) -> None:
        """With another set of routes; a moment without service, which no canary causes."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
        file = self.folder / "haproxy.cfg"
        file.write_text(text)
        (self.folder / "admin.sock").unlink(missing_ok=True)
        self.process = subprocess.Popen(["haproxy", "-W", "-f", str(file)])
        end = time.monotonic() + 20
        while not (self.folder / "admin.sock").exists():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("haproxy did not start")
            time.sleep(0.05)
        self.text, self.slots = text, {}

    def _tell(self, order: str) -> None:
        with socket.socket(socket.AF_UNIX) as talk:
            talk.settimeout(5)
            talk.connect(str(self.folder / "admin.sock"))
            talk.sendall(order.encode() + b"\n")
            said = talk.recv(4096).decode().strip()
        if said and not said.startswith(("IP changed", "no need to change", "port changed")):
            print(now(), order, "->", said, flush=True)


def accept(kube: Kube, route: Json) -> None:
    """Say on a route that it is accepted, as a gateway does; Argo CD takes it for healthy then."""
    parents = route["spec"].get("parentRefs", [])
    generation = route["metadata"]["generation"]
    said = route.get("status", {}).get("parents", [])
    if said and all(
        one.get("observedGeneration") == generation
        for parent in said
        for one in parent["conditions"]
    ):
        return
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "",
            "observedGeneration": generation,
            "lastTransitionTime": now(),
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    status = [
        {"parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions}
        for parent in parents
    ]
    kube.merge(f"{kube.path(route)}/status", {"status": {"parents": status}})


def offer(kube: Kube) -> None:
    """The Gateway that routes name, and its class."""
    kube.apply(
        {
            "apiVersion": _API,
            "kind": "GatewayClass",
            "metadata": {"name": "sluice-test"},
            "spec": {"controllerName": CONTROLLER},
        }
    )
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    everywhere = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    kube.apply(
        {
            "apiVersion": _API,
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "gateway"},
            "spec": {"gatewayClassName": "sluice-test", "listeners": [listener | everywhere]},
        }
    )


def main(kubeconfig: Path, folder: Path, address: str) -> None:
    """Be the gateway until somebody ends this process."""
    folder.mkdir(parents=True, exist_ok=True)
    kube, proxy = Kube(kubeconfig), Proxy(folder, address)
    offer(kube)
    while True:
        try:
            found: list[Rule] = []
            for route in kube.get(f"/apis/{_API}/httproutes")["items"]:
                document = {"apiVersion": _API, "kind": "HTTPRoute", **route}
                accept(kube, document)
                found += rules(kube, document)
            proxy.follow(found)
        except (Refused, Unreachable) as error:
            print(now(), "the routes could not be read:", error, flush=True)
        time.sleep(_LOOK)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
