"""From a pod to a container: the words for podman that mean what the pod's manifest says."""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cluster import network
from support.cluster.kube import Kube, Refused

Json = dict[str, Any]
_UNITS = {"": 1, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "k": 10**3, "M": 10**6, "G": 10**9}


class Unknown(Exception):
    """The manifest asks for something that this node cannot do: said, and not left out."""


@dataclass(frozen=True)
class Place:
    """Where a pod runs: the names of its container and network, and a folder for its mounts."""

    container: str
    network: str
    log: Path
    mounts: Path


def words(pod: Json, image: str, place: Place, kube: Kube, given: Mapping[str, str]) -> list[str]:
    """`run` and what follows it, for the one container of a pod; `given` are variables that every
    container has. Raises Unknown and Refused.
    """
    if len(pod["spec"]["containers"]) != 1 or pod["spec"].get("initContainers"):
        raise Unknown("pods of this node have one container")
    container = pod["spec"]["containers"][0]
    found = ["run", "--detach", "--name", place.container, "--pull", "never"]
    found += ["--network", f"ns:/run/netns/{place.network}"]
    for name in network.NAMES:
        found += ["--add-host", f"{name}:{network.HOST}"]
    found += ["--log-driver", "k8s-file", "--log-opt", f"path={place.log}"]
    found += [*_rights(pod, container), *_limits(container), *_volumes(pod, place, kube)]
    for name, value in {**given, **_environment(pod, container, kube)}.items():
        found += ["--env", f"{name}={value}"]
    if container.get("command"):
        found += ["--entrypoint", json.dumps(container["command"])]
    return [*found, image, *container.get("args", [])]


def without_tag(image: str) -> str:
    """A reference by digest alone: podman takes no tag beside it."""
    return re.sub(r":[^:/@]+@", "@", image)


def size(quantity: str) -> int:
    """Bytes of `512Mi`."""
    read = re.fullmatch(r"([0-9]+)([A-Za-z]*)", quantity)
    if read is None or read[2] not in _UNITS:
        raise Unknown(f"a quantity {quantity} is not known to this node")
    return int(read[1]) * _UNITS[read[2]]


def _rights(pod: Json, container: Json) -> list[str]:
    whole, own = pod["spec"].get("securityContext", {}), container.get("securityContext", {})
    wanted = {**whole, **own}
    found = []
    if "runAsUser" in wanted:
        found += ["--user", f"{wanted['runAsUser']}:{wanted.get('runAsGroup', 0)}"]
    if "fsGroup" in whole:
        found += ["--group-add", str(whole["fsGroup"])]
    if own.get("readOnlyRootFilesystem"):
        found += ["--read-only", "--read-only-tmpfs=false"]
    if own.get("allowPrivilegeEscalation") is False:
        found += ["--security-opt", "no-new-privileges"]
    for capability in own.get("capabilities", {}).get("drop", []):
        found += ["--cap-drop", capability.lower()]
    return found


def _limits(container: Json) -> list[str]:
    memory = container.get("resources", {}).get("limits", {}).get("memory")
    if not memory:
        return []
    return ["--memory", str(size(memory)), "--memory-swap", str(size(memory))]


def _environment(pod: Json, container: Json, kube: Kube) -> dict[str, str]:
    found = {}
    for entry in container.get("env", []):
        if "valueFrom" not in entry:
            found[entry["name"]] = entry.get("value", "")
            continue
        [(kind, source)] = entry["valueFrom"].items()
        if kind != "secretKeyRef":
            raise Unknown(f"a variable from {kind} is not known to this node")
        secret = _secret(pod, source["name"], kube)
        found[entry["name"]] = secret[source["key"]].decode()
    if container.get("envFrom"):
        raise Unknown("envFrom is not known to this node")
    return found


def _volumes(pod: Json, place: Place, kube: Kube) -> list[str]:
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    group = pod["spec"].get("securityContext", {}).get("fsGroup", 0)
    found = []
    for mount in pod["spec"]["containers"][0].get("volumeMounts", []):
        volume, target = volumes[mount["name"]], mount["mountPath"]
        if "emptyDir" in volume and _is_small(volume["emptyDir"]):
            limit = volume["emptyDir"].get("sizeLimit")
            bounded = f",tmpfs-size={size(limit)}" if limit else ""
            found += ["--mount", f"type=tmpfs,destination={target},tmpfs-mode=1777{bounded}"]
            continue
        source = _folder(pod, volume, place, kube, group)
        read = "ro" if mount.get("readOnly") else "rw"
        found += ["--volume", f"{source}:{target}:{read}"]
    return found


