"""A Prefect server on SQLite refuses one of two that write at once; it is asked again, and who
registers everything is not refused for a moment of it.
"""

import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from flows.orchestration.deployed import register_at
from flows.project import settings
from sluice.errors import SluiceError

_BUSY, _UNKNOWN = 503, 418


@dataclass
class Busy:
    """A server that is too busy for its first requests, and then says another status; `asked` has
    the path of each request.
    """

    url: str = ""
    refused: int = 0
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def busy() -> Iterator[Busy]:
    told = Busy()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            self.send_response(_BUSY if len(told.asked) <= told.refused else _UNKNOWN)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        yield told
        server.shutdown()


@pytest.mark.parametrize(("refused", "status"), [(5, _UNKNOWN), (6, _BUSY)])
def test_one_that_is_busy_is_asked_five_times_more(
    busy: Busy, refused: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between two tries, up to a minute
    busy.refused = refused
    with pytest.raises(SluiceError, match=f"did not take the deployments: .*'{status} "):
        register_at(busy.url, settings.load())
    assert len(busy.asked) == 6
    assert len(set(busy.asked)) == 1
