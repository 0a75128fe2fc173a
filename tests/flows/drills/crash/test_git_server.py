"""The drills' git server, and the one in front of it that fails as it is told: git itself talks to
both.
"""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.git_repos import seeded

from flows.adapters.git import git
from flows.drills.crash import bad_servers, git_server
from sluice.errors import Retryable


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    with git_server.Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a repository behind both, and the file that says what is to fail."""
    seeded(tmp_path)
    with (
        serving(git_server.handler(tmp_path)) as real,
        serving(bad_servers.handler(real, tmp_path / "fault", silence=0.1)) as port,
    ):
        yield f"http://127.0.0.1:{port}/manifests.git", tmp_path / "fault"


def fail(file: Path, kind: str, method: str, part: str, times: int = 1) -> None:
    file.write_text(
        json.dumps({"kind": kind, "method": method, "part": part, "left": times, "hits": 0})
    )


def pushed(url: str) -> str:
    with git.clone(url, "main") as repo:
        new = git.commit(repo, {"new": b"new\n"}, "Add new\n", "Anna <anna@example.com>")
        git.push(repo, new)
    return new


def test_what_is_pushed_is_there(place: tuple[str, Path]) -> None:
    url, _ = place
    assert pushed(url) == git.tip(url, "main")


@pytest.mark.parametrize(("kind", "times"), [("reset", 2), ("500", 1), ("lost", 1)])
def test_a_fault_happens_as_often_as_told(kind: str, times: int, place: tuple[str, Path]) -> None:
    url, file = place
    before = git.tip(url, "main")
    fail(file, kind, "POST", "git-receive-pack", times)  # git itself tries again after one reset
    with pytest.raises(Retryable):
        pushed(url)
    assert json.loads(file.read_text())["hits"] == times
    assert (git.tip(url, "main") == before) == (kind != "lost")


def test_a_silent_server_hangs_up_in_the_end(place: tuple[str, Path]) -> None:
    url, file = place
    fail(file, "silent", "GET", "git-upload-pack")
    with pytest.raises(Retryable):
        git.tip(url, "main")
    assert git.tip(url, "main")
