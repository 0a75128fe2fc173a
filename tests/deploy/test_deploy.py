"""deploy/argocd/: rendered with the real kustomize, held against the real schemas; names follow."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from support.argocd import APPLICATIONS, DEPLOY
from support.manifest_repos import (
    OVERLAYS,
    Document,
    check_argo,
    check_core,
    dangling,
    documents,
    one,
    put,
    references,
    rendered,
)

from flows.adapters.git.kustomize import render

CORE = {
    "ConfigMap",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_program_of_the_image_is_needed_beside_the_service(overlay: str) -> None:
    """There is no shell in it: what asks whether a pod is well, or ends it, asks over HTTP."""
    [container] = one(rendered(overlay), "Rollout")["spec"]["template"]["spec"]["containers"]
    asked = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    assert all("httpGet" in probe for probe in asked)
    assert set(container["lifecycle"]["preStop"]) == {"sleep"}
    assert "command" not in container


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_core_kinds_are_valid(overlay: str) -> None:
    found = [d for d in rendered(overlay) if d["kind"] in CORE]
    assert {d["kind"] for d in found} == CORE
    for document in [*found, *documents((DEPLOY / "namespaces.yaml").read_text())]:
        check_core(document)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_kinds_of_argo_are_valid(overlay: str, crds: Path) -> None:
    found = [d for d in rendered(overlay) if d["kind"] not in CORE | {"HTTPRoute"}]
    assert {d["kind"] for d in found} == {"AnalysisTemplate", "Rollout"}
    for document in [*found, *(documents(file.read_text())[0] for file in APPLICATIONS)]:
        check_argo(document, crds)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_route_says_what_the_router_needs(overlay: str) -> None:
    route = one(rendered(overlay), "HTTPRoute")
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert set(route["spec"]) == {"parentRefs", "hostnames", "rules"}
    assert [set(rule) for rule in route["spec"]["rules"]] == [{"matches", "backendRefs"}]
    for ref in route["spec"]["rules"][0]["backendRefs"]:
        assert set(ref) == {"group", "kind", "name", "port", "weight"}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Rollout", put("spec/strategy/canary/bogus", 1)),
        ("Rollout", put("spec/replicas", "five")),
        ("Rollout", put("spec/template/spec/containers/0/readinessProbe/htpGet", {})),
        ("Rollout", put("spec/strategy/canary/steps/0/setWeight", "5 %")),
        ("AnalysisTemplate", put("spec/metrics/0/sucessCondition", "true")),
        ("AnalysisTemplate", put("spec/metrics/0/provider/prometheus/query", 5)),
    ],
)
def test_a_wrong_field_is_caught(kind: str, change: Callable[[Document], None], crds: Path) -> None:
    mutant = copy.deepcopy(one(rendered("production"), kind))
    change(mutant)
    with pytest.raises(jsonschema.ValidationError):
        check_argo(mutant, crds)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("NetworkPolicy", put("spec/ingress/0/ports/0/port", {})),
        ("PodDisruptionBudget", put("spec/maxUnavailabel", 1)),
        ("ServiceAccount", put("automountServiceAccountToken", "no")),
    ],
)
def test_a_wrong_field_of_a_core_kind_is_caught(
    kind: str, change: Callable[[Document], None]
) -> None:
    mutant = copy.deepcopy(one(rendered("production"), kind))
    change(mutant)
    with pytest.raises(kubernetes_validate.ValidationError):
        check_core(mutant)


def test_the_pod_template_is_valid_as_a_deployment() -> None:
    rollout = copy.deepcopy(one(rendered("production"), "Rollout")["spec"])
    spec = {key: rollout[key] for key in ("replicas", "selector", "template")}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "attrition"},
        "spec": spec,
    }
    check_core(deployment)
    put("template/spec/containers/0/bogus", 1)(spec)
    with pytest.raises(kubernetes_validate.ValidationError):
        check_core(deployment)


@pytest.mark.parametrize(
    "file", sorted(DEPLOY.rglob("*.yaml")), ids=lambda file: str(file.relative_to(DEPLOY))
)
def test_no_key_stands_twice(file: Path) -> None:
    assert documents(file.read_text())


def test_a_key_that_stands_twice_is_caught() -> None:
    with pytest.raises(yaml.YAMLError, match="replicas"):
        documents("spec:\n  replicas: 3\n  replicas: 5\n")


PREFIXED = """\
namePrefix: blue-
namespace: elsewhere
resources:
  - ../production
configMapGenerator:
  - name: settings
    literals: [A=1]
patches:
  - target: {kind: Rollout}
    patch: |-
      - op: add
        path: /spec/template/spec/containers/0/envFrom
        value: [{configMapRef: {name: settings}}]
"""


def test_names_follow_a_prefix_a_hash_and_a_namespace(tmp_path: Path) -> None:
    copied = Path(shutil.copytree(DEPLOY, tmp_path / "argocd"))
    overlay = copied / "overlays" / "blue"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(PREFIXED)
    found = documents(render(overlay))
    assert not dangling(found)
    assert all(name.startswith("blue-") for _, name in references(found))
    assert any(
        name.startswith("blue-settings-") for kind, name in references(found) if kind == "ConfigMap"
    )
    router = one(found, "Rollout")["spec"]["strategy"]["canary"]["trafficRouting"]["plugins"]
    assert router["argoproj-labs/gatewayAPI"]["namespace"] == "elsewhere"

    base = copied / "base" / "kustomization.yaml"
    base.write_text(base.read_text().replace("configurations:\n  - names.yaml\n", ""))
    assert {kind for kind, _ in dangling(documents(render(overlay)))} == {
        "AnalysisTemplate",
        "ConfigMap",
        "HTTPRoute",
        "PersistentVolumeClaim",
        "Service",
        "ServiceAccount",
    }


@pytest.mark.parametrize(("overlay", "namespace"), OVERLAYS.items())
def test_an_overlay_stays_in_its_namespace(
    overlay: str,
    namespace: str,
) -> None:
    assert not dangling(rendered(overlay))
    assert {d["metadata"]["namespace"] for d in rendered(overlay)} == {namespace}
