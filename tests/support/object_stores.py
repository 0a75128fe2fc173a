"""Object stores on this machine: a real S3 server, and what stands before it and misbehaves."""

import contextlib
import http.client
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from moto.server import ThreadedMotoServer

LOGIN = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-secret"}
# What libraries would ask of the machine of a cloud, and which files of a person they would read.
NOBODY = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_DEFAULT_REGION": "us-east-1",
    "NO_GCE_CHECK": "true",
}


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The address of an empty S3 server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        # What it holds belongs to the process: a server of before has left its buckets.
        with contextlib.closing(http.client.HTTPConnection(host, port)) as asked:
            asked.request("POST", "/moto-api/reset")
            assert asked.getresponse().status == 200
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@dataclass
class Between:
    """What stands before a store. `cuts`: after how many bytes the body of each answer with one
    ends; `redirect`: where everybody is sent; `asked`: the ranges that were asked for; `seen`: how
    many requests came.
    """

    store: str
    cuts: list[int] = field(default_factory=list)
    redirect: str = ""
    code: int = 302
    asked: list[str] = field(default_factory=list)
    url: str = ""
    seen: int = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    between: Between

    def log_message(self, *_: object) -> None:
        pass

    def any(self) -> None:
        between = self.between
        between.seen += 1
        if between.redirect:
            self.send_response(between.code)
            self.send_header("Location", between.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        inner = http.client.HTTPConnection(urlsplit(between.store).netloc)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.closing(inner):
            inner.request(self.command, self.path, body, dict(self.headers.items()))
            answer = inner.getresponse()
            content = answer.read()
        asked = self.headers.get("Range") or self.headers.get("x-ms-range") or ""
        cut = len(content)
        if self.command == "GET" and asked:
            between.asked.append(asked)
            cut = between.cuts.pop(0) if between.cuts else cut
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        size = answer.getheader("Content-Length") or str(len(content))
        self.send_header("Content-Length", size)
        self.end_headers()
        self.wfile.write(content[:cut])
        self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = any


@contextlib.contextmanager
def before(store: str) -> Iterator[Between]:
    """A server before a store, which hands on what it is asked until it is told to misbehave."""
    between = Between(store)
    handler = type("Handler", (_Handler,), {"between": between})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=[0.05]).start()
        between.url = f"http://127.0.0.1:{running.server_port}"
        try:
            yield between
        finally:
            running.shutdown()
