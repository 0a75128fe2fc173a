"""The entry of the image: a model artifact behind HTTP, as BentoML starts it.

The addresses are in bento/app.py. BentoML's own routes are slow (a span and a timer for each
request), so the application is mounted beside them, and of BentoML's middleware only a short timer
is left. bento/ops/metrics.py and bento/app.py count and log in its place.
"""

import os

import bentoml

from bento import preflight, process
from bento.answers import load_served
from bento.app import App, Scope
from bento.http.request_body import Receive, Send
from bento.ops import settings

# ONNX Runtime reports to its maker, and keeps an id of the machine in the home folder, unless the
# environment says otherwise before it is imported. Its own switch comes too late for both.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
with preflight.errors_in_one_line():
    _GIVEN = settings.load()
_LIMIT = {"max_concurrency": _GIVEN.max_concurrency} if _GIVEN.max_concurrency else {}


class Mounted:
    """Stands for the application, because a service is decorated before its model is loaded."""

    app: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.app(scope, receive, send)


application = Mounted()


@bentoml.asgi_app(application)
@bentoml.service(
    name="sluice",
    workers=_GIVEN.service_workers,
    traffic={"timeout": settings.TIMEOUT, **_LIMIT},
    tracing={"excluded_urls": ".*"},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Service:
    """Serves one model artifact. It is ready after a first answer was computed here."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    def check() -> None:
        """Check the settings, before the workers are started."""
        with preflight.errors_in_one_line():
            preflight.check(_GIVEN)

    def __init__(self) -> None:
        context = bentoml.server_context
        name = f"{context.bento_name or 'local'}:{context.bento_version or 'local'}"
        served = load_served(_GIVEN.model_dir, name, _GIVEN.image_digest)
        application.app, self._ends = process.start(served, _GIVEN)
        with preflight.errors_in_one_line():
            process.bound_heads()
        process.drain_on_stop(application.app, _GIVEN.drain_seconds)
        process.calm_collector()

    def __is_ready__(self) -> bool:
        return not application.app.draining

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Write what waits to be written."""
        for end in self._ends:
            end()
