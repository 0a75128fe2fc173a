"""The state that an older version wrote, laid out to be used: shared by the tests that read it and
release upon it.
"""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from flows.adapters.git import git

KEPT = Path(__file__).parents[1] / "fixtures" / "version-0.1.0"
LEDGER = "sluice-ledger"


def expected(name: str) -> Any:
    """What the older version said about it."""
    return json.loads((KEPT / "expected" / f"{name}.json").read_text(encoding="utf-8"))


def restore(folder: Path) -> Path:
    """Lay out the manifest repo (manifests.git) and the state folder (home) as they were; returns
    `folder`.
    """
    with tarfile.open(KEPT / "registry.tar.xz") as tar:
        tar.extractall(folder / "home" / "registry", filter="data")
    bare = folder / "manifests.git"
    git.git("init", "--quiet", "--bare", "--initial-branch", "main", bare)
    with (KEPT / "manifests.fast-export").open("rb") as stream:
        subprocess.run(["git", "fast-import", "--quiet"], cwd=bare, stdin=stream, check=True)
    return folder


def enter(restored: Path, folder: Path) -> Path:
    """Let this process use a copy of what was restored, in a new `folder`, which is returned."""
    shutil.copytree(restored, folder)
    os.environ |= {
        "SLUICE_HOME": str(folder / "home"),
        "SLUICE_MODEL": "attrition",
        "SLUICE_MANIFESTS": str(folder / "manifests.git"),
        "SLUICE_ACTOR": "ben",
    }
    return folder


def refs(folder: Path) -> dict[str, str]:
    """The branches of the manifest repo, each with its commit."""
    lines = git.git("show-ref", cwd=folder / "manifests.git").splitlines()
    return {name: commit for commit, name in (line.split() for line in lines)}


def shown(folder: Path, path: str, branch: str = "main") -> str:
    """A file of the manifest repo."""
    return git.git("show", f"{branch}:{path}", cwd=folder / "manifests.git")
