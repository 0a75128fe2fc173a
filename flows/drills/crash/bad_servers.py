"""A server in front of a real one, which fails as a file says.

Either nothing is written, or the answer to a request that was carried out is lost.

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
# Headers of the connection to the real server, not of the answer.
_OF_CONNECTION = ("transfer-encoding", "connection", "content-length")


class Handler(http.server.BaseHTTPRequestHandler):
    """Passes on every request but those that the file names."""

    protocol_version = "HTTP/1.1"
    port: int
    file: Path

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def fault(self) -> str:
        """What is to go wrong with this request, which is counted; empty for nothing."""
        try:
            fault = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return ""
        if fault["method"] != self.command or fault["part"] not in self.path or fault["left"] < 1:
            return ""
        fault["left"] -= 1
        fault["hits"] += 1
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(fault))
        part.replace(self.file)
        return str(fault["kind"])

    def serve(self) -> None:
        """Answer one request, or fail it."""
        content = body(self)
        kind = ""
        if self.path != "/readyz":
            kind = self.fault()
        if kind == "500":
            self.answer(500, {}, b"told to fail")
        elif kind == "silent":
            time.sleep(SILENCE)
            self.hang_up()
        elif kind == "reset":
            self.hang_up()
        else:
            code, headers, answer = self.real_answer(content)
            if kind == "lost":
                self.hang_up()
            else:
                self.answer(code, headers, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def real_answer(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer of the real server: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() != "transfer-encoding"
        }
        headers["Content-Length"] = str(len(content))
        connection.request(self.command, self.path, content, headers)
        answer = connection.getresponse()
        answer_body = answer.read()
        connection.close()
        return answer.status, self._headers(answer, answer_body), answer_body

    def _headers(self, answer: http.client.HTTPResponse, content: bytes) -> dict[str, str]:
        """The headers that are passed on, with the length of the body that a GET would have."""
        headers = {
            name: value for name, value in answer.getheaders() if name.lower() not in _OF_CONNECTION
        }
        headers["Content-Length"] = str(len(content))
        if self.command == "HEAD":
            headers["Content-Length"] = answer.getheader("Content-Length") or "0"
        return headers

    def answer(self, code: int, headers: dict[str, str], content: bytes) -> None:
        """Send an answer."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def handler(port: int, file: Path) -> type[Handler]:
    """A handler in front of the server on `port`, which fails as `file` says."""
    return type("Bad", (Handler,), {"port": port, "file": file})


if __name__ == "__main__":
    bad = handler(int(sys.argv[1]), Path(sys.argv[2]))
    with Server(("127.0.0.1", int(sys.argv[3])), bad) as server:
        server.serve_forever()
