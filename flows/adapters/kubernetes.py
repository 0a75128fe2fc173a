"""Kubernetes: what a Rollout and what belongs to it say, read and never written.

Everything is listed anew each time (levels, not edges): a watch has no read time-out in this
client, and whoever missed an event would never hear of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import yaml

from sluice.canary.rollout import (
    AnalysisRun,
    ReplicaSet,
    Rollout,
    Seen,
    belongs,
    runs_image,
)
from sluice.errors import Retryable, SluiceError, UsageError, cause

if TYPE_CHECKING:
    from lightkube import Client

IN_CLUSTER = "in-cluster"
_SECONDS = 5.0  # that one answer may take
_REFUSED, _UNKNOWN = (401, 403), 404
_UNREADABLE = (msgspec.MsgspecError, yaml.YAMLError)
_Kind = TypeVar("_Kind", bound=msgspec.Struct)


@dataclass(frozen=True)
class Place:
    """Where a Rollout is: the context of a kubeconfig (or IN_CLUSTER), and a namespace."""

    context: str
    namespace: str


def seen(place: Place, image: str) -> Seen:
    """What the Rollout that runs this image (a name without tag) says, with its ReplicaSets and
    AnalysisRuns.

    Raises UsageError where the context is not there, SluiceError where there is no such Rollout or
    it may not be read, Retryable where nobody answers.
    """
    with _asking(place) as client:
        rollouts = _listed(client, place, ("argoproj.io", "Rollout", "rollouts"), Rollout)
        rollout = _only(place, image, rollouts)
        versions = _listed(client, place, ("apps", "ReplicaSet", "replicasets"), ReplicaSet)
        kind = ("argoproj.io", "AnalysisRun", "analysisruns")
        runs = _listed(client, place, kind, AnalysisRun)
    return Seen(
        image,
        rollout,
        tuple(one for one in versions if belongs(one.metadata, rollout)),
        tuple(
            sorted((run for run in runs if belongs(run.metadata, rollout)), key=_began),
        ),
    )


def _began(run: AnalysisRun) -> tuple[str, str]:
    return run.metadata.creation_timestamp, run.metadata.name


def _only(place: Place, image: str, rollouts: list[Rollout]) -> Rollout:
    """The Rollout that runs an image."""
    found = [one for one in rollouts if runs_image(one, image)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(one.metadata.name for one in found))
    raise SluiceError(
        f"{len(found)} Rollouts in namespace {place.namespace} run {image}"
        f"{f' ({names})' if names else ''}; 1 is required",
        "Look whether Argo CD has synced, and whether SLUICE_CLUSTER and"
        " SLUICE_CLUSTER_NAMESPACE name the right place.",
    )


@contextmanager
def _asking(place: Place) -> "Iterator[Client]":
    """A client, and what goes wrong while it is used as an error of ours."""
    import httpx2
    from lightkube import ApiError, Client
    from lightkube.core.exceptions import ConfigError

    try:
        with Client(_config(place), timeout=httpx2.Timeout(_SECONDS)) as client:
            yield client
    except ConfigError as error:
        raise UsageError(
            f"SLUICE_CLUSTER is {place.context!r}: {error}",
            f"Name a context of your kubeconfig, or `{IN_CLUSTER}` in a pod.",
        ) from None
    except ApiError as error:
        raise _refusal(place, int(error.status.code or 0), str(error)) from None
    except httpx2.HTTPStatusError as error:
        raise _refusal(place, error.response.status_code, str(error)) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise Retryable(
            f"the API of cluster {place.context} does not answer ({cause(error)})",
            "Look whether it runs, and whether SLUICE_CLUSTER names it.",
        ) from None


def _config(place: Place) -> Any:
    """How the cluster is reached. Raises ConfigError, UsageError."""
    import os

    from lightkube import KubeConfig
    from lightkube.core.exceptions import ConfigError

    if place.context == IN_CLUSTER:
        try:
            return KubeConfig.from_service_account().get()
        except KeyError as error:
            raise ConfigError(f"{error.args[0]} is not set") from None
    # As kubectl has it: several files, of which some may be missing.
    named = [one for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    files = named or ["~/.kube/config"]
    there = [file for file in files if Path(file).expanduser().is_file()]
    try:
        configs = [KubeConfig.from_file(file) for file in there or files]
        found = next((one for one in configs if place.context in one.contexts), None)
        if found is not None:
            return found.get(place.context)
    except (KeyError, TypeError, AttributeError, ValueError, OSError, *_UNREADABLE) as error:
        why = cause(error).splitlines()[0]
        raise ConfigError(f"{', '.join(files)} cannot be read ({why})") from None
    raise ConfigError(f"no context of that name in {', '.join(files)}")


def _refusal(place: Place, code: int, said: str) -> SluiceError:
    """What an answer that is none means."""
    if code in _REFUSED:
        return SluiceError(
            f"the cluster refuses to be asked ({code}: {said})",
            f"Let this user get and list rollouts, analysisruns and replicasets in"
            f" {place.namespace}.",
        )
    if code == _UNKNOWN:
        return SluiceError(
            f"the cluster does not know Rollouts ({code}: {said})", "Install Argo Rollouts in it."
        )
    return Retryable(f"the cluster answers {code}: {said}", "Run it again.")


def _listed(
    client: "Client", place: Place, kind: tuple[str, str, str], shape: type[_Kind]
) -> list[_Kind]:
    """All objects of a kind (group, kind, plural) in the namespace."""
    from lightkube.generic_resource import create_namespaced_resource

    group, name, plural = kind
    version = "v1" if group == "apps" else "v1alpha1"
    resource = create_namespaced_resource(group, version, name, plural)
    try:
        return [
            msgspec.convert(dict(one), shape)
            for one in client.list(resource, namespace=place.namespace)
        ]
    except msgspec.ValidationError as error:
        raise SluiceError(
            f"a {name} of the cluster is not what it should be: {error}",
            "Look whether its version of Argo Rollouts is one that Sluice knows.",
        ) from None
