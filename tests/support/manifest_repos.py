"""What a cluster would say of a manifest: strict YAML, strict schemas, Pod Security
"restricted".
"""

import re
import shutil
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from flows.adapters.git.kustomize import render
from support.argocd import DEPLOY

Document = dict[str, Any]
OVERLAYS = {"production": "attrition", "staging": "attrition-staging"}  # each with its namespace


@cache
def rendered(overlay: str) -> list[Document]:
    """The documents of a shipped overlay; rendered once, so copy before changing one."""
    return documents(render(DEPLOY / "overlays" / overlay))


@cache
def rendered_with(overlay: str, component: str) -> list[Document]:
    """The documents of an overlay in which a shipped component was chosen, in the way that its
    comment says.
    """
    with TemporaryDirectory() as folder:
        copied = shutil.copytree(DEPLOY, Path(folder) / "argocd")
        file = copied / "overlays" / overlay / "kustomization.yaml"
        text = file.read_text()
        chosen = re.sub(rf"^  # (- \S+/{component})\b.*$", r"  \1", text, flags=re.MULTILINE)
        assert chosen != text
        file.write_text(chosen)
        return documents(render(file.parent))


class _Strict(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error and not the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if doubled := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(
                None, None, f"doubled: {sorted(doubled)}", node.start_mark
            )
        return super().construct_mapping(node, deep)


def documents(text: str) -> list[Document]:
    """The documents of a YAML stream; raises yaml.YAMLError on a doubled key."""
    return [document for document in yaml.load_all(text, Loader=_Strict) if document]


_CRDS = {
    "AnalysisTemplate": "analysis-template",
    "Application": "application",
    "AppProject": "appproject",
    "Rollout": "rollout",
}


def one(found: list[Document], kind: str, name: str | None = None) -> Document:
    """The only document of a kind (and name)."""
    [document] = [d for d in found if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    return document


def names(found: list[Document], kind: str) -> set[str]:
    """The names of all documents of a kind."""
    return {d["metadata"]["name"] for d in found if d["kind"] == kind}


def analyses(found: list[Document]) -> list[Document]:
    """The analyses among the steps of the Rollout."""
    steps = one(found, "Rollout")["spec"]["strategy"]["canary"]["steps"]
    return [step["analysis"] for step in steps if "analysis" in step]


@cache
def crd_schema(folder: Path, kind: str) -> Document:
    """A strict JSON schema of a kind, from its CustomResourceDefinition in a folder."""
    file = folder / f"{_CRDS[kind]}-crd.yaml"
    [version] = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["spec"]["versions"]
    schema: Document = _strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _strict(schema: Any) -> Any:
    """A structural schema as the API server applies it with fieldValidation=Strict: what is not
    named is an error.
    """
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    if "properties" in schema and isinstance(schema["properties"], dict):
        strict["properties"] = {name: _strict(part) for name, part in schema["properties"].items()}
    if strict.get("x-kubernetes-int-or-string"):
        strict["type"] = ["integer", "string"]
    is_object = strict.get("type") == "object"
    if is_object and not strict.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict


def check_core(document: Document) -> None:
    """Raise where a document of Kubernetes itself does not follow its schema, in two versions."""
    for version in ("1.33", "1.35"):
        kubernetes_validate.validate(document, version, strict=True)


def check_argo(document: Document, crds: Path) -> None:
    """Raise where a document of Argo does not follow its schema, from a folder of definitions."""
    assert document["apiVersion"] == "argoproj.io/v1alpha1"
    jsonschema.Draft7Validator(crd_schema(crds, document["kind"])).validate(document)


def references(found: list[Document]) -> Iterator[tuple[str, str]]:
    """Every kind and name that a Rollout or an HTTPRoute relies on."""
    rollout, route = one(found, "Rollout")["spec"], one(found, "HTTPRoute")["spec"]
    canary, pod = rollout["strategy"]["canary"], rollout["template"]["spec"]
    yield "Service", canary["stableService"]
    yield "Service", canary["canaryService"]
    yield "HTTPRoute", canary["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]["httpRoute"]
    yield "ServiceAccount", pod["serviceAccountName"]
    for volume in pod["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            yield "PersistentVolumeClaim", claim["claimName"]
    yield from (("Service", ref["name"]) for rule in route["rules"] for ref in rule["backendRefs"])
    yield from (
        ("AnalysisTemplate", t["templateName"]) for a in analyses(found) for t in a["templates"]
    )
    yield from (
        ("ConfigMap", e["configMapRef"]["name"]) for e in pod["containers"][0].get("envFrom", [])
    )


def dangling(found: list[Document]) -> set[tuple[str, str]]:
    """What is relied on, and is not there."""
    return {(kind, name) for kind, name in references(found) if name not in names(found, kind)}


def put(path: str, value: Any) -> Callable[[Document], None]:
    """A change of a document: the value at a path of keys and indices."""

    def change(document: Any) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
        for key in parents:
            document = document[key]
        document[last] = value

    return change


def unrestricted(pod: Document) -> list[str]:
    """What Pod Security "restricted" (and a read-only root) would refuse in a pod template, one
    word or two each.
    """
    spec = pod["spec"]
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    found = [name for name, refused in _POD.items() if refused(spec)]
    return found + [
        name for c in containers for name, refused in _CONTAINER.items() if refused(spec, c)
    ]


_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"}
_VOLUMES |= {"persistentVolumeClaim", "projected", "secret"}
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def _own(spec: Document, container: Document, key: str) -> Any:
    """A setting of the container, or what it inherits from the pod."""
    return container.get("securityContext", {}).get(key, spec.get("securityContext", {}).get(key))


def _hosts(container: Document) -> list[Any]:
    """The hosts that probes and hooks of a container name, other than the pod itself."""
    handlers = [container.get(probe, {}) for probe in _PROBES] + list(
        container.get("lifecycle", {}).values()
    )
    return [
        h[way]["host"]
        for h in handlers
        for way in ("httpGet", "tcpSocket")
        if h.get(way, {}).get("host")
    ]


_POD: dict[str, Callable[[Document], bool]] = {
    "host namespaces": lambda s: any(s.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
    "volume type": lambda s: any(set(v) - {"name"} - _VOLUMES for v in s.get("volumes", [])),
    "sysctls": lambda s: bool(s.get("securityContext", {}).get("sysctls")),
    "service account token": lambda s: s.get("automountServiceAccountToken") is not False,
}
_CONTAINER: dict[str, Callable[[Document, Document], bool]] = {
    "root": lambda s, c: _own(s, c, "runAsNonRoot") is not True or not _own(s, c, "runAsUser"),
    "seccomp": lambda s, c: (
        (_own(s, c, "seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost")
    ),
    "privileged": lambda s, c: bool(_own(s, c, "privileged")),
    "privilege escalation": lambda s, c: _own(s, c, "allowPrivilegeEscalation") is not False,
    "capabilities": lambda s, c: (
        "ALL" not in (_own(s, c, "capabilities") or {}).get("drop", [])
        or bool(set((_own(s, c, "capabilities") or {}).get("add", [])) - {"NET_BIND_SERVICE"})
    ),
    "proc mount": lambda s, c: _own(s, c, "procMount") not in (None, "Default"),
    "host port": lambda s, c: any(port.get("hostPort") for port in c.get("ports", [])),
    "host probe": lambda s, c: bool(_hosts(c)),
    "writable root": lambda s, c: _own(s, c, "readOnlyRootFilesystem") is not True,
}
