"""What a story finds on a cluster before its first release, and what is taken away after it."""

import base64
import os
import time
from pathlib import Path
from typing import Any

from support.cluster.candidates import MODEL
from support.cluster.description import Cluster
from support.cluster.kube import Kube
from support.cluster.waiting import until

from sluice.errors import UsageError

SPACE = "attrition"
JUDGES = "sluice"  # the namespace of the judge
JUDGE_PORT = 8080  # the one that the analysis names
USER = 1034  # of every pod, in the manifests; its group has the same number
APPLICATION = f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{MODEL}"
# On each namespace that a scene makes.
_OURS = {"sluice.example.com/made-by": "a-scene"}
Json = dict[str, Any]


def clear(kube: Kube) -> None:
    """Take away what an earlier story left. Raises UsageError for a namespace that none made: it
    is somebody's.
    """
    names = [SPACE, f"{SPACE}-staging", JUDGES]
    paths = [f"/api/v1/namespaces/{name}" for name in names]
    for name, path in zip(names, paths, strict=True):
        there = kube.find(path)
        if there and not _OURS.items() <= there["metadata"].get("labels", {}).items():
            raise UsageError(
                f"the namespace {name} of this cluster was not made by a scene, which would delete"
                " it",
                "Play scenes on a cluster that nobody uses.",
            )
    kube.delete(APPLICATION)
    for path in paths:
        kube.delete(path)
    until(lambda: all(kube.find(path) is None for path in paths), 120)
    disk_of_log = "/api/v1/persistentvolumes/predictions"
    kube.delete(disk_of_log)
    until(lambda: kube.find(disk_of_log) is None, 60)


def ours(namespaces: list[Json]) -> list[Json]:
    """Namespaces with the label that lets `clear` take them away."""
    for one in namespaces:
        one["metadata"]["labels"] = one["metadata"].get("labels", {}) | _OURS
    return namespaces


def address_of_judge(host: str) -> list[Json]:
    """The address of the judge that the analysis names, which leads to this machine: what is done
    for a server outside of a cluster.
    """
    about = {"name": "sluice-judge", "namespace": JUDGES}
    ports = [{"name": "http", "port": JUDGE_PORT, "protocol": "TCP"}]
    labels = {"kubernetes.io/service-name": about["name"]}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": JUDGES}}
    return [
        *ours([space]),
        {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": {"ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**about, "labels": labels},
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [host]}],
        },
    ]


def disks_of(cluster: Cluster) -> Path:
    """A new folder of this machine, in which nodes find the volumes of one story."""
    return Path(cluster.disks) / str(time.time_ns())


def disk(folder: Path) -> Path:
    """Make a folder to which the pods may write."""
    folder.mkdir(parents=True)
    os.chown(folder, 0, USER)
    folder.chmod(0o2770)
    return folder


def secret(name: str, key: str, value: str) -> Json:
    """A Secret of one key."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": SPACE},
        "data": {key: base64.b64encode(value.encode()).decode()},
    }


def volume(name: str, folder: Path, mode: str = "ReadWriteMany") -> Json:
    """A disk of this name: a folder, which the first claim of its mode gets."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": [mode],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder)},
        },
    }
