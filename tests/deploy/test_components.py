"""What an overlay may choose: the judge, the scrapes of the Prometheus operator, an autoscaler."""

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.argocd import DEPLOY
from support.manifest_repos import (
    OVERLAYS,
    Document,
    analyses,
    check_argo,
    check_core,
    documents,
    names,
    one,
    rendered,
    rendered_with,
)

from flows.adapters.git.kustomize import render
from flows.canary.question import policy_of, read_question
from flows.canary.web import PATH
from sluice.policy import CanaryPolicy

COMPONENTS = (
    "judge",
    "pod-monitor",
    "autoscaling",
    "reconcile",
    "monitor",
    "release",
    "notifications",
)
_RIGHTS = "rbac.authorization.k8s.io"


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_is_valid_and_the_project_permits_it(
    overlay: str, component: str, crds: Path
) -> None:
    found = rendered_with(overlay, component)
    for document in found:
        group = document["apiVersion"].rpartition("/")[0]
        if group in ("", "apps", "autoscaling", "batch", "networking.k8s.io", "policy", _RIGHTS):
            check_core(document)
        elif group == "argoproj.io":
            check_argo(document, crds)
    [project] = documents((DEPLOY / "project.yaml").read_text())
    permitted = {
        (entry["group"], entry["kind"]) for entry in project["spec"]["namespaceResourceWhitelist"]
    }
    kinds = {(d["apiVersion"].rpartition("/")[0], d["kind"]) for d in found}
    assert {("", kind) if group == "v1" else (group, kind) for group, kind in kinds} <= permitted


def asked(found: list[Document], step: int) -> bytes:
    """The body that Argo Rollouts sends at a step, with the arguments put in."""
    template = one(found, "AnalysisTemplate")["spec"]
    values = {a["name"]: a["value"] for a in template["args"] if "value" in a}
    for argument in analyses(found)[step]["args"]:
        values[argument["name"]] = argument.get("value", f"a-{argument['name']}")
    [metric] = template["metrics"]
    body = json.dumps(metric["provider"]["web"]["jsonBody"])
    for name, value in values.items():
        body = body.replace(f"{{{{args.{name}}}}}", value)
    return body.encode()


@pytest.mark.parametrize("step", range(4))
def test_the_judge_understands_what_each_step_asks(step: int) -> None:
    found = rendered_with("production", "judge")
    question = read_question(asked(found, step))
    weights = [
        part["setWeight"]
        for part in one(found, "Rollout")["spec"]["strategy"]["canary"]["steps"]
        if "setWeight" in part
    ]
    assert question.weight == weights[step]
    assert (question.canary, question.stable) == ("a-canary", "a-stable")
    assert b"{{" not in asked(found, step)
    # The limits that stand there are those of the policy.
    assert asdict(policy_of(question)) == asdict(CanaryPolicy())


def test_the_analysis_by_the_judge_gets_its_arguments_and_waits_out_an_outage() -> None:
    found = rendered_with("production", "judge")
    template = one(found, "AnalysisTemplate")["spec"]
    wanted = {a["name"] for a in template["args"] if "value" not in a}
    assert [{a["name"] for a in analysis["args"]} for analysis in analyses(found)] == [wanted] * 4
    [metric] = template["metrics"]
    assert metric["provider"]["web"]["url"].endswith(PATH)
    assert metric["inconclusiveLimit"] == metric["count"] - 1
    assert metric["consecutiveErrorLimit"] * 10 > 2 * 3600
    assert "failureLimit" not in metric  # the first fail takes the canary back
    assert {metric["successCondition"], metric["failureCondition"]} == {
        'result.verdict == "pass"',
        'result.verdict == "fail"',
    }


def annotated(found: list[Document]) -> str:
    template = one(found, "Rollout")["spec"]["template"]["metadata"]
    return str(template["annotations"]["sluice-analysis"])


