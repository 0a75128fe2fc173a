"""A commit of a repository on this machine, checked out into a folder of its own; the working tree
is left alone.
"""

from pathlib import Path

from flows.adapters.git import git
from sluice.errors import UsageError


def checkout(repository: Path, commit: str, folder: Path) -> Path:
    """Clone `repository` into `folder` at this commit, asking its origin for it where it is not
    there.

    Raises UsageError where neither has it.
    """
    top = Path(git.git("rev-parse", "--show-toplevel", cwd=repository).strip())
    git.git("clone", "--quiet", "--no-checkout", "--shared", top, folder)
    if not _there(folder, commit):
        origin = git.git("remote", "get-url", "origin", cwd=top, check=False).strip()
        if origin:
            git.git("fetch", "--quiet", "--no-tags", origin, commit, cwd=folder, check=False)
    if not _there(folder, commit):
        raise UsageError(
            f"commit {commit[:12]} is not in {top}",
            "Fetch it there, or run this in the clone that has it.",
        )
    git.git("checkout", "--quiet", "--detach", commit, cwd=folder)
    return folder / repository.resolve().relative_to(top.resolve())


def _there(folder: Path, commit: str) -> bool:
    return bool(
        git.git(
            "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", cwd=folder, check=False
        ).strip()
    )
