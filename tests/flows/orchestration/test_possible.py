"""A login that may read and not write is told before anything is done, by plan and release."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.git_repos import template
from support.git_servers import Hosted
from support.git_servers import serving as git_serving
from support.logins import log_in, nobody_is_logged_in
from support.registries import PASSWORD, World
from support.registries import serving as registry_serving
from support.releases import Story, release

from flows.adapters import process
from flows.adapters.registry import registry, remote
from flows.engine.request import begin
from flows.gitops import writer
from flows.gitops.writer import Change
from flows.orchestration.plan import plan
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from sluice.errors import SluiceError

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def hosted(tmp_path: Path, unreleased: Story) -> Iterator[Hosted]:
    """A git server that has the manifest repo of a project of which nothing was released."""
    root = tmp_path / "git"
    process.run(["git", "clone", "--quiet", "--bare", template(), root / "m.git"])
    process.run(["git", "config", "http.receivepack", "true"], cwd=root / "m.git")
    with git_serving(Hosted(root)) as server:
        os.environ["SLUICE_MANIFESTS"] = f"{server.url}/m.git"
        yield server


@pytest.fixture
def world(
    tmp_path: Path, unreleased: Story, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[World, str]]:
    """A registry, and its host; nobody is logged in."""
    nobody_is_logged_in(tmp_path, monkeypatch)
    kept = World()
    with registry_serving(kept) as host:
        os.environ["SLUICE_REGISTRY"] = host
        yield kept, host


def planned() -> object:
    return plan(begin(settings.load(), real_tools(), "attrition"))


def refused(action: Callable[[], object]) -> SluiceError:
    with pytest.raises(SluiceError) as raised:
        action()
    return raised.value


def nothing_was_done(story: Story) -> bool:
    return not (story.home / "store").exists()


def at_the_end_of_a_release() -> SluiceError:
    """What the push of a commit is refused with."""
    given = settings.load()
    change = Change({"state/attrition/x.json": "{}\n"}, "Try\n")
    return refused(lambda: writer.write(given, given.branch, lambda _: change))


@pytest.mark.parametrize("action", [planned, release])
def test_a_git_login_that_may_only_read_is_told_at_the_beginning(
    action: Callable[[], object], hosted: Hosted, unreleased: Story
) -> None:
    hosted.fault = "read-only"
    error, later = refused(action), at_the_end_of_a_release()
    assert (error.exit_code, error.fix, type(error)) == (later.exit_code, later.fix, type(later))
    assert "403" in error.what
    assert nothing_was_done(unreleased)


@pytest.mark.parametrize("action", [planned, release])
def test_a_registry_login_that_may_only_read_is_told_at_the_beginning(
    action: Callable[[], object], world: tuple[World, str], hosted: Hosted, unreleased: Story
) -> None:
    kept, host = world
    kept.login, kept.open_door, kept.open_reads = "basic", True, True
    error = refused(action)
    place = remote.remote(host, "attrition")
    later = refused(lambda: registry.push_files(place, "a", {"b": b"c"}, "x/y", {}))
    assert (error.exit_code, error.fix, type(error)) == (later.exit_code, later.fix, type(later))
    assert (kept.blobs, kept.manifests) == ({}, {})
    assert nothing_was_done(unreleased)


def test_who_may_write_is_asked_once_and_nothing_is_kept(
    world: tuple[World, str], hosted: Hosted, tmp_path: Path
) -> None:
    kept, host = world
    kept.login, kept.open_door, kept.open_reads = "basic", True, True
    log_in(tmp_path, remote.remote(host, "attrition"), PASSWORD)
    for _ in range(3):
        planned()
    written = [(method, path) for method, path, _ in kept.asked if method in WRITES]
    # The first one is told who asks, and says it then.
    assert sorted({method for method, _ in written}) == ["DELETE", "POST"]
    assert len(written) <= 3
    assert (kept.blobs, kept.manifests) == ({}, {})
    pushes = [path for path, _ in hosted.seen if "receive-pack" in path]
    assert pushes == ["/m.git/info/refs?service=git-receive-pack"]
    tips = process.run(["git", "rev-list", "--count", "--all"], cwd=hosted.root / "m.git").stdout
    assert tips == "1\n"
