"""What is measured of a failed call: the status of HTTP from git's trace, and what lies here."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.git_servers import Hosted, serving

from flows.adapters.git import calls, measured
from flows.adapters.git.access import Access, access
from flows.adapters.git.configured import Configured

_SENT = "09:11:09.792925 http.c:688              => Send header: {} HTTP/1.1\n"
_GOT = "09:11:09.792925 http.c:688              <= Recv header: HTTP/{}\n"


def trace(folder: Path, *lines: str) -> int:
    (folder / "http").write_text("".join(lines))
    return measured.status(folder)


def test_the_last_answer_counts(tmp_path: Path) -> None:
    get = _SENT.format("GET /info/refs?service=git-upload-pack")
    assert measured.status(tmp_path) == 0
    assert trace(tmp_path, get) == 0
    assert trace(tmp_path, get, _GOT.format("1.1 401 Unauthorized")) == 401
    assert trace(tmp_path, get, _GOT.format("1.1 401 Nobody"), get, _GOT.format("2 200")) == 200
    assert (
        trace(tmp_path, get, _GOT.format("1.1 403 401 OK"), "<= Recv header: Server: HTTP 5") == 403
    )


def test_that_a_proxy_lets_us_through_is_no_answer(tmp_path: Path) -> None:
    connect, get = _SENT.format("CONNECT x:443"), _SENT.format("GET /info/refs")
    opened = _GOT.format("1.1 200 Connection established")
    assert trace(tmp_path, connect, opened) == 0
    assert trace(tmp_path, connect, _GOT.format("1.1 502 Bad Gateway")) == 0
    assert trace(tmp_path, connect, _GOT.format("1.1 407 Who are you")) == 407
    assert trace(tmp_path, connect, opened, get, _GOT.format("2 401")) == 401


@given(words=st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60))
def test_no_words_of_a_server_are_a_status(
    tmp_path_factory: pytest.TempPathFactory, words: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    get, odd = _SENT.format("GET /"), f"<= Recv header: {words}\n"
    if not words.startswith("HTTP/"):
        assert trace(folder, get, _GOT.format(f"1.1 403 {words}"), odd) == 403


@pytest.mark.parametrize("fault", ["talkative", ""])
def test_a_real_server_is_measured_and_no_secret_is_in_the_trace(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []

    def status(folder: Path) -> int:
        kept.append((folder / "http").read_text())
        return original(folder)

    original = measured.status
    monkeypatch.setattr(measured, "status", status)
    with serving(Hosted(tmp_path, {"bot": "s3cret"}, fault=fault)) as hosted:
        to = access(f"{hosted.url}/none.git", "bot", "s3cret" if fault else "wrong")
        answer = calls.ask(to, "ls-remote", "--", to.url)
    assert answer.status == (403 if fault else 401)
    assert "s3cret" not in "".join(kept)
    assert "wrong" not in "".join(kept)
    assert "Ym90O" not in "".join(kept)  # the beginning of the login in Base64


def test_whose_a_repository_is_and_whether_it_takes_anything(tmp_path: Path) -> None:
    mine = tmp_path / "mine.git"
    (mine / "objects").mkdir(parents=True)
    none = Configured()
    assert measured.foreign(str(mine), none) == ""
    assert measured.locked(str(mine)) == ""
    assert measured.foreign("https://x/y", none) == measured.locked("https://x/y") == ""
    assert measured.full_folder(mine) == ""
    if os.geteuid() == 0:
        os.chown(mine, 65534, 65534)
        assert measured.foreign(str(mine), none) == str(mine)
        for safe in ("*", str(mine)):
            found = Configured((("global", "safe.directory", safe),))
            assert measured.foreign(str(mine), found) == ""
        found = Configured((("local", "safe.directory", "*"),))
        assert measured.foreign(str(mine), found) == str(mine)


def test_an_address_of_ssh_is_read_in_both_ways() -> None:
    none = Access("")
    for url in ("ssh://git@127.0.0.1:2222/x.git", "git@127.0.0.1:x.git", "127.0.0.1:x"):
        place = measured._place(none, url)
        assert place is not None
        assert place[0] == "127.0.0.1"
        assert place[1] == (2222 if "2222" in url else 22)
