"""What it means that git failed against a remote: whose fault it is, and whether to ask again.

What decides is what was measured (`measured`): the status of HTTP, whether a word of git came over
ssh and a host is there, whether a certificate holds, owners and disks of this machine. What git,
ssh and hosts say in their own words is shown, and chooses among the next steps that fit. It decides
nothing: hosts word it as they like, and in the language of whoever reads it.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from flows.adapters import process
from flows.adapters.git.access import Access, hidden
from sluice.errors import Retryable, SluiceError, UsageError

_SHOWN = 600  # characters of what git printed that an error shows


@dataclass(frozen=True)
class Answer(process.Result):
    """What a call of git against a remote came to, beside its exit code and what it printed.

    `status` is that of the last answer over HTTP, of a proxy too; 0 for none. `closed` says that a
    host was reached by ssh, and ended before a word of git; `untrusted` that its certificate does
    not hold here. `full`, `locked` and `foreign` are paths of this machine, empty for none: a
    folder that takes no more bytes, a repository that may not be written to, and one that belongs
    to another user.
    """

    status: int = 0
    closed: bool = False
    untrusted: bool = False
    full: str = ""
    locked: str = ""
    foreign: str = ""


_RIGHTS = (
    "Check the rights of the credentials and the rules of the branch; SLUICE_MODE=branch proposes"
    " instead."
)
_FULL = "Free space there, then run it again."
_LOCKED = "Let the server, or the folder, be written to."
_FOREIGN = "Give the folder to the user that runs this, or tell git: safe.directory."
_CA = "Name the bundle of its authority in SLUICE_CA, and check the clock of this machine."
_LOGIN = "Check SLUICE_GIT_TOKEN (and SLUICE_GIT_USER) for https, SLUICE_GIT_KEY for ssh."
_PROXY = "Check the login of the proxy: https_proxy, or http.proxy of git."
_KEY = "Name a key in SLUICE_GIT_KEY that the host knows, in a file with mode 0600."
_HOSTS = "Put the key that its operator publishes into the file that SLUICE_KNOWN_HOSTS names."
_SSH = (
    "Check SLUICE_MANIFESTS, SLUICE_KNOWN_HOSTS, and SLUICE_GIT_KEY with the rights of that key. A"
    " host that is busy closes connections too: then run it again."
)
_AGAIN = "Check SLUICE_MANIFESTS, then try again."
# What is printed where ssh did not get in, and the next step that says it best.
_OF_SSH = (
    ("Host key verification failed|host key is known|IDENTIFICATION HAS CHANGED", _HOSTS),
    ("Permission denied|authentication failures", _KEY),
)
# The same for a push that the remote took, and whose branch it did not move.
_OF_PUSH = (
    ("No space left on device|[Dd]isk quota exceeded", _FULL),
    (
        "Read-only file system|insufficient permission|Permission denied|unable to create"
        " temporary object",
        _LOCKED,
    ),
)
# git's own advice, which says less than ours.
_ADVICE = (
    "Please make sure you have the correct access rights",
    "and the repository exists.",
    "hint: ",
)


def failure(to: Access, answer: Answer) -> SluiceError:
    """The error of a failed call to a remote: Retryable where another try may help, else
    UsageError or SluiceError.
    """
    shown = hidden(to, to.url)
    if answer.code == process.LATE:
        return Retryable(
            f"{shown} did not answer within {to.timeout:g} seconds",
            "Try again, or set a higher SLUICE_GIT_TIMEOUT.",
        )
    message = _message(to, answer.stderr + answer.stdout)
    found = _cause(answer)
    if found:
        kind, fix = found
        return kind(f"{shown} refused: {message}", fix)
    return Retryable(f"{shown} did not answer as a git repository: {message}", _AGAIN)


def _cause(answer: Answer) -> tuple[type[SluiceError], str] | None:
    """The kind of error and the next step; None where another try may help."""
    if answer.full:
        return SluiceError, f"{answer.full} takes no more bytes. {_FULL}"
    if answer.foreign:
        return UsageError, _FOREIGN
    if answer.locked:
        return SluiceError, f"{answer.locked} takes nothing. {_LOCKED}"
    if answer.closed:
        return UsageError, _hint(_OF_SSH, _own(answer.stderr)) or _SSH
    if answer.untrusted:
        return UsageError, _CA
    return _OF_STATUS.get(answer.status)


_OF_STATUS: dict[int, tuple[type[SluiceError], str]] = {
    401: (UsageError, _LOGIN),
    403: (SluiceError, _RIGHTS),
    407: (UsageError, _PROXY),
}


def _own(printed: str) -> str:
    """What was printed, without what the other side says in its own name."""
    lines = printed.splitlines()
    return "\n".join(line for line in lines if not line.startswith("remote: "))


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
    fix = _hint(_OF_PUSH, result.stderr) or _RIGHTS
    return SluiceError(f"refused by {host}: {_message(to, chr(10).join([*said, reason]))}", fix)


def _hint(hints: tuple[tuple[str, str], ...], printed: str) -> str:
    """The next step that fits best what was printed; empty where none of them is named."""
    return next((fix for pattern, fix in hints if re.search(pattern, printed)), "")


def _message(to: Access, printed: str) -> str:
    """What was printed as one line without a secret and git's own advice, or the end of it."""
    lines = hidden(to, printed).splitlines()
    told = [line.strip() for line in lines if line.strip() and not line.startswith(_ADVICE)]
    return " ".join(told)[-_SHOWN:]
