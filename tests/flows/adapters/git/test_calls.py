"""Every call of git: the configuration of whoever runs it changes neither what is read nor what is
done, and how a server is reached stays theirs.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from support import by_hand, hostile_git
from support.git_repos import ONE, OVERLAY, TWO, promotion, seeded, shown

from flows.adapters.git import calls, git, git_log
from flows.adapters.git.access import Files, access
from flows.adapters.git.checkout import checkout
from flows.gitops import events, manifest_repo, quarantine, rollback
from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError

AUTHOR = "Sluice Test <sluice@example.com>"


@pytest.fixture
def gitconfig() -> Iterator[Path]:
    """The configuration of whoever runs it."""
    path = Path(os.environ["HOME"]) / ".gitconfig"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def hostile(tmp_path: Path, gitconfig: Path) -> Iterator[Path]:
    """A user whose git is set up to change everything; the folder in which their programs say that
    they ran.
    """
    here = hostile_git.user(tmp_path / "user", gitconfig)
    yield here
    assert not (here / "programs").exists(), (here / "programs").read_text()


def named_by_sha256(given: Settings) -> Settings:
    """The same manifest repo, with its objects named by SHA-256."""
    before, after = Path(given.manifest_url), given.home / "sha256.git"
    words = ("--quiet", "--bare", "--object-format=sha256", "--initial-branch", "main")
    by_hand.git(given.home, "init", *words, after)
    kept = subprocess.run(
        ["git", "fast-export", "main"], cwd=before, capture_output=True, check=True
    )
    taken = ["git", "fast-import", "--quiet"]
    subprocess.run(taken, cwd=after, input=kept.stdout, capture_output=True, check=True)
    return given.model_copy(update={"manifests": str(after)})


def story(home: Path, names: str = "sha1") -> list[object]:
    """Everything that Sluice asks git for, over a whole life of a manifest repo; what it learnt."""
    given = named_by_sha256(seeded(home)) if names == "sha256" else seeded(home)
    told: list[object] = []
    for number, tag in enumerate((ONE, TWO), 1):
        written = promote(given, promotion(tag, number, ONE if number > 1 else ""))
        told += [written.outcome, written.lost]
    quarantine.add(given, "attrition", f"sha256:{'a' * 64}", "größer als ß")
    made = rollback.plan(given, rollback.Request("attrition", "previous", "why"))
    told += [made.diff.partition("state/")[0], rollback.write(given, made).outcome]
    by_hand.write(
        given.manifest_url,
        {OVERLAY: shown(given, OVERLAY).replace(ONE, TWO), "é ü.txt": "x"},
        "Édition à la main\n",
    )
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    told += [now.entry, now.by_hand, now.release, quarantine.listed(given, "attrition")[0].why]
    told += [(event.kind, event.release, event.tag) for event in events.chronicle(given)]
    told += [_subject(message) for _, _, message in git.log(given.remote, "main")]
    log = git_log.read(given.remote, "main", ["overlays", "state", "é ü.txt"])
    told += [(commit.author, _subject(commit.message)) for commit in log.commits]
    told += [sorted(commit.changes) for commit in log.commits]
    told += [commit.changes.get(OVERLAY) for commit in log.commits]
    told += [git.branches(given.remote, "*"), git.is_branch("a/b"), git.is_branch("-a")]
    return told


def _subject(message: str) -> str:
    """Its first line: below it stand moments and names of their own."""
    return message.partition("\n")[0]


def project(folder: Path) -> list[object]:
    """What is asked of a checkout of somebody's own."""
    by_hand.git(folder, "init", "--quiet", "--initial-branch", "main", "project")
    place = folder / "project"
    (place / "a.txt").write_bytes(b"one\ntwo\n")
    who = ("-c", "user.name=A", "-c", "user.email=a@x")
    by_hand.git(place, "add", "--all")
    by_hand.git(place, *who, "commit", "--quiet", "--message", "Añadir")
    (place / "new.txt").write_text("x")
    status = ("status", "--porcelain", "--", "new.txt")
    commit = git.git("log", "-1", "--format=%H", "--", "a.txt", cwd=place).strip()
    copied = checkout(place, commit, folder / "copy") / "a.txt"
    return [
        commit == by_hand.git(place, "rev-parse", "HEAD"),
        git.head(place) == commit,
        git.git(*status, cwd=place),
        git.git("show", f"{commit}:./a.txt", cwd=place),
        git.git("log", "-1", "--format=%s|%an", cwd=place),
        copied.read_bytes(),
    ]