def _is_small(empty: Json) -> bool:
    """Whether an empty volume fits into memory, where it goes when the pod does."""
    return size(empty.get("sizeLimit", "0")) <= size("256Mi")


def _folder(pod: Json, volume: Json, place: Place, kube: Kube, group: int) -> Path:
    """What is on a volume, as a folder of this machine that the group of the pod may read."""
    folder = place.mounts / volume["name"]
    if "emptyDir" in volume:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777)
        return folder
    if "secret" in volume:
        secret = volume["secret"]
        content = _of_secret(pod, secret, kube)
        return _written(folder, content, secret["defaultMode"], group)
    if "projected" in volume:
        projected = volume["projected"]
        content = _projected(pod, projected["sources"], kube)
        return _written(folder, content, projected["defaultMode"], group)
    if "persistentVolumeClaim" in volume:
        return _claimed(pod, volume["persistentVolumeClaim"]["claimName"], kube, group)
    kind = next(key for key in volume if key != "name")
    raise Unknown(f"a volume of the kind {kind} is not known to this node")


def _of_secret(pod: Json, wanted: Json, kube: Kube) -> dict[str, bytes]:
    """The files of a Secret, under the names that the pod gives them; none where it is optional."""
    try:
        found = _secret(pod, wanted["secretName"], kube)
    except Unknown:
        if wanted.get("optional"):
            return {}
        raise
    if "items" not in wanted:
        return found
    return {item["path"]: found[item["key"]] for item in wanted["items"]}


def _projected(pod: Json, sources: Sequence[Json], kube: Kube) -> dict[str, bytes]:
    """A token of the pod's own account, entries of a ConfigMap, and the name of the namespace."""
    space, found = pod["metadata"]["namespace"], {}
    for source in sources:
        [(kind, wanted)] = source.items()
        if kind == "serviceAccountToken":
            account = f"/api/v1/namespaces/{space}/serviceaccounts"
            asked = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": wanted["expirationSeconds"]},
            }
            path = f"{account}/{pod['spec']['serviceAccountName']}/token"
            found[wanted["path"]] = kube.post(path, asked)["status"]["token"].encode()
        elif kind == "configMap":
            entries = kube.get(f"/api/v1/namespaces/{space}/configmaps/{wanted['name']}")["data"]
            found |= {item["path"]: entries[item["key"]].encode() for item in wanted["items"]}
        elif kind == "downwardAPI":
            found |= {item["path"]: space.encode() for item in wanted["items"]}
        else:
            raise Unknown(f"a projected {kind} is not known to this node")
    return found


def _written(folder: Path, content: Mapping[str, bytes], mode: int, group: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, 0, group)
    folder.chmod(0o750)
    for name, text in content.items():
        file = folder / name
        file.touch(0o600)
        file.write_bytes(text)
        os.chown(file, 0, group)
        file.chmod(mode)
    return folder


def _claimed(pod: Json, claim: str, kube: Kube, group: int) -> Path:
    """The folder of this machine behind a claim, which its group may write to."""
    space = pod["metadata"]["namespace"]
    found = kube.get(f"/api/v1/namespaces/{space}/persistentvolumeclaims/{claim}")
    volume = kube.get(f"/api/v1/persistentvolumes/{found['spec']['volumeName']}")
    folder = Path(volume["spec"]["hostPath"]["path"])
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, 0, group)
    folder.chmod(0o2770)
    return folder


def _secret(pod: Json, name: str, kube: Kube) -> dict[str, bytes]:
    space = pod["metadata"]["namespace"]
    try:
        found = kube.get(f"/api/v1/namespaces/{space}/secrets/{name}")
    except Refused as refused:
        raise Unknown(f"the Secret {space}/{name}: {refused}") from refused
    return {key: base64.b64decode(value) for key, value in found["data"].items()}


def probe_address(container: Json, probe: Json) -> tuple[int, str]:
    """The port and path of a probe by HTTP; the port may be named."""
    if "httpGet" not in probe:
        raise Unknown("a probe without httpGet is not known to this node")
    asked = probe["httpGet"]
    return port(container.get("ports", []), asked["port"]), asked.get("path", "/")


def port(ports: Sequence[Json], name: int | str) -> int:
    """The number of a port that may be named."""
    if isinstance(name, int):
        return name
    return int(next(one["containerPort"] for one in ports if one["name"] == name))
