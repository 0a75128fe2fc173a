"""`sluice judge`: what it refuses before it listens."""

import signal
import socket
import subprocess
import sys

import httpx2
import pytest

from flows.adapters.server import free_port
from flows.cli.live.judge import run_judge
from flows.project.settings import Settings
from sluice.errors import UsageError

PROMETHEUS = "http://127.0.0.1:9"


def test_an_address_without_its_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match="is required"):
        run_judge(Settings(), "prometheus:9090", "127.0.0.1", 0)


def test_what_is_no_public_key_is_refused() -> None:
    with pytest.raises(UsageError, match="a public key is required"):
        run_judge(Settings(), PROMETHEUS, "127.0.0.1", 0, "ed25519:12")


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot be listened on") as raised:
            run_judge(Settings(), PROMETHEUS, "127.0.0.1", taken.getsockname()[1])
    assert "--port" in raised.value.fix
    with pytest.raises(UsageError, match="cannot be listened on"):
        run_judge(Settings(), PROMETHEUS, "127.0.0.1", 70_000)


def test_it_judges_until_it_is_interrupted() -> None:
    words = [sys.executable, "-c", "from flows.cli.main import main; main()", "judge"]
    words += ["--prometheus", PROMETHEUS, "--port", str(free_port())]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert line.startswith("Judging on http://127.0.0.1:")
        answer = httpx2.post(line.split()[2], content=b"{}", trust_env=False)
        assert answer.status_code == 200
        assert answer.json()["answer"]["verdict"] == "inconclusive"
        assert "no registry (SLUICE_REGISTRY)" in running.stdout.readline()
        assert running.stdout.readline().startswith("inconclusive: ")
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert running.returncode == 130
