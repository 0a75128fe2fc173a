"""The history of branches of a remote, with what each commit changed: one fetch, and one `git log`
a branch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flows.adapters.git import git
from flows.adapters.git.access import Access
from sluice.gitops.history import Commit

# No message holds a NUL, so nothing that somebody writes into one can pass for a field.
_COMMIT, _FIELD, _END = "\0\0\0", "\0", "\0\0"
_FORMAT = "%x00%x00%x00%H%x00:%P%x00%cI%x00%an <%ae>%x00%cn <%ce>%x00:%B%x00%x00"


@dataclass(frozen=True)
class Log:
    """The commits of a branch and its merges, and those of other branches.

    Each list is newest first, by who follows whom: a clock that was wrong moves nothing.
    """

    commits: list[Commit]
    merges: list[Commit]
    others: dict[str, list[Commit]]


def read(
    remote: str | Access, branch: str, paths: Sequence[str], others: Sequence[str] = ()
) -> Log:
    """Of `branch` what touches these paths, with the lines that changed there, and all merges; of
    others everything.

    Empty where there is no such branch.
    """
    with git.empty(remote, branch) as repo:
        git.fetch(repo, "+refs/heads/*:refs/remotes/origin/*")
        # Asked so, a branch that is not there is no error, and an error is one.
        tip = git.git(
            "for-each-ref", "--format=%(objectname)", f"refs/remotes/origin/{branch}", cwd=repo.path
        ).strip()
        if not tip:
            return Log([], [], {})

        def log(revision: str, *options: str) -> list[Commit]:
            words = ("log", "--topo-order", f"--format={_FORMAT}", *options, revision, "--")
            return list(_commits(git.git(*words, cwd=repo.path, check=False)))

        found = {other: log(f"refs/remotes/origin/{other}") for other in others}
        patch = (
            "--patch",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--no-renames",
            "--diff-merges=first-parent",
        )
        raw = git.git(
            "log", "--topo-order", *patch, f"--format={_FORMAT}", tip, "--", *paths, cwd=repo.path
        )
        return Log(list(_commits(raw)), log(tip, "--merges"), found)


def _commits(raw: str) -> Iterator[Commit]:
    for entry in raw.split(_COMMIT)[1:]:
        head, _, patch = entry.partition(_END)
        sha, parents, date, author, committer, message = head.split(_FIELD)
        yield Commit(
            sha, date, author, committer, message[1:], _changes(patch), tuple(parents[1:].split())
        )


def _changes(patch: str) -> dict[str, tuple[list[str], list[str]]]:
    """Path -> the lines that went and those that came."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    gone: list[str] = []
    came: list[str] = []
    for line in patch.splitlines():
        if line.startswith("diff --git a/"):
            gone, came = [], []
            found[line.removeprefix("diff --git a/").partition(" b/")[0]] = (gone, came)
        elif line.startswith("-") and not line.startswith("--- "):
            gone.append(line[1:])
        elif line.startswith("+") and not line.startswith("+++ "):
            came.append(line[1:])
    return found
