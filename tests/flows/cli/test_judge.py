"""`sluice judge`: what it refuses before it listens."""

import socket

import pytest

from flows.cli.judge import run_judge
from sluice.errors import UsageError

PROMETHEUS = "http://127.0.0.1:9"


def test_an_address_without_its_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match="is required"):
        run_judge("prometheus:9090", "127.0.0.1", 0)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot be listened on") as raised:
            run_judge(PROMETHEUS, "127.0.0.1", taken.getsockname()[1])
    assert "--port" in raised.value.fix
    with pytest.raises(UsageError, match="cannot be listened on"):
        run_judge(PROMETHEUS, "127.0.0.1", 70_000)
