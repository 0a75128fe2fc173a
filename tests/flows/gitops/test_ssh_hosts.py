"""A host that is reached by ssh and ends before a word of git has refused: it is asked once, and
the error says what to do. One that is not reached is asked again.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.adapters.git import git
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


def asked(host: Path, said: str, code: int) -> tuple[SluiceError, int]:
    """The error of a write to such a host, and how often it was asked."""
    (host / "said").write_text(f"{said}\n" if said else "")
    (host / "code").write_text(str(code))
    (host / "asked").unlink(missing_ok=True)
    given = Settings(home=host, manifests="ssh://git@host/team/manifests.git")
    with pytest.raises(SluiceError) as raised:
        quarantine.add(given, "attrition", f"sha256:{'a' * 64}", "why")
    return raised.value, len((host / "asked").read_text().split())


@pytest.mark.parametrize(("said", "code", "fix"), REFUSALS)
def test_a_refusal_is_asked_for_once(said: str, code: int, fix: str, host: Path) -> None:
    error, times = asked(host, said, code)
    assert times == 1
    assert not isinstance(error, Retryable)
    assert isinstance(error, UsageError) is (fix in (KEY, HOSTS))
    assert fix in error.fix
    assert " ".join(said.split()) in error.what


@pytest.mark.parametrize("said", AWAY)
def test_a_host_that_is_away_is_asked_again(said: str, host: Path) -> None:
    error, times = asked(host, said, 255)
    assert isinstance(error, Retryable)
    assert times > 2


@given(said=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=80))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_wording_of_a_host_makes_it_be_asked_again(said: str, host: Path) -> None:
    (host / "said").write_text(f"banner of the host: {said} .\n")
    (host / "code").write_text("1")
    with pytest.raises(SluiceError) as raised:
        git.tip("ssh://git@host/team/manifests.git", "main")
    assert not isinstance(raised.value, Retryable)
