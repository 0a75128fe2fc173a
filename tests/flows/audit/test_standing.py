"""What `sluice status` shows besides the release that is live."""

import datetime
import shlex
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow
import pyarrow.parquet
import pytest
from support.git_repos import ONE, promotion
from support.terminal import shown

from flows.adapters.git import git
from flows.audit import standing as room
from flows.audit.standing import DataNow, helps, near, rows_of, standing
from flows.engine.outcome import Outcome
from flows.gitops import manifest_repo
from flows.gitops.manifest_repo import Live
from flows.project.settings import Settings
from flows.views.releases import status as view
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Barred, Quarantine
from sluice.identity import sha256
from sluice.moment import when

NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)  # earlier than any file of a test
CHAMPION = promotion(ONE, 7).champion
LIVE = Live("a" * 40, ImageEntry("n", CHAMPION.image, ONE, CHAMPION.digest), CHAMPION, None)
EDITED = replace(LIVE, entry=ImageEntry("n", CHAMPION.image, "other", CHAMPION.digest))
NEW = DataNow("data.csv", 12)
OLD = replace(NEW, released=True)
GONE = DataNow("data.csv", missing=True)
REFUSED = Outcome("refused", "ids twice", "attrition")
REJECTED = replace(REFUSED, verdict="REJECT")


@pytest.mark.parametrize(
    ("data", "live", "refused", "proposals", "command"),
    [
        (NEW, None, None, (), "sluice release attrition"),
        (NEW, LIVE, None, (), "sluice plan attrition"),
        (OLD, LIVE, None, (), "sluice serve attrition"),
        (NEW, LIVE, REFUSED, (), "sluice validate attrition"),
        (NEW, None, REFUSED, (), "sluice validate attrition"),
        (OLD, LIVE, REFUSED, (), "sluice serve attrition"),  # refused were others
        (NEW, LIVE, REJECTED, (), "sluice plan attrition"),  # by the gate, not by the data
        (NEW, LIVE, None, ("release/attrition/x",), "sluice history attrition"),
        (OLD, EDITED, None, (), "sluice history attrition"),
        (GONE, LIVE, None, (), "sluice release attrition --data FILE"),
        (GONE, None, None, (), "sluice release attrition --data FILE"),
    ],
)
def test_the_next_command_follows_from_what_is_there(
    data: DataNow,
    live: Live | None,
    refused: Outcome | None,
    proposals: tuple[str, ...],
    command: str,
) -> None:
    assert helps("attrition", data, live, refused, proposals) == command
    assert shlex.split(command)[0] == "sluice"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"", 0),
        (b"a,b\n", 0),
        (b"a,b\n1,2\n", 1),
        (b"a,b\n1,2", 1),
        (b"a,b\r\n1,2\r\n3,4\r\n", 2),
        (b'a,b\n"two\nlines",2\n', 1),
        (b"a,b\n1,2\n\n\n", 1),
        (b"\xef\xbb\xbfa,b\n1,2\n", 1),
        ("a,b\nü,2\n".encode("utf-16"), None),
        (b"a,b\n\xff,2\n", None),
    ],
)
def test_rows_are_counted_as_a_reader_counts_them(
    text: bytes, rows: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(text)
    assert rows_of(path) == rows


def test_rows_of_a_parquet_file_are_in_its_foot(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2, 3]}), path)
    assert rows_of(path) == 3
    path.write_bytes(b"no table")
    assert rows_of(path) is None


def test_a_place_is_as_short_as_a_person_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert near(str(tmp_path / "work" / "data" / "a.csv")) == "data/a.csv"
    assert near(str(tmp_path / "other" / "a.csv")) == "~/other/a.csv"
    assert near("/srv/a.csv") == "/srv/a.csv"
    assert near("git@host:team/manifests.git") == "git@host:team/manifests.git"
    assert near("https://host/team/manifests.git") == "https://host/team/manifests.git"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project whose data are a file, and an embedded manifest repo."""
    project = tmp_path / "project"
    for folder in ("data", "models/attrition"):
        (project / folder).mkdir(parents=True)
    (project / "models" / "attrition" / "contract.toml").touch()
    table = b"a,b\n1,2\n3,4\n"
    (project / "data" / "people.csv").write_bytes(table)
    pointer = f'reference = "file:data/people.csv"\nsha256 = "{sha256(table)}"\n'
    (project / "data" / "attrition.toml").write_text(pointer)
    return Settings(home=tmp_path / "home", project=project)


def test_everything_is_gathered_from_a_repo_with_proposals(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest_repo.seed(settings)
    table = (settings.project / "data" / "people.csv").read_bytes()
    champion = msgspec.structs.replace(CHAMPION, data=sha256(table))
    bare = settings.home / "manifests.git"
    for name in (
        f"release/attrition/{champion.tag}",  # merged: it is live
        "release/attrition/newer",
        "rollback/attrition/older",
        "release/churn/other",
        "feature/attrition/x",
    ):
        git.git("branch", name, "main", bare=bare)
    barred = Barred(
        digest=CHAMPION.digest, tag=ONE, release=7, who="anna", when="2026-11-20", why="bad"
    )
    live = replace(LIVE, champion=champion, quarantine=Quarantine(entries=(barred,)))
    found = standing(settings, "attrition", live, None, NOW)
    assert found.proposals == ("release/attrition/newer", "rollback/attrition/older")
    assert (found.data.rows, found.data.released, found.quarantined) == (2, True, 1)
    view.show(view.Status("attrition", "", champion, "", None, view.Home("home"), found))
    lines = shown(capsys)
    home, data, repo, _, quarantine, proposals, command, *_ = lines
    assert home == "Home home"
    changed = when(found.data.changed)
    assert (
        data
        == f"Data {near(str(settings.project / 'data' / 'people.csv'))}, 2 rows, written"
        + (f" {changed} (just now), as released")
    )
    assert repo.endswith("manifests.git, branch main, tip aaaaaaaaaaaa")
    assert quarantine == "Quarantine 1 image: `sluice quarantine` lists them"
    assert proposals == (
        "Proposals release/attrition/newer, rollback/attrition/older: merge or delete each"
    )
    assert command == "Next `sluice history attrition`"


def test_before_anything_is_there_it_says_so(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (settings.project / "data" / "people.csv").unlink()
    found = room.standing(settings, "attrition", None, None, NOW)
    view.show(view.Status("attrition", "", None, "", None, view.Home("home"), found))
    _, data, repo, _, quarantine, proposals, *_ = shown(capsys)
    assert data.endswith("people.csv is not there")
    assert repo.endswith("manifests.git, branch main, not made yet")
    assert (quarantine, proposals) == ("Quarantine nothing", "Proposals none open")
