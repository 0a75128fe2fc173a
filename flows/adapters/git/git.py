"""Git: small free functions over the command line, each on a temporary clone.

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
from flows.adapters.git.access import Access, environment, failure, options, reached
from sluice.errors import Retryable, UsageError

_DEADLINE = 120.0  # seconds for one call that asks nobody else
_LOST = re.compile(
    r"non-fast-forward|fetch first|cannot lock ref|incorrect old value|stale info|failed to"
    r" update ref"
)
_ABSENT = re.compile(r"couldn't find remote ref", re.IGNORECASE)
# A caller's own git (a hook, a rebase) must not decide which repository this is.
_OWN = re.compile(r"GIT_(?!SSL|SSH|ASKPASS|HTTP|PROXY|CONFIG_(?!PARAMETERS))")
# A clone is thrown away: what counts is what the server has on its disk.
_CONFIG = (
    "-c",
    "core.fsync=none",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "gc.auto=0",
    "-c",
    "core.autocrlf=false",
    "-c",
    "protocol.ext.allow=never",
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
    """The tip of a branch as it is there: commit, its tree, its first parent (empty for none) and
    its message.
    """

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
    """Run git and return what it printed. With `check` off, an exit code is an answer; being killed
    or late is none.
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
    quiet = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
        **(env or {}),
    }
    return process.run(
        ["git", *_CONFIG, *words],
        cwd=cwd,
        env=quiet,
        without=stray,
        timeout=timeout,
        check=check,
        stdin=stdin,
    )


def _ask(to: Access, *words: str | Path, cwd: Path | None = None) -> process.Result:
    """Run git against a remote: with its login, its keys and its deadline. `failure` says what an
    exit code means.
    """
    return _whatever(*options(to), *words, cwd=cwd, env=environment(to), timeout=to.timeout)


def _whatever(*words: str | Path, **how: Any) -> process.Result:
    """Run git; what came of it, even where it was killed."""
    try:
        return _run(*words, check=False, **how)
    except process.CommandFailed as error:
        return error.result


@boundary("git.tip")
def tip(remote: str | Access, branch: str) -> str:
    """The commit at the tip of a branch of a remote; empty where there is no such branch."""
    to = reached(remote)
    result = _ask(to, "ls-remote", "--heads", to.url, f"refs/heads/{branch}")
    if result.code:
        raise failure(to, result)
    return result.stdout.split("\t")[0].strip()


def branches(remote: str | Access, pattern: str) -> list[str]:
    """The branches of a remote whose names match, in order."""
    to = reached(remote)
    result = _ask(to, "ls-remote", "--heads", to.url, f"refs/heads/{pattern}")
    if result.code:
        raise failure(to, result)
    return [line.partition("refs/heads/")[2] for line in result.stdout.splitlines()]


@contextmanager
def clone(remote: str | Access, branch: str) -> Iterator[Clone]:
    """The tip of a branch in a temporary folder; an empty tree where the branch does not exist
    yet.
    """
    with empty(remote, branch) as repo:
        commit = fetch(repo, "--depth=1", f"refs/heads/{branch}")
        if commit:
            with boundary("git.checkout"):
                _here(repo.remote, "reset", "--quiet", "--hard", commit, cwd=repo.path)
        yield replace(repo, tip=commit)


@contextmanager
def empty(remote: str | Access, branch: str) -> Iterator[Clone]:
    """A temporary folder that has nothing of the remote yet."""
    to, folder = reached(remote), Path(tempfile.mkdtemp(prefix="sluice-git-"))
    try:
        with boundary("git.init"):
            _here(to, "init", "--quiet", "--template=", "--initial-branch", branch, folder)
        yield Clone(folder, to, branch, "")
    finally:
        with boundary("git.clean"):
            shutil.rmtree(folder, ignore_errors=True)


def _here(to: Access, *words: str | Path, cwd: Path | None = None) -> None:
    """Run git on this machine's part of a remote; a full disk is said as what it is."""
    result = _whatever(*words, cwd=cwd)
    if result.code:
        raise failure(replace(to, url=str(cwd or words[-1])), result)


@boundary("git.fetch")
def fetch(repo: Clone, *words: str) -> str:
    """Fetch what the last word names; the commit of it (the first of many), empty where there is no
    such branch.
    """
    to = repo.remote
    result = _ask(
        to, "fetch", "--quiet", "--no-tags", *words[:-1], to.url, words[-1], cwd=repo.path
    )
    if result.code and _ABSENT.search(result.stderr):
        return ""
    if result.code:
        raise failure(to, result)
    # A file wherever the other references are kept: git's own words about it.
    return (
        (repo.path / ".git" / "FETCH_HEAD")
        .read_text(encoding="utf-8", errors="replace")
        .partition("\t")[0]
    )


def commit(repo: Clone, message: str, author: str | Author, parents: Sequence[str] = ()) -> str:
    """Commit everything in the working tree; the new commit. `parents` are further parents, behind
    the tip.
    """
    who = Author(author) if isinstance(author, str) else author
    content = tree(repo)
    behind = [word for parent in (repo.tip, *parents) if parent for word in ("-p", parent)]
    signing = (
        ["-c", f"gpg.format={who.format}", "-c", f"user.signingkey={who.key}"] if who.key else []
    )
    words = [*signing, "commit-tree", *(["-S"] if who.key else []), *behind, "-F", "-", content]
    with boundary("git.commit"):
        made = _run(*words, cwd=repo.path, env=_identity(who), stdin=message, check=False)
    if made.code:
        said = " ".join(made.stderr.split())[-400:]
        raise UsageError(
            f"the commit could not be made: {said}", "Check SLUICE_SIGNING_KEY and SLUICE_AUTHOR."
        )
    new = made.stdout.strip()
    with boundary("git.head"):
        _here(repo.remote, "update-ref", "HEAD", new, cwd=repo.path)
    return new


