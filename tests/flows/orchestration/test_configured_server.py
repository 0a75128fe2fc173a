"""A Prefect server that the user has set and that does not answer is named."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.adapters.server import free_port
from flows.orchestration.prefect_server import require_configured
from sluice.errors import UsageError


@pytest.fixture(params=[200, 401, 403, 404, 500])
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that says this status to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


def test_one_that_answers_is_prefects_affair(answering: str) -> None:
    for url in (answering, f"{answering}/"):
        with temporary_settings({PREFECT_API_URL: url}):
            require_configured()


def test_where_none_is_set_none_is_asked() -> None:
    with temporary_settings({PREFECT_API_URL: None}):
        require_configured()


@pytest.mark.parametrize("path", ["/api", "/api/", ""])
def test_one_that_is_gone_is_named_without_its_login(path: str) -> None:
    url = f"http://me:s3cret@127.0.0.1:{free_port()}{path}"
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(UsageError, match="PREFECT_API_URL is 'http://127") as refused,
    ):
        require_configured()
    assert "s3cret" not in str(refused.value)
    assert "unset PREFECT_API_URL" in refused.value.fix
