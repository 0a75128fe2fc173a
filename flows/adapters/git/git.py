"""Git: free functions over its command line, each on a temporary bare clone.

A push is a compare-and-swap: never forced, so it moves the branch only from the tip that the clone
started from.
"""

import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from flows.adapters import process
from flows.adapters.failpoints import boundary
from flows.adapters.git import calls, measured, repository, temporary, tree
from flows.adapters.git.access import Access, reached
from flows.adapters.git.calls import HERE, Where
from flows.adapters.git.failures import Answer, failure, refusal
from sluice.errors import Retryable, UsageError

# How often a branch is read again after a refusal: who made us lose may still be writing it down.
_LOOKS = 4
_BETWEEN_LOOKS = 0.25  # seconds, at most
# What `git status --porcelain=v2` says of a HEAD without a commit, and of one without a branch.
_NO_COMMIT, _NO_BRANCH = "(initial)", "(unknown)"


class LostRace(Retryable):
    """Somebody else moved the branch first."""


@dataclass(frozen=True)
class Clone:
    """A temporary bare repository (`path`) with the tip of one branch; `tip` is empty where the
    branch does not exist yet.
    """

    path: Path
    remote: Access
    branch: str
    tip: str
    known: tree.Known = field(default_factory=tree.Known, compare=False, repr=False)

    @property
    def place(self) -> tree.Place:
        """Where its files are."""
        return tree.Place(self.path, self.known)

    @property
    def where(self) -> Where:
        """Where git runs on it."""
        return Where(bare=self.path)


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
    bare: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Run git in a working tree (`cwd`) or on a bare repository, and return what it printed.

    Raises CommandFailed for an exit code other than 0 unless `check` is off, and always where git
    was killed or not done in time: then it has answered nothing.
    """
    result = calls.run(*words, where=Where(cwd, bare), env=env)
    if result.code == process.LATE or (result.code and check):
        raise process.CommandFailed(["git", *map(str, words)], result)
    return result.stdout


def tip(remote: str | Access, branch: str) -> str:
    """The commit at the tip of a branch of a remote, empty where there is no such branch.

    Raises Retryable, UsageError or SluiceError as `access.failure` does.
    """
    return _heads(reached(remote), f"refs/heads/{branch}").get(branch, "")


def branches(remote: str | Access, pattern: str) -> list[str]:
    """The branches of a remote whose names match a pattern of git, sorted. Raises as `tip`."""
    return sorted(_heads(reached(remote), f"refs/heads/{pattern}"))


def _heads(to: Access, *patterns: str) -> dict[str, str]:
    """The branches of a remote that match, or all: name -> commit. Raises as `tip`."""
    result = calls.ask(to, "ls-remote", "--heads", "--", to.url, *patterns)
    if result.code:
        raise failure(to, result)
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    return {name.removeprefix("refs/heads/"): commit for commit, name in lines}


@contextmanager
def clone(remote: str | Access, branch: str) -> Iterator[Clone]:
    """The tip of a branch in a temporary repository while the block runs. Raises as `tip`."""
    with empty(remote, branch) as repo:
        yield refreshed(repo)


@contextmanager
def empty(remote: str | Access, branch: str) -> Iterator[Clone]:
    """An empty repository in a temporary folder while the block runs; nothing is fetched yet."""
    to = reached(remote)
    with temporary.folder() as folder:
        _init(to, folder, "sha1")
        yield Clone(folder, to, branch, "")


@boundary("git.init")
def _init(to: Access, folder: Path, names: str) -> None:
    """Make a bare repository that names objects so. Raises as `failure`: a full disk is named as
    such.
    """
    words = ("--quiet", "--bare", "--template=", f"--object-format={names}")
    _here(to, "init", *words, "--initial-branch=main", "--", folder)


def _here(to: Access, *words: str | Path, where: Where = HERE) -> None:
    """Run git on the clone of a remote. Raises as `failure`: a full disk is named as such."""
    try:
        result = calls.run(*words, where=where)
    except process.CommandFailed as error:
        result = error.result
    if result.code:
        folder = Path(where.bare or words[-1])
        full = measured.full_folder(folder)
        answer = Answer(result.code, result.stdout, result.stderr, full=full)
        raise failure(replace(to, url=str(folder)), answer)


def refreshed(repo: Clone) -> Clone:
    """The same clone at the tip that the branch has by now. Raises as `tip`."""
    # Behind a tip that is here, only what came since is fetched.
    depth = 0 if repo.tip else 1
    return replace(repo, tip=fetch(repo, repo.branch, depth))


@boundary("git.fetch")
def fetch(repo: Clone, branch: str, depth: int = 0) -> str:
    """Fetch a branch, with its whole history or with the `depth` newest commits.

    Returns the commit at its tip, empty where there is no such branch. Raises as `tip`.
    """
    to = repo.remote
    flags = (f"--depth={depth}",) if depth else ()
    result = _fetched(repo, branch, *flags)
    if result.code == 0:
        return newest(repo, branch)
    error = failure(to, result)
    if result.code == process.LATE or not isinstance(error, Retryable):
        raise error
    # What went wrong is asked of the server itself, and not of the words of its failure.
    heads = _heads(to)
    adopted = _adopt(repo, heads.values())
    if branch not in heads:
        git("update-ref", "-d", _tracked(branch), bare=repo.path, check=False)
        return ""
    if not flags and not adopted:
        raise error
    # A server that makes no shallow clone makes a whole one.
    result = _fetched(repo, branch)
    if result.code:
        raise failure(to, result)
    return newest(repo, branch)


def _fetched(repo: Clone, branch: str, *flags: str) -> Answer:
    refspec = f"+refs/heads/{branch}:{_tracked(branch)}"
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *flags)
    return calls.ask(repo.remote, *words, "--", repo.remote.url, refspec, where=repo.where)


def _tracked(branch: str) -> str:
    """Where a clone keeps what the remote's branch was."""
    return f"refs/remotes/origin/{branch}"