def _identity(who: Author) -> dict[str, str]:
    named = {"AUTHOR": who.author, "COMMITTER": who.committer or who.author}
    parts = {role: text.rstrip(">").partition(" <") for role, text in named.items()}
    return {
        f"GIT_{role}_{part}": value
        for role, (name, _, mail) in parts.items()
        for part, value in (("NAME", name), ("EMAIL", mail))
    }


@boundary("git.push")
def push(repo: Clone, branch: str = "") -> None:
    """Move a remote branch (that of the clone) to HEAD, from where it stands now, never by force.

    Raises LostRace where somebody moved it first, Retryable where waiting may help, SluiceError
    where it is vain.
    """
    name = branch or repo.branch
    result = _ask(
        repo.remote,
        "push",
        "--porcelain",
        repo.remote.url,
        f"HEAD:refs/heads/{name}",
        cwd=repo.path,
    )
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
    """Whether the remote's branch has this commit of the clone: at its tip, or below what came
    since.
    """
    name = branch or repo.branch
    there = tip(repo.remote, name)
    if there in ("", commit):
        return bool(there)
    fetch(repo, f"refs/heads/{name}")
    return (
        _run("merge-base", "--is-ancestor", commit, "FETCH_HEAD", cwd=repo.path, check=False).code
        == 0
    )


@boundary("git.peek")
def peek(repo: Clone, branch: str) -> Seen | None:
    """The tip of another branch of the remote; None where there is no such branch."""
    commit = fetch(repo, "--depth=1", f"refs/heads/{branch}")
    if not commit:
        return None
    content, message = git("show", "--no-patch", "--format=%T%x00%B", commit, cwd=repo.path).split(
        "\0"
    )
    # A commit at the border of a shallow clone is shown without its parents; they are in its bytes
    # all the same.
    raw = git("cat-file", "commit", commit, cwd=repo.path).split("\n\n")[0].split("\n")
    return Seen(
        commit, content, next((line[7:] for line in raw if line.startswith("parent ")), ""), message
    )


@boundary("git.add")
def tree(repo: Clone) -> str:
    """The tree that a commit of the working tree would have."""
    _here(repo.remote, "add", "--all", cwd=repo.path)
    return git("write-tree", cwd=repo.path).strip()


def seed(
    bare: Path, files: Mapping[str, bytes], branch: str, message: str, author: str | Author
) -> None:
    """Make a bare repository whose branch holds these files; whole or not at all. Does nothing
    where one is.
    """
    if (bare / "HEAD").exists():
        return
    bare.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".manifests-", dir=bare.parent))
    try:
        with boundary("seed.init"):
            git("init", "--quiet", "--bare", "--initial-branch", branch, part)
        rules = {
            "receive.denyNonFastForwards": "true",
            "receive.denyDeletes": "true",
            "core.fsync": "all",
        }
        for name, value in rules.items():
            git("config", name, value, cwd=part)
        with clone(str(part), branch) as repo:
            for path, content in files.items():
                target = repo.path / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            commit(repo, message, author)
            push(repo)
        part.chmod(0o755)
        try:
            with boundary("seed.rename"):
                part.rename(bare)
        except OSError:
            if not (bare / "HEAD").exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def is_branch(name: str) -> bool:
    """Whether a branch may be called so."""
    return (
        not name.startswith("-")
        and _run("check-ref-format", f"refs/heads/{name}", check=False).code == 0
    )


def head(folder: Path) -> str:
    """The commit that a working tree stands on, with `-dirty` where files differ; empty outside of
    git.
    """
    commit = git("rev-parse", "--verify", "--quiet", "HEAD", cwd=folder, check=False).strip()
    if not commit:
        return ""
    return commit + (
        "-dirty" if git("status", "--porcelain", "--untracked-files=no", cwd=folder).strip() else ""
    )


@boundary("git.log")
def log(remote: str | Access, branch: str, depth: int = 50) -> list[tuple[str, str, str]]:
    """The newest commits of a remote branch: (commit, date in ISO 8601, message), newest first."""
    with empty(remote, branch) as repo:
        tip = fetch(repo, f"--depth={depth}", f"refs/heads/{branch}")
        if not tip:
            return []
        raw = git("log", "-z", "--format=%H%x00%cI%x00%B", tip, cwd=repo.path)
    fields = raw.split("\0")[:-1]  # a message may hold everything but a NUL
    return list(zip(fields[::3], fields[1::3], fields[2::3], strict=True))


@boundary("git.versions")
def versions(repo: Clone, path: str) -> list[str]:
    """What a file of the branch was over time, newest first; fetches the whole history of the
    branch.
    """
    if not repo.tip:
        return []
    deeper = ("--unshallow",) if (repo.path / ".git" / "shallow").exists() else ()
    fetch(repo, *deeper, f"refs/heads/{repo.branch}")
    commits = git(
        "log",
        "--first-parent",
        "--diff-filter=AM",
        "--format=%H",
        repo.tip,
        "--",
        path,
        cwd=repo.path,
    )
    asked = "".join(f"{commit}:{path}\n" for commit in commits.split())
    raw = _run("cat-file", "--batch", cwd=repo.path, stdin=asked).stdout
    return re.split(r"^[0-9a-f]{40,64} blob \d+\n", raw, flags=re.MULTILINE)[1:]
