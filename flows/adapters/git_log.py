"""The history of branches of a remote, with what each commit changed: one fetch, and one `git log` a branch."""

from collections.abc import Iterator, Sequence

from flows.adapters import git
from flows.adapters.access import Access
from sluice.history import Commit

# No message holds a NUL, so nothing that somebody writes into one can pass for a field.
_COMMIT, _FIELD, _END = "\0\0\0", "\0", "\0\0"
_FORMAT = "%x00%x00%x00%H%x00%cI%x00%an <%ae>%x00%cn <%ce>%x00:%B%x00%x00"


def read(remote: str | Access, branches: Sequence[str], paths: Sequence[str]) -> dict[str, list[Commit]]:
    """The commits of each branch, newest first; empty where there is no such branch.

    Of the first branch only what touches these paths, with the lines that changed there; of the others all, without.
    """
    first, *others = branches
    with git.clone(remote, first) as repo:
        if not repo.tip:
            return {branch: [] for branch in branches}
        git.fetch(repo)
        patch = ("--patch", "--unified=0", "--no-color", "--no-ext-diff", "--no-renames", "--diff-merges=first-parent")
        raw = git.git("log", *patch, f"--format={_FORMAT}", repo.tip, "--", *paths, cwd=repo.path)
        found = {first: list(_commits(raw))}
        for branch in others:
            said = git.git("log", f"--format={_FORMAT}", f"refs/remotes/origin/{branch}", cwd=repo.path, check=False)
            found[branch] = list(_commits(said))
    return found


def _commits(raw: str) -> Iterator[Commit]:
    for entry in raw.split(_COMMIT)[1:]:
        head, _, patch = entry.partition(_END)
        sha, date, author, committer, message = head.split(_FIELD)
        yield Commit(sha, date, author, committer, message[1:], _changes(patch))


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
