"""A host that listens for ssh and ends before a word of git has refused: it is asked once, and the
error says what to do. One where nobody listens is asked again. No word of ssh or of a host decides.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.adapters.git import git
from flows.adapters.server import free_port
from flows.gitops import quarantine, writer
from flows.project.settings import Settings
from sluice.errors import Retryable, SluiceError, UsageError

KEY, HOSTS, RIGHTS = "SLUICE_GIT_KEY that", "SLUICE_KNOWN_HOSTS", "rights of that key"
# What ssh and hosts print, the exit code of ssh, the next step.
REFUSALS = [
    ("kex_exchange_identification: Connection closed by remote host", 255, RIGHTS),
    ("Connection closed by 192.0.2.1 port 22", 255, RIGHTS),
    ("Connection reset by 192.0.2.1 port 22", 255, RIGHTS),
    ("git@host: Permission denied (publickey).", 255, KEY),
    ("Permission denied, please try again.", 255, KEY),
    ("git@host: Permission denied (publickey,keyboard-interactive).", 255, KEY),
    ("Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures", 255, KEY),
    ('Load key "/k": bad permissions\ngit@host: Permission denied (publickey).', 255, KEY),
    ("No ED25519 host key is known for host.\nHost key verification failed.", 255, HOSTS),
    ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", 255, HOSTS),
    ("Unable to negotiate with 192.0.2.1 port 22: no matching host key type found.", 255, RIGHTS),
    ("ERROR: Repository not found.", 1, RIGHTS),
    ("remote: ERROR: The project you were looking for could not be found.", 1, RIGHTS),
    ("ERROR: The key you are authenticating with has been marked as read only.", 1, RIGHTS),
    ("Gitea: Repository does not exist", 1, RIGHTS),
    ("fatal: unrecognized command 'git-upload-pack'", 128, RIGHTS),
    ("This account is currently not available.", 1, RIGHTS),
    ("", 0, RIGHTS),
]
# What a host says first: a server of ssh greets, also behind lines of its own.
GREETINGS = (b"SSH-2.0-host\r\n", b"Welcome.\r\nSSH-2.0-host\r\n")
NO_GREETING = (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"Exceeded MaxStartups\r\n")
AWAY = [
    "ssh: connect to host host port 22: Connection refused",
    "ssh: connect to host host port 22: No route to host",
    "ssh: Could not resolve hostname host: Temporary failure in name resolution",
    "Connection to 192.0.2.1 port 22 timed out",
]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose file `said` is what ssh prints, `code` how it ends, and `asked` how often it
    was called.
    """
    program = tmp_path / "ssh"
    program.write_text(
        f"#!/bin/sh\necho x >> '{tmp_path}/asked'\ncat '{tmp_path}/said' >&2\n"
        f"exit $(cat '{tmp_path}/code')\n"
    )
    program.chmod(0o755)
    monkeypatch.setitem(os.environ, "GIT_SSH", str(program))
    monkeypatch.setitem(os.environ, "GIT_SSH_VARIANT", "ssh")
    monkeypatch.setattr(writer, "_random", lambda _: 0.0)
    return tmp_path


@contextmanager
def listening(says: bytes) -> Iterator[int]:
    """A port of this machine where every connection is told this, and closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(says)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def asked(host: Path, said: str, code: int, port: int) -> tuple[SluiceError, int]:
    """The error of a write to such a host, and how often it was asked."""
    (host / "said").write_text(f"{said}\n" if said else "")
    (host / "code").write_text(str(code))
    (host / "asked").unlink(missing_ok=True)
    manifests = f"ssh://git@127.0.0.1:{port}/team/manifests.git"
    with pytest.raises(SluiceError) as raised:
        quarantine.add(
            Settings(home=host, manifests=manifests), "attrition", f"sha256:{'a' * 64}", "why"
        )
    return raised.value, len((host / "asked").read_text().split())


@pytest.mark.parametrize(("said", "code", "fix"), REFUSALS)
def test_a_refusal_is_asked_for_once(said: str, code: int, fix: str, host: Path) -> None:
    with listening(GREETINGS[0]) as port:
        error, times = asked(host, said, code, port)
    assert times == 1
    assert type(error) is UsageError
    assert fix in error.fix
    assert " ".join(said.split()) in error.what


@pytest.mark.parametrize("said", AWAY + [said for said, _, _ in REFUSALS])
def test_a_host_that_is_away_is_asked_again(said: str, host: Path) -> None:
    error, times = asked(host, said, 255, free_port())
    assert isinstance(error, Retryable)
    assert times > 2


@pytest.mark.parametrize("says", GREETINGS + NO_GREETING)
@pytest.mark.parametrize("said", [AWAY[0], REFUSALS[0][0]])
def test_whether_a_server_greets_decides(says: bytes, said: str, host: Path) -> None:
    with listening(says) as port:
        error, times = asked(host, said, 255, port)
    assert (times == 1) == (says in GREETINGS)
    assert isinstance(error, Retryable) == (says in NO_GREETING)


def test_a_host_that_ends_behind_a_word_of_git_is_asked_again(host: Path) -> None:
    """A connection that broke: what was said before it was git."""
    (host / "ssh").write_text(
        f"#!/bin/sh\necho x >> '{host}/asked'\nprintf '000eversion 2\\n'\nexit 255\n"
    )
    with listening(GREETINGS[0]) as port:
        error, times = asked(host, "", 255, port)
    assert isinstance(error, Retryable)
    assert times > 2


@given(said=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=80))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_wording_of_a_host_makes_it_be_asked_again(said: str, host: Path) -> None:
    (host / "said").write_text(f"{said}\n")
    (host / "code").write_text("1")
    with listening(GREETINGS[0]) as port, pytest.raises(SluiceError) as raised:
        git.tip(f"ssh://git@127.0.0.1:{port}/team/manifests.git", "main")
    assert type(raised.value) is UsageError
