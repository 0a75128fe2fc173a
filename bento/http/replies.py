"""What is sent back, and what is said of a request that is not served."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bento.http.request_body import Call
from sluice.served.encoding import SHOWN, InvalidFields


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    status: int
    body: bytes
    kind: bytes = b"application/json"
    more: tuple[tuple[bytes, bytes], ...] = ()


Handler = Callable[[Call], Awaitable[Reply]]


def constant(body: bytes) -> Handler:
    """A handler that always answers this."""

    async def handler(_: Call) -> Reply:
        return Reply(200, body)

    return handler


async def unknown(_: Call) -> Reply:
    """The answer of an address that BentoML knows, and not by this method."""
    return Reply(404, _refusal({"error": "nothing is here"}))


async def lost(request: Request, error: Exception) -> Response:
    """The same in terms of the page, for an address that nobody knows and a method that one of its
    own has not.
    """
    status = error.status_code if isinstance(error, HTTPException) else 404
    path, headers = request.url.path[:80], getattr(error, "headers", None)
    method = {
        "error": f"{request.method[:20]} is not known here",
        "allowed": (headers or {}).get("Allow", ""),
    }
    said = (
        method
        if status == 405
        else {"error": "nothing is here", "value": path, "allowed": "/docs.json lists them"}
    )
    return Response(_refusal(said), status, headers, media_type="application/json")


def not_allowed(method: str, allowed: str) -> Reply:
    """That an address takes other methods."""
    said = {"error": f"{method[:20]} is not known here", "allowed": allowed}
    return Reply(405, _refusal(said), more=((b"allow", allowed.encode()),))


def failed(request: str) -> Reply:
    """That something went wrong here."""
    return Reply(
        500, _refusal({"error": "the service failed; its log says why", "request": request})
    )


def wrong_fields(refused: InvalidFields) -> Reply:
    """The fields that are wrong; where they are as many as are listed at most, that there may be
    more.
    """
    fields = [asdict(error) for error in refused.errors]
    said: dict[str, object] = {"error": "fields that the contract does not allow", "fields": fields}
    if len(fields) >= SHOWN:
        said["more"] = f"there may be more: after {SHOWN} no others are looked for"
    return Reply(400, _refusal(said))


def _refusal(said: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(said)
