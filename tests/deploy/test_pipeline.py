"""Sluice itself in a cluster: judge, reconcile, monitor and releases, as they are rendered."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.argocd import DEPLOY
from support.manifest_repos import (
    OVERLAYS,
    Document,
    check_core,
    documents,
    names,
    one,
    rendered_with,
    unrestricted,
)

from flows.adapters.git.kustomize import render
from flows.cli.serving.deploy_image import NAME, entry
from sluice.gitops import kustomization
from sluice.gitops.deploy_files import deploy_files
from sluice.gitops.image_names import local_image

WORK = {
    "reconcile": ("Deployment", "attrition-reconcile"),
    "monitor": ("CronJob", "attrition-monitor"),
    "release": ("CronJob", "attrition-release"),
}
DIGEST = "sha256:" + "1" * 64


def pod(found: list[Document], work: str) -> Document:
    """The pod template of a work."""
    spec = one(found, *WORK[work])["spec"]
    template: Document = (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)[
        "template"
    ]
    return template


def judge() -> list[Document]:
    return documents(render(DEPLOY / "pipeline"))


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("work", WORK)
def test_each_pod_is_restricted_bounded_and_alone(overlay: str, work: str) -> None:
    found = rendered_with(overlay, work)
    template = pod(found, work)
    assert unrestricted(template) == []
    [container] = template["spec"]["containers"]
    assert set(container["resources"]["limits"]) >= {"memory", "ephemeral-storage"}
    name = WORK[work][1]
    policy = one(found, "NetworkPolicy", name)["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert policy["ingress"] == []
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert ports == {53, 443} | ({6443} if work == "reconcile" else set())


def test_the_judge_is_restricted_bounded_and_asked_by_argo_rollouts_and_prometheus() -> None:
    found = judge()
    for document in found:
        check_core(document)
    template = one(found, "Deployment")["spec"]["template"]
    assert unrestricted(template) == []
    asked_by = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in one(found, "NetworkPolicy")["spec"]["ingress"]
        for peer in rule["from"]
    ]
    assert asked_by == ["argo-rollouts", "monitoring"]
    template = yaml.safe_load((DEPLOY / "components/judge/analysis.yaml").read_text())
    [address] = [a["value"] for a in template["spec"]["args"] if a["name"] == "judge"]
    service = one(found, "Service")
    about, [port] = service["metadata"], service["spec"]["ports"]
    assert address == f"http://{about['name']}.{about['namespace']}.svc:{port['port']}"
    assert (
        documents((DEPLOY / "pipeline/namespace.yaml").read_text())[0]["metadata"]["name"]
        == (about["namespace"])
    )


def test_a_judge_that_expects_what_was_foretold_may_ask_the_registry(tmp_path: Path) -> None:
    copied = Path(shutil.copytree(DEPLOY, tmp_path / "argocd"))
    file = copied / "pipeline" / "kustomization.yaml"
    file.write_text(file.read_text().replace("# - foretold ", "- foretold "))
    found = documents(render(copied / "pipeline"))
    for document in found:
        check_core(document)
    template = one(found, "Deployment")["spec"]["template"]
    assert unrestricted(template) == []
    names = [variable["name"] for variable in template["spec"]["containers"][0]["env"]]
    assert names == ["SLUICE_REGISTRY", "DOCKER_CONFIG"]
    policy = one(found, "NetworkPolicy")["spec"]
    assert {p["port"] for rule in policy["egress"] for p in rule["ports"]} == {53, 9090, 443}


def test_only_reconcile_gets_a_token_and_only_the_one_that_it_needs() -> None:
    for work in WORK:
        template = pod(rendered_with("production", work), work)["spec"]
        assert template["automountServiceAccountToken"] is False
        tokens = [volume for volume in template["volumes"] if "projected" in volume]
        assert bool(tokens) is (work == "reconcile")
    [token] = tokens_of_reconcile()
    assert token["serviceAccountToken"]["expirationSeconds"] == 3600


def tokens_of_reconcile() -> list[Any]:
    template = pod(rendered_with("production", "reconcile"), "reconcile")["spec"]
    [volume] = [volume for volume in template["volumes"] if "projected" in volume]
    return [s for s in volume["projected"]["sources"] if "serviceAccountToken" in s]


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    """The manifests with everything of Sluice chosen, and the entry that a person pasted."""
    copied = Path(shutil.copytree(DEPLOY, tmp_path / "argocd"))
    file = copied / "overlays" / "production" / "kustomization.yaml"
    text = file.read_text()
    for work in WORK:
        text = text.replace(f"  # - ../../components/{work} ", f"  - ../../components/{work} ")
    file.write_text(text)
    image = copied / "pipeline" / "image" / "kustomization.yaml"
    lines = entry("registry.example.com/team/sluice", DIGEST)
    pasted = "".join(f"  {line}\n" for line in lines)
    image.write_text(image.read_text().partition("images:\n")[0] + "images:\n" + pasted)
    return copied


def images(found: list[Document]) -> set[str]:
    """Every image of every container."""
    text = yaml.safe_dump_all(found)
    return {
        line.strip().partition("image: ")[2] for line in text.splitlines() if " image: " in line
    }


def test_one_entry_names_the_image_everywhere(chosen: Path) -> None:
    wanted = f"registry.example.com/team/sluice@{DIGEST}"
    assert images(documents(render(chosen / "pipeline"))) == {wanted}
    found = images(documents(render(chosen / "overlays" / "production")))
    assert wanted in found
    assert len(found) == 2  # and that of the model


def test_a_release_never_touches_it(chosen: Path) -> None:
    """It stands in another file, under a name that no model has."""
    assert not NAME.startswith(local_image(""))
    path = "overlays/production/kustomization.yaml"
    text = (chosen / path).read_text()
    assert NAME not in text
    wanted = {"newName": "x", "newTag": "t", "digest": DIGEST}
    (chosen / path).write_text(kustomization.write(text, local_image("attrition"), wanted, path))
    found = images(documents(render(chosen / "overlays" / "production")))
    assert f"registry.example.com/team/sluice@{DIGEST}" in found


def test_another_model_has_its_own_and_shares_the_image(tmp_path: Path) -> None:
    template = {
        path.relative_to(DEPLOY).as_posix(): path.read_text()
        for path in DEPLOY.rglob("*")
        if path.is_file()
    }
    made = deploy_files(template, "attrition", "machine_failures")
    for path, text in made.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    overlay = tmp_path / "overlays" / "production" / "machine_failures"
    file = overlay / "kustomization.yaml"
    text = file.read_text()
    for work in WORK:
        line = f"  # - ../../../models/machine_failures/components/{work} "
        assert line in text
        text = text.replace(line, line.replace("# ", ""))
    file.write_text(text)
    found = documents(render(overlay))
    assert names(found, "CronJob") == {"machine-failures-monitor", "machine-failures-release"}
    assert f"{NAME}@sha256:{'0' * 64}" in images(found)
    [container] = one(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    env = {e["name"]: e.get("value") for e in container["env"]}
    assert env["SLUICE_MODEL"] == "machine_failures"
    assert documents(render(tmp_path / "pipeline"))


def test_a_release_waits_for_a_person_and_is_cleared_away() -> None:
    spec = one(rendered_with("production", "release"), *WORK["release"])["spec"]
    assert spec["suspend"] is True
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert job["ttlSecondsAfterFinished"] > 0
    [rule] = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    [container] = job["template"]["spec"]["containers"]
    assert rule["onExitCodes"]["containerName"] == container["name"]
