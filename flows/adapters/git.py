"""Git: small free functions over the command line, each on a temporary clone.

A push is a compare-and-swap: never forced, so it moves the branch only from the tip that the clone started from.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import process
from sluice.errors import Retryable, SluiceError

_DEADLINE = 120.0  # seconds for one call to a remote
_LOST = re.compile(r"non-fast-forward|fetch first|cannot lock ref|incorrect old value|stale info|failed to update ref")
_PERMANENT = re.compile(r"hook declined|protected branch|[Aa]uthentication failed|[Pp]ermission denied|not authorized"
                        r"|could not read (Username|Password)|(error:|HTTP) 40[13]|Host key verification failed"
                        r"|prohibited")  # fmt: skip
# A caller's own git (a hook, a rebase) must not decide which repository this is.
_OWN = re.compile(r"GIT_(?!SSL|SSH|ASKPASS|HTTP|PROXY|CONFIG_(?!PARAMETERS))")
_CONFIG = ("-c", "core.fsync=all", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false", "-c", "gc.auto=0",
           "-c", "core.autocrlf=false", "-c", "protocol.ext.allow=never")  # fmt: skip


class LostRace(Retryable):
    """Somebody else moved the branch first."""


@dataclass(frozen=True)
class Clone:
    """A temporary working tree of one branch; `tip` is empty where the branch does not exist yet."""

    path: Path
    url: str
    branch: str
    tip: str


def git(*words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, check: bool = True) -> str:
    """Run git and return what it printed."""
    return _run(*words, cwd=cwd, env=env, check=check).stdout


def _run(
    *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, check: bool = True
) -> process.Result:
    stray = [name for name in os.environ if _OWN.match(name)]
    quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **(env or {})}
    return process.run(["git", *_CONFIG, *words], cwd=cwd, env=quiet, without=stray, timeout=_DEADLINE, check=check)


def address(url: str) -> str:
    """A URL that git treats like any remote: a local path becomes file://, so that clones of it can be shallow."""
    return Path(url).absolute().as_uri() if "://" not in url and not re.match(r"[\w.-]+@?[\w.-]*:", url) else url


def tip(url: str, branch: str) -> str:
    """The commit at the tip of a branch of a remote; empty where there is no such branch."""
    result = _run("ls-remote", "--heads", address(url), f"refs/heads/{branch}", check=False)
    if result.code:
        raise _remote_error(url, result)
    return result.stdout.split("\t")[0].strip()


@contextmanager
def clone(url: str, branch: str) -> Iterator[Clone]:
    """The tip of a branch in a temporary folder; an empty tree where the branch does not exist yet."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-git-"))
    try:
        git("init", "--quiet", "--initial-branch", branch, folder)
        git("remote", "add", "origin", address(url), cwd=folder)
        commit = tip(url, branch)
        if commit:
            result = _run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", branch, cwd=folder, check=False)
            if result.code:
                raise _remote_error(url, result)
            commit = git("rev-parse", "FETCH_HEAD", cwd=folder).strip()
            git("reset", "--quiet", "--hard", commit, cwd=folder)
        yield Clone(folder, url, branch, commit)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commit(repo: Clone, message: str, author: str) -> str:
    """Commit everything in the working tree; the new commit."""
    name, _, address_ = author.rstrip(">").partition(" <")
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER")
           for part, value in (("NAME", name), ("EMAIL", address_))}  # fmt: skip
    git("add", "--all", cwd=repo.path)
    git("commit", "--quiet", "--cleanup=verbatim", "--message", message, cwd=repo.path, env=who)
    return git("rev-parse", "HEAD", cwd=repo.path).strip()


def push(repo: Clone) -> None:
    """Move the remote branch from the tip of the clone to HEAD. Raises LostRace, or SluiceError if waiting is vain."""
    result = _run("push", "--porcelain", "origin", f"HEAD:refs/heads/{repo.branch}", cwd=repo.path, check=False)
    if result.code == 0:
        return
    output = f"{result.stdout}\n{result.stderr}"
    if _LOST.search(output) and not _PERMANENT.search(output):
        raise LostRace(f"branch {repo.branch} moved while this commit was made", "It is decided anew from the new tip.")
    raise _remote_error(repo.url, result)


def _remote_error(url: str, result: process.Result) -> SluiceError:
    lines = process.without_login(result.stderr + result.stdout).splitlines()
    shown, said = process.without_login(url), " ".join(line for line in lines if line.strip())[-400:]
    if _PERMANENT.search(said):
        return SluiceError(f"{shown} refused: {said}", "Check the credentials and the protection of the branch.")
    return Retryable(f"{shown} did not answer as a git repository: {said}", "Check SLUICE_MANIFESTS, then try again.")


def seed(bare: Path, files: Mapping[str, bytes], branch: str, message: str, author: str) -> None:
    """Make a bare repository whose branch holds these files; whole or not at all. Does nothing where one is."""
    if (bare / "HEAD").exists():
        return
    bare.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".manifests-", dir=bare.parent))
    try:
        git("init", "--quiet", "--bare", "--initial-branch", branch, part)
        for name, value in (("receive.denyNonFastForwards", "true"), ("receive.denyDeletes", "true")):
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
            part.rename(bare)
        except OSError:
            if not (bare / "HEAD").exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def head(folder: Path) -> str:
    """The commit that a working tree stands on, with `-dirty` where files differ; empty outside of git."""
    result = _run("rev-parse", "HEAD", cwd=folder, check=False)
    if result.code:
        return ""
    changed = _run("status", "--porcelain", "--untracked-files=no", cwd=folder, check=False).stdout.strip()
    return result.stdout.strip() + ("-dirty" if changed else "")


def log(url: str, branch: str, depth: int = 50) -> list[tuple[str, str, str]]:
    """The newest commits of a remote branch: (commit, date in ISO 8601, message), newest first."""
    with clone(url, branch) as repo:
        if not repo.tip:
            return []
        git("fetch", "--quiet", f"--depth={depth}", "origin", branch, cwd=repo.path)
        raw = git("log", "--format=%H%x00%cI%x00%B%x01", cwd=repo.path)
    entries = (entry.strip().split("\0") for entry in raw.split("\x01") if entry.strip())
    return [(sha, date, message) for sha, date, message in entries]
