"""How git reaches a remote: address, login, keys, deadline. What a failure means: `failures`.

A secret goes to git in the environment of that one call. It is never an argument, never in a
configuration file, and it is removed from whatever git prints.
"""

import base64
import ipaddress
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from flows.adapters import process
from sluice.errors import UsageError

_USER = "x-access-token"  # the user that GitHub requires with a token; GitLab and others accept it
# Answers git when it asks for a login. The shell reads it from the environment, so that it is an
# argument of no process.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$SLUICE_LOGIN"'
    ' "$SLUICE_PASSWORD"; }; f'
)
_TOKEN = 20  # a user without a password that has as many characters is taken for a token
_SCHEMES = ("file", "http", "https", "ssh")
_WRITE = "Write SLUICE_MANIFESTS as https://host/path, ssh://user@host/path or a path."
# A sign that ends a line or steers a terminal: git takes none in an address.
_STEERING = re.compile(r"[\x00-\x1f\x7f]")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:@\[\]\\?#]+)(?::([^:]{0,20}))?")
_PORTS = 65_536
_LIMITS = ("-c", "http.lowSpeedLimit=1")


@dataclass(frozen=True)
class Files:
    """Paths of files that a connection needs; empty for what the system has.

    `authorities` is a bundle of certificates in PEM, `key` a private key for ssh, `known_hosts` the
    host keys that ssh accepts.
    """

    authorities: str = ""
    key: str = field(default="", repr=False)
    known_hosts: str = ""


@dataclass(frozen=True)
class Access:
    """A remote: its URL without a login, and what opens it. No `repr` shows the password.

    `timeout` is in seconds, for each call.
    """

    url: str
    login: str = ""
    password: str = field(default="", repr=False)
    files: Files = Files()
    timeout: float = 60.0

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every form in which the password, or a token in the place of a user, could be printed;
        the longest first.
        """
        plain = {self.password or self.login} - {""}
        pair = base64.b64encode(f"{self.login}:{self.password}".encode()).decode() if plain else ""
        forms = plain | {quote(word, safe="") for word in plain} | {pair} - {""}
        return tuple(sorted(forms, key=len, reverse=True))


_NO_FILES = Files()


def access(
    url: str,
    user: str = "",
    token: str = "",
    *,
    files: Files = _NO_FILES,
    timeout: float = 60.0,
) -> Access:
    """The remote of a URL, without the login that stands in it; `user` and `token` win over that.

    `timeout` is in seconds. Raises UsageError for an address that git would take for an option or
    a program, and for a secret that would go over plain http to another machine.
    """
    _require_address(url)
    clean, login, password = _split(url)
    name = user or login
    if token and not name:
        name = _USER
    found = Access(clean, name, token or password, files, timeout)
    _require_privacy(found)
    return found


def _require_address(url: str) -> None:
    """Refuse what git would not take for the address of a repository, or for one of its settings,
    in which the address stands. git itself would say so in words of its own.
    """
    shown = process.without_login(url)
    if url.startswith("-"):
        raise UsageError(f"the manifest repo is {shown!r}, and an address is required", _WRITE)
    steering = _STEERING.search(unquote(url))
    if steering:
        raise UsageError(
            f"the address of the manifest repo holds {steering[0]!r}; one line of visible"
            " characters is required",
            _WRITE,
        )
    scheme = re.match(r"([A-Za-z0-9+.-]+)(://|::)", url)
    if scheme and (scheme[1] not in _SCHEMES or scheme[2] == "::"):
        raise UsageError(
            f"the scheme of the manifest repo is {scheme[1]!r};"
            f" {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]} is required",
            _WRITE,
        )
    named = url.partition(":")[0]
    if not scheme and named in _SCHEMES and named != url:
        raise UsageError(
            f"the manifest repo is {shown!r}; '://' is required behind {named!r}", _WRITE
        )
    if scheme:
        _require_host(scheme[1], url.partition("://")[2].partition("/")[0].rpartition("@")[2])


def _require_host(scheme: str, authority: str) -> None:
    """Refuse a host, with its port where one is named, that no server can have."""
    if scheme == "file":
        if authority:
            raise UsageError(
                f"the manifest repo is on the host {authority!r}; file:// reaches this machine"
                " alone, and no host is required",
                "Write SLUICE_MANIFESTS as file:///path or /path.",
            )
        return
    found = _HOST_AND_PORT.fullmatch(authority)
    if not found:  # a piece of a password may stand here, so it is not shown
        raise UsageError("the address of the manifest repo names no host; one is required", _WRITE)
    host, port = unquote(found[1]), found[2] or ""
    if host.startswith("-"):
        raise UsageError(
            f"the host of the manifest repo is {host!r}, and a name is required", _WRITE
        )
    if port and not (port.isdecimal() and 0 < int(port) < _PORTS):
        raise UsageError(
            "the port of the manifest repo is out of range or no number; a number from 1 to"
            f" {_PORTS - 1} is required",
            _WRITE,
        )


def _require_privacy(to: Access) -> None:
    """Refuse to send a secret where everybody on the way could read it."""
    parts = urlsplit(to.url)
    if parts.scheme == "http" and to.secrets and not _is_loopback(parts.hostname or ""):
        raise UsageError(
            f"the manifest repo is {to.url}, which would carry the token in the clear;"
            " https is required with one",
            "Write https:// into SLUICE_MANIFESTS, or unset SLUICE_GIT_TOKEN.",
        )


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or its address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reached(remote: str | Access) -> Access:
    """The access of a remote, also where it is named by its URL alone."""
    if isinstance(remote, str):
        return access(remote)
    return remote


def address(url: str) -> str:
    """The URL, a local path as file://, so that git makes shallow clones of it too."""
    if "://" in url or re.match(r"[\w.-]+@?[\w.-]*:", url):
        return url
    return Path(url).absolute().as_uri()