def _adopt(repo: Clone, commits: Collection[str]) -> bool:
    """Name objects as the remote does, by SHA-1 or SHA-256; whether that was another way."""
    names = "sha256" if any(len(commit) == 64 for commit in commits) else "sha1"
    if names == tree.object_format(repo.path):
        return False
    for inside in repo.path.iterdir():
        shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
    _init(repo.remote, repo.path, names)
    return True


def newest(repo: Clone, branch: str) -> str:
    """The commit that was last fetched of a branch; empty where none was."""
    words = ("for-each-ref", "--format=%(objectname)", "--", _tracked(branch))
    return git(*words, bare=repo.path).strip()


def fetch_all(repo: Clone) -> None:
    """Fetch every branch with its history. Raises as `tip`."""
    to = repo.remote
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
    refspec = "+refs/heads/*:refs/remotes/origin/*"
    result = calls.ask(to, *words, "--", to.url, refspec, where=repo.where)
    if result.code and _adopt(repo, list(_heads(to).values())):
        result = calls.ask(to, *words, "--", to.url, refspec, where=repo.where)
    if result.code:
        raise failure(to, result)


def file(repo: Clone, path: str) -> bytes | None:
    """What a file of the tip holds; None where there is none. Raises as `tree.find`."""
    found = tree.find(repo.place, repo.tip, path)
    return tree.content(repo.place, found) if found else None


def unaffected(before: Clone, after: Clone) -> bool:
    """Whether nothing that was read or written of a tip so far differs in a newer one."""
    return before.tip == after.tip or tree.unchanged(before.place, before.tip, after.tip)


def names(repo: Clone, folder: str) -> list[str]:
    """The names of what lies in a folder of the tip, sorted. Raises as `tree.names`."""
    return tree.names(repo.place, repo.tip, folder)


