"""What was reviewed: the protected branch of the project, and where the change set that is judged
left it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.git import git, repository
from flows.adapters.process import CommandFailed
from sluice.errors import UsageError

DEFAULT = "refs/remotes/origin/HEAD"  # the default branch of origin, as a clone knows it
_LOCAL, _REMOTE = "refs/heads/", "refs/remotes/"
_KINDS = ("refs/", "refs/tags/", _LOCAL, _REMOTE)  # in the order in which git takes them
_NAME = re.compile(r"[^~^@:]*")  # what stands before an operator of a revision
_ID = re.compile(r"[0-9a-f]{40,64}")
NONE_BEFORE = re.compile(r"0{40}(0{24})?")  # as of the first push of a branch


@dataclass(frozen=True)
class Protected:
    """The protected branch: how it is named, the commit at its tip, and the merge base with HEAD.

    Where no base is known, tip and base are empty and `unknown` says why. `unfit` says why it
    allows no signers; empty where it does.
    """

    ref: str
    tip: str = ""
    base: str = ""
    unknown: str = ""
    unfit: str = ""

    @property
    def named(self) -> str:
        """The branch and its commit, in words."""
        return f"{self.ref} at {self.tip[:12]}"


def find(project: Path, ref: str) -> Protected | None:
    """The branch that `ref` (SLUICE_PROTECTED_REF) names, or the default branch of origin.

    None where the project is not in git and no branch is named. Raises UsageError where the branch
    that is named cannot be found, or is the very change that is judged, and where git does not read
    the repository.
    """
    if repository.above(project) is None:
        if ref:
            what = f"SLUICE_PROTECTED_REF is {ref!r}, and {project} is not in git"
            raise UsageError(what, "Release from a clone, or unset it.")
        return None
    require_readable(project)
    if NONE_BEFORE.fullmatch(ref):
        return Protected(ref, unknown="there was no commit before this one")
    if ref:
        return _named(project, ref)
    return _default(project)


def require_readable(folder: Path) -> None:
    """Raise UsageError where a folder is in a repository that git does not read."""
    top = repository.above(folder)
    if top is None:
        return
    try:
        ask(folder, "rev-parse", "--git-dir")
    except CommandFailed as error:
        raise repository.unreadable(top, error) from error


def text(project: Path, commit: str, path: str) -> str:
    """A file of the project as it is in a commit; empty where it is not there, or no commit is
    given.

    Raises CommandFailed where git has the commit and cannot read it.
    """
    if not commit or not ask(project, "ls-tree", "--name-only", commit, "--", path).strip():
        return ""
    return ask(project, "cat-file", "blob", f"{commit}:./{path}")


def ask(project: Path, *words: str) -> str:
    """What git prints for these words. Raises CommandFailed where it fails."""
    return git.git(*words, cwd=project)


def answer(project: Path, *words: str) -> str:
    """The same where no answer is one; a git that was killed or late raises all the same."""
    return git.git(*words, cwd=project, check=False).strip()


def _named(project: Path, ref: str) -> Protected:
    """The branch that a person named: what is wrong with it is refused."""
    name = f"SLUICE_PROTECTED_REF is {ref!r}"
    tip = "" if ref.startswith("-") else commit(project, ref)
    if not tip:
        raise UsageError(
            f"{name}, which git cannot find",
            "Fetch that branch (a shallow clone lacks what is older), or name another one in"
            " SLUICE_PROTECTED_REF.",
        )
    _require_one(project, ref)
    base = answer(project, "merge-base", "HEAD", tip)
    if not base:
        raise UsageError(
            f"{name}, which has no commit in common with HEAD",
            "Fetch the whole history (git fetch --unshallow), or name another branch in"
            " SLUICE_PROTECTED_REF.",
        )
    contained = base == commit(project, "HEAD")
    unfit = _unfit(project, ref, contained=contained)
    if contained and (not _full(project, ref) or _is_own(project, ref)):
        raise UsageError(
            f"{name}, which is the commit that is judged, or contains it",
            "Name the branch that is reviewed, such as origin/main, in SLUICE_PROTECTED_REF.",
        )
    return Protected(ref, tip, base, unfit=unfit)


def _require_one(project: Path, ref: str) -> None:
    """Refuse a name that several refs share: git would take a tag before the branch, and more
    people may push a tag.
    """
    name = _first(ref)
    if not name:
        return
    wanted = [f"{kind}{name}" for kind in _KINDS]
    there = answer(project, "for-each-ref", "--format=%(refname)", "--", *wanted).split("\n")
    found = [full for full in wanted if full in there]
    if len(found) > 1:
        raise UsageError(
            f"SLUICE_PROTECTED_REF is {ref!r}, which is the name of {' and of '.join(found)}",
            f"Write the whole name, such as {found[-1]}, in SLUICE_PROTECTED_REF.",
        )


def _default(project: Path) -> Protected:
    """The default branch of origin: a clone that does not know it has no base."""
    shown = "origin/HEAD"
    tip = commit(project, DEFAULT)
    if not tip:
        why = "the clone has no origin/HEAD and SLUICE_PROTECTED_REF is not set"
        return Protected(shown, unknown=why)
    base = answer(project, "merge-base", "HEAD", tip)
    if not base:
        return Protected(shown, unknown="the clone has no commit in common with origin/HEAD")
    contained = base == commit(project, "HEAD")
    return Protected(shown, tip, base, unfit=_unfit(project, DEFAULT, contained=contained))


def _unfit(project: Path, ref: str, *, contained: bool) -> str:
    """Why no signers are read from a branch: who is judged must not choose who may sign."""
    if contained:
        return "it contains the commit that is judged"
    if _is_own(project, ref):
        return "it is the branch that is judged, or named from it"
    if _is_pushed(project, ref):
        return "it is the branch that is judged, as it was pushed"
    return ""


def _is_own(project: Path, ref: str) -> bool:
    """Whether a name begins with HEAD or with the branch that HEAD is on."""
    name = _first(ref)
    own = _own(project)
    return name in ("", "HEAD") or bool(own and _full(project, name) == f"{_LOCAL}{own}")


def _is_pushed(project: Path, ref: str) -> bool:
    """Whether it is the branch that HEAD is on, at a remote.

    The default branch of a remote is none that people push to without a review.
    """
    own, full = _own(project), _full(project, _first(ref))
    remote, _, branch = full.removeprefix(_REMOTE).partition("/")
    if not own or not full.startswith(_REMOTE) or branch != own:
        return False
    return full != _full(project, f"{_REMOTE}{remote}/HEAD")


def _first(ref: str) -> str:
    """The name that a revision begins with: `main` of `main~2`; empty for `@` and `@{u}`."""
    found = _NAME.match(ref)
    return found[0] if found else ""


def _own(project: Path) -> str:
    """The branch that HEAD is on; empty where it is on none."""
    return answer(project, "symbolic-ref", "--quiet", "HEAD").removeprefix(_LOCAL)


def commit(project: Path, ref: str) -> str:
    """The commit that a name leads to; empty where there is none, as for a range of them."""
    found = answer(project, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    return found if _ID.fullmatch(found) else ""


def _full(project: Path, ref: str) -> str:
    """The whole name of a branch, such as refs/remotes/origin/main; empty for what is no name."""
    return answer(project, "rev-parse", "--verify", "--quiet", "--symbolic-full-name", ref)
