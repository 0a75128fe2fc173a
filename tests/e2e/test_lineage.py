"""A real release reproduced, every byte flipped, and two thousand commits told, in a terminal and a
browser.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from support import by_hand, flips
from support.browser import CHROMIUM, chromium, foreign
from support.clones import Demo, done, manifests, run, state
from support.releases import Story, Told

from benchmarks import chronicles
from benchmarks.reading import HAPPENED
from flows.adapters.git import git
from sluice.gitops.trailers import read_trailers

needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="needs chromium (apt-get install chromium)"
)
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_the_release_of_the_demo_is_reproduced(demo: Demo) -> None:
    """From its commit, checked out, with what its lock names, which is not the lock of today, and
    data made anew.
    """
    shutil.rmtree(state(demo.clone) / "data")
    with on_branch(demo.clone.path, "lock"):
        lock = demo.clone.path / "uv.lock"
        lock.write_text(lock.read_text() + "# another\n")
        committed(demo.clone.path, "Another lock")
        ended = done(demo.clone, ".venv/bin/sluice reproduce latest")
    assert ended.last.startswith("Reproduced: release 1 of attrition, all ")
    assert "checked out" in ended.stdout
    assert "made from its lock with Python" in ended.stdout
    assert "because the lock is another" in ended.stdout
    assert "generated anew by models.attrition.sample" in ended.stdout
    assert "0 differ by more than 1e-6" in ended.stdout


@contextlib.contextmanager
def on_branch(folder: Path, name: str) -> Iterator[None]:
    git.git("checkout", "--quiet", "-b", name, cwd=folder)
    try:
        yield
    finally:
        git.git("checkout", "--quiet", "--force", "-", cwd=folder)


def committed(folder: Path, message: str) -> str:
    """The commit of all that changed."""
    git.git(
        "-c", "user.name=A", "-c", "user.email=a@x", "commit", "--quiet", "-am", message, cwd=folder
    )
    return git.head(folder)


def test_where_the_policy_was_another_the_policy_is_named(demo: Demo, scratch: Path) -> None:
    """The commit is taken from somebody who wrote down the wrong one."""
    bare = Path(shutil.copytree(manifests(demo.clone), scratch / "wrong.git"))
    policy = demo.clone.path / "models" / "attrition" / "policy.toml"
    before = policy.read_text()
    git.git("checkout", "--quiet", "-b", "wrong", cwd=demo.clone.path)
    policy.write_text(before.replace("trials = 16", "trials = 2"))
    git.git(
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@x",
        "commit",
        "--quiet",
        "-am",
        "Two trials",
        cwd=demo.clone.path,
    )
    wrong = git.head(demo.clone.path)
    git.git("checkout", "--quiet", "-", cwd=demo.clone.path)
    with by_hand.clone(str(bare), "main") as repo:
        message = git.git("log", "-1", "--format=%B", cwd=repo.path)
        lines = [
            (
                line
                if not line.startswith(("Source-Commit:", "Code-Commit:"))
                else f"{line.split()[0]} {wrong}"
            )
            for line in message.splitlines()
        ]
        overlay = repo.path / chronicles.OVERLAY
        overlay.write_text(overlay.read_text() + "# again\n")
        by_hand.commit(repo, "\n".join(lines) + "\n", chronicles.US)
        by_hand.push(repo)
    ended = run(
        demo.clone,
        ".venv/bin/sluice reproduce latest --json",
        SLUICE_MANIFESTS=str(bare),
        SLUICE_HOME=str(state(demo.clone)),
    )
    told = json.loads(ended.stdout)
    assert (ended.code, told["equal"]) == (3, False)
    assert {"policy", "search"} <= {one["name"] for one in told["differs"]}


def test_every_byte_that_is_flipped_is_found(promoted: tuple[Story, Told], scratch: Path) -> None:
    """Every byte of the small files, and 1,000 of each large one."""
    place = Path(shutil.copytree(promoted[0].home / "registry" / "attrition", scratch / "flipped"))
    trailers = newest(promoted[0].home / "manifests.git")
    count = sum(len(flips.places(path, 1, 1000)) for path in flips.names(place, trailers))
    assert list(flips.missed(place, trailers, 1, 1000)) == []
    print(
        f"{count:,} flipped, each of them found and named; at most {3 / count:.1%} are missed, 19"
        " times in 20"
    )


def test_bytes_of_the_layers_of_a_real_image_are_found(demo: Demo, scratch: Path) -> None:
    """Each flip means a hundred megabytes that are read."""
    place = Path(shutil.copytree(state(demo.clone) / "registry" / "attrition", scratch / "layers"))
    assert list(flips.missed(place, newest(manifests(demo.clone)), 1, 10, only="layer ")) == []


def newest(bare: Path) -> dict[str, str]:
    """The trailers of the first release."""
    messages = [
        message for _, _, message in git.log(str(bare), "main") if "\nRelease: 1\n" in message
    ]
    return read_trailers(messages[-1])


def test_two_thousand_commits_are_told(demo: Demo, scratch: Path) -> None:
    """What that costs is measured by benchmarks/reading.py."""
    bare = scratch / "long.git"
    chronicles.write(bare, [("release", 0.73), *(HAPPENED * 500)])
    for words in ("history --limit 5", f"history --page {scratch / 'long.html'}"):
        ended = done(demo.clone, f".venv/bin/sluice {words}", SLUICE_MANIFESTS=str(bare))
        assert ended.last.endswith("1,001 releases, 500 candidates not released, 500 rollbacks.")
    ended = run(demo.clone, ".venv/bin/sluice lineage latest", SLUICE_MANIFESTS=str(bare))
    # this registry has nothing of it
    assert (ended.code, " of attrition" in ended.last) == (1, True)


@pytest.fixture(scope="module")
def autumn(demo: Demo, scratch: Path) -> Path:
    """The page of a history in which everything happened."""
    chronicles.write(scratch / "autumn.git", chronicles.AUTUMN)
    words = f".venv/bin/sluice history --page {scratch / 'history.html'}"
    done(demo.clone, words, SLUICE_MANIFESTS=str(scratch / "autumn.git"))
    return scratch / "history.html"


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 768, 375, 320])
def test_the_page_fits_its_window(
    width: int, scheme: str, autumn: Path, browser: Browser, tmp_path: Path
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    asked = foreign(page)
    with contextlib.closing(page):
        page.goto(autumn.as_uri())
        page.screenshot(path=tmp_path / f"history-{width}-{scheme}.png", full_page=True)
        assert page.evaluate(WIDER) <= 0
        expect(page.get_by_role("heading", name="Live: release 15", level=1)).to_be_in_viewport()
        expect(page.get_by_text("It flags four in five of the night shift")).to_be_visible()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    assert asked == []