@pytest.fixture
def expected(tmp_path: Path) -> list[object]:
    """The same story without any configuration."""
    (tmp_path / "clean").mkdir()
    return story(tmp_path / "clean")


def test_no_configuration_changes_what_is_done_or_read(
    expected: list[object], hostile: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    assert story(tmp_path / "home") == expected


def test_a_manifest_repo_that_names_objects_by_sha256_is_one_like_any_other(
    expected: list[object], tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    assert story(tmp_path / "home", "sha256") == expected
    tip = by_hand.git(tmp_path / "home" / "sha256.git", "rev-parse", "main")
    assert len(tip) == 64


def test_no_configuration_changes_what_is_asked_of_a_project(hostile: Path, tmp_path: Path) -> None:
    # Its own attributes and filters hold there: they say what a file of it is.
    (hostile / "attributes").write_text("")
    (tmp_path / "work").mkdir()
    commit, head, status, shown, line, copied = project(tmp_path / "work")
    assert (commit, head) == (True, True)
    assert status == "?? new.txt\n"
    assert (shown, line) == ("one\ntwo\n", "Añadir|A\n")
    assert copied == b"one\ntwo\n"


def _graft(place: Path, commit: str, parent: str) -> None:
    (place / "info").mkdir(exist_ok=True)
    (place / "info" / "grafts").write_text(f"{commit} {parent}\n")


def _replace(place: Path, commit: str, other: str) -> None:
    by_hand.git(place, "update-ref", f"refs/replace/{commit}", other)


PUT = (_replace, _graft)


@pytest.mark.parametrize("put", PUT)
def test_what_was_put_in_the_place_of_a_commit_is_not_read_of_a_project(
    put: Callable[[Path, str, str], None], tmp_path: Path
) -> None:
    project(tmp_path)
    place = tmp_path / "project"
    one = by_hand.git(place, "rev-parse", "HEAD")
    who = ("-c", "user.name=A", "-c", "user.email=a@x")
    (place / "a.txt").write_text("other\n")
    by_hand.git(place, *who, "commit", "--quiet", "--all", "--message", "other")
    other = by_hand.git(place, "rev-parse", "HEAD")
    by_hand.git(place, "checkout", "--quiet", "--detach", one)
    put(place / ".git", one, other)
    assert by_hand.git(place, "rev-list", "--count", "HEAD") == ("2" if put is _graft else "1")
    assert git.head(place) == one
    assert git.git("show", f"{one}:./a.txt", cwd=place) == "one\ntwo\n"
    assert git.git("rev-list", "HEAD", cwd=place).split() == [one]
    assert (checkout(place, one, tmp_path / "again") / "a.txt").read_bytes() == b"one\ntwo\n"
    assert git.head(tmp_path / "again") == one


@pytest.mark.parametrize("put", PUT)
def test_nor_of_a_manifest_repo(put: Callable[[Path, str, str], None], tmp_path: Path) -> None:
    given = seeded(tmp_path)
    for number, tag in enumerate((ONE, TWO), 1):
        promote(given, promotion(tag, number, ONE if number > 1 else ""))
    bare = Path(given.manifest_url)
    before = [(event.kind, event.release, event.tag) for event in events.chronicle(given)]
    newest, *_, first = by_hand.git(bare, "rev-list", "main").split()
    put(bare, newest, first)
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    assert (now.release, now.tip) == (2, newest)
    assert now.entry.tag == TWO
    # A server with a graft sends a history that does not hold together, and is told so.
    with pytest.raises(SluiceError, match="did not send") if put is _graft else nullcontext():
        after = [(event.kind, event.release, event.tag) for event in events.chronicle(given)]
        assert after == before


def test_the_embedded_repository_is_made_for_whoever_lets_git_find_no_bare_one(
    hostile: Path, tmp_path: Path
) -> None:
    given = Settings(home=tmp_path / "home")
    manifest_repo.seed(given)
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    assert not (tmp_path / "home" / "manifests.git" / "hooks").exists()


# What git reads of the user where it serves a repository of this machine, each by itself.
SERVER = [
    "transfer.hideRefs=refs",
    "transfer.hideRefs=refs/heads",
    "uploadpack.hideRefs=refs/heads",
    "receive.hideRefs=refs/heads",
    "receive.maxInputSize=1",
    "receive.procReceiveRefs=refs",
    "receive.shallowUpdate=false",
    "receive.denyCurrentBranch=refuse",
    "receive.fsckObjects=true",
    "uploadpack.packObjectsHook={here}/ran",
    "core.alternateRefsCommand={here}/ran",
    "core.hooksPath={here}/hooks",
    "core.sharedRepository=0700",
    "core.logAllRefUpdates=always",
]


@pytest.fixture
def of_a_person(tmp_path: Path) -> Settings:
    """A manifest repo that somebody made by hand, with another beside it that lends it objects."""
    given = seeded(tmp_path)
    lender, bare = Path(given.manifest_url), tmp_path / "by hand.git"
    by_hand.git(tmp_path, "clone", "--quiet", "--bare", "--shared", lender, bare)
    return given.model_copy(update={"manifests": str(bare)})


@pytest.mark.parametrize("setting", SERVER)
def test_a_repository_of_this_machine_is_served_as_it_says_itself(
    setting: str, of_a_person: Settings, gitconfig: Path, tmp_path: Path
) -> None:
    here = hostile_git.user(tmp_path / "user", gitconfig)
    key, _, value = setting.format(here=here).partition("=")
    gitconfig.write_text("")
    by_hand.git(tmp_path, "config", "--file", gitconfig, key, value)
    bare = Path(of_a_person.manifest_url)
    before = by_hand.git(bare, "rev-parse", "main")
    assert git.tip(of_a_person.remote, "main") == before
    assert promote(of_a_person, promotion(ONE, 1)).outcome == "committed"
    assert by_hand.git(bare, "rev-parse", "main~") == before
    assert not (here / "programs").exists()


def test_and_what_it_says_itself_holds(of_a_person: Settings) -> None:
    bare = Path(of_a_person.manifest_url)
    by_hand.git(bare, "config", "uploadpack.hideRefs", "refs/heads/secret")
    by_hand.git(bare, "branch", "secret", "main")
    assert git.branches(of_a_person.remote, "*") == ["main"]


def test_a_repository_that_the_user_calls_safe_stays_safe(
    of_a_person: Settings, gitconfig: Path
) -> None:
    """The server is told of that setting, whichever file it stands in; of no other."""
    bare = Path(of_a_person.manifest_url)
    by_hand.git(bare, "config", "--file", gitconfig, "safe.directory", str(bare))
    found = calls.configuration()
    [option] = calls.serving("fetch", str(bare), found)
    assert f"-c 'safe.directory={bare}' upload-pack" in option
    assert calls.serving("fetch", "ssh://host/x.git", found) == ()
    assert calls.serving("push", "https://host/x.git", found) == ()


@pytest.mark.parametrize(
    ("kind", "push"), [("insteadOf", False), ("insteadOf", True), ("pushInsteadOf", True)]
)
def test_what_is_named_otherwise_is_served_by_where_it_lies(
    kind: str, push: bool, gitconfig: Path
) -> None:
    by_hand.git(Path("/"), "config", "--file", gitconfig, f"url./srv/.{kind}", "https://git.x/")
    by_hand.git(Path("/"), "config", "--file", gitconfig, f"url.ssh://y/.{kind}", "https://git.x/y")
    found = calls.configuration()
    assert found.reached("https://git.x/a.git", push=push) == "/srv/a.git"
    assert found.reached("https://git.x/y.git", push=push) == "ssh://y/.git"
    assert found.reached("https://other/a.git", push=push) == "https://other/a.git"
    assert (found.reached("https://git.x/a.git") == "/srv/a.git") == (kind == "insteadOf")


@pytest.mark.parametrize("version", ["2.30.2", "2.33.8.windows.1", "1.8.3.1"])
def test_a_git_that_is_too_old_is_refused_by_name(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = seeded(tmp_path)
    (tmp_path / "git").write_text(f"#!/bin/sh\necho git version {version}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(UsageError, match=r"the version of git is \d\.\d+; 2\.34 is required"):
        manifest_repo.live(given, "attrition")


BROKEN = ["[user\nname = A", "[core]\n= 1\n", '[a]\nb = "c\n', "\0", "[include]\npath"]


@pytest.mark.parametrize("content", BROKEN)
def test_a_configuration_that_git_cannot_read_is_told_as_such(
    content: str, tmp_path: Path, gitconfig: Path
) -> None:
    given = seeded(tmp_path)
    gitconfig.write_text(content)
    asked: list[Callable[[], object]] = [
        lambda: git.tip(given.remote, "main"),
        lambda: git.branches("ssh://git@127.0.0.1:9/x.git", "*"),
        lambda: promote(given, promotion(ONE, 1)),
        lambda: manifest_repo.live(given, "attrition"),
        lambda: git.log(given.remote, "main"),
        lambda: git.seed(tmp_path / "new.git", {"a": b""}, "main", "Start\n", AUTHOR),
        lambda: git.require_author(git.Author(AUTHOR, key="/none")),
    ]
    for ask in asked:
        with pytest.raises(UsageError, match="git does not read its configuration: ") as raised:
            ask()
        assert str(gitconfig) in raised.value.what
        assert "git config --list" in raised.value.fix


def test_a_setting_that_means_nothing_to_git_is_no_such_configuration(
    tmp_path: Path, gitconfig: Path
) -> None:
    given = seeded(tmp_path)
    gitconfig.write_text("[sluice]\nodd = \n[core]\nodd\n")
    assert promote(given, promotion(ONE, 1)).outcome == "committed"


@pytest.mark.parametrize("language", ["de", "de_DE.UTF-8", "fr:de", "xx"])
def test_the_language_of_the_user_changes_nothing(
    language: str, expected: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Debian translates what git says wherever LANGUAGE is set, and the locale is not exactly C."""
    for name in ("LANGUAGE", "LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.setenv(name, language)
    (tmp_path / "home").mkdir()
    assert story(tmp_path / "home") == expected
    said = calls.run("rev-parse", "no/such", where=calls.Where(tmp_path)).stderr
    assert said.startswith("fatal: ")


@pytest.mark.parametrize("name", sorted(calls.EVERYWHERE | calls.OURS))
def test_each_setting_that_is_fixed_is_one_that_git_takes(name: str, tmp_path: Path) -> None:
    """With a value that git refuses it would end every call."""
    value = (calls.EVERYWHERE | calls.OURS)[name]
    by_hand.git(tmp_path, "init", "--quiet")
    done = subprocess.run(
        ["git", "-c", f"{name}={value}", "log", "--all"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_ssh_command_of_the_user_is_the_one_that_is_called(
    gitconfig: Path, tmp_path: Path
) -> None:
    _ssh_of_the_user(gitconfig, tmp_path)
    with pytest.raises(SluiceError):
        git.tip("ssh://git@manifests.invalid/x.git", "main")
    assert "git@manifests.invalid" in (tmp_path / "called").read_text()


def test_a_key_of_the_settings_wins_over_the_ssh_command_of_the_user(
    gitconfig: Path, tmp_path: Path
) -> None:
    _ssh_of_the_user(gitconfig, tmp_path)
    (tmp_path / "known").write_text("")
    files = Files(known_hosts=str(tmp_path / "known"))
    with pytest.raises(SluiceError):
        git.tip(access("ssh://git@127.0.0.1:9/x.git", files=files), "main")
    assert not (tmp_path / "called").exists()


def _ssh_of_the_user(gitconfig: Path, folder: Path) -> None:
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/called\nexit 255\n')
    program.chmod(0o755)
    config = f"[core]\nsshCommand = {program}\n"
    gitconfig.write_text(config)


def test_a_server_that_is_named_otherwise_is_found(gitconfig: Path, tmp_path: Path) -> None:
    """`url.*.insteadOf`, as who works behind a mirror has it."""
    git.seed(tmp_path / "bare.git", {"a": b""}, "main", "Start\n", AUTHOR)
    config = f'[url "file://{tmp_path}/"]\ninsteadOf = https://git.example.com/\n'
    gitconfig.write_text(config)
    assert git.tip("https://git.example.com/bare.git", "main") != ""


@pytest.mark.parametrize("scheme", ["ext::sh -c touch% {}/ran ", "fd::3/x", "git://127.0.0.1:9/"])
def test_no_configuration_leads_to_another_protocol(
    scheme: str, gitconfig: Path, tmp_path: Path
) -> None:
    config = (
        f'[protocol]\nallow = always\n[url "{scheme.format(tmp_path)}"]\ninsteadOf = https://x/\n'
    )
    gitconfig.write_text(config)
    with pytest.raises(SluiceError, match="not allowed"):
        git.tip("https://x/y.git", "main")
    assert not (tmp_path / "ran").exists()


def test_fewer_protocols_may_be_allowed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git.seed(tmp_path / "bare.git", {"a": b""}, "main", "Start\n", AUTHOR)
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "https:ext")
    with pytest.raises(SluiceError, match="transport 'file' not allowed"):
        git.tip(str(tmp_path / "bare.git"), "main")
