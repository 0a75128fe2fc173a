"""Which models a push touches: each kind of file, and the commits that a push may name."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from flows.project.changed import SHARED, SHARED_FILES, changes, named, sentences, touched
from flows.project.root import ROOT
from sluice.errors import UsageError

POINTED = {"churn": "rows/churn.csv", "fraud": ""}
ZEROS = "0" * 40


def git(folder: Path, *words: str) -> str:
    person = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    done = subprocess.run(
        ["git", *person, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def push(project: Path, *files: str) -> str:
    """Change these files in a commit; the commit before it."""
    before = git(project, "rev-parse", "HEAD")
    for file in files:
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        with (project / file).open("a") as text:
            text.write("# changed\n")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "Change")
    return before


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with two models; the data of one lie in it."""
    folder = tmp_path / "project"
    for name in POINTED:
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "contract.toml").write_text("schema = 1\n")
        (folder / "models" / name / "policy.toml").write_text("\n")
    (folder / "data").mkdir()
    (folder / "data" / "churn.toml").write_text('reference = "file:rows/churn.csv"\n')
    (folder / "data" / "fraud.toml").write_text('reference = "sample:models.fraud.sample"\n')
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "Begin")
    return folder


def models(project: Path, base: str) -> list[str]:
    return [found.model for found in changes(project, base).models]


@pytest.mark.parametrize(
    ("file", "model", "kind"),
    [
        ("models/churn/contract.toml", "churn", "contract"),
        ("models/churn/policy.toml", "churn", "policy"),
        ("models/churn/sample.py", "churn", "code"),
        ("data/churn.toml", "churn", "data"),
        ("rows/churn.csv", "churn", "data"),
        ("overrides/churn/0123.toml", "churn", "override"),
        ("data/fraud.toml", "fraud", "data"),
    ],
)
def test_a_file_of_a_model_touches_it_alone(
    file: str, model: str, kind: str, project: Path
) -> None:
    [found] = changes(project, push(project, file)).models
    [cause] = found.causes
    assert (found.model, cause.kind, cause.files) == (model, kind, (file,))


@pytest.mark.parametrize("file", [*(f"{room}x.py" for room in SHARED), *SHARED_FILES])
def test_what_all_share_touches_all(file: str, project: Path) -> None:
    found = changes(project, push(project, file))
    assert [touched.model for touched in found.models] == ["churn", "fraud"]
    assert {cause.kind for touched in found.models for cause in touched.causes} == {"shared code"}


def test_a_file_of_dvc_that_a_pointer_names_is_data(project: Path) -> None:
    (project / "data" / "churn.toml").write_text('reference = "dvc:rows/churn.csv.dvc"\n')
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "Name it")
    assert models(project, push(project, "rows/churn.csv.dvc")) == ["churn"]


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "docs/gate.md",
        "models/churn/README.md",
        "flows/README.md",
        "tests/flows/test_x.py",
        ".github/workflows/ci.yml",
        "data/churn.toml.orig",
        "models/churning/sample.py",
        "sluice_notes/x.py",
    ],
)
def test_documentation_and_tests_touch_none(file: str, project: Path) -> None:
    assert models(project, push(project, file)) == []


def test_every_package_that_is_installed_is_of_a_model_or_shared() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = document["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {f"{name}/" for name in packages} == {*SHARED, "models/"}


def test_a_file_that_is_renamed_or_removed_touches_both_places(project: Path) -> None:
    push(project, "models/churn/words.py")
    before = git(project, "rev-parse", "HEAD")
    git(project, "mv", "models/churn/words.py", "models/fraud/words.py")
    git(project, "commit", "--quiet", "-m", "Move")
    assert models(project, before) == ["churn", "fraud"]
    git(project, "rm", "--quiet", "-r", "models/fraud")
    git(project, "commit", "--quiet", "-m", "Remove")
    assert models(project, before) == ["churn"]  # what is gone is not released


def test_several_commits_are_one_push_and_nothing_is_none(project: Path) -> None:
    before = push(project, "data/churn.toml")
    push(project, "data/fraud.toml")
    assert models(project, before) == ["churn", "fraud"]
    assert models(project, "HEAD") == []


def test_what_another_branch_did_meanwhile_is_not_of_this_one(project: Path) -> None:
    git(project, "switch", "--quiet", "-c", "mine")
    push(project, "models/churn/policy.toml")
    git(project, "switch", "--quiet", "main")
    push(project, "models/fraud/policy.toml")
    git(project, "switch", "--quiet", "mine")
    assert models(project, "main") == ["churn"]


def test_zeros_touch_every_model(project: Path) -> None:
    for zeros in (ZEROS, "0" * 64):
        found = changes(project, zeros)
        assert (found.base, found.unknown) == ("", "there was no commit before this one")
        assert [touched.model for touched in found.models] == ["churn", "fraud"]
    assert sentences(found.models[0].causes) == "no commit before it is known"


@pytest.mark.parametrize("base", ["", "unheard", "f" * 40, "-v", "HEAD..HEAD", "main:README.md"])
def test_a_name_that_git_does_not_know_is_refused(base: str, project: Path) -> None:
    with pytest.raises(UsageError, match="which git cannot find") as raised:
        changes(project, base)
    assert "git fetch --unshallow" in raised.value.fix


def test_a_shallow_clone_says_what_it_lacks(project: Path, tmp_path: Path) -> None:
    first = push(project, "data/churn.toml")
    push(project, "data/fraud.toml")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{project}", str(shallow))
    with pytest.raises(UsageError, match="which git cannot find") as raised:
        changes(shallow, first)
    assert raised.value.fix.startswith("Fetch the whole history (git fetch --unshallow)")
    git(shallow, "fetch", "--quiet", "--unshallow")
    assert models(shallow, first) == ["churn", "fraud"]


def test_a_history_of_its_own_is_refused(project: Path) -> None:
    tree = git(project, "rev-parse", "HEAD^{tree}")
    other = git(project, "commit-tree", tree, "-m", "Another beginning")
    with pytest.raises(UsageError, match="no commit in common with HEAD"):
        changes(project, other)


def test_a_project_below_the_top_of_its_repository(project: Path) -> None:
    below = project / "ml"
    below.mkdir()
    git(project, "mv", "models", "data", "ml")
    git(project, "commit", "--quiet", "-m", "Move")
    assert models(below, push(project, "ml/data/churn.toml")) == ["churn"]
    assert models(below, push(project, "data/churn.toml")) == []  # of somebody else


def test_a_folder_that_is_not_in_git_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(UsageError, match="is not in git"):
        changes(tmp_path, "HEAD")


def test_a_broken_pointer_is_a_change_of_its_model(project: Path) -> None:
    assert models(project, push(project, "data/churn.toml")) == ["churn"]
    (project / "data" / "churn.toml").write_bytes(b"\xff")
    assert models(project, "HEAD^") == ["churn"]


def test_a_model_may_be_named(project: Path) -> None:
    [found] = named(project, "fraud").models
    assert (found.model, sentences(found.causes)) == ("fraud", "named by hand")
    with pytest.raises(UsageError, match="there is no model 'unheard'"):
        named(project, "unheard")


def test_the_sentence_names_one_file_of_each_kind() -> None:
    files = ["models/churn/b.py", "models/churn/a.py", "data/churn.toml"]
    [found] = touched(files, POINTED)
    assert sentences(found.causes) == "data (data/churn.toml); code (models/churn/a.py and 1 more)"
