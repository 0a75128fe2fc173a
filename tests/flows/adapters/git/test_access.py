"""How a git remote is reached: what is secret is taken out of the URL, and never in an argument or
in a text.
"""

import os
from urllib.parse import quote

import pytest

from flows.adapters import process
from flows.adapters.git.access import (
    Files,
    access,
    address,
    environment,
    failure,
    hidden,
    options,
)
from flows.adapters.process import Result
from sluice.errors import Retryable, SluiceError, UsageError

URL = "https://git.example.com/team/manifests.git"
TOKEN = "ghp_0123456789abcdef0123"


@pytest.mark.parametrize(
    ("url", "user", "token", "login", "password"),
    [
        (URL, "", "", "", ""),
        (URL, "", TOKEN, "x-access-token", TOKEN),
        (URL, "bot", TOKEN, "bot", TOKEN),
        (URL.replace("://", "://bot:se%2Fcret@"), "", "", "bot", "se/cret"),
        (URL.replace("://", "://bot:se@cret@"), "", "", "bot", "se@cret"),
        (URL.replace("://", "://bot:old@"), "", TOKEN, "bot", TOKEN),
        (URL.replace("://", f"://{TOKEN}@"), "", "", TOKEN, ""),
        (URL.replace("://", f"://{TOKEN}:@"), "", "", TOKEN, ""),
    ],
)
def test_a_login_is_taken_out_of_the_url(
    url: str, user: str, token: str, login: str, password: str
) -> None:
    found = access(url, user, token)
    assert (found.url, found.login, found.password) == (URL, login, password)
    for secret in {password, login if len(login) == len(TOKEN) else ""} - {""}:
        assert secret not in " ".join(options(found))
        assert secret not in hidden(
            found, f"remote: {secret} and {quote(secret, safe='')} and {url}"
        )
    assert not password or password not in repr(found)


def test_a_name_for_the_credential_helper_of_the_user_stays() -> None:
    found = access(URL.replace("://", "://anna@"))
    assert found.url == URL.replace("://", "://anna@")
    assert not any("credential" in word for word in options(found))
    assert environment(found) == {}


@pytest.mark.parametrize(
    "url", ["git@git.example.com:team/x.git", "ssh://git@git.example.com/x.git", "/srv/x.git"]
)
def test_what_is_no_https_has_no_login(url: str) -> None:
    assert access(url).url == address(url)
    assert access(url).login == ""


def test_only_the_host_itself_is_given_the_login_and_no_helper_keeps_it() -> None:
    words = options(access(URL, "bot", TOKEN))
    assert "credential.helper=" in words
    [helper] = [word for word in words if word.startswith("credential.https")]
    assert helper.startswith("credential.https://git.example.com.helper=!")


def test_ssh_asks_nobody_and_trusts_no_strange_host() -> None:
    command = environment(
        access("git@git.example.com:x.git", files=Files(key="/k", known_hosts="/h"))
    )["GIT_SSH_COMMAND"]
    for word in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=/h",
        "-i /k",
        "IdentitiesOnly=yes",
    ):
        assert word in command
    assert "StrictHostKeyChecking=yes" in environment(access("ssh://x/y"))["GIT_SSH_COMMAND"]
    os.environ["GIT_SSH_COMMAND"] = "mine"
    assert environment(access("ssh://x/y")) == {}
    assert "-i /k" in environment(access("ssh://x/y", files=Files(key="/k")))["GIT_SSH_COMMAND"]


def test_the_authorities_are_those_of_the_setting() -> None:
    assert (
        environment(access(URL, files=Files(authorities="/ca.pem")))["GIT_SSL_CAINFO"] == "/ca.pem"
    )


@pytest.mark.parametrize(
    ("said", "kind", "fix"),
    [
        ("fatal: Authentication failed for 'https://x/'", UsageError, "SLUICE_GIT_TOKEN"),
        (
            "fatal: could not read Username for 'https://x': terminal prompts disabled",
            UsageError,
            "SLUICE_GIT_TOKEN",
        ),
        ("git@x: Permission denied (publickey).", UsageError, "SLUICE_GIT_KEY"),
        ("Host key verification failed.", UsageError, "SLUICE_KNOWN_HOSTS"),
        (
            "server certificate verification failed. CAfile: none CRLfile: none",
            UsageError,
            "SLUICE_CA",
        ),
        ("SSL certificate problem: certificate has expired", UsageError, "clock"),
        (
            "! [remote rejected] HEAD -> main (pre-receive hook declined)",
            SluiceError,
            "SLUICE_MODE=branch",
        ),
        (
            (
                "remote: error: GH006: Protected branch update failed for refs/heads/main."
                " protected branch hook"
            ),
            SluiceError,
            "SLUICE_MODE=branch",
        ),
        ("fatal: unable to access: The requested URL returned error: 403", SluiceError, "rights"),
        ("fatal: detected dubious ownership in repository at '/x'", UsageError, "safe.directory"),
        ("error: file write error: No space left on device", SluiceError, "Free space"),
        ("error: unable to create temporary object directory", SluiceError, "be written to"),
        ("fatal: the remote end hung up unexpectedly", Retryable, "SLUICE_MANIFESTS"),
        ("ssh: connect to host x port 22: Connection refused", Retryable, "SLUICE_MANIFESTS"),
        ("Could not resolve host: x", Retryable, "SLUICE_MANIFESTS"),
    ],
)
def test_an_answer_says_whether_waiting_helps(said: str, kind: type[SluiceError], fix: str) -> None:
    error = failure(access(URL), Result(128, "", said))
    assert type(error) is kind
    assert fix in error.fix


def test_a_deadline_is_said_with_the_setting_that_moves_it() -> None:
    error = failure(access(URL, timeout=2), Result(process.LATE, "", ""))
    assert isinstance(error, Retryable)
    assert error.what == f"{URL} did not answer within 2 seconds"
    assert "SLUICE_GIT_TIMEOUT" in error.fix
