"""Git: free functions over its command line, each on a temporary clone.

A push is a compare-and-swap: never forced, so it moves the branch only from the tip that the clone
started from.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.adapters import process
from flows.adapters.failpoints import boundary
from flows.adapters.git import repository
from flows.adapters.git.access import Access, environment, failure, options, reached
from sluice.errors import Retryable, UsageError

_DEADLINE = 120.0  # seconds for one call that asks nobody else
_LOST = re.compile(
    r"non-fast-forward|fetch first|cannot lock ref|incorrect old value|stale info|failed to"
    r" update ref"
)
_ABSENT = re.compile(r"couldn't find remote ref", re.IGNORECASE)
# What `git status --porcelain=v2` says of a HEAD without a commit, and of one without a branch.
_NO_COMMIT, _NO_BRANCH = "(initial)", "(unknown)"
# A caller's own git (a hook, a rebase) must not decide which repository this is.
_OWN = re.compile(r"GIT_(?!SSL|SSH|ASKPASS|HTTP|PROXY|CONFIG_(?!PARAMETERS))")
# A clone is thrown away: what counts is what the server has on its disk.
_CONFIG = (
    *("-c", "core.fsync=none"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "commit.gpgsign=false"),
    *("-c", "gc.auto=0"),
    *("-c", "core.autocrlf=false"),
    *("-c", "protocol.ext.allow=never"),
)


class LostRace(Retryable):
    """Somebody else moved the branch first."""


@dataclass(frozen=True)
class Clone:
    """A temporary working tree of one branch; `tip` is empty where the branch does not exist
    yet.
    """

    path: Path
    remote: Access
    branch: str
    tip: str


@dataclass(frozen=True)
class Seen:
    """The tip of a branch of the remote: commit, tree, first parent (empty for none), message."""

    commit: str
    tree: str
    parent: str
    message: str


@dataclass(frozen=True)
class Author:
    """Who commits: author and committer as `Name <address>`, and the key that signs, if any.

    `key` is a file (format ssh) or the id of a key (format openpgp).
    """

    author: str
    committer: str = ""
    key: str = ""
    format: str = "ssh"


def git(
    *words: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Run git and return what it printed.

    Raises CommandFailed for an exit code other than 0 unless `check` is off, and always where git
    was killed or not done in time: then it has answered nothing.
    """
    result = _run(*words, cwd=cwd, env=env, check=check)
    if result.code == process.LATE:
        raise process.CommandFailed(["git", *map(str, words)], result)
    return result.stdout


def _run(
    *words: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    stdin: str | None = None,
    timeout: float = _DEADLINE,
) -> process.Result:
    stray = [name for name in os.environ if _OWN.match(name)]
    # Without optional locks a `git status` that is killed leaves no index.lock in a repository that
    # is not ours.
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}
    return process.run(
        ["git", *_CONFIG, *words],
        cwd=cwd,
        env={**quiet, **(env or {})},
        without=stray,
        timeout=timeout,
        check=check,
        stdin=stdin,
    )


def _ask(to: Access, *words: str | Path, cwd: Path | None = None) -> process.Result:
    """Run git against a remote, with its login, keys and deadline."""
    return _whatever(*options(to), *words, cwd=cwd, env=environment(to), timeout=to.timeout)


def _whatever(*words: str | Path, **how: Any) -> process.Result:
    """The result of git, also where it failed or was killed."""
    try:
        return _run(*words, check=False, **how)
    except process.CommandFailed as error:
        return error.result


@boundary("git.tip")
def tip(remote: str | Access, branch: str) -> str:
    """The commit at the tip of a branch of a remote, empty where there is no such branch.

    Raises Retryable, UsageError or SluiceError as `access.failure` does.
    """
    to = reached(remote)
    result = _ask(to, "ls-remote", "--heads", to.url, f"refs/heads/{branch}")
    if result.code:
        raise failure(to, result)
    return result.stdout.split("\t")[0].strip()


def branches(remote: str | Access, pattern: str) -> list[str]:
    """The branches of a remote whose names match a pattern of git, sorted. Raises as `tip`."""
    to = reached(remote)
    result = _ask(to, "ls-remote", "--heads", to.url, f"refs/heads/{pattern}")
    if result.code:
        raise failure(to, result)
    return [line.partition("refs/heads/")[2] for line in result.stdout.splitlines()]


@contextmanager
def clone(remote: str | Access, branch: str) -> Iterator[Clone]:
    """The tip of a branch, checked out in a temporary folder while the block runs.

    The tree is empty where the branch does not exist yet. Raises as `tip`.
    """
    with empty(remote, branch) as repo:
        commit = fetch(repo, "--depth=1", f"refs/heads/{branch}")
        if commit:
            with boundary("git.checkout"):
                _here(repo.remote, "reset", "--quiet", "--hard", commit, cwd=repo.path)
        yield replace(repo, tip=commit)