def options(to: Access) -> list[str]:
    """The options of git for this remote: none of them is secret."""
    words = [*_LIMITS, "-c", f"http.lowSpeedTime={max(1, int(to.timeout))}"]
    if to.login:
        parts = urlsplit(to.url)
        # The user's own helpers would store the password, and a helper for all hosts would give it
        # to another one after a redirect.
        words += ["-c", "credential.helper="]
        words += ["-c", f"credential.{parts.scheme}://{parts.netloc}.helper={_HELPER}"]
    return words


def environment(to: Access, *, own_ssh: bool = False) -> dict[str, str]:
    """The variables that are added to git's environment for this remote.

    A key or host keys of Sluice's own settings need an ssh command of ours. Without them it stands
    in where the user has no command of their own: `own_ssh` says that their git names one.
    """
    variables: dict[str, str] = {}
    if to.login:
        variables |= {"SLUICE_LOGIN": to.login, "SLUICE_PASSWORD": to.password}
    if to.files.authorities:
        variables["GIT_SSL_CAINFO"] = to.files.authorities
    own_ssh = own_ssh or bool({"GIT_SSH", "GIT_SSH_COMMAND"} & set(os.environ))
    if to.files.key or to.files.known_hosts or (uses_ssh(to) and not own_ssh):
        variables |= {"GIT_SSH_COMMAND": _ssh(to), "GIT_SSH_VARIANT": "ssh"}
    return variables


def uses_ssh(to: Access) -> bool:
    """Whether git calls ssh to reach it."""
    return re.match(r"ssh:|[\w.-]+@?[\w.-]*:(?!//)", to.url) is not None


def _ssh(to: Access) -> str:
    """The ssh command: it asks nobody, and connects to no host that it does not know."""
    words = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    words += ["-o", f"ConnectTimeout={max(1, int(to.timeout))}", "-o", "ServerAliveInterval=15"]
    if to.files.known_hosts:
        words += ["-o", f"UserKnownHostsFile={to.files.known_hosts}"]
        words += ["-o", "GlobalKnownHostsFile=/dev/null"]
    if to.files.key:
        words += ["-F", "/dev/null", "-i", to.files.key, "-o", "IdentitiesOnly=yes"]
    return shlex.join(words)


def _split(url: str) -> tuple[str, str, str]:
    """The URL without a login, user and password. The user of ssh is no secret and stays."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in ("http", "https"):
        return address(url), "", ""
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    user, colon, password = login.partition(":")
    # A name for the user's own credential helper, or nothing at all.
    if not colon and len(user) < _TOKEN:
        return url, "", ""
    return f"{scheme}://{host}{slash}{path}", unquote(user), unquote(password)


def hidden(to: Access, text: str) -> str:
    """The text without anything that opens the remote."""
    for secret in to.secrets:
        text = text.replace(secret, "***")
    return process.without_login(text)
