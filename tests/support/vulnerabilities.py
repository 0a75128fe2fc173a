"""A service that knows vulnerabilities, as https://osv.dev answers `uv audit`."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping

# As OSV records CVE-2026-44345; the pin below it is the one that pyproject.toml keeps out.
PACKAGE, FIXED, ID = "bentoml", "1.4.39", "CVE-2026-44345"
VULNERABLE = "1.4.38"


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.say({"results": [_found(query) for query in asked["queries"]]})

    def do_GET(self) -> None:
        day = "2026-05-01T00:00:00Z"
        events = [{"introduced": "0"}, {"fixed": FIXED}]
        affected = {
            "package": {"ecosystem": "PyPI", "name": PACKAGE},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
        }
        told = {"id": ID, "modified": day, "published": day, "affected": [affected]}
        self.say({**told, "summary": "a line end in a name reaches the Dockerfile"})

    def say(self, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _found(query: Mapping[str, object]) -> dict[str, object]:
    package = query["package"]
    name = package["name"] if isinstance(package, dict) else ""
    vulnerable = name == PACKAGE and query["version"] == VULNERABLE
    return {"vulns": [{"id": ID}]} if vulnerable else {}


@contextlib.contextmanager
def service() -> Iterator[str]:
    """The address of the service."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
