"""The history of branches of a remote, with what each commit changed.

It takes one fetch, and one `git log` for each branch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.git import git
from flows.adapters.git.access import Access
from sluice.gitops.history import Commit

# No message holds a NUL, so nothing that somebody writes into one can pass for a field.
_COMMIT, _FIELD, _END = "\0\0\0", "\0", "\0\0"
_PATCH = (
    "--patch",
    "--unified=0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--diff-merges=first-parent",
)
_FORMAT = "%x00%x00%x00%H%x00:%P%x00%cI%x00%an <%ae>%x00%cn <%ce>%x00:%B%x00%x00"


@dataclass(frozen=True)
class Log:
    """The commits of a branch, its merges, and the commits of other branches by their name.

    Each list is newest first in topological order: a wrong clock moves nothing.
    """

    commits: list[Commit]
    merges: list[Commit]
    others: dict[str, list[Commit]]


def read(
    remote: str | Access, branch: str, paths: Sequence[str], others: Sequence[str] = ()
) -> Log:
    """The commits of `branch` that touch these paths, with the lines that changed there, and all
    its merges; of the `others` every commit, without lines.

    Empty where there is no such branch. Raises as `git.tip`.
    """
    with git.empty(remote, branch) as repo:
        git.fetch_all(repo)
        tip = git.newest(repo, branch)
        if not tip:
            return Log([], [], {})
        commits = _log(repo.path, *_PATCH, tip, "--", *paths)
        merges = _log(repo.path, "--merges", tip, "--", check=False)
        elsewhere = {
            other: _log(repo.path, f"refs/remotes/origin/{other}", "--", check=False)
            for other in others
        }
        return Log(commits, merges, elsewhere)


def _log(repository: Path, *words: str, check: bool = True) -> list[Commit]:
    command = ("log", "--topo-order", f"--format={_FORMAT}", *words)
    return list(_commits(git.git(*command, bare=repository, check=check)))


def _commits(raw: str) -> Iterator[Commit]:
    """The commits of what `git log` printed in _FORMAT."""
    for entry in raw.split(_COMMIT)[1:]:
        head, _, patch = entry.partition(_END)
        sha, parents, date, author, committer, message = head.split(_FIELD)
        behind = tuple(parents[1:].split())
        yield Commit(sha, date, author, committer, message[1:], _changes(patch), behind)


def _changes(patch: str) -> dict[str, tuple[list[str], list[str]]]:
    """Path -> the lines that a patch removes, and those that it adds."""
    changes: dict[str, tuple[list[str], list[str]]] = {}
    removed: list[str] = []
    added: list[str] = []
    within = False  # a hunk: above its first one, `---` and `+++` are the names of the file
    for line in patch.split("\n"):
        text = line[1:].removesuffix("\r")
        if line.startswith("diff --git a/"):
            within = False
            removed, added = [], []
            path = line.removeprefix("diff --git a/").partition(" b/")[0]
            changes[path] = (removed, added)
        elif line.startswith("@@"):
            within = True
        elif within and line.startswith("-"):
            removed.append(text)
        elif within and line.startswith("+"):
            added.append(text)
    return changes
