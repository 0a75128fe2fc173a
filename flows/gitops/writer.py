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
_LONGEST = 2.0  # seconds between two tries
_TROUBLES = 3  # tries of a server that does not answer


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
    held, quarantined or parked."""

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
    troubles = 0
    for attempt in range(TRIES):
        _wait(attempt)
        try:
            with git.clone(settings.remote, branch) as repo:
                decided = decide(repo)
                return decided if isinstance(decided, Written) else _commit(settings, repo, decided)
        except git.LostRace:
            continue
        except Retryable:
            troubles += 1
            if troubles == _TROUBLES:
                raise
            time.sleep(random.SystemRandom().uniform(0.5, 1) * 2**troubles)
    raise Retryable(f"lost {TRIES} races for branch {branch}", "Run it again.")


def destination(settings: Settings, change: Change) -> str:
    """The branch that a change goes to: its own where proposals are wanted, else none."""
    return change.branch if settings.mode == "branch" else ""


def changed(repo: git.Clone, change: Change) -> dict[str, tuple[str, str]]:
    """The files that would differ, with the text before and after."""
    both = {path: (text(repo, path), content) for path, content in change.files.items()}
    return {path: (before, after) for path, (before, after) in both.items() if before != after}


def _commit(settings: Settings, repo: git.Clone, change: Change) -> Written:
    """Write the files, commit, push, read back; the commit."""
    target, edits = destination(settings, change), changed(repo, change)
    if not edits:
        return Written("already there", "it is on the branch already", repo.tip)
    with boundary("clone.write"):
        for path, (_, content) in edits.items():
            file = repo.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode("utf-8"))
    if target:
        return _proposed(settings, repo, change)
    commit = git.commit(repo, change.message, settings.signature)
    _push(repo, commit, repo.branch)
    return Written("committed", f"committed {commit[:12]} to {repo.branch}", commit)


def _proposed(settings: Settings, repo: git.Clone, change: Change) -> Written:
    """The same on a branch of its own, made anew from the tip; what a person wrote there is left
    alone.
    """
    before = git.peek(repo, change.branch)
    if before and not _ours(before.message, change.message):
        return Written(
            "held", f"a person wrote to {change.branch}; delete that branch to let releases propose"
        )
    # A message says all that was decided; a state file says also when, and that is another moment
    # each time.
    same = before and (
        before.tree == git.tree(repo) or before.message.strip() == change.message.strip()
    )
    if before and same and before.parent == repo.tip:
        return Written(
            "proposed", f"{change.branch} proposes it already", before.commit, branch=change.branch
        )
    commit = git.commit(
        repo, change.message, settings.signature, (before.commit,) if before else ()
    )
    _push(repo, commit, change.branch)
    return Written(
        "proposed", f"proposed as {commit[:12]} on {change.branch}", commit, branch=change.branch
    )


def _ours(there: str, wanted: str) -> bool:
    """Whether the commit at the tip of a branch of ours is one of ours, about the same thing."""
    keys = ("Model", "Image-Digest")
    one, other = read_trailers(there), read_trailers(wanted)
    return all(one.get(key) == other.get(key) for key in keys)


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
        time.sleep(random.SystemRandom().uniform(0.5, 1) * min(0.1 * 2**attempt, _LONGEST))
