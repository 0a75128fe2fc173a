"""The words of a login to a registry: its challenge, the request for a token, the token.

The flow is that of https://distribution.github.io/distribution/spec/auth/ (token and OAuth 2).
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from flows.adapters.registry.credentials import Login, RefreshToken

if TYPE_CHECKING:
    import httpx2

LIMIT = 2**20  # bytes of an answer with a token
_CLIENT = "sluice"  # who asks, for a server of tokens
# One piece of a header with challenges: `name=value`, quoted or not; or the name of a scheme.
_PIECE = re.compile(
    r"""[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*))?"""
)
_HEADER = 2**13  # characters of a header that are read
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Challenge:
    """One way to log in, as a registry names it; the scheme and the names in lower case."""

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class TokenRequest:
    """What a token is asked for: by whom (`service`), for what (`scope`), at which address."""

    realm: "httpx2.URL"
    service: str
    scope: str


class _Token(msgspec.Struct, frozen=True):
    """A token for one repository, under one of its two names."""

    token: str | None = None
    access_token: str | None = None


def challenges(headers: Sequence[str]) -> list[Challenge]:
    """The challenges of an answer, in order: one header may hold several, and a server may send
    several headers.
    """
    return [challenge for header in headers for challenge in _parsed(header)]


def _parsed(header: str) -> Iterator[Challenge]:
    scheme = ""
    parameters: dict[str, str] = {}
    for piece in _PIECE.finditer(header[:_HEADER]):
        name, value = piece.groups()
        if value is not None:
            parameters[name.lower()] = _unquoted(value)
            continue
        if scheme:
            yield Challenge(scheme, parameters)
        scheme, parameters = name.lower(), {}
    if scheme:
        yield Challenge(scheme, parameters)


def _unquoted(value: str) -> str:
    """A value without its quotes, and without the backslashes in them."""
    if not value.startswith('"'):
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])


def scope(repository: str, actions: str, asked: str) -> str:
    """What a token is asked for: our actions on the repository, and what the challenge wants more.

    A registry that copies a blob from another repository names that one too.
    """
    own = f"repository:{repository}:"
    wanted = set(actions.split(","))
    others = []
    for part in asked.split():
        if part.startswith(own):
            wanted |= set(part.removeprefix(own).split(","))
        elif part not in others:
            others.append(part)
    return " ".join([own + ",".join(sorted(wanted - {""})), *others])


def basic(login: Login) -> str:
    """The value of the Authorization header for a user and a password."""
    pair = f"{login.user}:{login.password}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def address(wanted: TokenRequest) -> "httpx2.URL":
    """Where a token is given for a login, or to anybody."""
    query = {"scope": wanted.scope}
    if wanted.service:
        query["service"] = wanted.service
    return wanted.realm.copy_merge_params(query)


def refresh_form(wanted: TokenRequest, kept: RefreshToken) -> bytes:
    """The form that gives a refresh token for a token (OAuth 2)."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": kept.secret,
        "service": wanted.service,
        "scope": wanted.scope,
        "client_id": _CLIENT,
    }
    return urlencode(form).encode("ascii")


def token_of(content: bytes) -> str | None:
    """The token in an answer, empty where there is none; None for something of another shape."""
    try:
        tokens = msgspec.json.decode(content, type=_Token)
    except (ValueError, RecursionError):
        return None
    return tokens.token or tokens.access_token or ""
