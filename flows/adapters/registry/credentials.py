"""What `podman login` and `docker login` left behind for a registry.

Read when needed, never shown, never kept.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from flows.adapters.process import CommandFailed, run

_PORTAL = "docker.io"
_PORTAL_HOSTS = ("registry-1.docker.io", "index.docker.io")
_PORTAL_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")  # as docker asks
# The user that a credential helper names where its secret is a refresh token.
_TOKEN_USER = "<token>"  # noqa: S105 - no password


class Login(NamedTuple):
    """A user and a password."""

    user: str
    password: str


@dataclass(frozen=True)
class RefreshToken:
    """What a server of tokens takes in the place of a password (OAuth 2, RFC 6749 section 6)."""

    secret: str = field(repr=False)


Kept = Login | RefreshToken
_Value = TypeVar("_Value")


class _Auth(msgspec.Struct, frozen=True):
    """A login as it is kept in the file itself: `user:password` in base64, or a refresh token."""

    auth: str | None = None
    identitytoken: str | None = None
    username: str | None = None
    password: str | None = None


class _Logins(msgspec.Struct, frozen=True, rename="camel"):
    """A file of logins: kept in it, or in credential stores, which programs read."""

    auths: dict[str, _Auth | None] | None = None
    cred_helpers: dict[str, str] | None = None
    creds_store: str | None = None


class _Secret(msgspec.Struct, frozen=True, rename="pascal"):
    """What a credential helper answers."""

    username: str
    secret: str


def find(host: str, repository: str) -> Kept | None:
    """What is kept for a repository, from the first file or credential store that knows it.

    `host` may have its port, and one that is the default of https is as good as none. A file that
    is missing or not of this format is passed over; None where no login is kept.
    """
    for path in _files():
        try:
            logins = msgspec.json.decode(path.read_bytes(), type=_Logins)
        except (OSError, ValueError, RecursionError):
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


def _login(logins: _Logins, host: str, repository: str) -> Kept | None:
    """The login of one file for a repository, the most specific name first."""
    auths = _by_name(logins.auths or {})
    helpers = _by_name(logins.cred_helpers or {})
    for name in _names(host, repository):
        key, helper = helpers.get(name, ("", ""))
        written, entry = auths.get(name, ("", None))
        if not helper and written:
            key, helper = written, logins.creds_store or ""
        login = _ask(helper, key) if helper else _plain(entry)
        if login:
            return login
    return _of_store(logins, host)


def _of_store(logins: _Logins, host: str) -> Kept | None:
    """The login that the store of all servers has for one that the file does not name: `ecr-login`
    and others make it when they are asked.
    """
    if not logins.creds_store:
        return None
    server = _name(host)
    keys = _PORTAL_KEYS if server in _PORTAL_HOSTS else (host, server)
    answers = (_ask(logins.creds_store, key) for key in dict.fromkeys(keys))
    return next((login for login in answers if login), None)


def _by_name(entries: Mapping[str, _Value]) -> dict[str, tuple[str, _Value]]:
    """The entries of a file by the one name of their server, each with the name written there.

    Of two that are written differently and mean the same, the first holds.
    """
    found: dict[str, tuple[str, _Value]] = {}
    for key, value in entries.items():
        found.setdefault(_name(key), (key, value))
    return found


def _name(key: str) -> str:
    """The one name of a server, or of a path on it, however it is written in a file of logins.

    Without a scheme, without the path of an API, without the default port, the host in lower case.
    """
    server, slash, path = key.removeprefix("https://").removeprefix("http://").partition("/")
    server = server.lower().removesuffix(":443")
    path = path.strip("/")
    if path in ("", "v1", "v2"):
        return server
    return f"{server}{slash}{path}"


def _names(host: str, repository: str) -> Iterator[str]:
    """The names under which a login may be kept: the most specific path first, then the host."""
    server = _name(host)
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join([server, *parts[:length]])
    yield server
    if server in _PORTAL_HOSTS:
        yield from (_PORTAL, "index.docker.io")


def _plain(entry: _Auth | None) -> Kept | None:
    """The login of an entry; None where it holds none. A refresh token goes before a password."""
    if entry is None:
        return None
    if entry.identitytoken:
        return RefreshToken(entry.identitytoken)
    if entry.auth:
        return _decoded(entry.auth)
    if entry.username and entry.password:
        return Login(entry.username, entry.password)
    return None


def _decoded(auth: str) -> Login | None:
    """The login of `user:password` in base64; None where it is something else."""
    try:
        user, colon, password = base64.b64decode(auth).decode().partition(":")
    except ValueError:
        return None
    # Old clients of docker filled the password up with NULs.
    return Login(user, password.strip("\0")) if colon else None


def _ask(helper: str, key: str) -> Kept | None:
    """Ask a credential helper; one that knows nothing ends with an error, which is an answer."""
    try:
        answer = run([f"docker-credential-{helper}", "get"], stdin=key, timeout=30).stdout
        login = msgspec.json.decode(answer, type=_Secret)
    except (CommandFailed, ValueError, RecursionError):
        return None
    if login.username == _TOKEN_USER:
        return RefreshToken(login.secret)
    return Login(login.username, login.secret)
