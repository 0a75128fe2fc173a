"""How a git remote is reached: login, keys, authorities and a deadline, handed to git out of sight;
and what failed.

A secret goes to git by the environment of that one call. It is never an argument, never in a
configuration file, and taken out of whatever git says.
"""

import base64
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from flows.adapters import process
from sluice.errors import Retryable, SluiceError, UsageError

_USER = "x-access-token"  # what GitHub wants with a token, and GitLab and others accept
# Answers git when it asks for a login; the shell reads it from the environment, so it is no
# argument of anything.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$SLUICE_LOGIN"'
    ' "$SLUICE_PASSWORD"; }; f'
)
_TOKEN = 20  # characters from which on a user without a password is taken for a token
_LATE = 124
_LIMITS = ("-c", "http.lowSpeedLimit=1")


@dataclass(frozen=True)
class Access:
    """A remote without its login, and apart from it what opens it; the password is in no `repr`."""

    url: str
    login: str = ""
    password: str = field(default="", repr=False)
    authorities: str = ""
    key: str = field(default="", repr=False)
    known_hosts: str = ""
    timeout: float = 60.0

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every form in which the password, or a token in the place of a user, could show up; the
        longest first.
        """
        plain = {self.password or self.login} - {""}
        pair = base64.b64encode(f"{self.login}:{self.password}".encode()).decode() if plain else ""
        forms = plain | {quote(word, safe="") for word in plain} | {pair} - {""}
        return tuple(sorted(forms, key=len, reverse=True))


def access(
    url: str,
    user: str = "",
    token: str = "",
    *,
    authorities: str = "",
    key: str = "",
    known_hosts: str = "",
    timeout: float = 60.0,
) -> Access:
    """The remote of a URL; a login that stands in it is taken out of it. A user and token given
    apart win.
    """
    clean, login, password = _split(url)
    return Access(
        clean,
        user or login or (_USER if token else ""),
        token or password,
        authorities,
        key,
        known_hosts,
        timeout,
    )


def reached(remote: str | Access) -> Access:
    """The access of a remote that is named by its URL alone."""
    return access(remote) if isinstance(remote, str) else remote


def address(url: str) -> str:
    """A URL that git treats like any remote: a local path becomes file://, so that clones of it can
    be shallow.
    """
    return (
        Path(url).absolute().as_uri()
        if "://" not in url and not re.match(r"[\w.-]+@?[\w.-]*:", url)
        else url
    )


def options(to: Access) -> list[str]:
    """The options of git for this remote: none of them is secret."""
    words = [*_LIMITS, "-c", f"http.lowSpeedTime={max(1, int(to.timeout))}"]
    if to.login:
        parts = urlsplit(to.url)
        # Helpers of the user would be told to keep the password, and another host would be given it
        # after a redirect.
        words += [
            "-c",
            "credential.helper=",
            "-c",
            f"credential.{parts.scheme}://{parts.netloc}.helper={_HELPER}",
        ]
    return words


def environment(to: Access) -> dict[str, str]:
    """What git finds in its environment for this remote."""
    given = {"SLUICE_LOGIN": to.login, "SLUICE_PASSWORD": to.password} if to.login else {}
    if to.authorities:
        given["GIT_SSL_CAINFO"] = to.authorities
    ssh = re.match(r"ssh:|[\w.-]+@?[\w.-]*:(?!//)", to.url) and not {
        "GIT_SSH",
        "GIT_SSH_COMMAND",
    } & set(os.environ)
    if to.key or to.known_hosts or ssh:
        given |= {"GIT_SSH_COMMAND": _ssh(to), "GIT_SSH_VARIANT": "ssh"}
    return given


def _ssh(to: Access) -> str:
    """ssh that asks nobody anything and talks to no host it does not know."""
    words = [
        "ssh",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        f"ConnectTimeout={max(1, int(to.timeout))}",
        "-o",
        "ServerAliveInterval=15",
    ]
    if to.known_hosts:
        words += [
            "-o",
            f"UserKnownHostsFile={to.known_hosts}",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
        ]
    if to.key:
        words += ["-F", "/dev/null", "-i", to.key, "-o", "IdentitiesOnly=yes"]
    return shlex.join(words)


def _split(url: str) -> tuple[str, str, str]:
    """URL, user and password; of ssh the user is no secret and stays."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in ("http", "https"):
        return address(url), "", ""
    place, slash, path = rest.partition("/")
    login, _, host = place.rpartition("@")
    user, colon, password = login.partition(":")
    # a name for the user's own credential helper, or nothing at all
    if not colon and len(user) < _TOKEN:
        return url, "", ""
    return f"{scheme}://{host}{slash}{path}", unquote(user), unquote(password)


def hidden(to: Access, text: str) -> str:
    """The same text without anything that opens the remote."""
    for secret in to.secrets:
        text = text.replace(secret, "***")
    return process.without_login(text)


_WHY: tuple[tuple[str, type[SluiceError], str], ...] = (
    (
        r"Host key verification failed|host key is known|HOST IDENTIFICATION HAS CHANGED",
        UsageError,
        "Put the key that its operator publishes into the file that SLUICE_KNOWN_HOSTS names.",
    ),
    (
        r"certificate",
        UsageError,
        "Name the bundle of its authority in SLUICE_CA, and check the clock of this machine.",
    ),
    (
        r"[Aa]uthentication failed|could not read (Username|Password)|Permission denied"
        r" \(|(error:|HTTP) 401"
        r"|Invalid username or password|invalid credentials",
        UsageError,
        "Check SLUICE_GIT_TOKEN (and SLUICE_GIT_USER) for https, SLUICE_GIT_KEY for ssh.",
    ),
    (
        r"hook declined|protected branch|prohibited|(error:|HTTP) 403|not authorized|service not"
        r" enabled"
        r"|access denied",
        SluiceError,
        (
            "Check the rights of the credentials and the protection of the branch;"
            " SLUICE_MODE=branch proposes instead."
        ),
    ),
    (
        r"dubious ownership",
        UsageError,
        "Give the folder to the user that runs this, or tell git: safe.directory.",
    ),
    (
        r"No space left on device|[Dd]isk quota exceeded",
        SluiceError,
        "Free space there, then run it again.",
    ),
    (
        (
            r"Read-only file system|insufficient permission|Permission denied|unable to create"
            r" temporary object"
        ),
        SluiceError,
        "Let the server, or the folder, be written to.",
    ),
)


def failure(to: Access, result: process.Result) -> SluiceError:
    """What a failed call to a remote means: permanent, or worth another try."""
    shown = hidden(to, to.url)
    if result.code == _LATE:
        return Retryable(
            f"{shown} did not answer within {to.timeout:g} seconds",
            "Try again, or allow more in SLUICE_GIT_TIMEOUT.",
        )
    lines = hidden(to, result.stderr + result.stdout).splitlines()
    said = " ".join(line.strip() for line in lines if line.strip())[-600:]
    for pattern, kind, fix in _WHY:
        # What the remote is called must not decide: a path may have 403 in it.
        if re.search(pattern, said.replace(shown, "")):
            return kind(f"{shown} refused: {said}", fix)
    return Retryable(
        f"{shown} did not answer as a git repository: {said}",
        "Check SLUICE_MANIFESTS, then try again.",
    )