def commit(
    repo: Clone,
    files: Mapping[str, bytes],
    message: str,
    author: str | Author,
    parents: Sequence[str] = (),
) -> str:
    """A commit on the tip in which exactly these files (path -> content) change.

    `author` is `Name <address>`, or an Author that may sign. `parents` are further parents, after
    the tip. Raises UsageError where git refuses the author or the key, SluiceError where the files
    would not be what the commit changes.
    """
    if isinstance(author, str):
        author = Author(author)
    content = planted(repo, files)
    words = _commit_words(author, [repo.tip, *parents], content)
    with boundary("git.commit"):
        result = calls.run(*words, where=repo.where, env=_identity(author), stdin=message)
    if result.code:
        cause = " ".join(result.stderr.split())[-400:]
        raise UsageError(
            f"the commit could not be made: {cause}", "Check SLUICE_SIGNING_KEY and SLUICE_AUTHOR."
        )
    new = result.stdout.strip()
    tree.compare(repo.place, repo.tip, new, files)
    return new


def require_author(author: Author) -> None:
    """Raise as `commit` does where git refuses the author or the key, before there is anything to
    commit.
    """
    if not author.key:
        return  # without a key, what is set for them has been checked
    with empty(os.devnull, "main") as repo:
        commit(repo, {"empty": b""}, "Try the key\n", author)


@boundary("git.tree")
def planted(repo: Clone, files: Mapping[str, bytes]) -> str:
    """The tree of the tip with these files. Raises as `tree.write`."""
    return tree.write(repo.place, repo.tip, files)


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
def push(repo: Clone, commit: str, branch: str = "", before: str = "") -> None:
    """Move a branch of the remote (by default the clone's, else one whose tip is `before`) to a
    commit that is above its tip, never by force.

    Raises LostRace where somebody moved it first, Retryable where waiting may help, UsageError or
    SluiceError where it does not.
    """
    name = branch or repo.branch
    before = before if branch else repo.tip
    words = ("push", "--porcelain", "--", repo.remote.url, f"{commit}:refs/heads/{name}")
    result = calls.ask(repo.remote, *words, where=repo.where)
    if result.code == 0:
        return
    status, reason = _status(result.stdout)
    if status == "rejected" or (status == "remote rejected" and _moved(repo, name, before)):
        raise LostRace(
            f"branch {name} moved while this commit was made",
            "It is decided anew from the new tip.",
        )
    if status == "remote rejected":
        raise refusal(repo.remote, reason, result)
    raise failure(repo.remote, result)


def require_push(repo: Clone) -> None:
    """Raise what a push to the clone's branch would be refused with before its server looks at
    what is pushed; nothing is sent. Raises as `tip`.
    """
    words = ("push", "--dry-run", "--porcelain", "--", repo.remote.url)
    what = f"{repo.tip}:refs/heads/{repo.branch}"
    result = calls.ask(repo.remote, *words, what, where=repo.where)
    if result.code:
        raise failure(repo.remote, result)


def _status(printed: str) -> tuple[str, str]:
    """What became of the one branch of a push: `rejected` by git here, which saw another tip,
    `remote rejected`, or empty; and the reason that the protocol has for it.
    """
    found = re.search(r"^!\t[^\t]*\t\[([a-z ]+)\](?: \((.*)\))?$", printed, re.MULTILINE)
    return (found[1], found[2] or "") if found else ("", "")


def _moved(repo: Clone, branch: str, before: str) -> bool:
    """Whether the branch has another tip than the one that a push was to move.

    Hosts have many words for it, and use the same ones for their rules; so it is looked at. Who
    holds the lock that stood in our way may not be done yet.
    """
    for look in range(_LOOKS):
        if look:
            time.sleep(random.SystemRandom().uniform(0.5, 1) * _BETWEEN_LOOKS)
        if tip(repo.remote, branch) != before:
            return True
    return False


