"""The protected branch is found, or it is said that it is not; git that fails is never "no git"."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flows.adapters.git import git as adapter
from flows.project import protected_branch
from flows.project.protected_branch import Protected
from sluice.errors import SluiceError, UsageError

ZEROS = "0" * 40
NAMED = "SLUICE_PROTECTED_REF"


def git(folder: Path, *words: str | Path) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(repository: Path, text: str) -> str:
    """Commit this text as project/a.txt; the commit."""
    (repository / "project").mkdir(exist_ok=True)
    (repository / "project" / "a.txt").write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", text)
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", "origin")
    commit(tmp_path / "origin", "one")
    return tmp_path / "origin"


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", origin, "clone")
    return tmp_path / "clone"


def found(folder: Path, ref: str = "") -> Protected:
    protected = protected_branch.find(folder, ref)
    assert protected is not None
    return protected


def test_the_base_is_where_the_change_set_began_and_the_tip_is_the_newest(
    origin: Path, clone: Path
) -> None:
    began = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "--quiet", "-b", "work")
    commit(clone, "changed here")
    newest = commit(origin, "changed there")
    git(clone, "fetch", "--quiet")
    for ref in ("", "origin/main"):
        assert (found(clone, ref).tip, found(clone, ref).base) == (newest, began)
        assert (found(clone, ref).unknown, found(clone, ref).unfit) == ("", "")


def test_a_file_of_a_commit_is_read_below_the_project(clone: Path) -> None:
    head = git(clone, "rev-parse", "HEAD")
    commit(clone, "two")
    assert protected_branch.text(clone / "project", head, "a.txt") == "one"
    assert protected_branch.text(clone / "project", head, "none.txt") == ""
    assert protected_branch.text(clone / "project", "", "a.txt") == ""


def test_what_was_put_in_the_place_of_an_object_is_not_read(clone: Path) -> None:
    """`git replace` shows another file under the name of a commit that somebody signed."""
    head = git(clone, "rev-parse", "HEAD")
    (clone / "evil").write_text("evil")
    evil = git(clone, "hash-object", "-w", "evil")
    git(clone, "replace", git(clone, "rev-parse", "HEAD:project/a.txt"), evil)
    assert git(clone, "show", "HEAD:project/a.txt") == "evil"
    assert protected_branch.text(clone / "project", head, "a.txt") == "one"


@pytest.mark.parametrize("other", ["refs/tags/{}", "refs/heads/{}", "refs/{}"])
@pytest.mark.parametrize("ref", ["origin/main", "origin/main^0", "origin/main~0"])
def test_a_name_that_something_else_has_too_is_refused(other: str, ref: str, clone: Path) -> None:
    """Whoever may push a tag would choose what a change is compared with, and who may sign."""
    git(clone, "checkout", "--quiet", "-b", "work")
    commit(clone, "lowers a floor")
    git(clone, "update-ref", other.format("origin/main"), "HEAD")
    with pytest.raises(UsageError, match=f"{NAMED} is '.*', which is the name of refs/") as raised:
        protected_branch.find(clone, ref)
    assert "refs/remotes/origin/main" in raised.value.fix
    assert found(clone, "refs/remotes/origin/main").unfit == ""


def test_outside_of_git_there_is_none(tmp_path: Path) -> None:
    assert protected_branch.find(tmp_path, "") is None
    assert adapter.head(tmp_path) == ""
    with pytest.raises(UsageError, match=f"{NAMED} is 'main', and .* is not in git"):
        protected_branch.find(tmp_path, "main")


def orphan(clone: Path) -> str:
    git(clone, "checkout", "--quiet", "--orphan", "work")
    commit(clone, "of another root")
    return "origin/main"


def blob(clone: Path) -> str:
    return git(clone, "rev-parse", "HEAD:project/a.txt")


def own(clone: Path) -> str:
    git(clone, "checkout", "--quiet", "-b", "work")
    commit(clone, "lowers a floor")
    return "work"


def detached(clone: Path) -> str:
    git(clone, "checkout", "--quiet", "--detach")
    return "@"


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        (lambda _: "deadbeef" * 5, "which git cannot find"),
        (lambda _: "nowhere", "which git cannot find"),
        (lambda _: "refs/heads/nowhere", "which git cannot find"),
        (lambda _: "HEAD~5", "which git cannot find"),
        (lambda _: "origin/main^{tree}", "which git cannot find"),
        (lambda _: "--all", "which git cannot find"),
        (lambda _: " ", "which git cannot find"),
        (lambda _: "main..main", "which git cannot find"),
        (blob, "which git cannot find"),
        (orphan, "which has no commit in common with HEAD"),
        (lambda _: "HEAD", "which is the commit that is judged, or contains it"),
        (lambda _: "@", "which is the commit that is judged, or contains it"),
        (lambda clone: git(clone, "rev-parse", "HEAD"), "which is the commit that is judged"),
        (own, "which is the commit that is judged, or contains it"),
        (lambda clone: f"heads/{own(clone)}", "which is the commit that is judged"),
        (lambda clone: f"refs/heads/{own(clone)}", "which is the commit that is judged"),
        (lambda clone: f"{own(clone)}^0", "which is the commit that is judged"),
        (detached, "which is the commit that is judged, or contains it"),
    ],
)
def test_a_branch_that_is_named_and_is_none_is_refused_by_the_name_of_the_setting(
    ref: object, said: str, clone: Path
) -> None:
    """Whatever hides what a change set changed: else a lowered floor goes by unseen."""
    assert callable(ref)
    with pytest.raises(UsageError, match=f"{NAMED} is .*{said}") as raised:
        protected_branch.find(clone, ref(clone))
    assert raised.value.exit_code == 2


def test_a_shallow_clone_has_no_older_commit(origin: Path, tmp_path: Path) -> None:
    old = git(origin, "rev-parse", "HEAD")
    commit(origin, "two")
    git(tmp_path, "clone", "--quiet", "--depth=1", origin.as_uri(), "shallow")
    for ref in (old, "HEAD^"):
        with pytest.raises(UsageError, match=f"{NAMED} is .*which git cannot find"):
            protected_branch.find(tmp_path / "shallow", ref)


@pytest.mark.parametrize("ref", ["", ZEROS, "0" * 64])
def test_without_a_commit_before_the_base_is_unknown_and_that_is_said(
    ref: str, origin: Path
) -> None:
    protected = found(origin, ref)
    assert (protected.tip, protected.base) == ("", "")
    assert protected.unknown in (
        "there was no commit before this one",
        "the clone has no origin/HEAD and SLUICE_PROTECTED_REF is not set",
    )


def test_a_clone_of_another_root_has_no_base(clone: Path) -> None:
    orphan(clone)
    assert found(clone).unknown == "the clone has no commit in common with origin/HEAD"


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("", "it contains the commit that is judged"),
        ("origin/main", "it contains the commit that is judged"),
        ("old", "it contains the commit that is judged"),
        ("HEAD~1", "it is the branch that is judged, or named from it"),
        ("@~1", "it is the branch that is judged, or named from it"),
        ("work~1", "it is the branch that is judged, or named from it"),
        ("work@{1}", "it is the branch that is judged, or named from it"),
        ("heads/work^", "it is the branch that is judged, or named from it"),
        ("@{u}", "it is the branch that is judged, or named from it"),
        ("origin/work", "it is the branch that is judged, as it was pushed"),
        ("refs/remotes/origin/work", "it is the branch that is judged, as it was pushed"),
        ("origin/work~1", "it is the branch that is judged, as it was pushed"),
    ],
)
def test_a_branch_that_the_judged_one_could_have_written_allows_no_signers(
    ref: str, why: str, origin: Path, clone: Path
) -> None:
    git(clone, "checkout", "--quiet", "-b", "work")
    commit(clone, "adds a key")
    git(clone, "push", "--quiet", "--set-upstream", "origin", "work")
    commit(clone, "is signed with it")
    if "contains" in why:
        git(clone, "branch", "old")
        git(origin, "config", "receive.denyCurrentBranch", "ignore")
        git(clone, "push", "--quiet", "origin", "work:main")
    assert why == found(clone, ref).unfit


@pytest.mark.parametrize("ref", ["", "origin/main", "main", "refs/heads/main"])
def test_a_branch_beside_the_judged_one_allows_signers(ref: str, clone: Path) -> None:
    git(clone, "checkout", "--quiet", "-b", "work", "--track", "origin/main")
    commit(clone, "two")
    assert found(clone, ref).unfit == ""


def test_who_works_on_the_default_branch_is_allowed_signers_by_what_was_pushed(clone: Path) -> None:
    commit(clone, "two")
    assert found(clone, "origin/main").unfit == ""
    assert found(clone).unfit == ""


def anothers(clone: Path) -> None:
    """What git is told of an owner here stands for a checkout of another user."""
    programs = clone.parent / "programs"
    programs.mkdir()
    shim = programs / "git"
    real = shutil.which("git")
    shim.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    shim.chmod(0o755)
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"


def lost_worktree(clone: Path) -> None:
    """A worktree or submodule that was copied without the repository which it belongs to."""
    shutil.rmtree(clone / ".git")
    (clone / ".git").write_text("gitdir: /nowhere/.git/worktrees/w\n")


def without_head(clone: Path) -> None:
    (clone / ".git" / "HEAD").unlink()


def wrong_configuration(clone: Path) -> None:
    (clone / ".git" / "config").write_text("[core\n")


def newer_format(clone: Path) -> None:
    git(clone, "config", "core.repositoryFormatVersion", "99")


def unknown_extension(clone: Path) -> None:
    git(clone, "config", "core.repositoryFormatVersion", "1")
    git(clone, "config", "extensions.ofTheFuture", "true")


def no_objects(clone: Path) -> None:
    shutil.rmtree(clone / ".git" / "objects")


def empty_link(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    (clone / ".git").symlink_to("nowhere")


def empty_file(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    (clone / ".git").write_text("")


def missing_tree(clone: Path) -> None:
    tree = git(clone, "rev-parse", "HEAD^{tree}")
    (clone / ".git" / "objects" / tree[:2] / tree[2:]).unlink()


def missing_commit(clone: Path) -> None:
    head = git(clone, "rev-parse", "HEAD")
    (clone / ".git" / "objects" / head[:2] / head[2:]).unlink()


def empty_branch(clone: Path) -> None:
    """What a full disk or a lost power leaves."""
    (clone / ".git" / "refs" / "heads" / "main").write_text("")


BROKEN = [
    anothers,
    lost_worktree,
    without_head,
    wrong_configuration,
    newer_format,
    unknown_extension,
    no_objects,
    empty_link,
    empty_file,
    missing_tree,
    missing_commit,
    empty_branch,
]


@pytest.mark.parametrize("fail", BROKEN, ids=lambda fail: fail.__name__)
def test_a_git_that_fails_is_not_taken_for_no_git(fail: object, origin: Path, clone: Path) -> None:
    """A release would write `Source-Commit: none`, and see no lowered floor."""
    git(origin, "repack", "-adq")
    for pack in (clone / ".git" / "objects" / "pack").glob("*.pack"):
        moved = Path(shutil.move(pack, clone.parent / pack.name))
        subprocess.run(["git", "unpack-objects", "-q"], cwd=clone, stdin=moved.open(), check=True)
    assert callable(fail)
    fail(clone)
    with pytest.raises(UsageError, match=re.escape(str(clone))):
        adapter.head(clone / "project")


@pytest.mark.parametrize("fail", BROKEN[:9], ids=lambda fail: fail.__name__)
def test_nor_is_a_base_looked_for_without_a_word(fail: object, clone: Path) -> None:
    assert callable(fail)
    fail(clone)
    for ref in ("", "origin/main", ZEROS):
        with pytest.raises(UsageError, match=re.escape(str(clone))) as raised:
            protected_branch.find(clone, ref)
        assert "git config --global --add safe.directory" in raised.value.fix


def test_a_repository_without_a_first_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "new")
    assert adapter.head(tmp_path / "new") == ""
    assert found(tmp_path / "new").unknown


def test_without_git_it_is_git_that_is_missing(clone: Path) -> None:
    os.environ["PATH"] = str(clone)
    with pytest.raises(SluiceError) as raised:
        protected_branch.find(clone, "")
    assert raised.value.fix == "Install git, or put it on PATH."
