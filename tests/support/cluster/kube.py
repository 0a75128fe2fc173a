"""What the tests and the parts of the test cluster ask an API server, over plain HTTP; a kubeconfig
says where it is.
"""

import base64
import json
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2
import yaml

from sluice.errors import UsageError

_WHO = "sluice-tests"
_APPLY = {"content-type": "application/apply-patch+yaml"}
_MERGE = {"content-type": "application/merge-patch+json"}
_STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}


# Nobody answers.
Unreachable = httpx2.TransportError


class Refused(Exception):
    """The API server said no; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Kube:
    """An API server, as the user of a kubeconfig."""

    kubeconfig: Path

    @cached_property
    def _client(self) -> httpx2.Client:
        read = yaml.safe_load(self.kubeconfig.read_text())
        chosen = _named(read["contexts"], read["current-context"])["context"]
        cluster = _named(read["clusters"], chosen["cluster"])["cluster"]
        user = _named(read["users"], chosen["user"])["user"]
        trusted = ssl.create_default_context(cadata=_decoded(cluster, "certificate-authority-data"))
        if not {"token", "client-certificate-data"} & set(user):
            raise UsageError(
                f"the user {chosen['user']} of {self.kubeconfig} has neither a token nor a client"
                " certificate in it",
                "Write one with `kubectl config view --raw --flatten`, or make a token for an"
                " administrator with `kubectl create token`.",
            )
        headers = {"authorization": f"Bearer {user['token']}"} if "token" in user else {}
        if "client-certificate-data" in user:
            with tempfile.TemporaryDirectory() as folder:
                pem = Path(folder, "pem")
                pem.touch(0o600)
                pem.write_text(
                    _decoded(user, "client-certificate-data") + _decoded(user, "client-key-data")
                )
                trusted.load_cert_chain(pem)
        return httpx2.Client(
            base_url=cluster["server"],
            verify=trusted,
            headers=headers,
            timeout=30,
            trust_env=False,
        )

    @cached_property
    def _kinds(self) -> dict[tuple[str, str], tuple[str, bool]]:
        return {}

    def beside(self, path: Path, user: Mapping[str, str]) -> Path:
        """Write a kubeconfig of another user of the same server."""
        read = yaml.safe_load(self.kubeconfig.read_text())
        chosen = _named(read["contexts"], read["current-context"])["context"]
        cluster = _named(read["clusters"], chosen["cluster"])["cluster"]
        authority = _decoded(cluster, "certificate-authority-data").encode()
        return kubeconfig(path, cluster["server"], authority, user)

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def get(self, path: str) -> Any:
        """The JSON below this path."""
        return self._ask("GET", path)

    def log(self, space: str, pod: str) -> str:
        """What a pod has printed so far; empty where it does not run yet."""
        reply = self._client.get(f"/api/v1/namespaces/{space}/pods/{pod}/log")
        return reply.text if reply.is_success else ""

    def find(self, path: str) -> Any:
        """The same, and None where there is no such thing."""
        try:
            return self.get(path)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def post(self, path: str, document: Mapping[str, Any]) -> Any:
        """Make something that is not there yet."""
        return self._ask("POST", path, json.dumps(document), {"content-type": "application/json"})

    def merge(self, path: str, change: Mapping[str, Any]) -> Any:
        """Change fields; lists are replaced."""
        return self._ask("PATCH", path, json.dumps(change), _MERGE)

    def strategic(self, path: str, change: Mapping[str, Any]) -> Any:
        """Change fields of a built-in kind; lists are merged by their keys."""
        return self._ask("PATCH", path, json.dumps(change), _STRATEGIC)

    def delete(self, path: str, options: Mapping[str, Any] | None = None) -> Any:
        """Take it away; what is gone is no error."""
        try:
            content = {"content-type": "application/json"}
            return self._ask("DELETE", path, json.dumps(options or {}), content)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def apply(self, document: Mapping[str, Any], *, dry: bool = False) -> Any:
        """Let it be as the document says, whoever wrote its fields before; with `dry` it is judged
        and defaulted, and nothing is kept.
        """
        asked = {"fieldManager": _WHO, "force": "true", "fieldValidation": "Strict"}
        if dry:
            asked["dryRun"] = "All"
        return self._ask("PATCH", self.path(document), json.dumps(document), _APPLY, asked)

    def apply_all(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Each of them, in this order."""
        for document in documents:
            self.apply(document)

    def path(self, document: Mapping[str, Any]) -> str:
        """Where an object is found."""
        about = document["metadata"]
        version = document["apiVersion"]
        plural, namespaced = self._kind(version, document["kind"])
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        within = f"/namespaces/{about.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{within}/{plural}/{about['name']}"

    def knows(self, version: str, kind: str) -> bool:
        """Whether the server lists a kind; one that is new is not listed at once."""
        if (version, kind) not in self._kinds:
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for one in (self.find(root) or {"resources": []})["resources"]:
                if "/" not in one["name"]:
                    self._kinds[version, one["kind"]] = one["name"], one["namespaced"]
        return (version, kind) in self._kinds

    def _kind(self, version: str, kind: str) -> tuple[str, bool]:
        """The name of a kind in addresses, and whether it lives in a namespace."""
        if not self.knows(version, kind):
            raise Refused(404, f"the server knows no {kind} of {version}")
        return self._kinds[version, kind]

    def _ask(
        self,
        method: str,
        path: str,
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        # An address that has parameters of its own keeps them where none are given.
        reply = self._client.request(method, path, content=content, headers=headers, params=params)
        if reply.status_code >= 400:
            raise Refused(reply.status_code, _message(reply))
        return reply.json()


def documents(path: Path) -> list[dict[str, Any]]:
    """The YAML documents of a file, or of all files of a folder, in their order."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    # The C parser: the definitions of kinds are megabytes.
    read = (yaml.load_all(file.read_text(), yaml.CSafeLoader) for file in files)
    return [document for several in read for document in several if document]


def kubeconfig(path: Path, server: str, authority: bytes, user: Mapping[str, str]) -> Path:
    """Write one for a user: a token, or a certificate and its key, encoded as they stand there."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sluice",
        "contexts": [{"name": "sluice", "context": {"cluster": "sluice", "user": "sluice"}}],
        "clusters": [
            {
                "name": "sluice",
                "cluster": {"server": server, "certificate-authority-data": encoded(authority)},
            }
        ],
        "users": [{"name": "sluice", "user": dict(user)}],
    }
    path.touch(0o600)
    path.write_text(json.dumps(document, indent=2))
    return path


def encoded(content: bytes) -> str:
    """As a kubeconfig has it."""
    return base64.b64encode(content).decode()


def _decoded(values: Mapping[str, str], name: str) -> str:
    return base64.b64decode(values[name]).decode()


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _message(reply: httpx2.Response) -> str:
    try:
        return str(reply.json()["message"])
    except (ValueError, KeyError):
        return reply.text[:500]
