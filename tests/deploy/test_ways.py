"""The ways in which people route and run a model: rendered as `sluice deploy-files` writes them."""

from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import msgspec
import pytest
from support.argocd import DEPLOY
from support.git_repos import seeded
from support.manifest_repos import (
    Document,
    check_argo,
    check_core,
    documents,
    names,
    one,
    rendered,
    rendered_with,
    unrestricted,
)

from flows.adapters.git.kustomize import render
from flows.gitops import deploy_files
from flows.project import new_folder
from sluice.canary.rollout import Rollout
from sluice.canary.weights import thin
from sluice.errors import UsageError
from sluice.gitops.deploy_files import GATEWAY, WAYS

DIGEST = f"sha256:{'0' * 64}"
# The fields that KServe adds to those of a pod: ComponentExtensionSpec of its API v1beta1
# (pkg/apis/serving/v1beta1/component.go). Its definition is not among the CRDs here.
_EXTENSIONS = {
    "minReplicas": int,
    "maxReplicas": int,
    "scaleTarget": int,
    "scaleMetric": str,
    "containerConcurrency": int,
    "timeout": int,
    "canaryTrafficPercent": int,
    "logger": dict,
    "batcher": dict,
    "labels": dict,
    "annotations": dict,
    "deploymentStrategy": dict,
}


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Document]]:
    """The documents of the overlay production, by way, for the model of the template and another
    one.
    """
    folder = tmp_path_factory.mktemp("ways")
    given = seeded(folder)
    found: dict[str, list[Document]] = {}
    for way in WAYS:
        new_folder.write(folder / way, deploy_files.files_of(given, "machine_failures", way))
        overlay = folder / way / "overlays" / "production" / "machine_failures"
        found[way] = documents(render(overlay))
    return found


def pod_of(found: list[Document]) -> Any:
    """The pod that a way runs, whatever makes it."""
    kinds = {"Rollout", "Deployment", "InferenceService"} & {d["kind"] for d in found}
    [kind] = kinds
    spec = one(found, kind)["spec"]
    return spec["predictor"] if kind == "InferenceService" else spec["template"]["spec"]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_runs_the_one_image_that_a_release_names(
    way: str, ways: dict[str, list[Document]]
) -> None:
    pod = pod_of(ways[way])
    [container] = pod["containers"]
    assert container["image"] == f"sluice.local/machine_failures:unreleased@{DIGEST}"
    said = {one["name"]: one.get("value") for one in container["env"]}
    assert said["SLUICE_IMAGE_DIGEST"] == DIGEST
    assert said["SLUICE_PREDICTION_LOG"] == "/predictions/log"
    assert "attrition" not in str(ways[way])
    # But for what KServe adds and calls otherwise, it is the same pod as behind a gateway.
    usual = pod_of(ways[GATEWAY])
    assert {**container, "name": ""} == {**usual["containers"][0], "name": ""}
    assert {key: pod[key] for key in usual if key != "containers"} == {
        key: value for key, value in usual.items() if key != "containers"
    }


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_to_the_page_or_to_metrics(way: str, ways: dict[str, list[Document]]) -> None:
    [container] = pod_of(ways[way])["containers"]
    said = {one["name"]: one.get("value", "") for one in container["env"]}
    assert said["SLUICE_PAGE"] == "0"
    assert said["SLUICE_API_KEYS"]
    assert said["SLUICE_METRICS_BIND"].endswith(":3001")
    paths, ports, metrics = set(), set(), set()
    for document in ways[way]:
        spec = document.get("spec", {})
        match document["kind"]:
            case "HTTPRoute":
                matches = [match for rule in spec["rules"] for match in rule["matches"]]
                paths |= {(one["path"]["type"], one["path"]["value"]) for one in matches}
            case "Service":
                ports |= {port["targetPort"] for port in spec["ports"]}
            case "NetworkPolicy":
                for allowed in spec["ingress"]:
                    if 3001 in [port["port"] for port in allowed["ports"]]:
                        metrics |= {str(peer) for peer in allowed["from"]}
    assert paths <= {("Exact", "/predict"), ("Exact", "/predict_batch")}
    assert ports <= {"http"}
    assert len(metrics) == 1 and "monitoring" in metrics.pop()


@pytest.mark.parametrize("way", WAYS)
def test_every_document_is_valid_and_restricted(
    way: str, ways: dict[str, list[Document]], crds: Path
) -> None:
    [project] = documents((DEPLOY / "project.yaml").read_text())
    permitted = {
        (entry["group"], entry["kind"]) for entry in project["spec"]["namespaceResourceWhitelist"]
    }
    for document in ways[way]:
        group = document["apiVersion"].rpartition("/")[0]
        assert (group, document["kind"]) in permitted
        if group in ("", "apps", "autoscaling", "networking.k8s.io", "policy"):
            check_core(document)
        elif group == "argoproj.io":
            check_argo(document, crds)
        elif group == "serving.kserve.io":
            check_kserve(document)
    assert not unrestricted({"spec": pod_of(ways[way])})