def test_a_gate_that_changed_starts_a_rollout(tmp_path: Path) -> None:
    """Its hash is an annotation of the pods: without one, nothing of the pods would change."""
    before = annotated(rendered("production"))
    assert before in names(rendered("production"), "ConfigMap")
    assert before != annotated(rendered_with("production", "judge"))
    copied = Path(shutil.copytree(DEPLOY, tmp_path / "argocd"))
    overlay = copied / "overlays" / "production"
    assert annotated(documents(render(overlay))) == before
    file = copied / "base" / "analysis.yaml"
    changed = file.read_text().replace('value: "0.01"', 'value: "0.02"')
    assert changed != file.read_text()
    file.write_text(changed)
    assert annotated(documents(render(overlay))) != before


def test_the_operator_keeps_the_labels_that_the_judge_asks_by() -> None:
    found = rendered_with("production", "pod-monitor")
    monitor = one(found, "PodMonitor")["spec"]
    assert monitor["podTargetLabels"] == ["rollouts-pod-template-hash"]
    [endpoint] = monitor["podMetricsEndpoints"]
    rollout = one(found, "Rollout")["spec"]["template"]
    [container] = rollout["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert monitor["selector"]["matchLabels"].items() <= rollout["metadata"]["labels"].items()
    template: Any = yaml.safe_load((DEPLOY / "components/judge/analysis.yaml").read_text())
    values = {a["name"]: a.get("value") for a in template["spec"]["args"]}
    assert endpoint["interval"] == f"{values['scrape-seconds']}s"


def test_nobody_fights_the_autoscaler() -> None:
    found = rendered_with("production", "autoscaling")
    assert "replicas" in one(rendered("production"), "Rollout")["spec"]
    assert "replicas" not in one(found, "Rollout")["spec"]
    scaler = one(found, "HorizontalPodAutoscaler")["spec"]
    target = scaler["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (
        "Rollout",
        one(found, "Rollout")["metadata"]["name"],
    )
    assert scaler["minReplicas"] >= one(rendered("production"), "Rollout")["spec"]["replicas"]
    [container] = one(found, "Rollout")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"]  # a share of it is what is asked for


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_who_reconciles_may_read_three_kinds_of_one_namespace(overlay: str) -> None:
    found = rendered_with(overlay, "reconcile")
    role, binding = one(found, "Role"), one(found, "RoleBinding")
    rights = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    kinds = {
        ("argoproj.io", "rollouts"),
        ("argoproj.io", "analysisruns"),
        ("apps", "replicasets"),
    }
    assert rights == {(*kind, verb) for kind in kinds for verb in ("get", "list")}
    assert not names(found, "ClusterRole") | names(found, "ClusterRoleBinding")
    [subject] = binding["subjects"]
    account = one(found, "ServiceAccount", subject["name"])
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert {d["metadata"]["namespace"] for d in (role, binding, account)} == {OVERLAYS[overlay]}
    assert subject["namespace"] == OVERLAYS[overlay]
    assert account["automountServiceAccountToken"] is False


def test_a_webhook_is_told_of_what_the_controller_knows_by_that_name() -> None:
    """The controller spells its events so (utils/record/record.go, translateReasonToTrigger)."""
    events = ("RolloutAborted", "AnalysisRunInconclusive", "RolloutCompleted")
    spelled = {"on-" + re.sub("(?<=[a-z])([A-Z])", r"-\1", one).lower() for one in events}
    annotations = one(rendered_with("production", "notifications"), "Rollout")["metadata"][
        "annotations"
    ]
    subscribed = [name.split("/subscribe.")[1] for name in annotations if "/subscribe." in name]
    assert {name.rpartition(".")[0] for name in subscribed} == spelled
    assert {name.rpartition(".")[2] for name in subscribed} == {"models"}
    [document] = documents((DEPLOY / "components/notifications/triggers.yaml").read_text())
    check_core(document)
    told = document["data"]
    assert "service.webhook.models" in told
    for trigger in spelled:
        [sent] = yaml.safe_load(told[f"trigger.{trigger}"])
        for template in sent["send"]:
            body = yaml.safe_load(told[f"template.{template}"])["webhook"]["models"]["body"]
            assert json.loads(body.replace("{{.rollout.metadata.name}}", "m"))["text"]
