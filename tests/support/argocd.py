"""The way of Argo CD: from an Application to the documents that it would apply."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from flows.adapters.git.kustomize import render
from flows.adapters.process import run

DEPLOY = Path(__file__).parents[2] / "deploy" / "argocd"
APPLICATIONS = [DEPLOY / "project.yaml", *sorted(DEPLOY.glob("applications/*.yaml"))]
PLACEHOLDER = "https://git.example.com/team/manifests.git"


def follow(application: Path) -> str:
    """What the repository, revision and folder of an Application (a file) render to."""
    source = yaml.safe_load(application.read_text())["spec"]["source"]
    with TemporaryDirectory() as folder:
        clone = Path(folder)
        run(["git", "init", "--quiet", clone])
        run(
            ["git", "fetch", "--quiet", "--depth=1", source["repoURL"], source["targetRevision"]],
            cwd=clone,
        )
        run(["git", "checkout", "--quiet", "FETCH_HEAD"], cwd=clone)
        return render(clone / source["path"])


def seed(folder: Path, address: str = "") -> Path:
    """A bare manifest repository in `folder`, with the contents of deploy/argocd/ on its branch
    main; Argo CD fetches it at this address, or as a file.
    """
    work, bare = folder / "work", folder / "manifests.git"
    shutil.copytree(DEPLOY, work)
    for file in [work / "project.yaml", *work.glob("applications/*.yaml")]:
        file.write_text(file.read_text().replace(PLACEHOLDER, address or bare.as_uri()))
    run(["git", "init", "--quiet", "--initial-branch=main", work])
    commit(work, "Seed")
    run(["git", "clone", "--quiet", "--bare", work, bare])
    return bare


def commit(work: Path, message: str) -> None:
    """Commit everything in a working copy, as an author of its own."""
    author = [
        "-c",
        "user.name=Test",
        "-c",
        "user.email=test@example.com",
        "-c",
        "commit.gpgsign=false",
    ]
    run(["git", "add", "--all"], cwd=work)
    run(["git", *author, "commit", "--quiet", "--message", message], cwd=work)
