"""Replies, and the bodies of those that refuse a request."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bento.http.request_body import Call, Refusal
from sluice.served.encoding import SHOWN, InvalidFields


@dataclass(frozen=True)
class Reply:
    """Status, body, content type, and further headers."""

    status: int
    body: bytes
    kind: bytes = b"application/json"
    more: tuple[tuple[bytes, bytes], ...] = ()


Handler = Callable[[Call], Awaitable[Reply]]


def constant(body: bytes) -> Handler:
    """A handler that always replies with this body."""

    async def handler(_: Call) -> Reply:
        return Reply(200, body)

    return handler


async def unknown(_: Call) -> Reply:
    """The reply of an address that BentoML has, to a method that it does not have there."""
    return Reply(404, _refusal({"error": "nothing is here"}))


async def lost(request: Request, error: Exception) -> Response:
    """The reply of the page to an unknown address, or to a method that an address does not take."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = getattr(error, "headers", None)
    if status == 405:
        body = _wrong_method(request.method, (headers or {}).get("Allow", ""))
    else:
        body = {
            "error": "nothing is here",
            "value": request.url.path[:80],
            "allowed": "/docs.json lists them",
        }
    return Response(_refusal(body), status, headers, media_type="application/json")


def not_allowed(method: str, allowed: str) -> Reply:
    """The reply to a method that an address does not take; `allowed` lists those that it takes."""
    body = _refusal(_wrong_method(method, allowed))
    return Reply(405, body, more=((b"allow", allowed.encode()),))


def _wrong_method(method: str, allowed: str) -> dict[str, str]:
    return {"error": f"{method[:20]} is not known here", "allowed": allowed}


def refusal(refused: Refusal) -> Reply:
    """The reply to a request that is not served; 401 says how to say who asks."""
    more = ((b"www-authenticate", b"Bearer"),) if refused.status == 401 else ()
    return Reply(refused.status, msgspec.json.encode(refused.body), more=more)


def failed(request: str) -> Reply:
    """The reply where the service itself failed, with the id of the request."""
    body = {"error": "the service failed; its log says why", "request": request}
    return Reply(500, _refusal(body))


def wrong_fields(refused: InvalidFields) -> Reply:
    """The reply that names wrong fields, and says where there may be more than are listed."""
    fields = [asdict(error) for error in refused.errors]
    body: dict[str, object] = {"error": "fields that the contract does not allow", "fields": fields}
    if len(fields) >= SHOWN:
        body["more"] = f"there may be more: after {SHOWN} no others are looked for"
    return Reply(400, _refusal(body))


def _refusal(body: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(body)
