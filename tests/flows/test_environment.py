"""What the user's environment says of proxies, and what holds for servers on this machine."""

import urllib.request

import pytest

from flows import without_proxy

HERE = "127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ({}, None),
        ({"no_proxy": "x"}, None),
        ({"http_proxy": ""}, None),
        ({"http_proxy": "http://p"}, HERE),
        ({"HTTP_PROXY": "http://p"}, HERE),
        ({"https_proxy": "http://p"}, HERE),
        ({"ALL_PROXY": "socks5://p"}, HERE),
        ({"http_proxy": "http://p", "no_proxy": "corp.example"}, f"corp.example,{HERE}"),
        ({"http_proxy": "http://p", "NO_PROXY": "a, .b ,"}, f"a,.b,{HERE}"),
        ({"http_proxy": "http://p", "no_proxy": "localhost,a"}, "localhost,a,127.0.0.1,::1"),
        ({"http_proxy": "http://p", "no_proxy": "*"}, None),
    ],
)
def test_no_proxy_is_asked_for_this_machine(names: dict[str, str], wanted: str | None) -> None:
    set_ = {} if wanted is None else {"no_proxy": wanted, "NO_PROXY": wanted}
    assert without_proxy(names) == set_


@pytest.mark.parametrize("host", ["127.0.0.1:4200", "localhost:4200"])
def test_the_clients_of_python_take_it_so(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert not urllib.request.proxy_bypass(host)
    for name, value in without_proxy({"http_proxy": "http://127.0.0.1:9"}).items():
        monkeypatch.setenv(name, value)
    assert urllib.request.proxy_bypass(host)