@contextmanager
def empty(remote: str | Access, branch: str) -> Iterator[Clone]:
    """An empty repository in a temporary folder while the block runs; nothing is fetched yet."""
    to = reached(remote)
    folder = Path(tempfile.mkdtemp(prefix="sluice-git-"))
    try:
        with boundary("git.init"):
            _here(to, "init", "--quiet", "--template=", "--initial-branch", branch, folder)
        yield Clone(folder, to, branch, "")
    finally:
        with boundary("git.clean"):
            shutil.rmtree(folder, ignore_errors=True)


def _here(to: Access, *words: str | Path, cwd: Path | None = None) -> None:
    """Run git on the clone of a remote. Raises as `failure`: a full disk is named as such."""
    result = _whatever(*words, cwd=cwd)
    if result.code:
        raise failure(replace(to, url=str(cwd or words[-1])), result)


@boundary("git.fetch")
def fetch(repo: Clone, *words: str) -> str:
    """Fetch the refspec that is the last word; the words before it are options of `git fetch`.

    Returns the commit that was fetched (the first of many), empty where there is no such branch.
    Raises as `tip`.
    """
    to = repo.remote
    *flags, refspec = words
    command = ["fetch", "--quiet", "--no-tags", *flags, to.url, refspec]
    result = _ask(to, *command, cwd=repo.path)
    if result.code and _ABSENT.search(result.stderr):
        return ""
    if result.code:
        raise failure(to, result)
    # FETCH_HEAD is a file in every format of references.
    fetched = repo.path / ".git" / "FETCH_HEAD"
    return fetched.read_text(encoding="utf-8", errors="replace").partition("\t")[0]


def commit(repo: Clone, message: str, author: str | Author, parents: Sequence[str] = ()) -> str:
    """Commit everything in the working tree; return the new commit, which HEAD then is.

    `author` is `Name <address>`, or an Author that may sign. `parents` are further parents, after
    the tip. Raises UsageError where git refuses the author or the key.
    """
    if isinstance(author, str):
        author = Author(author)
    words = _commit_words(author, [repo.tip, *parents], tree(repo))
    with boundary("git.commit"):
        result = _run(*words, cwd=repo.path, env=_identity(author), stdin=message, check=False)
    if result.code:
        cause = " ".join(result.stderr.split())[-400:]
        raise UsageError(
            f"the commit could not be made: {cause}", "Check SLUICE_SIGNING_KEY and SLUICE_AUTHOR."
        )
    new = result.stdout.strip()
    with boundary("git.head"):
        _here(repo.remote, "update-ref", "HEAD", new, cwd=repo.path)
    return new


def _commit_words(author: Author, parents: Sequence[str], content: str) -> list[str]:
    """`git commit-tree` of a tree, the message from standard input, signed if there is a key."""
    words = ["commit-tree"]
    if author.key:
        signing = ["-c", f"gpg.format={author.format}", "-c", f"user.signingkey={author.key}"]
        words = [*signing, *words, "-S"]
    for parent in parents:
        if parent:
            words += ["-p", parent]
    return [*words, "-F", "-", content]


def _identity(author: Author) -> dict[str, str]:
    """The variables in which git finds who commits."""
    variables: dict[str, str] = {}
    roles = {"AUTHOR": author.author, "COMMITTER": author.committer or author.author}
    for role, text in roles.items():
        name, _, address = text.rstrip(">").partition(" <")
        variables |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": address}
    return variables


@boundary("git.push")
def push(repo: Clone, branch: str = "") -> None:
    """Move a branch of the remote (by default the clone's) to HEAD, never by force.

    Raises LostRace where somebody moved it first, Retryable where waiting may help, UsageError or
    SluiceError where it does not.
    """
    name = branch or repo.branch
    words = ["push", "--porcelain", repo.remote.url, f"HEAD:refs/heads/{name}"]
    result = _ask(repo.remote, *words, cwd=repo.path)
    if result.code == 0:
        return
    output = f"{result.stdout}\n{result.stderr}"
    error = failure(repo.remote, result)
    if _LOST.search(output) and isinstance(error, Retryable):
        raise LostRace(
            f"branch {name} moved while this commit was made",
            "It is decided anew from the new tip.",
        )
    raise error


@boundary("git.landed")
def landed(repo: Clone, commit: str, branch: str = "") -> bool:
    """Whether the remote's branch (by default the clone's) has this commit, at its tip or below
    newer ones. Raises as `tip`.
    """
    name = branch or repo.branch
    newest = tip(repo.remote, name)
    if newest in ("", commit):
        return newest == commit
    fetch(repo, f"refs/heads/{name}")
    words = ["merge-base", "--is-ancestor", commit, "FETCH_HEAD"]
    return _run(*words, cwd=repo.path, check=False).code == 0


