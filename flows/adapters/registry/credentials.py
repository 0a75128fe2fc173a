"""What `podman login` and `docker login` left behind for a registry.

Read when needed, never shown, never kept.
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from flows.adapters.process import CommandFailed, run

_PORTAL = "docker.io"
_PORTAL_HOSTS = ("registry-1.docker.io", "index.docker.io")


Login = tuple[str, str]  # user and password


class _Auth(msgspec.Struct, frozen=True):
    """A login as it is kept in the file itself: `user:password` in base64."""

    auth: str | None = None


class _Logins(msgspec.Struct, frozen=True, rename="camel"):
    """A file of logins: kept in it, or in credential stores, which programs read."""

    auths: dict[str, _Auth | None] | None = None
    cred_helpers: dict[str, str] | None = None
    creds_store: str | None = None


class _Secret(msgspec.Struct, frozen=True, rename="pascal"):
    """What a credential helper answers."""

    username: str
    secret: str


def find(host: str, repository: str) -> Login | None:
    """User and password for a repository, from the first file or credential store that knows it.

    A file that is missing or not of this format is passed over; None where no login is kept.
    """
    for path in _files():
        try:
            logins = msgspec.json.decode(path.read_bytes(), type=_Logins)
        except (OSError, ValueError):
            continue
        login = _login(logins, host, repository)
        if login:
            return login
    return None


def _files() -> Iterator[Path]:
    """Where the tools of containers keep logins, in the order in which they look."""
    given = os.environ.get("REGISTRY_AUTH_FILE")
    if given:
        yield Path(given)
    of_user = f"/run/containers/{os.getuid()}"
    runtime = os.environ.get("XDG_RUNTIME_DIR") or of_user
    yield Path(runtime) / "containers" / "auth.json"
    yield Path(of_user) / "auth.json"
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    yield Path(settings) / "containers" / "auth.json"
    docker = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    yield Path(docker) / "config.json"


def _login(logins: _Logins, host: str, repository: str) -> Login | None:
    """The login of one file for a repository, the most specific name first."""
    auths = logins.auths or {}
    helpers = logins.cred_helpers or {}
    for key in _keys(host, repository):
        helper = helpers.get(key)
        if not helper and key in auths:
            helper = logins.creds_store
        login = _ask(helper, key) if helper else _plain(auths.get(key))
        if login:
            return login
    return None


def _keys(host: str, repository: str) -> Iterator[str]:
    """The names under which a login may be kept: the most specific path first, then the host."""
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join([host, *parts[:length]])
    yield from (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    if host in _PORTAL_HOSTS:
        yield from (_PORTAL, "https://index.docker.io/v1/")


def _plain(entry: _Auth | None) -> Login | None:
    """The login of an entry; None where it holds none."""
    if entry is None or not entry.auth:
        return None
    try:
        user, colon, password = base64.b64decode(entry.auth).decode().partition(":")
    except ValueError:
        return None
    return (user, password) if colon else None


def _ask(helper: str, key: str) -> Login | None:
    """Ask a credential helper; one that knows nothing ends with an error, which is an answer."""
    try:
        answer = run([f"docker-credential-{helper}", "get"], stdin=key, timeout=30).stdout
        login = msgspec.json.decode(answer, type=_Secret)
    except (CommandFailed, ValueError):
        return None
    return login.username, login.secret