@boundary("git.landed")
def landed(repo: Clone, commit: str, branch: str = "") -> bool:
    """Whether the remote's branch (by default the clone's) has this commit, at its tip or below
    newer ones. Raises as `tip`.
    """
    now = fetch(repo, branch or repo.branch)
    if now in ("", commit):
        return now == commit
    return calls.run("merge-base", "--is-ancestor", commit, now, where=repo.where).code == 0


@boundary("git.peek")
def peek(repo: Clone, branch: str) -> Seen | None:
    """The tip of another branch of the remote, None where there is no such branch. Raises as
    `tip`.
    """
    commit = fetch(repo, branch, depth=1)
    if not commit:
        return None
    shown = git("show", "--no-patch", "--format=%T%x00%B", commit, "--", bare=repo.path)
    content, message = shown.split("\0")
    return Seen(commit, content, _first_parent(repo, commit), message)


def _first_parent(repo: Clone, commit: str) -> str:
    # A commit at the border of a shallow clone is shown without its parents, but its bytes have
    # them.
    header = git("cat-file", "commit", commit, bare=repo.path).split("\n\n")[0]
    for line in header.split("\n"):
        if line.startswith("parent "):
            return line.removeprefix("parent ")
    return ""


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
            push(repo, commit(repo, files, message, author))
        part.chmod(0o755)
        _rename(part, bare)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@boundary("seed.init")
def _init_bare(folder: Path, branch: str) -> None:
    """A bare repository that lets nobody rewrite or delete a branch, and loses no push."""
    words = ("--quiet", "--bare", "--template=", "--object-format=sha1")
    git("init", *words, f"--initial-branch={branch}", "--", folder)
    for rule in ("receive.denyNonFastForwards", "receive.denyDeletes"):
        git("config", rule, "true", bare=folder)
    git("config", "core.fsync", "all", bare=folder)
    # Its own hooks and no others: those of the user are for what they commit by hand.
    git("config", "core.hooksPath", "hooks", bare=folder)


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
    return calls.run("check-ref-format", f"refs/heads/{name}").code == 0


def head(folder: Path, counted: Sequence[str] = ()) -> str:
    """The commit of a working tree, `-dirty` where tracked files differ, or where there is another
    file below a name that is `counted`; empty outside of git, and before the first commit.

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
    changed = any(not line.startswith("# ") for line in lines) or _has_new(folder, counted)
    return f"{commit}-dirty" if changed else commit


def _has_new(folder: Path, counted: Sequence[str]) -> bool:
    """Whether git neither tracks nor ignores a file below one of these names."""
    words = ("ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
    return bool(counted) and bool(git(*words, "--", *counted, cwd=folder).strip())


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
        commit = fetch(repo, branch, depth)
        if not commit:
            return []
        raw = git("log", "-z", "--format=%H%x00%cI%x00%B", commit, "--", bare=repo.path)
    fields = raw.split("\0")[:-1]  # a message can hold everything but a NUL
    return list(zip(fields[::3], fields[1::3], fields[2::3], strict=True))


@boundary("git.versions")
def versions(repo: Clone, path: str) -> list[str]:
    """The contents that a file of the branch has had, newest first.

    Fetches the whole history of the branch. Raises as `tip`.
    """
    if not repo.tip:
        return []
    repo.known.paths.add(path)
    _deepen(repo)
    words = ["log", "--first-parent", "--diff-filter=AM", "--format=%H", repo.tip, "--", path]
    commits = git(*words, bare=repo.path).split()
    found = tree.blobs(repo.path, [f"{commit}:{path}" for commit in commits])
    return [content.decode("utf-8", "replace") for content in found]


def _deepen(repo: Clone) -> None:
    """Fetch what lies behind the border of a shallow clone, if it is one. Raises as `tip`."""
    if not (repo.path / "shallow").exists():
        return
    result = _fetched(repo, repo.branch, "--unshallow")
    if result.code:
        raise failure(repo.remote, result)
