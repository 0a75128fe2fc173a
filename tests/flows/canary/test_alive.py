"""Whether who watches still looks, asked over HTTP."""

import http.client

from flows.adapters.server import free_port
from flows.canary import alive
from flows.canary.alive import SILENT, Looks


def asked(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_it_lives_as_long_as_looks_end() -> None:
    now = [0.0]
    looks, port = Looks(lambda: now[0]), free_port()
    server = alive.serve(looks, "127.0.0.1", port)
    try:
        assert asked(port, "/livez") == 200  # the first look has yet to end
        now[0] = SILENT + 1
        assert asked(port, "/livez") == 503
        looks.ended()
        assert asked(port, "/livez") == 200
        assert asked(port, "/else") == 404
    finally:
        server.shutdown()
        server.server_close()
