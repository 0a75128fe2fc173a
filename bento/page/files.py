"""The files of the page: templates, styles, script, and the headers that allow nothing else."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from sluice.served.page_text import on_page

_HERE = Path(__file__).parent
KINDS = {"style.css": "text/css", "script.js": "text/javascript", "icon.svg": "image/svg+xml"}

# Only the files of this page are loaded, nothing inline is run, no other page may frame it, and
# nothing is cached.
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


def html(template: str, status: int, words: Mapping[str, object]) -> Response:
    """A page from a template; every value in it is escaped."""
    text = _environment().get_template(template).render(words)
    return Response(text, status, HEADERS, media_type="text/html")


async def static(request: Request) -> Response:
    """A file of the page by name.

    The query of its address is a hash of its bytes, so a browser may keep it for ever.
    """
    asset = _assets().get(request.path_params["name"])
    if asset is None:
        return Response("There is no such file.\n", 404, HEADERS, media_type="text/plain")
    body, kind, version = asset
    caching = "public, max-age=31536000, immutable" if request.url.query == version else "no-cache"
    return Response(body, headers={**HEADERS, "Cache-Control": caching}, media_type=kind)


@cache
def _assets() -> dict[str, tuple[bytes, str, str]]:
    """Bytes, content type and version of each file, by name."""
    assets: dict[str, tuple[bytes, str, str]] = {}
    for name, kind in KINDS.items():
        body = (_HERE / name).read_bytes()
        assets[name] = (body, kind, hashlib.sha256(body).hexdigest()[:12])
    return assets


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=on_page,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = lambda name: f"page/{name}?{_assets()[name][2]}"
    return environment
