"""The canary of deploy/argocd/: steps, router, analysis, and pods that a restricted namespace
admits.
"""

import copy
import re
from collections.abc import Callable

import pytest
from support.argocd import DEPLOY
from support.manifest_repos import (
    OVERLAYS,
    Document,
    analyses,
    documents,
    names,
    one,
    put,
    rendered,
    unrestricted,
)


def test_the_canary_takes_four_steps_each_judged() -> None:
    steps = one(rendered("production"), "Rollout")["spec"]["strategy"]["canary"]["steps"]
    assert [step["setWeight"] for step in steps if "setWeight" in step] == [5, 25, 50, 100]
    assert [next(iter(step)) for step in steps] == ["setWeight", "pause", "analysis"] * 4
    assert all(step["pause"].get("duration") for step in steps if "pause" in step)


def test_two_services_and_a_router_or_none_of_them() -> None:
    canary = one(rendered("production"), "Rollout")["spec"]["strategy"]["canary"]
    assert {"stableService", "canaryService", "trafficRouting"} <= set(canary)
    assert names(rendered("production"), "Service") == {
        canary["stableService"],
        canary["canaryService"],
    }
    [rule] = one(rendered("production"), "HTTPRoute")["spec"]["rules"]
    weights = {ref["name"]: ref["weight"] for ref in rule["backendRefs"]}
    assert weights == {canary["stableService"]: 100, canary["canaryService"]: 0}


def test_ports_and_probes_meet() -> None:
    [container] = one(rendered("production"), "Rollout")["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [
        {"name": "http", "containerPort": 3000, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 3001, "protocol": "TCP"},
    ]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    ports = [
        port
        for d in rendered("production")
        if d["kind"] == "Service"
        for port in d["spec"]["ports"]
    ]
    assert {(port["port"], port["targetPort"]) for port in ports} == {(80, "http")}
    [rule] = one(rendered("production"), "HTTPRoute")["spec"]["rules"]
    assert {ref["port"] for ref in rule["backendRefs"]} == {80}
    policy = one(rendered("production"), "NetworkPolicy")["spec"]
    assert [port["port"] for allowed in policy["ingress"] for port in allowed["ports"]] == [
        3000,
        3001,
    ]
    assert policy["egress"] == []
    assert "Egress" in policy["policyTypes"]


def test_every_selector_finds_the_pods() -> None:
    rollout = one(rendered("production"), "Rollout")["spec"]
    labels = rollout["template"]["metadata"]["labels"].items()
    selectors = [
        rollout["selector"]["matchLabels"],
        one(rendered("production"), "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    selectors += [
        one(rendered("production"), "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    ]
    selectors += [d["spec"]["selector"] for d in rendered("production") if d["kind"] == "Service"]
    assert all(selector.items() <= labels for selector in selectors)


def test_a_look_without_data_is_no_success() -> None:
    for metric in one(rendered("production"), "AnalysisTemplate")["spec"]["metrics"]:
        assert metric["successCondition"].startswith("len(result) > 0 && ")
        assert (
            metric["failureCondition"].startswith("len(result) > 0 && ")
            or metric["failureCondition"] == "false"
        )
        assert metric["inconclusiveLimit"] == metric["count"] - 1
        # Errors end in neither an abort nor a promotion, however long Prometheus is away.
        assert metric["consecutiveErrorLimit"] * 10 > 2 * 3600
        query = metric["provider"]["prometheus"]["query"]
        assert query.count("bentoml_service_") == len(re.findall(r'endpoint=~"\{\{args\.', query))


def test_the_analysis_gets_the_arguments_it_asks_for() -> None:
    arguments = one(rendered("production"), "AnalysisTemplate")["spec"]["args"]
    wanted = {a["name"] for a in arguments if "value" not in a}
    assert [
        {a["name"] for a in analysis["args"]} for analysis in analyses(rendered("production"))
    ] == [wanted] * 4


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pods_are_restricted(
    overlay: str,
) -> None:
    rollout = one(rendered(overlay), "Rollout")
    assert unrestricted(rollout["spec"]["template"]) == []
    assert rollout["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 1034
    for namespace in documents((DEPLOY / "namespaces.yaml").read_text()):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("refused", "change"),
    [
        ("host namespaces", put("hostNetwork", True)),
        ("volume type", put("volumes/0", {"name": "tmp", "hostPath": {"path": "/"}})),
        ("volume type", put("volumes/2", {"name": "keys", "nfs": {"server": "a", "path": "/"}})),
        ("sysctls", put("securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}])),
        ("service account token", put("automountServiceAccountToken", True)),
        ("root", put("securityContext/runAsUser", 0)),
        ("root", put("containers/0/securityContext/runAsNonRoot", False)),
        ("seccomp", put("securityContext/seccompProfile", {"type": "Unconfined"})),
        ("privileged", put("containers/0/securityContext/privileged", True)),
        (
            "privilege escalation",
            put("containers/0/securityContext/allowPrivilegeEscalation", True),
        ),
        ("capabilities", put("containers/0/securityContext/capabilities", {"drop": ["KILL"]})),
        ("capabilities", put("containers/0/securityContext/capabilities/add", ["SYS_ADMIN"])),
        ("proc mount", put("containers/0/securityContext/procMount", "Unmasked")),
        ("host port", put("containers/0/ports/0/hostPort", 80)),
        ("host probe", put("containers/0/livenessProbe/httpGet/host", "10.0.0.1")),
        ("writable root", put("containers/0/securityContext/readOnlyRootFilesystem", False)),
    ],
)
def test_an_unrestricted_pod_is_caught(
    refused: str,
    change: Callable[[Document], None],
) -> None:
    template = copy.deepcopy(one(rendered("production"), "Rollout")["spec"]["template"])
    change(template["spec"])
    assert unrestricted(template) == [refused]
