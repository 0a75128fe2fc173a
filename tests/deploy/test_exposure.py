"""What of the service can be reached from where, with what is shipped: programs with a key; people
behind a login, where it was chosen; metrics for the monitoring alone.
"""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.asgi import Client
from support.asgi import client as connected
from support.manifest_repos import (
    OVERLAYS,
    Document,
    check_argo,
    check_core,
    dangling,
    names,
    one,
    rendered,
    rendered_with,
    unrestricted,
)
from support.model_artifacts import small_artifact

from bento import process
from bento.answers import load_served
from bento.ops.settings import load

KEY = "a-key-that-a-client-was-given-0000"
CORE = {"Deployment", "NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget", "Service"}


def environment(found: list[Document]) -> dict[str, str]:
    """What the service is told by the Rollout; secrets are empty."""
    [container] = one(found, "Rollout")["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def routed(found: list[Document]) -> set[tuple[str, str, str]]:
    """What a route leads to: the kind of match, the path, and the Service behind."""
    return {
        (match["path"]["type"], match["path"]["value"], ref["name"])
        for route in found
        if route["kind"] == "HTTPRoute"
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
        for ref in rule["backendRefs"]
    }


def let_in(found: list[Document], name: str) -> set[tuple[str, int]]:
    """Who may reach which port of the pods that a network policy is about."""
    policy = one(found, "NetworkPolicy", name)["spec"]
    return {
        (value, port["port"])
        for allowed in policy["ingress"]
        for peer in allowed["from"]
        for selector in peer.values()
        for value in selector["matchLabels"].values()
        for port in allowed["ports"]
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_by_default_programs_alone_are_let_in(overlay: str) -> None:
    found = rendered(overlay)
    services = ("attrition-stable", "attrition-canary")
    paths = ("/predict", "/predict_batch")
    assert routed(found) == {("Exact", path, name) for path in paths for name in services}
    assert let_in(found, "attrition") == {("gateway", 3000), ("monitoring", 3001)}
    assert names(found, "NetworkPolicy") == {"attrition"}
    told = environment(found)
    assert told["SLUICE_PAGE"] == "0"
    assert told["SLUICE_METRICS_BIND"].endswith(":3001")
    for service in (d for d in found if d["kind"] == "Service"):
        assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_pod_starts_without_the_secrets(overlay: str) -> None:
    pod = one(rendered(overlay), "Rollout")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    [secret] = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret == {"secretName": "attrition-api-keys", "defaultMode": 0o440}
    assert mounts["api-keys"]["readOnly"]
    file = Path(environment(rendered(overlay))["SLUICE_API_KEYS"])
    assert file.parent.as_posix() == mounts["api-keys"]["mountPath"]
    references = [
        entry["valueFrom"]["secretKeyRef"] for entry in container["env"] if "valueFrom" in entry
    ]
    assert references == [{"name": "attrition-prediction-log", "key": "salt"}]
    # Nothing secret is shipped, and nothing secret is an argument.
    assert names(rendered(overlay), "Secret") == set()
    assert "args" not in container and "command" not in container
    account = one(rendered(overlay), "ServiceAccount")
    assert account["imagePullSecrets"] == [{"name": "attrition-registry"}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_answers_are_kept_on_a_volume_that_needs_no_egress(overlay: str) -> None:
    found = rendered(overlay)
    pod = one(found, "Rollout")["spec"]["template"]["spec"]
    [claim] = [v for v in pod["volumes"] if "persistentVolumeClaim" in v]
    [mount] = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == claim["name"]]
    log = Path(environment(found)["SLUICE_PREDICTION_LOG"])
    assert log.parent.as_posix() == mount["mountPath"]  # the folder is the service's own
    assert pod["securityContext"]["fsGroup"] == 1034
    volume = one(found, "PersistentVolumeClaim")["spec"]
    assert volume["accessModes"] == ["ReadWriteMany"]
    assert one(found, "NetworkPolicy")["spec"]["egress"] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_page_is_reached_through_the_login_alone(overlay: str) -> None:
    plain, found = rendered(overlay), rendered_with(overlay, "page")
    assert routed(found) - routed(plain) == {("PathPrefix", "/", "attrition-login")}
    hosts = [d["spec"]["hostnames"] for d in found if d["kind"] == "HTTPRoute"]
    assert len(hosts) == len({tuple(names) for names in hosts}) == 2
    assert let_in(found, "attrition-login") == {("gateway", 4180)}
    assert let_in(found, "attrition") - let_in(plain, "attrition") == {("attrition-login", 3000)}
    assert environment(found) == environment(plain) | {"SLUICE_PAGE": "1"}
    login = one(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    told = {entry["name"]: entry.get("value") for entry in login["env"]}
    assert told["OAUTH2_PROXY_UPSTREAMS"].removeprefix("http://") in names(found, "Service")
    secret = {entry["name"] for entry in login["env"] if "valueFrom" in entry}
    assert secret == {
        f"OAUTH2_PROXY_{name}" for name in ("CLIENT_ID", "CLIENT_SECRET", "COOKIE_SECRET")
    }
    assert not any("SKIP_AUTH" in name for name in told)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_login_is_valid_and_restricted(overlay: str, crds: Path) -> None:
    found = rendered_with(overlay, "page")
    for document in found:
        if document["kind"] in CORE:
            check_core(document)
    assert unrestricted(one(found, "Deployment")["spec"]["template"]) == []
    assert not dangling([d for d in found if d["metadata"]["name"] != "attrition-page"])
    check_argo(one(found, "Rollout"), crds)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Any, str]]:
    """The service with the settings of the shipped overlay: what the gateway reaches, a record that
    it takes, and the address of its metrics.
    """
    folder = tmp_path_factory.mktemp("shipped")
    keys = folder / "keys"
    keys.write_text(f"{KEY}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{probe.getsockname()[1]}"
    told = environment(rendered("production"))
    told |= {"SLUICE_API_KEYS": str(keys), "SLUICE_METRICS_BIND": bind}
    told |= {"SLUICE_PREDICTION_LOG": str(folder / "log")}
    artifact = small_artifact(folder / "model")
    app, ends = process.start(load_served(artifact, "attrition:tag", ""), load(told))
    record = json.loads((artifact / "golden.json").read_text())["records"][0]
    with connected(app) as client:
        yield client, record, f"http://{bind}/metrics"
    for end in ends:
        end()


def counted(text: str, selector: str) -> float:
    """The sum of the series that a selector of a query finds, as Prometheus does."""
    name, _, rest = selector.partition("{")
    wanted = re.findall(r'(\w+)=~"([^"]*)"', rest)
    total = 0.0
    for line in text.splitlines():
        if not line.startswith(f"{name}{{"):
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if all(re.fullmatch(pattern, labels[label]) for label, pattern in wanted):
            total += float(line.rpartition(" ")[2])
    return total


def test_strangers_neither_abort_a_canary_nor_pass_for_traffic(
    shipped: tuple[Client, Any, str],
) -> None:
    """The queries of the analysis, asked of the metrics of the shipped default."""
    client, record, metrics = shipped
    known = {"authorization": f"Bearer {KEY}"}
    for _ in range(30):
        assert client.post("/predict", json=record, headers=known).status_code == 200
    for _ in range(50):
        assert client.post("/predict", json=record).status_code == 401
        wrong = {**known, "content-type": "application/json"}
        assert client.post("/predict", content=b'"\xff"', headers=wrong).status_code == 400
    for path in ("/", "/rows", "/metrics", "/docs.json"):
        assert client.get(path, headers=known).status_code == 404
    text = httpx2.get(metrics).text
    template = one(rendered("production"), "AnalysisTemplate")["spec"]
    arguments = {argument["name"]: argument.get("value", "") for argument in template["args"]}
    found = {}
    for metric in template["metrics"]:
        query = metric["provider"]["prometheus"]["query"]
        for name, value in arguments.items():
            query = query.replace(f"{{{{args.{name}}}}}", value)
        selectors = re.findall(r"bentoml_service_request_total\{[^}]*\}", query)
        found[metric["name"]] = [counted(text, selector) for selector in selectors]
    assert found == {
        "clearly-failing": [0, 30],
        "requests": [30],
        "error-share": [0, 30],
        "latency-p95": [30],
    }
