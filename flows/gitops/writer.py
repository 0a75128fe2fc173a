"""The one way in which anything is written to the manifest repo: decide from the tip, commit,
compare and swap.

After a lost race everything is decided again from the new tip; nothing is rebased, nothing is
forced. What was pushed is read back before it is believed.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.gitops.manifest_repo import text
from flows.project.settings import Settings
from sluice.errors import Retryable
from sluice.gitops.trailers import read_trailers

TRIES = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds between two tries
_FAILURES = 3  # tries of a server that does not answer
_ABOUT = ("Model", "Image-Digest")  # the trailers that say what a proposal is about


@dataclass(frozen=True)
class Change:
    """What one commit does: the whole text of each file that it writes, and why. `branch` is where
    it is proposed.
    """

    files: Mapping[str, str]
    message: str
    branch: str = ""


@dataclass(frozen=True)
class Written:
    """How it ended, and which release is live then: committed, proposed, already there, superseded,
    held, quarantined or parked. `branch` is where it was proposed.
    """

    outcome: str
    sentence: str
    commit: str = ""
    release: int = 0
    branch: str = ""


Decide = Callable[[git.Clone], Change | Written]


def write(settings: Settings, branch: str, decide: Decide) -> Written:
    """Commit what `decide` makes of the tip of a branch, or return the end that the tip itself
    dictates.

    Raises Retryable where the race is lost over and over or the server does not answer, SluiceError
    where it refuses.
    """
    failures = 0
    for attempt in range(TRIES):
        _wait(attempt)
        try:
            return _try(settings, branch, decide)
        except git.LostRace:
            continue
        except Retryable:
            failures += 1
            if failures == _FAILURES:
                raise
            time.sleep(_random(2**failures))
    raise Retryable(f"lost {TRIES} races for branch {branch}", "Run it again.")


def _try(settings: Settings, branch: str, decide: Decide) -> Written:
    """Decide from the tip, and commit. Raises LostRace where somebody else was faster."""
    with git.clone(settings.remote, branch) as repo:
        decided = decide(repo)
        if isinstance(decided, Written):
            return decided
        return _commit(settings, repo, decided)


def destination(settings: Settings, change: Change) -> str:
    """The branch that a change goes to: its own where proposals are wanted, else none."""
    return change.branch if settings.mode == "branch" else ""


def changed(repo: git.Clone, change: Change) -> dict[str, tuple[str, str]]:
    """The files that would differ, with the text before and after."""
    edits = {}
    for path, after in change.files.items():
        before = text(repo, path)
        if before != after:
            edits[path] = (before, after)
    return edits


def _commit(settings: Settings, repo: git.Clone, change: Change) -> Written:
    """Write the files, commit, push, read back; the commit."""
    edits = changed(repo, change)
    if not edits:
        return Written("already there", "it is on the branch already", repo.tip)
    with boundary("clone.write"):
        for path, (_, after) in edits.items():
            file = repo.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(after.encode("utf-8"))
    if destination(settings, change):
        return _propose(settings, repo, change)
    commit = git.commit(repo, change.message, settings.signature)
    _push(repo, commit, repo.branch)
    return Written("committed", f"committed {commit[:12]} to {repo.branch}", commit)


def _propose(settings: Settings, repo: git.Clone, change: Change) -> Written:
    """The same on a branch of its own, made anew from the tip; what a person wrote there is left
    alone.
    """
    branch = change.branch
    before = git.peek(repo, branch)
    if before and not _is_about(before.message, change.message):
        sentence = f"a person wrote to {branch}; delete that branch to let releases propose"
        return Written("held", sentence)
    if before and before.parent == repo.tip and _says(repo, before, change):
        sentence = f"{branch} proposes it already"
        return Written("proposed", sentence, before.commit, branch=branch)
    parents = (before.commit,) if before else ()
    commit = git.commit(repo, change.message, settings.signature, parents)
    _push(repo, commit, branch)
    return Written("proposed", f"proposed as {commit[:12]} on {branch}", commit, branch=branch)


def _says(repo: git.Clone, proposed: git.Seen, change: Change) -> bool:
    """Whether a proposal says what is to be proposed.

    A message says all that was decided; a state file says also when, and that is another moment
    each time.
    """
    if proposed.message.strip() == change.message.strip():
        return True
    return proposed.tree == git.tree(repo)


def _is_about(proposed: str, wanted: str) -> bool:
    """Whether the message at the tip of a branch of ours is one of ours, about the same thing."""
    one, other = read_trailers(proposed), read_trailers(wanted)
    return all(one.get(key) == other.get(key) for key in _ABOUT)


def _push(repo: git.Clone, commit: str, branch: str) -> None:
    """Push, and believe what the remote says afterwards, not that the push ended well (or
    badly).
    """
    try:
        git.push(repo, branch)
    except Retryable:
        # Where the answer was lost, the commit may be there all the same; a repeated request then
        # loses to itself.
        if not git.landed(repo, commit, branch):
            raise
        return
    if not git.landed(repo, commit, branch):
        raise Retryable(
            f"branch {branch} does not show the commit that was pushed", "Run it again."
        )


def _wait(attempt: int) -> None:
    """Before another try: longer each time and never twice the same, so that two do not meet
    again.
    """
    if attempt:
        time.sleep(_random(min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)))


def _random(seconds: float) -> float:
    """A moment between half of these seconds and all of them."""
    return random.SystemRandom().uniform(0.5, 1) * seconds
