"""An HTTP client for an application in this process: no server, no port, one event loop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2


class Client:
    """Sends requests one after the other."""

    def __init__(self, app: Any, runner: asyncio.Runner) -> None:
        self.app, self._runner = app, runner
        transport = httpx2.ASGITransport(app, raise_app_exceptions=True)
        self._client = httpx2.AsyncClient(transport=transport, base_url="http://service")

    def request(self, method: str, path: str, **given: Any) -> httpx2.Response:
        """Send one, and wait for its answer."""
        return self._runner.run(self._client.request(method, path, **given))

    def get(self, path: str, **given: Any) -> httpx2.Response:
        """GET."""
        return self.request("GET", path, **given)

    def post(self, path: str, **given: Any) -> httpx2.Response:
        """POST."""
        return self.request("POST", path, **given)


@contextmanager
def client(app: Any) -> Iterator[Client]:
    """A client while the block runs."""
    with asyncio.Runner() as runner:
        yield Client(app, runner)
