"""How git reaches a remote (address, login, keys, deadline), and what its failures mean.

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
from sluice.errors import Retryable, SluiceError, UsageError

_USER = "x-access-token"  # the user that GitHub requires with a token; GitLab and others accept it
# Answers git when it asks for a login. The shell reads it from the environment, so that it is an
# argument of no process.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$SLUICE_LOGIN"'
    ' "$SLUICE_PASSWORD"; }; f'
)
_TOKEN = 20  # a user without a password that has as many characters is taken for a token
_SHOWN = 600  # characters of what git printed that an error shows
_SCHEMES = ("file", "http", "https", "ssh")
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
    """Refuse what git would not take for the address of a repository."""
    shown = process.without_login(url)
    fix = "Write SLUICE_MANIFESTS as https://host/path, ssh://user@host/path or a path."
    if url.startswith("-"):
        raise UsageError(f"the manifest repo is {shown!r}, and an address is required", fix)
    host = unquote(url.partition("://")[2].partition("/")[0].rpartition("@")[2])
    if host.startswith("-"):
        raise UsageError(f"the host of the manifest repo is {host!r}, and a name is required", fix)
    scheme = re.match(r"([A-Za-z0-9+.-]+)(://|::)", url)
    if scheme and (scheme[1] not in _SCHEMES or scheme[2] == "::"):
        raise UsageError(
            f"the scheme of the manifest repo is {scheme[1]!r};"
            f" {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]} is required",
            fix,
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


_RIGHTS = (
    "Check the rights of the credentials and the rules of the branch; SLUICE_MODE=branch proposes"
    " instead."
)
# What git prints -> kind of error, next step. The first pattern that matches decides.
_CAUSES: tuple[tuple[str, type[SluiceError], str], ...] = (
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
        r"(error:|HTTP) 403|not authorized|service not enabled|access denied",
        SluiceError,
        _RIGHTS,
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
# What git itself says where a program that it speaks to ended before its first word, and what then.
_NOT_A_WORD = "fatal: Could not read from remote repository."
_ADVICE = ("Please make sure you have the correct access rights", "and the repository exists.")
# How ssh begins a line where it did not come as far as the host, and what it says of one that is
# too slow: the two that waiting may help.
_UNREACHED, _SLOW = "ssh: ", "timed out"
_SSH_FIX = (
    "Check SLUICE_MANIFESTS, and SLUICE_GIT_KEY with the rights of that key. A host that is busy"
    " closes connections too: then run it again."
)
_KEY_FIX = "Name a key in SLUICE_GIT_KEY that the host knows, in a file with mode 0600."


def failure(to: Access, result: process.Result) -> SluiceError:
    """The error of a failed call to a remote: Retryable where another try may help, else
    UsageError or SluiceError.
    """
    shown = hidden(to, to.url)
    if result.code == process.LATE:
        return Retryable(
            f"{shown} did not answer within {to.timeout:g} seconds",
            "Try again, or set a higher SLUICE_GIT_TIMEOUT.",
        )
    message = _message(to, result.stderr + result.stdout)
    # Neither the name of the remote nor what it says in its own words decides: a path may have 403
    # in it, and a banner anything.
    own = "\n".join(line for line in result.stderr.splitlines() if not line.startswith("remote: "))
    found = _cause(hidden(to, own).replace(shown, ""))
    if uses_ssh(to) and _is_closed(own):
        found = _cause_of_ssh(own, found)
    if found:
        kind, fix = found
        return kind(f"{shown} refused: {message}", fix)
    return Retryable(
        f"{shown} did not answer as a git repository: {message}",
        "Check SLUICE_MANIFESTS, then try again.",
    )


def _is_closed(printed: str) -> bool:
    """Whether a host that was reached by ssh closed the connection before a word of git."""
    lines = printed.splitlines()
    away = any(line.startswith(_UNREACHED) or line.endswith(_SLOW) for line in lines)
    return _NOT_A_WORD in lines and not away


def _cause_of_ssh(
    printed: str, found: tuple[type[SluiceError], str] | None
) -> tuple[type[SluiceError], str]:
    """A refusal, whatever the host says of it: asking again would not help.

    Words choose the next step alone. A permission is one of its login, and not of a disk.
    """
    if "Permission denied" in printed or "authentication failures" in printed:
        return UsageError, _KEY_FIX
    return found or (SluiceError, _SSH_FIX)


def refusal(to: Access, reason: str, result: process.Result) -> SluiceError:
    """The error of a push that the remote took, and whose branch it did not move: `reason` is its
    own, from the protocol. Pushing it again would not help.
    """
    said = [
        line.removeprefix("remote: ")
        for line in result.stderr.splitlines()
        if line.startswith("remote: ")
    ]
    host = urlsplit(to.url).hostname or hidden(to, to.url)
    found = _cause(result.stderr)
    fix = found[1] if found and found[0] is SluiceError else _RIGHTS
    return SluiceError(f"refused by {host}: {_message(to, chr(10).join([*said, reason]))}", fix)


def _message(to: Access, printed: str) -> str:
    """What was printed as one line without a secret and git's own advice, or the end of it."""
    lines = hidden(to, printed).splitlines()
    told = [line.strip() for line in lines if line.strip() and line not in _ADVICE]
    return " ".join(told)[-_SHOWN:]


def _cause(printed: str) -> tuple[type[SluiceError], str] | None:
    """The kind of error and the next step that fit what git printed; None for anything else."""
    for pattern, kind, fix in _CAUSES:
        if re.search(pattern, printed):
            return kind, fix
    return None
