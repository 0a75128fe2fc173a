"""A commit is the tip and exactly the files of the change, whatever rules the repository has."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import by_hand

from flows.adapters.git import git, tree
from sluice.errors import SluiceError

AUTHOR = "Sluice Test <sluice@example.com>"
CRLF = "kind: Service\r\nname: web\r\n"
START = {
    "base/services.yaml": CRLF,
    "overlays/production/kustomization.yaml": CRLF,
    "docs/diagram.png": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "state/attrition/champion.json": "{}\n",
}
IGNORING = [
    "state/\n*.log\n",
    "*\n",
    "/state\n",
    "*.json\n",
    "**/quarantine.json\n",
    "state/*\n!state/keep\n",
    "[a-z]*\n",
    "*.json\n!champion.json\n",
    "*.json\r\nstate/\r\n*.log\r\n",
    "/state/**\n**/*.log\n",
    "state/attrition/\n!state/attrition/champion.json\nnotes.*\n",
    "*\n!*/\n!*.yaml\n",
    "\\*.json\n*.[jl]*\n",
]
NORMALISING = [
    "*.yaml text eol=lf\n",
    "*.yaml text\n",
    "*.yaml text eol=crlf\n",
    "* text=auto\n",
    "* ident\n",
    "* working-tree-encoding=UTF-16\n",
    "* filter=lfs diff=lfs merge=lfs -text\n",
    "*.json filter=nobody\n",
    "* export-ignore -diff binary\n",
    "[attr]ours text eol=crlf\n* ours\n",
    "state/** text eol=crlf\n*.json -text eol=lf\n",
    "*.yaml text=auto working-tree-encoding=UTF-16LE eol=crlf\n",
]


def repository(folder: Path, files: dict[str, str]) -> str:
    """A bare repository with these files on `main`."""
    by_hand.git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", "bare.git")
    by_hand.write(folder / "bare.git", {**START, **files})
    return str(folder / "bare.git")


def put(url: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """Commit and push these files; what differs from the tip before, as plain git tells it."""
    with git.clone(url, "main") as repo:
        before = repo.tip
        made = git.commit(repo, files, "Change\n", AUTHOR)
        git.push(repo, made)
    names = by_hand.git(Path(url), "diff", "--name-only", "--no-renames", before, "main")
    with git.clone(url, "main") as repo:
        return {name: git.file(repo, name) or b"" for name in names.splitlines()}


@pytest.mark.parametrize("rules", IGNORING)
def test_no_rule_swallows_a_file(rules: str, tmp_path: Path) -> None:
    url = repository(tmp_path, {})
    # As a person commits it who was told by git to force it.
    by_hand.write(url, {".gitignore": rules})
    files = {"state/attrition/quarantine.json": b"[]\n", "notes.log": b"x"}
    assert put(url, files) == files


@pytest.mark.parametrize("rules", NORMALISING)
def test_no_attribute_rewrites_a_file(rules: str, tmp_path: Path) -> None:
    url = repository(tmp_path, {})
    with git.clone(url, "main") as repo:
        made = git.commit(repo, {".gitattributes": rules.encode()}, "Attributes\n", AUTHOR)
        git.push(repo, made)
    files = {"state/attrition/quarantine.json": b"$Id$\r\n", "state/attrition/new.yaml": b"a\r\n"}
    assert put(url, files) == files


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(["a.json", "state/b.json", "state/deep/é ü.yaml", "-c", "d\te", "f:g"]),
        st.binary(max_size=40),
        min_size=1,
    )
)
def test_what_is_read_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    files = {path.replace("-c", "x/-c"): content for path, content in files.items()}
    url = repository(tmp_path_factory.mktemp("tree"), {})
    with git.clone(url, "main") as repo:
        made = git.commit(repo, files, "Change\n", AUTHOR)
        git.push(repo, made)
    with git.clone(url, "main") as repo:
        assert {path: git.file(repo, path) for path in files} == files
        for path, content in START.items():
            assert git.file(repo, path) == content.encode()


def link(path: str, target: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / path).symlink_to(target)

    return make


def submodule(folder: Path) -> None:
    head = by_hand.git(folder, "rev-parse", "HEAD")
    (folder / "other").mkdir()
    by_hand.git(folder, "update-index", "--add", "--cacheinfo", f"160000,{head},other")


def crossing(tmp_path: Path, make: Callable[[Path], None]) -> str:
    """A repository in which a person committed something that leads elsewhere."""
    url = repository(tmp_path, {})
    with by_hand.clone(url, "main") as repo:
        make(repo.path)
        by_hand.commit(repo, "Lead elsewhere\n", AUTHOR)
        by_hand.push(repo)
    return url


@pytest.mark.parametrize(
    ("make", "path", "said"),
    [
        (link("linked", "/outside"), "linked/a.json", "behind linked, which is a symbolic link"),
        (link("linked", "state"), "linked/attrition/champion.json", "a symbolic link"),
        (link("linked", "../../.."), "linked/a", "a symbolic link"),
        (link("state/there", "attrition"), "state/there/champion.json", "behind state/there"),
        (link("state/attrition/x.json", "champion.json"), "state/attrition/x.json", "is a symbol"),
        (link("state/attrition/x.json", "/etc/passwd"), "state/attrition/x.json", "is a symbolic"),
        (link("state/attrition/x.json", "nowhere"), "state/attrition/x.json", "is a symbolic"),
        (submodule, "other/state.json", "behind other, which is a submodule"),
        (submodule, "other", "other of the manifest repo is a submodule"),
        (lambda _: None, "state", "state of the manifest repo is a folder"),
        (lambda _: None, "base/services.yaml/x", "behind base/services.yaml, which is a file"),
        (lambda _: None, "../x", "leaves the manifest repo"),
        (lambda _: None, "a/../../x", "leaves the manifest repo"),
        (lambda _: None, "/etc/passwd", "leaves the manifest repo"),
        (lambda _: None, "a//b", "leaves the manifest repo"),
        (lambda _: None, "", "leaves the manifest repo"),
        (lambda _: None, ".git/config", "is no file that git keeps"),
        (lambda _: None, "a/.GIT/hooks/post-update", "is no file that git keeps"),
        (lambda _: None, "--output=x", "is no file that git keeps"),
    ],
)
def test_a_path_that_leads_elsewhere_is_neither_written_nor_read(
    make: Callable[[Path], None], path: str, said: str, tmp_path: Path
) -> None:
    url = crossing(tmp_path, make)
    before = git.tip(url, "main")
    with git.clone(url, "main") as repo:
        for act in (
            lambda: git.file(repo, path),
            lambda: git.commit(repo, {path: b"x"}, "Change\n", AUTHOR),
        ):
            with pytest.raises(SluiceError, match=said) as raised:
                act()
            assert raised.value.fix
    assert git.tip(url, "main") == before


def test_a_commit_that_would_change_nothing_is_none(tmp_path: Path) -> None:
    url = repository(tmp_path, {})
    with (
        git.clone(url, "main") as repo,
        pytest.raises(SluiceError, match="the commit changes nothing"),
    ):
        git.commit(repo, {"base/services.yaml": CRLF.encode()}, "Nothing\n", AUTHOR)


@pytest.mark.parametrize(
    "made",
    [
        {"other.txt": b"x"},
        {"a.txt": b"other"},
        {"a.txt": b"meant", "other.txt": b"x"},
        {"base/services.yaml": b"", "a.txt": b"meant"},
    ],
)
def test_a_commit_that_is_not_what_was_meant_is_refused(
    made: dict[str, bytes], tmp_path: Path
) -> None:
    url = repository(tmp_path, {})
    with git.clone(url, "main") as repo:
        commit = git.commit(repo, made, "Another\n", AUTHOR)
        with pytest.raises(SluiceError, match=r"a\.txt and nothing else was meant"):
            tree.compare(repo.place, repo.tip, commit, {"a.txt": b"meant"})


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    url = repository(tmp_path, {})
    with by_hand.clone(url, "main") as repo:
        (repo.path / "run.sh").write_text("x")
        (repo.path / "run.sh").chmod(0o755)
        by_hand.commit(repo, "Script\n", AUTHOR)
        by_hand.push(repo)
    put(url, {"run.sh": b"y"})
    assert by_hand.git(Path(url), "ls-tree", "main", "run.sh").startswith("100755 ")


def test_a_repository_that_names_objects_by_sha256_works(tmp_path: Path) -> None:
    words = ("--bare", "--object-format=sha256", "--initial-branch", "main", "bare.git")
    by_hand.git(tmp_path, "init", "--quiet", *words)
    url = str(tmp_path / "bare.git")
    work = tmp_path / "work"
    by_hand.git(tmp_path, "init", "--quiet", "--object-format=sha256", "-b", "main", work)
    (work / "a.txt").write_text("a")
    by_hand.git(work, "add", "a.txt")
    who = ("-c", "user.name=A", "-c", "user.email=a@x")
    by_hand.git(work, *who, "commit", "--quiet", "--message", "Start")
    by_hand.git(work, "push", "--quiet", url, "main")
    assert put(url, {"b.txt": b"b"}) == {"b.txt": b"b"}
    with git.clone(url, "ledger") as repo:  # a branch that is not there yet
        assert repo.tip == ""
        made = git.commit(repo, {"first.json": b"{}"}, "First\n", AUTHOR)
        git.push(repo, made)
    assert len(made) == 64
    assert [message for _, _, message in git.log(url, "main")] == ["Change\n", "Start\n"]