@boundary("git.peek")
def peek(repo: Clone, branch: str) -> Seen | None:
    """The tip of another branch of the remote, None where there is no such branch. Raises as
    `tip`.
    """
    commit = fetch(repo, "--depth=1", f"refs/heads/{branch}")
    if not commit:
        return None
    shown = git("show", "--no-patch", "--format=%T%x00%B", commit, cwd=repo.path)
    content, message = shown.split("\0")
    return Seen(commit, content, _first_parent(repo, commit), message)


def _first_parent(repo: Clone, commit: str) -> str:
    # A commit at the border of a shallow clone is shown without its parents, but its bytes have
    # them.
    header = git("cat-file", "commit", commit, cwd=repo.path).split("\n\n")[0]
    for line in header.split("\n"):
        if line.startswith("parent "):
            return line.removeprefix("parent ")
    return ""


@boundary("git.add")
def tree(repo: Clone) -> str:
    """The tree that a commit of the working tree would have."""
    _here(repo.remote, "add", "--all", cwd=repo.path)
    return git("write-tree", cwd=repo.path).strip()


def seed(
    bare: Path, files: Mapping[str, bytes], branch: str, message: str, author: str | Author
) -> None:
    """Make the bare repository `bare` with one commit of these files (path -> content).

    It is there whole or not at all. Does nothing where a repository is already.
    """
    if (bare / "HEAD").exists():
        return
    bare.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".manifests-", dir=bare.parent))
    try:
        _init_bare(part, branch)
        with clone(str(part), branch) as repo:
            _write_files(repo.path, files)
            commit(repo, message, author)
            push(repo)
        part.chmod(0o755)
        _rename(part, bare)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@boundary("seed.init")
def _init_bare(folder: Path, branch: str) -> None:
    """A bare repository that lets nobody rewrite or delete a branch, and loses no push."""
    git("init", "--quiet", "--bare", "--initial-branch", branch, folder)
    for rule in ("receive.denyNonFastForwards", "receive.denyDeletes"):
        git("config", rule, "true", cwd=folder)
    git("config", "core.fsync", "all", cwd=folder)


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _rename(part: Path, bare: Path) -> None:
    """Give the repository its name, unless another process was faster."""
    try:
        with boundary("seed.rename"):
            part.rename(bare)
    except OSError:
        if not (bare / "HEAD").exists():
            raise


def is_branch(name: str) -> bool:
    """Whether git accepts this name for a branch."""
    if name.startswith("-"):
        return False
    return _run("check-ref-format", f"refs/heads/{name}", check=False).code == 0


def head(folder: Path) -> str:
    """The commit of a working tree, `-dirty` where tracked files differ; empty outside of git, and
    before the first commit.

    Raises UsageError where there is a repository that git does not read.
    """
    top = repository.above(folder)
    if top is None:
        return ""
    words = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    try:
        lines = git(*words, cwd=folder).splitlines()
    except process.CommandFailed as error:
        raise repository.unreadable(top, error) from error
    commit = _header(lines, "branch.oid")
    if commit == _NO_COMMIT:
        if _header(lines, "branch.head") == _NO_BRANCH:
            raise repository.broken(top)
        return ""
    changed = any(not line.startswith("# ") for line in lines)
    return f"{commit}-dirty" if changed else commit


def _header(lines: Sequence[str], name: str) -> str:
    """The value of a header of `git status --porcelain=v2`; empty where it has none."""
    start = f"# {name} "
    return next((line.removeprefix(start) for line in lines if line.startswith(start)), "")


@boundary("git.log")
def log(remote: str | Access, branch: str, depth: int = 50) -> list[tuple[str, str, str]]:
    """The newest commits of a remote branch: (commit, date in ISO 8601, message), newest first.

    At most `depth`, none where there is no such branch. Raises as `tip`.
    """
    with empty(remote, branch) as repo:
        tip = fetch(repo, f"--depth={depth}", f"refs/heads/{branch}")
        if not tip:
            return []
        raw = git("log", "-z", "--format=%H%x00%cI%x00%B", tip, cwd=repo.path)
    fields = raw.split("\0")[:-1]  # a message can hold everything but a NUL
    return list(zip(fields[::3], fields[1::3], fields[2::3], strict=True))


@boundary("git.versions")
def versions(repo: Clone, path: str) -> list[str]:
    """The contents that a file of the branch has had, newest first.

    Fetches the whole history of the branch. Raises as `tip`.
    """
    if not repo.tip:
        return []
    deeper = ("--unshallow",) if (repo.path / ".git" / "shallow").exists() else ()
    fetch(repo, *deeper, f"refs/heads/{repo.branch}")
    words = ["log", "--first-parent", "--diff-filter=AM", "--format=%H", repo.tip, "--", path]
    commits = git(*words, cwd=repo.path).split()
    objects = "".join(f"{commit}:{path}\n" for commit in commits)
    raw = _run("cat-file", "--batch", cwd=repo.path, stdin=objects).stdout
    return re.split(r"^[0-9a-f]{40,64} blob \d+\n", raw, flags=re.MULTILINE)[1:]
