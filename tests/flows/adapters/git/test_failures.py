"""What a failure against a remote means: what was measured decides, and no word of anybody."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters import process
from flows.adapters.git.access import access
from flows.adapters.git.failures import Answer, failure, refusal
from sluice.errors import Retryable, SluiceError, UsageError

URL = "https://git.example.com/team/manifests.git"
# What git, ssh and hosts print, in whatever language; each of them is of another failure.
WORDS = [
    "fatal: Authentication failed for 'https://x/'",
    "fatal: could not read Username for 'https://x': terminal prompts disabled",
    "git@x: Permission denied (publickey).",
    "Host key verification failed.",
    "server certificate verification failed. CAfile: none CRLfile: none",
    "fatal: unable to access: The requested URL returned error: 403",
    "fatal: detected dubious ownership in repository at '/x'",
    "error: file write error: No space left on device",
    "fatal: the remote end hung up unexpectedly",
    "ssh: connect to host x port 22: Connection refused",
    "Schwerwiegend: Authentifizierung fehlgeschlagen",
    "致命错误：无法读取远程仓库",
    "remote: no certificate, 401, 403, access denied",
    "",
]
# What was measured, the kind of error, a word of the next step.
MEASURED: list[tuple[dict[str, object], type[SluiceError], str]] = [
    ({"status": 401}, UsageError, "SLUICE_GIT_TOKEN"),
    ({"status": 403}, SluiceError, "rights"),
    ({"status": 407}, UsageError, "proxy"),
    ({"status": 404}, Retryable, "SLUICE_MANIFESTS"),
    ({"status": 429}, Retryable, "SLUICE_MANIFESTS"),
    ({"status": 500}, Retryable, "SLUICE_MANIFESTS"),
    ({"status": 503}, Retryable, "SLUICE_MANIFESTS"),
    ({"status": 200}, Retryable, "SLUICE_MANIFESTS"),
    ({}, Retryable, "SLUICE_MANIFESTS"),
    ({"closed": True}, UsageError, ""),
    ({"untrusted": True}, UsageError, "SLUICE_CA"),
    ({"full": "/clone"}, SluiceError, "/clone takes no more bytes"),
    ({"full": "/clone", "status": 401}, SluiceError, "Free space"),
    ({"locked": "/srv/x.git"}, SluiceError, "/srv/x.git takes nothing"),
    ({"foreign": "/srv/x.git"}, UsageError, "safe.directory"),
]


@pytest.mark.parametrize(("measured", "kind", "fix"), MEASURED)
@pytest.mark.parametrize("said", WORDS)
def test_what_was_measured_decides_whatever_is_said(
    measured: dict[str, object], kind: type[SluiceError], fix: str, said: str
) -> None:
    error = failure(access(URL), Answer(128, "", said, **measured))  # type: ignore[arg-type]
    assert type(error) is kind
    assert fix in error.fix
    assert said.strip() in error.what


@given(said=st.text(max_size=200), more=st.text(max_size=50))
def test_no_text_at_all_decides(said: str, more: str) -> None:
    for measured, kind, _ in MEASURED:
        error = failure(access(URL), Answer(128, more, said, **measured))  # type: ignore[arg-type]
        assert type(error) is kind
        late = failure(access(URL), Answer(process.LATE, more, said, **measured))  # type: ignore[arg-type]
        assert type(late) is Retryable
    assert type(refusal(access(URL), more, Answer(1, "", said))) is SluiceError


def test_every_measure_is_one_of_those() -> None:
    own = {field.name for field in fields(Answer)} - {
        field.name for field in fields(process.Result)
    }
    assert own == {name for measured, _, _ in MEASURED for name in measured}


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("git@x: Permission denied (publickey).", "SLUICE_GIT_KEY that"),
        ("Host key verification failed.", "SLUICE_KNOWN_HOSTS names"),
        ("Clé refusée", "rights of that key"),
        ("remote: Permission denied", "rights of that key"),
    ],
)
def test_words_choose_the_next_step_where_several_fit(said: str, fix: str) -> None:
    assert fix in failure(access("ssh://git@x/y"), Answer(128, "", said, closed=True)).fix


def test_a_deadline_is_said_with_the_setting_that_moves_it() -> None:
    error = failure(access(URL, timeout=2), Answer(process.LATE, "", ""))
    assert isinstance(error, Retryable)
    assert error.what == f"{URL} did not answer within 2 seconds"
    assert "SLUICE_GIT_TIMEOUT" in error.fix