def check_kserve(document: Document) -> None:
    """The fields of a predictor are those of a pod, as Kubernetes checks it, and KServe's own."""
    assert document["apiVersion"] == "serving.kserve.io/v1beta1"
    assert set(document["spec"]) == {"predictor"}
    predictor = dict(document["spec"]["predictor"])
    for name in set(predictor) & set(_EXTENSIONS):
        assert isinstance(predictor.pop(name), _EXTENSIONS[name]), name
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": predictor}
    for version in ("1.33", "1.35"):
        kubernetes_validate.validate(pod, version, strict=True)
    [container] = predictor["containers"]
    assert container["name"] == "kserve-container"
    annotations = document["metadata"]["annotations"]
    assert annotations["serving.kserve.io/deploymentMode"] == "RawDeployment"
    # KServe 0.16 holds it against the metrics of its other mode where the mode has its old name.
    assert "scaleMetric" not in document["spec"]["predictor"]


def test_the_check_of_an_inference_service_finds_a_field_that_is_none(
    ways: dict[str, list[Document]],
) -> None:
    document = one(ways["kserve"], "InferenceService")
    wrong = {**document, "spec": {"predictor": {**document["spec"]["predictor"], "podd": 1}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        check_kserve(wrong)


def test_nothing_is_left_of_what_a_way_does_without(ways: dict[str, list[Document]]) -> None:
    assert names(ways["replicas"], "HTTPRoute") == set()
    assert names(ways["replicas"], "Service") == {
        "machine-failures",
        "machine-failures-stable",
        "machine-failures-canary",
    }
    for way in ("deployment", "kserve"):
        for kind in ("Rollout", "AnalysisTemplate", "ConfigMap"):
            assert names(ways[way], kind) == set(), (way, kind)
    assert names(ways["kserve"], "Service") == names(ways["kserve"], "HTTPRoute") == set()
    assert names(ways["deployment"], "Service") == {"machine-failures-stable"}
    for way in ("deployment", "blue-green"):
        [rule] = one(ways[way], "HTTPRoute")["spec"]["rules"]
        assert [ref["name"] for ref in rule["backendRefs"]] == ["machine-failures-stable"]


def test_without_a_router_every_step_is_a_pod_at_least(ways: dict[str, list[Document]]) -> None:
    found = msgspec.convert(one(ways["replicas"], "Rollout"), Rollout)
    assert found.spec.strategy.canary.traffic_routing is None
    assert thin(found) == ""
    fewer = msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, replicas=3))
    assert thin(fewer) == (
        "A step of 5 % of 3 pods is 0.15 pods; 1 is required, and the canary gets 33 % or more."
        " Give it 20 pods, or a router."
    )
    behind = msgspec.convert(one(ways[GATEWAY], "Rollout"), Rollout)
    assert behind.spec.replicas == 3
    assert thin(behind) == ""


def test_blue_and_green_name_what_there_is(ways: dict[str, list[Document]]) -> None:
    found = ways["blue-green"]
    strategy = one(found, "Rollout")["spec"]["strategy"]
    assert set(strategy) == {"blueGreen"}
    told = strategy["blueGreen"]
    assert {told["activeService"], told["previewService"]} == names(found, "Service")
    [template] = told["postPromotionAnalysis"]["templates"]
    wanted = one(found, "AnalysisTemplate", template["templateName"])["spec"]["args"]
    given = {one["name"] for one in told["postPromotionAnalysis"]["args"]}
    assert {one["name"] for one in wanted if "value" not in one} == given
    # Where it fails, the version before must still be there to go back to.
    metrics = one(found, "AnalysisTemplate", template["templateName"])["spec"]["metrics"]
    assert told["scaleDownDelaySeconds"] > 60 * (max(one["count"] for one in metrics) + 1)


@pytest.mark.parametrize("component", ["replicas", "blue-green"])
def test_a_person_chooses_them_in_an_overlay_too(component: str) -> None:
    found = rendered_with("production", component)
    assert one(found, "Rollout") != one(rendered("production"), "Rollout")


def test_another_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'ingress' is no way to run a model") as raised:
        deploy_files.files_of(seeded(tmp_path), "churn", "ingress")
    assert "blue-green" in raised.value.fix


def test_what_is_there_already_stays_and_it_is_said(tmp_path: Path) -> None:
    given = seeded(tmp_path)
    assert deploy_files.write(given, "churn", "replicas").outcome == "committed"
    again = deploy_files.write(given, "churn", "kserve")
    assert again.outcome == "already there"
    assert "is yours: choose components/kserve there" in again.sentence
