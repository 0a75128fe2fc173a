"""A git server on this machine: `git http-backend` behind HTTP, open to all.

python -m flows.drills.crash.git_server FOLDER PORT
"""

import http.server
import os
import sys
from pathlib import Path

from flows.adapters.process import answer


def body(request: http.server.BaseHTTPRequestHandler) -> bytes:
    """The body of a request, in chunks or not."""
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    parts: list[bytes] = []
    while True:
        size = int(request.rfile.readline().split(b";")[0], 16)
        parts.append(request.rfile.read(size))
        request.rfile.readline()  # the end of the chunk, or of the body
        if size == 0:
            return b"".join(parts)


class Handler(http.server.BaseHTTPRequestHandler):
    """Passes every request to git, and the answer of git back."""

    protocol_version = "HTTP/1.1"
    root: Path

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Answer the first request of a fetch; `/readyz` says that the server is there."""
        if self.path == "/readyz":
            self.pass_on(b"Status: 200 OK\r\n\r\nready")
        else:
            self.pass_on(self.backend("anybody", b""))

    def do_POST(self) -> None:
        """Answer a request that moves objects."""
        self.pass_on(self.backend("anybody", body(self)))

    def backend(self, user: str, body: bytes) -> bytes:
        """The answer of git's own program for servers, as CGI."""
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_USER": user,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self.root),
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_CONFIG_KEY_1": "http.receivepack",
            "GIT_CONFIG_VALUE_1": "true",
        }
        return answer(["git", "http-backend"], body, env)

    def pass_on(self, answer: bytes) -> None:
        """Send the answer of a CGI program as HTTP."""
        head, _, content = answer.partition(b"\r\n\r\n")
        lines = [line for line in head.decode().split("\r\n") if ": " in line]
        headers = dict(line.split(": ", 1) for line in lines)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class Server(http.server.ThreadingHTTPServer):
    """Answers many requests at once, on the loopback interface."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Ignore it: a client that hung up is no error."""


def handler(root: Path) -> type[Handler]:
    """A handler for the repositories below `root`."""
    return type("Handler", (Handler,), {"root": root})


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[2])), handler(Path(sys.argv[1]))) as server:
        server.serve_forever()
