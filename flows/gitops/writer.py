"""The one way in which anything is written to the manifest repo: decide from the tip, commit,
compare and swap.

After a lost race it is decided again from the new tip, unless nothing differs there that the
decision rests on; nothing is rebased, nothing is forced. What was pushed is read back before it is
believed.

Where others push all the time, a race is won by being quick: the new tip is fetched into the clone
that is there, after the pause and not before it, and no number of tries is ever used up, only
minutes. Whoever loses, loses to a push that was taken. So nobody loses more races than there were
other pushes.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from flows.adapters.git import git
from flows.gitops.manifest_repo import require, text
from flows.project.settings import Settings
from sluice.errors import Retryable
from sluice.gitops.trailers import read_trailers

MINUTES = 10  # for which races are lost before it is given up
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.3  # seconds between two races, at most
_DOUBLINGS = 10  # of the first pause; by then it is beyond the longest
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
    held, quarantined or parked. `branch` is where it was proposed, `lost` how many races were lost
    on the way.
    """

    outcome: str
    sentence: str
    commit: str = ""
    release: int = 0
    branch: str = ""
    lost: int = 0


Decide = Callable[[git.Clone], Change | Written]


def write(settings: Settings, branch: str, decide: Decide) -> Written:
    """Commit what `decide` makes of the tip of a branch, or return the end that the tip itself
    dictates.

    Raises Retryable where races are lost for MINUTES or the server does not answer, SluiceError
    where it refuses, UsageError where there is no embedded manifest repo.
    """
    require(settings)
    began = time.monotonic()
    failures = lost = 0
    decided: Change | Written | None = None
    with git.empty(settings.remote, branch) as repo:
        while True:
            try:
                newer = git.refreshed(repo)
                # A push that touched nothing of ours leaves the decision as it is.
                if decided is None or not git.unaffected(repo, newer):
                    decided = None
                    decided = decide(newer)
                repo = newer
                return replace(_carried_out(settings, repo, decided), lost=lost)
            except git.LostRace:
                lost += 1
                if time.monotonic() - began > MINUTES * 60:
                    break
                # The tip is fetched after the pause: a race is won between fetch and push.
                time.sleep(_random(min(_FIRST_PAUSE * 2 ** min(lost, _DOUBLINGS), _LONGEST_PAUSE)))
            except Retryable:
                failures += 1
                if failures == _FAILURES:
                    raise
                time.sleep(_random(2**failures))
    raise Retryable(
        f"races lost for branch {branch} in {MINUTES} minutes: {lost}",
        "Run it again.",
    )


def _carried_out(settings: Settings, repo: git.Clone, decided: Change | Written) -> Written:
    """What was decided, committed. Raises LostRace where somebody else was faster."""
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
    files = {path: after.encode("utf-8") for path, (_, after) in edits.items()}
    if destination(settings, change):
        return _propose(settings, repo, change, files)
    commit = git.commit(repo, files, change.message, settings.signature)
    _push(repo, commit)
    return Written("committed", f"committed {commit[:12]} to {repo.branch}", commit)


def _propose(
    settings: Settings, repo: git.Clone, change: Change, files: Mapping[str, bytes]
) -> Written:
    """The same on a branch of its own, made anew from the tip; what a person wrote there is left
    alone.
    """
    branch = change.branch
    before = git.peek(repo, branch)
    if before and not _is_about(before.message, change.message):
        sentence = f"a person wrote to {branch}; delete that branch to let releases propose"
        return Written("held", sentence)
    if before and before.parent == repo.tip and _says(repo, before, change.message, files):
        sentence = f"{branch} proposes it already"
        return Written("proposed", sentence, before.commit, branch=branch)
    parents = (before.commit,) if before else ()
    commit = git.commit(repo, files, change.message, settings.signature, parents)
    _push(repo, commit, branch, *parents)
    return Written("proposed", f"proposed as {commit[:12]} on {branch}", commit, branch=branch)


def _says(repo: git.Clone, proposed: git.Seen, message: str, files: Mapping[str, bytes]) -> bool:
    """Whether a proposal says what is to be proposed.

    A message says all that was decided; a state file says also when, and that is another moment
    each time.
    """
    if proposed.message.strip() == message.strip():
        return True
    return proposed.tree == git.planted(repo, files)


def _is_about(proposed: str, wanted: str) -> bool:
    """Whether the message at the tip of a branch of ours is one of ours, about the same thing."""
    one, other = read_trailers(proposed), read_trailers(wanted)
    return all(one.get(key) == other.get(key) for key in _ABOUT)


def _push(repo: git.Clone, commit: str, branch: str = "", before: str = "") -> None:
    """Push, and believe what the remote says afterwards, not that the push ended well (or
    badly).
    """
    try:
        git.push(repo, commit, branch, before)
    except Retryable:
        # Where the answer was lost, the commit may be there all the same; a repeated request then
        # loses to itself.
        if not git.landed(repo, commit, branch):
            raise
        return
    if not git.landed(repo, commit, branch):
        raise Retryable(
            f"branch {branch or repo.branch} does not show the commit that was pushed",
            "Run it again.",
        )


def _random(seconds: float) -> float:
    """A moment between half of these seconds and all of them: two that lost do not meet again."""
    return random.SystemRandom().uniform(0.5, 1) * seconds
