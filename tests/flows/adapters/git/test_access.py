"""How a git remote is reached: what is secret is taken out of the URL, and never in an argument or
in a text.
"""

import os
from contextlib import suppress
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters.git.access import (
    Files,
    access,
    address,
    environment,
    hidden,
    options,
)
from flows.project import settings
from sluice.errors import UsageError

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
    assert environment(access("ssh://x/y"), own_ssh=True) == {}
    os.environ["GIT_SSH_COMMAND"] = "mine"
    assert environment(access("ssh://x/y")) == {}
    assert "-i /k" in environment(access("ssh://x/y", files=Files(key="/k")))["GIT_SSH_COMMAND"]


def test_the_authorities_are_those_of_the_setting() -> None:
    assert (
        environment(access(URL, files=Files(authorities="/ca.pem")))["GIT_SSL_CAINFO"] == "/ca.pem"
    )


# What git would take for an option, or for the name of a program that it runs.
NO_ADDRESS = [
    "--upload-pack=touch ran; false ://",
    "--upload-pack=touch ran",
    "-oProxyCommand=touch ran",
    "-",
    "--",
    "-c core.sshCommand=x",
    "ext::sh -c 'touch ran'",
    "ext::git-upload-pack",
    "fd::3",
    "transport::https://git.example.com/x.git",
    "git://git.example.com/x.git",
    "ftp://git.example.com/x.git",
    "javascript://x",
    "s3://bucket/x",
    "ssh://-oProxyCommand=touch%20ran/x",
    "ssh://%2DoProxyCommand=touch%20ran/x",
    "ssh://git@-oProxyCommand=x/y.git",
    "https://-x/y.git",
    "HTTP://bot:old@git.example.com/x.git",
    # What git would refuse as configuration, or as an address, in words of its own.
    "https://git.example.com/a\nb.git",
    "https://git.exam\rple.com/x.git",
    "https://git.example.com/x.git\x1b[2J",
    "https://git.example.com/%0Ax.git",
    "https://bo%0At:old@git.example.com/x.git",
    "/srv/git/a\nb.git",
    "git@git.example.com:a\nb.git",
    "https://git.example.com:99999/x.git",
    "https://git.example.com:0/x.git",
    "https://git.example.com:-1/x.git",
    "https://git.example.com:https/x.git",
    "https://bot:old@git.example.com:x/y.git",
    "ssh://git@git.example.com:team/x.git",
    "https:///x.git",
    "https://bot@/x.git",
    "ssh:///x.git",
    "http://:8080/x.git",
    "https://[::1/x.git",
    "https://::1/x.git",
    "https://git example.com/x.git",
    "https:git.example.com/x.git",
    "https:/git.example.com/x.git",
    "ssh:git@git.example.com/x.git",
    "file:/srv/git/x.git",
    "file://git.example.com/x.git",
    "file://localhost/srv/git/x.git",
    "file://srv/git/x.git",
]
ADDRESSES = [
    "https://git.example.com",
    "https://git.example.com:/x.git",
    "https://git.example.com:8443/x.git",
    "https://[::1]:8443/x.git",
    "https://bücher.example/x.git",
    "https://git.example.com/a%20b/x.git",
    "https://git.example.com/~anna/x.git",
    "ssh://git@git.example.com:2222/x.git",
    "git@git.example.com:team/x.git",
    "host:x.git",
    "file:///srv/a b/x.git",
    "/srv/https/x.git",
    "https",
]


@pytest.mark.parametrize("url", NO_ADDRESS)
def test_what_git_would_take_for_something_else_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="is required") as raised:
        access(url)
    assert "SLUICE_MANIFESTS" in raised.value.fix
    assert ":old" not in str(raised.value)


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_as_people_write_it_is_one(url: str) -> None:
    assert access(url).url


@given(st.text(max_size=12), st.sampled_from("\n\r\0\x1b\x7f\t"), st.text(max_size=12))
def test_an_address_of_two_lines_is_none(before: str, sign: str, after: str) -> None:
    with pytest.raises(UsageError):
        access(f"https://git.example.com/{before}{sign}{after}")


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_whatever_stands_for_the_host_is_taken_or_refused_in_a_sentence(authority: str) -> None:
    with suppress(UsageError):
        found = urlsplit(access(f"https://{authority}/x.git").url)
        assert found.hostname
        assert found.port is None or 0 < found.port < 65_536


@pytest.mark.parametrize("scheme", ["http://", "http://bot@", "http://bot:old@"])
@pytest.mark.parametrize(
    "host", ["git.example.com", "10.0.0.1", "192.168.1.7:8080", "[fe80::1]", "localhost.evil.com"]
)
def test_a_token_goes_to_no_other_machine_in_the_clear(scheme: str, host: str) -> None:
    with pytest.raises(UsageError, match="https is required") as raised:
        access(f"{scheme}{host}/x.git", token=TOKEN)
    assert TOKEN not in str(raised.value)
    assert "old" not in str(raised.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80", "localhost", "localhost:3000", "[::1]:80", "127.9.9.9"]
)
def test_this_machine_may_be_given_a_token_in_the_clear(host: str) -> None:
    assert access(f"http://{host}/x.git", token=TOKEN).password == TOKEN


def test_a_host_without_a_login_may_be_read_in_the_clear() -> None:
    assert access("http://git.example.com/x.git").url == "http://git.example.com/x.git"


@pytest.mark.parametrize("name", ["MANIFESTS", "PROTECTED_REF"])
@pytest.mark.parametrize("value", ["--output=x", "-x", " --upload-pack=touch ran; false ://"])
def test_a_setting_that_git_would_take_for_an_option_is_refused(name: str, value: str) -> None:
    os.environ[f"SLUICE_{name}"] = value
    with pytest.raises(UsageError, match=f"SLUICE_{name} is .*take for an option"):
        settings.load()


@pytest.mark.parametrize("blank", ["\n", "\r\n", " ", "\t", "\n\n"])
def test_blanks_around_the_address_are_none_of_it(blank: str) -> None:
    for value in (f"{URL}{blank}", f"{blank}{URL}"):
        os.environ["SLUICE_MANIFESTS"] = value
        assert settings.load().remote.url == URL
