"""The files of the page: templates filled, styles and script handed out, and the headers that keep
both in.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

_HERE = Path(__file__).parent
KINDS = {"style.css": "text/css", "script.js": "text/javascript", "icon.svg": "image/svg+xml"}

# Nothing but the files of this page is loaded, nothing inline is run, no other page may frame it,
# nothing is kept.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def html(template: str, status: int, words: Mapping[str, Any]) -> Response:
    """A page; every value in it is escaped."""
    text = _environment().get_template(template).render(words)
    return Response(text, status, HEADERS, media_type="text/html")


async def static(request: Request) -> Response:
    """A file of the page by name. Its address changes with its bytes, so it may be kept for
    ever.
    """
    found = _assets().get(request.path_params["name"])
    if found is None:
        return Response("There is no such file.\n", 404, HEADERS, media_type="text/plain")
    body, kind, version = found
    kept = "public, max-age=31536000, immutable" if request.url.query == version else "no-cache"
    return Response(body, headers={**HEADERS, "Cache-Control": kept}, media_type=kind)


@cache
def _assets() -> dict[str, tuple[bytes, str, str]]:
    read = {name: (_HERE / name).read_bytes() for name in KINDS}
    return {
        name: (body, KINDS[name], hashlib.sha256(body).hexdigest()[:12])
        for name, body in read.items()
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = lambda name: f"page/{name}?{_assets()[name][2]}"
    return environment
