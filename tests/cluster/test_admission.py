"""The shipped manifests before the real API server: admitted as they are, and refused where a line
that protects is missing.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from support.argocd import DEPLOY
from support.cluster.api_server import ApiServer
from support.cluster.kube import Refused, documents
from support.cluster.programs import version
from support.manifest_repos import OVERLAYS, one, rendered, rendered_with
from support.manifest_repos import documents as read

from flows.adapters.git.kustomize import render

Json = dict[str, Any]
Change = Callable[[Json, Json], object]
# All but what the API server does not know without its operator.
COMPONENTS = ("autoscaling", "judge", "monitor", "page", "reconcile", "release")
# What runs pods beside the Rollout: the component that has it, and its kind and name.
WORKLOADS = {
    "reconcile": ("Deployment", "attrition-reconcile"),
    "monitor": ("CronJob", "attrition-monitor"),
    "release": ("CronJob", "attrition-release"),
}

# A change of the pod and its container each, that Pod Security "restricted" refuses.
REFUSED: dict[str, Change] = {
    "may run as root": lambda pod, _: pod["securityContext"].pop("runAsNonRoot"),
    "is root": lambda pod, _: pod["securityContext"].update(runAsUser=0),
    "the container is root": lambda _, one: one["securityContext"].update(runAsUser=0),
    "no seccomp profile": lambda pod, _: pod["securityContext"].pop("seccompProfile"),
    "unconfined": lambda pod, _: pod["securityContext"].update(
        seccompProfile={"type": "Unconfined"}
    ),
    "may gain privileges": lambda _, one: one["securityContext"].pop("allowPrivilegeEscalation"),
    "keeps its capabilities": lambda _, one: one["securityContext"].pop("capabilities"),
    "drops one alone": lambda _, one: one["securityContext"].update(
        capabilities={"drop": ["NET_RAW"]}
    ),
    "adds a capability": lambda _, one: one["securityContext"]["capabilities"].update(
        add=["SYS_ADMIN"]
    ),
    "privileged": lambda _, one: one["securityContext"].update(
        privileged=True, allowPrivilegeEscalation=True
    ),
    "without AppArmor": lambda pod, _: pod["securityContext"].update(
        appArmorProfile={"type": "Unconfined"}
    ),
    "no context at all": lambda _, one: one.pop("securityContext"),
    "the network of the node": lambda pod, _: pod.update(hostNetwork=True),
    "the processes of the node": lambda pod, _: pod.update(hostPID=True),
    "the memory of the node": lambda pod, _: pod.update(hostIPC=True),
    "a port of the node": lambda _, one: one.update(
        ports=[{"containerPort": 3000, "hostPort": 3000}]
    ),
    "a folder of the node": lambda pod, _: pod["volumes"].append(
        {"name": "node", "hostPath": {"path": "/"}}
    ),
    "a volume that is mounted by root": lambda pod, _: pod["volumes"].append(
        {"name": "far", "nfs": {"server": "192.0.2.1", "path": "/"}}
    ),
    "another security module": lambda pod, _: pod["securityContext"].update(
        seLinuxOptions={"type": "spc_t"}
    ),
    "a setting of the kernel": lambda pod, _: pod["securityContext"].update(
        sysctls=[{"name": "kernel.msgmax", "value": "65536"}]
    ),
    "a second container without a context": lambda pod, one: pod["containers"].append(
        {"name": "second", "image": one["image"]}
    ),
}


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    """With the shipped namespaces and accounts."""
    api_server.kube.apply_all(documents(DEPLOY / "namespaces.yaml"))
    api_server.kube.apply_all(documents(DEPLOY / "pipeline" / "namespace.yaml"))
    for overlay in OVERLAYS:
        api_server.kube.apply(one(rendered(overlay), "ServiceAccount"))
    reconcile = rendered_with("production", "reconcile")
    api_server.kube.apply(one(reconcile, "ServiceAccount", "attrition-reconcile"))
    api_server.kube.apply(one(pipeline(), "ServiceAccount"))
    return api_server


def pipeline() -> list[Json]:
    """The judge, as it is shipped."""
    return read(render(DEPLOY / "pipeline"))


def template(workload: Json) -> Json:
    """The pod that a Deployment or a CronJob makes, by itself."""
    spec = workload["spec"]
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    made = copy.deepcopy(spec["template"])
    space = workload["metadata"]["namespace"]
    about = {**made["metadata"], "name": "trial", "namespace": space}
    return {"apiVersion": "v1", "kind": "Pod", **made, "metadata": about}


def pods() -> dict[str, Json]:
    """Each pod that Sluice itself runs in, by the name of its work."""
    found = {
        name: template(one(rendered_with("production", name), *which))
        for name, which in WORKLOADS.items()
    }
    return {**found, "judge": template(one(pipeline(), "Deployment"))}


def pod(overlay: str) -> Json:
    """The pod of a Rollout, by itself."""
    rollout = one(rendered(overlay), "Rollout")
    template = copy.deepcopy(rollout["spec"]["template"])
    about = {**template["metadata"], "name": "trial", "namespace": OVERLAYS[overlay]}
    return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": about}


def test_it_is_the_one_that_the_manifests_say_they_are_tested_with(api_server: ApiServer) -> None:
    said = (DEPLOY / "README.md").read_text()
    assert f"| Kubernetes | {api_server.kube.get('/version')['gitVersion']} |" in said
    assert f"| Argo CD | {version('github.com/argoproj/argo-cd/v3')} |" in said
    assert f"| Argo Rollouts | {version('github.com/argoproj/argo-rollouts')} |" in said
    assert api_server.kube.get("/apis/argoproj.io/v1alpha1")["resources"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_document_of_an_overlay_is_admitted(server: ApiServer, overlay: str) -> None:
    kinds = {document["kind"] for document in rendered(overlay)}
    assert kinds >= {"Rollout", "HTTPRoute", "NetworkPolicy", "AnalysisTemplate"}
    for document in rendered(overlay):
        server.kube.apply(document, dry=True)


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_document_of_a_component_is_admitted(server: ApiServer, component: str) -> None:
    for document in rendered_with("production", component):
        server.kube.apply(document, dry=True)


def test_projects_and_applications_are_admitted(server: ApiServer) -> None:
    server.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
    for document in [
        *documents(DEPLOY / "project.yaml"),
        *documents(DEPLOY / "applications"),
    ]:
        server.kube.apply(document, dry=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_git_says_is_what_the_server_keeps(server: ApiServer, overlay: str) -> None:
    """No default of the API would show as a difference for ever, but for one that Argo CD knows."""
    for kind in ("HTTPRoute", "Rollout", "AnalysisTemplate", "PodDisruptionBudget"):
        given = one(rendered(overlay), kind)
        assert server.kube.apply(given, dry=True)["spec"] == given["spec"], kind


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_is_restricted(server: ApiServer, overlay: str) -> None:
    server.kube.apply(pod(overlay), dry=True)


@pytest.mark.parametrize("change", REFUSED)
def test_a_pod_that_is_less_restricted_is_refused(server: ApiServer, change: str) -> None:
    mutant = pod("production")
    REFUSED[change](mutant["spec"], mutant["spec"]["containers"][0])
    with pytest.raises(Refused, match='violates PodSecurity "restricted:latest"'):
        server.kube.apply(mutant, dry=True)


def test_the_judge_is_admitted(server: ApiServer) -> None:
    for document in pipeline():
        server.kube.apply(document, dry=True)


@pytest.mark.parametrize("work", [*WORKLOADS, "judge"])
def test_the_pod_of_sluice_itself_is_restricted(server: ApiServer, work: str) -> None:
    server.kube.apply(pods()[work], dry=True)


@pytest.mark.parametrize("work", [*WORKLOADS, "judge"])
def test_a_pod_of_sluice_that_is_less_restricted_is_refused(server: ApiServer, work: str) -> None:
    for name, change in REFUSED.items():
        mutant = copy.deepcopy(pods()[work])
        change(mutant["spec"], mutant["spec"]["containers"][0])
        with pytest.raises(Refused, match='violates PodSecurity "restricted:latest"'):
            server.kube.apply(mutant, dry=True)
            pytest.fail(f"admitted: {name}")


@pytest.mark.parametrize("work", WORKLOADS)
def test_what_git_says_of_sluice_itself_is_what_the_server_keeps(
    server: ApiServer, work: str
) -> None:
    """A field that the server fills in by itself would show as a difference for ever."""
    given = one(rendered_with("production", work), *WORKLOADS[work])
    kept = server.kube.apply(given, dry=True)["spec"]
    assert subset(given["spec"], kept) == []


def subset(given: Any, kept: Any, path: str = "") -> list[str]:
    """Where what was kept is something else than what was given."""
    if isinstance(given, dict):
        return [d for key in given for d in subset(given[key], kept.get(key), f"{path}/{key}")]
    if isinstance(given, list):
        pairs = enumerate(zip(given, kept, strict=True))
        return [d for number, (a, b) in pairs for d in subset(a, b, f"{path}/{number}")]
    return [] if given == kept else [f"{path}: {given!r} is kept as {kept!r}"]
