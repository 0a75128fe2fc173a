"""The judge as a small server, for the `web` provider of Argo Rollouts.

Any answer but 200 is an error there, and errors abort a rollout: whatever happens is answered 200.
"""

import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from flows.adapters.plain_text import say
from flows.canary.foretold import Foretold, nothing
from flows.canary.judge_metrics import Answers
from flows.canary.look import answer
from flows.canary.question import Reply, reply
from sluice.canary.verdict import Verdict

PATH = "/judge"
ALIVE = "/livez"
METRICS = "/metrics"
_LONGEST = 65_536  # bytes of a question


def server(
    host: str,
    port: int,
    prometheus: str,
    clock: Callable[[], float] = time.time,
    foretold: Foretold = nothing,
) -> ThreadingHTTPServer:
    """A server that listens at once, and answers once `serve_forever` is called.

    Raise OSError where the address is taken.
    """

    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        """Answers the analysis of a rollout, and who asks whether it lives."""

        timeout = 30

        def do_POST(self) -> None:
            found = self._asked()
            answers.count(found.answer.verdict, clock())
            say(f"{found.answer.verdict}: {found.answer.sentence}", sys.stdout)
            self._send(200, msgspec.json.encode(found))

        def do_GET(self) -> None:
            if self.path == METRICS:
                self._send(200, answers.text(), "text/plain; version=0.0.4; charset=utf-8")
            else:
                self._send(*((200, b'{"alive":true}') if self.path == ALIVE else (404, b"{}")))

        def _asked(self) -> Reply:
            length = self.headers.get("content-length", "")
            if self.path != PATH or not length.isdigit() or int(length) > _LONGEST:
                sentence = (
                    f"The question is asked at {PATH}, in a body of at most {_LONGEST} bytes."
                )
                return reply(Verdict("inconclusive", sentence))
            try:
                return answer(self.rfile.read(int(length)), prometheus, clock(), foretold)
            except Exception as error:  # noqa: BLE001 - an error here must not abort a rollout
                sentence = f"The judge failed ({type(error).__name__}: {error}). Report it."
                return reply(Verdict("inconclusive", sentence))

        def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: verdicts are printed."""

    class Server(ThreadingHTTPServer):
        """Ends without waiting for who is still connected."""

        daemon_threads = True

    return Server((host, port), Handler)
