"""What a node answers the API server: the logs of its pods, for `kubectl logs`. All of a log is
sent, whatever part of it was asked for.
"""

import re
import ssl
import threading
from collections.abc import Iterable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from support.cluster import network

_NAME = "[a-z0-9][a-z0-9.-]*"
_LOGS = re.compile(rf"/containerLogs/(?P<space>{_NAME})/(?P<pod>{_NAME})/{_NAME}")


def log_of(folder: Path, space: str, pod: str) -> Path:
    """The file into which podman writes what a pod prints."""
    return folder / f"{space}_{pod}.log"


def serve(folder: Path, keys: Path) -> int:
    """Answer whom the authority of the cluster signed, on a free port of the bridge, as long as
    this process lives; the port.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "kubelet.crt", keys / "kubelet.key")
    context.load_verify_locations(keys / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer((network.HOST, 0), partial(_Handler, folder))
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    threading.Thread(target=server.serve_forever, name="kubelet", daemon=True).start()
    return server.server_port


def printed(lines: Iterable[str]) -> str:
    """What a container printed, of the lines that podman wrote: a time, a stream, whether the line
    ends here, and the text.
    """
    found = []
    for line in lines:
        _, _, whole, text = line.rstrip("\n").split(" ", 3)
        found.append(text if whole == "P" else f"{text}\n")
    return "".join(found)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, folder: Path, *given: object) -> None:
        self.folder = folder
        super().__init__(*given)  # type: ignore[arg-type]  # what a server hands on

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        asked = _LOGS.fullmatch(urlsplit(self.path).path)
        file = log_of(self.folder, asked["space"], asked["pod"]) if asked else None
        if file is None or not file.is_file():
            self.send_error(404)
            return
        with file.open(errors="replace") as lines:
            content = printed(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
