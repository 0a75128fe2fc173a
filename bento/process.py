"""What runs beside the requests: log of the process, drain at its end, listener for operators."""

import asyncio
import gc
import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from uvicorn.server import Server

from bento.answers import Served, answer_all, new_id
from bento.app import App
from bento.http.bounded_head import bound, bounds_of_process
from bento.http.replies import Handler, Reply, unknown
from bento.http.request_body import Call, Gone, Message
from bento.openapi import example
from bento.ops import listener
from bento.ops.metrics import Measures
from bento.ops.prediction_log import PredictionLog
from bento.ops.settings import Settings
from bento.preflight import address
from sluice.errors import UsageError

_EVERY = 1.0  # seconds between two hand-overs of the metrics


class _Line(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": stamp.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start(served: Served, settings: Settings) -> tuple[App, list[Callable[[], None]]]:
    """The application, after a first answer, and what to call when it ends, in order."""
    log_as_json()
    contract = served.model.contract
    digests = {
        "model_digest": served.digests.model,
        "contract_digest": served.digests.contract,
    }
    name, _, version = served.name.partition(":")
    labels = {
        "service_name": name,
        "service_version": version,
        "runner_name": "sluice",
        "image": served.image or "",
        **digests,
    }
    log = PredictionLog(settings, contract, digests)
    model = served.model
    measures = Measures(
        contract, served.reference, model.threshold, labels, model.weights, model.bins
    )
    app = App(served, settings, log, measures)
    answer_all(served, [example(contract)], new_id(), True)
    ends = [log.stop, hand_over(app)]
    if settings.metrics_bind:
        ends.append(listen(app, settings.metrics_bind))
    return app, ends


def log_as_json() -> None:
    """Have everything under `sluice` written as JSON lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logger = logging.getLogger("sluice")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)


def calm_collector() -> None:
    """Keep the garbage collector from what was loaded, which lives as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def hand_over(app: App) -> Callable[[], None]:
    """Hand the metrics to the other workers every second; return what ends that."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(_EVERY):
            app.measures.save(app.log.counts, pause=0.001)

    thread = threading.Thread(target=run, name="measures", daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join(timeout=5)
        app.measures.save(app.log.counts)

    return end


def bound_heads() -> None:
    """Have the server of this process bound what comes before a body.

    BentoML starts uvicorn without a way to say so; the server is the one that handles SIGTERM.
    Raise UsageError where there is none: the service must not run without these bounds.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, Server):
        raise UsageError(
            "BentoML started no server of uvicorn; one is required, to bound heads of requests",
            "Install the versions that uv.lock names.",
        )
    bound(server, bounds_of_process())


def drain_on_stop(app: App, seconds: float) -> None:
    """On SIGTERM, serve on for `seconds`, then end.

    Meanwhile the service is not ready, and every connection is closed after its answer, so that
    clients and load balancers turn elsewhere. Then the listener is closed without a reset, and the
    server stops.
    """
    stop = signal.getsignal(signal.SIGTERM)
    if (
        not seconds
        or not callable(stop)
        or threading.current_thread() is not threading.main_thread()
    ):
        return
    loop = asyncio.get_running_loop()

    async def end(number: int) -> None:
        await asyncio.sleep(seconds)
        try:
            await listener.close()
        finally:
            stop(number, None)

    def drain(number: int, _: object) -> None:
        if not app.draining:
            app.draining = True
            asyncio.run_coroutine_threadsafe(end(number), loop)

    signal.signal(signal.SIGTERM, drain)


def listen(app: App, bind: str) -> Callable[[], None]:
    """Serve /metrics and /docs.json at `host:port`, shared by all workers; return its end."""
    family, host_and_port = address(bind)

    class Handler(BaseHTTPRequestHandler):
        """Answers operators."""

        def do_GET(self) -> None:
            reply = asyncio.run(_asked(app.private.get(self.path, unknown)))
            self.send_response(reply.status)
            self.send_header("content-type", reply.kind.decode())
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: these requests are none of the service's."""

    class Server(ThreadingHTTPServer):
        """Its address may be taken by another worker of this service."""

        daemon_threads = True
        address_family = family

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            super().server_bind()

    server = Server(host_and_port, Handler)
    threading.Thread(target=server.serve_forever, name="operators", daemon=True).start()

    def end() -> None:
        server.shutdown()
        server.server_close()

    return end


async def _asked(handler: Handler) -> Reply:
    """The reply of a handler to a request of an operator, which has no body."""
    return await handler(Call("", {}, b"", _nothing))


async def _nothing() -> Message:
    """Stand for a client that sends no body."""
    raise Gone
