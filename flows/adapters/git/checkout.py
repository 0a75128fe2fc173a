"""A commit of a repository on this machine, checked out into another folder.

The working tree of that repository is left alone.
"""

from pathlib import Path

from flows.adapters.git import calls, git
from sluice.errors import UsageError


def checkout(repository: Path, commit: str, folder: Path) -> Path:
    """Clone `repository` into `folder` at this commit, which its origin is asked for if need be.

    `repository` may be a folder inside a working tree; returns the same folder of the clone. Raises
    UsageError where neither the repository nor its origin has the commit.
    """
    top = Path(git.git("rev-parse", "--show-toplevel", cwd=repository).strip())
    flags = ("--quiet", "--no-checkout", "--shared", "--template=", *_serving(str(top)))
    git.git("clone", *flags, "--", top, folder)
    if not _has(folder, commit):
        origin = git.git("remote", "get-url", "origin", cwd=top, check=False).strip()
        if origin:
            flags = ("--quiet", "--no-tags", *_serving(origin))
            git.git("fetch", *flags, "--", origin, commit, cwd=folder, check=False)
    if not _has(folder, commit):
        raise UsageError(
            f"commit {commit[:12]} is not in {top}",
            "Fetch it there, or run this in the clone that has it.",
        )
    # The bytes of the commit, whatever line ends the user likes.
    words = ("-c", "core.autocrlf=false", "checkout", "--quiet", "--detach", commit, "--")
    git.git(*words, cwd=folder)
    return folder / repository.resolve().relative_to(top.resolve())


def _serving(address: str) -> tuple[str, ...]:
    """The option for a repository of this machine."""
    found = calls.configuration()
    return calls.serving("fetch", found.reached(address), found)


def _has(folder: Path, commit: str) -> bool:
    words = ["rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    return git.git(*words, cwd=folder, check=False).strip() != ""
