"""What a person does in a git repository: clone it into a working tree, edit files, commit, push.

Plain git with its own checkout and no configuration, so that nothing of Sluice's writer is judged
by itself.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Clone:
    """A working tree of one branch; `tip` is empty where the branch did not exist."""

    path: Path
    branch: str
    tip: str


def git(folder: Path, *words: str | Path, check: bool = True) -> str:
    """Run git in a folder; what it printed, without the line's end."""
    done = subprocess.run(
        ["git", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


@contextmanager
def clone(url: str | Path, branch: str) -> Iterator[Clone]:
    """A clone of a branch while the block runs, empty where there is no such branch."""
    with tempfile.TemporaryDirectory(prefix="by-hand-") as scratch:
        folder = Path(scratch) / "clone"
        there = git(Path(scratch), "ls-remote", str(url), check=False).split("\t")[0]
        names = "--object-format=sha256" if len(there) == 64 else "--object-format=sha1"
        git(Path(scratch), "init", "--quiet", names, "--initial-branch", branch, folder)
        git(folder, "remote", "add", "origin", str(url))
        git(folder, "fetch", "--quiet", "origin", check=False)
        tip = git(folder, "rev-parse", "--quiet", "--verify", f"origin/{branch}", check=False)
        if tip:
            git(folder, "reset", "--quiet", "--hard", tip)
        yield Clone(folder, branch, tip)


def commit(repo: Clone, message: str, author: str, parents: Sequence[str] = ()) -> str:
    """Commit everything that lies in the working tree, also where nothing changed; the commit.

    `parents` are further parents, after the tip.
    """
    name, _, address = author.rstrip(">").partition(" <")
    who = ("-c", f"user.name={name}", "-c", f"user.email={address}", "-c", "commit.gpgSign=false")
    git(repo.path, "add", "--all")
    words = ("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--message", message)
    git(repo.path, *who, *words)
    made = git(repo.path, "rev-parse", "HEAD")
    if parents:
        behind = [word for parent in (repo.tip, *parents) for word in ("-p", parent)]
        made = git(repo.path, *who, "commit-tree", f"{made}^{{tree}}", *behind, "-m", message)
        git(repo.path, "reset", "--quiet", "--hard", made)
    return made


def push(repo: Clone) -> None:
    """Push it; it has to be taken."""
    git(repo.path, "push", "--quiet", "origin", f"HEAD:refs/heads/{repo.branch}")


def write(
    url: str | Path,
    files: Mapping[str, str | None],
    message: str = "By hand\n",
    author: str = "Anna <anna@example.com>",
    branch: str = "main",
) -> str:
    """Commit these files (path -> text, or None for one that goes) and push them; the commit."""
    with clone(url, branch) as repo:
        for path, text in files.items():
            file = repo.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                file.unlink()
            else:
                file.write_bytes(text.encode())
        made = commit(repo, message, author)
        push(repo)
    return made
