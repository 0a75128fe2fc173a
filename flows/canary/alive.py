"""Whether who watches again and again still does, for the probes of a cluster."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flows.canary.web import ALIVE

SILENT = 600.0  # seconds without a look after which somebody has to begin it anew


class Looks:
    """When the last look ended, told to whoever asks at `http://host:port/livez`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def ended(self) -> None:
        """Note that a look ended, whatever came of it."""
        self._last = self._clock()

    @property
    def alive(self) -> bool:
        """Whether the last one is no longer ago than SILENT."""
        return self._clock() - self._last <= SILENT


def serve(looks: Looks, host: str, port: int) -> ThreadingHTTPServer:
    """Answer in the background from now on. Raise OSError where the address is taken."""

    class Handler(BaseHTTPRequestHandler):
        """Answers a probe."""

        timeout = 30

        def do_GET(self) -> None:
            known = self.path == ALIVE
            self.send_response((200 if looks.alive else 503) if known else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="alive", daemon=True).start()
    return server
