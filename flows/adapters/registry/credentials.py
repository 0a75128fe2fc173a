"""What `podman login` and `docker login` left behind for a registry. Read when needed, never shown,
never kept.
"""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.adapters.process import CommandFailed, run

_PORTAL = "docker.io"
_PORTAL_HOSTS = ("registry-1.docker.io", "index.docker.io")


def find(host: str, repository: str) -> tuple[str, str] | None:
    """User and password for a repository, from the first file or credential store that knows it."""
    for path in _files():
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found = _in(config, host, repository) if isinstance(config, dict) else None
        if found:
            return found
    return None


def _files() -> Iterator[Path]:
    """Where the tools of containers keep logins, in the order in which they look."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    if named:
        yield Path(named)
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
    yield Path(runtime) / "containers" / "auth.json"
    yield Path(f"/run/containers/{os.getuid()}") / "auth.json"
    yield (
        Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        / "containers"
        / "auth.json"
    )
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _in(config: dict[str, Any], host: str, repository: str) -> tuple[str, str] | None:
    auths, helpers = config.get("auths") or {}, config.get("credHelpers") or {}
    for key in _keys(host, repository):
        helper = helpers.get(key) or (config.get("credsStore") if key in auths else None)
        found = _ask(str(helper), key) if helper else _plain(auths.get(key) or {})
        if found:
            return found
    return None


def _keys(host: str, repository: str) -> Iterator[str]:
    """The names under which a login may be kept: the most specific path first, then the host."""
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join([host, *parts[:length]])
    yield from (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    if host in _PORTAL_HOSTS:
        yield from (_PORTAL, "https://index.docker.io/v1/")


def _plain(entry: dict[str, Any]) -> tuple[str, str] | None:
    try:
        user, colon, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    except ValueError:
        return None
    return (user, password) if colon else None


def _ask(helper: str, key: str) -> tuple[str, str] | None:
    """Ask a credential helper; one that knows nothing ends with an error, which is an answer."""
    try:
        answer = json.loads(
            run([f"docker-credential-{helper}", "get"], stdin=key, timeout=30).stdout
        )
        return str(answer["Username"]), str(answer["Secret"])
    except (CommandFailed, ValueError, KeyError):
        return None
