"""A server in front of a real one, which fails as a file tells it: nothing is written, or the
answer is lost.

python -m flows.drills.crash.bad_servers PORT-OF-THE-REAL-ONE FILE PORT
"""

import contextlib
import http.client
import http.server
import json
import socket
import sys
import time
from pathlib import Path

from flows.drills.crash.git_server import Server, body

KINDS = {
    "reset": "hangs up before it has done anything",
    "lost": "hangs up when it has done what was asked",
    "500": "answers 500",
    "silent": "does not answer",
}
SILENCE = 4.0  # seconds; longer than anybody waits in a drill


class Handler(http.server.BaseHTTPRequestHandler):
    """Passes every request on, but those that the file names."""

    protocol_version = "HTTP/1.1"
    port: int
    file: Path

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def fault(self) -> str:
        """What is to go wrong with this request; counts it."""
        try:
            told = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return ""
        if told["method"] != self.command or told["part"] not in self.path or told["left"] < 1:
            return ""
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({**told, "left": told["left"] - 1, "hits": told["hits"] + 1}))
        part.replace(self.file)
        return str(told["kind"])

    def serve(self) -> None:
        """One request."""
        content = body(self)
        kind = self.fault() if self.path != "/readyz" else ""
        if kind == "silent":
            time.sleep(SILENCE)
        if kind in ("reset", "silent"):
            return self.hang_up()
        if kind == "500":
            return self.say(500, {}, b"told to fail")
        code, headers, answer = self.real(content)
        return self.hang_up() if kind == "lost" else self.say(code, headers, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def real(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer of the real server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {
            name: value
            for name, value in self.headers.items()
            if name.lower() != "transfer-encoding"
        }
        connection.request(
            self.command, self.path, content, {**sent, "Content-Length": str(len(content))}
        )
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        dropped = ("transfer-encoding", "connection", "content-length")
        headers = {
            name: value for name, value in answer.getheaders() if name.lower() not in dropped
        }
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(said))
        return answer.status, {**headers, "Content-Length": length or "0"}, said

    def say(self, code: int, headers: dict[str, str], content: bytes) -> None:
        """An answer."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def hang_up(self) -> None:
        """No answer."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    told = {"port": int(sys.argv[1]), "file": Path(sys.argv[2])}
    with Server(("127.0.0.1", int(sys.argv[3])), type("Bad", (Handler,), told)) as server:
        server.serve_forever()
