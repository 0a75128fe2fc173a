"""What a race must leave behind, judged from `git log` alone: nothing here knows the writer.

python -m flows.drills.crash.race_checker REPOSITORY BRANCH MODEL
"""

import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flows.adapters.plain_text import say
from flows.adapters.process import run

# Lines that went from a file, and lines that came.
Lines = tuple[list[str], list[str]]
# Commits apart, then fields apart; no message holds a NUL.
_FORMAT = "%x00%x00%H%x00from %P%x00%B%x00"


@dataclass(frozen=True)
class Commit:
    """A commit with the lines that went and came in each file."""

    sha: str
    parents: list[str]
    trailers: dict[str, str]
    message: str
    changes: dict[str, Lines] = field(default_factory=dict)

    @property
    def release(self) -> int:
        """The number of the release; 0 for a commit that is none."""
        return int(self.trailers.get("Release", 0))


def history(repository: Path, branch: str) -> list[Commit]:
    """The commits of a branch, oldest first."""
    words = [
        "git",
        "-c",
        "safe.directory=*",
        "log",
        "--reverse",
        "--patch",
        "--unified=0",
        "--no-renames",
        f"--format={_FORMAT}",
        branch,
    ]
    raw = run(words, cwd=repository).stdout
    return [_commit(entry) for entry in raw.split("\0\0")[1:]]


def _commit(entry: str) -> Commit:
    """One commit as `_FORMAT` prints it."""
    sha, parents, message, patch = entry.split("\0", 3)
    last = message.strip().split("\n\n")[-1]
    trailers = dict(re.findall(r"^([A-Z][A-Za-z-]+): (.+)$", last, re.MULTILINE))
    return Commit(sha, parents.split()[1:], trailers, message.strip(), _changes(patch))


def _changes(patch: str) -> dict[str, Lines]:
    """The lines that went and came, by file."""
    changes: dict[str, Lines] = {}
    gone: list[str] = []
    came: list[str] = []
    for line in patch.splitlines():
        if line.startswith("diff --git a/"):
            gone, came = changes.setdefault(line.split(" b/")[-1], ([], []))
        elif line.startswith("-") and not line.startswith("--- "):
            gone.append(line[1:])
        elif line.startswith("+") and not line.startswith("+++ "):
            came.append(line[1:])
    return changes


def problems(commits: list[Commit], model: str) -> list[str]:
    """Everything that is wrong with a history, the oldest commit first; empty for nothing."""
    return [
        *_not_linear(commits),
        *_too_much(commits, model),
        *_lost(commits),
        *_overtaken(commits),
        *_doubled(commits),
    ]


def _not_linear(commits: list[Commit]) -> Iterator[str]:
    for commit in commits[1:]:
        if len(commit.parents) != 1:
            yield f"{commit.sha[:8]} has {len(commit.parents)} parents"
    for before, after in itertools.pairwise(commits):
        if after.parents != [before.sha]:
            yield f"{after.sha[:8]} does not follow {before.sha[:8]}"


def _too_much(commits: list[Commit], model: str) -> Iterator[str]:
    """A release that changes more than the three values of its entry and its own state, or less."""
    for commit in _releases(commits):
        state = {path for path in commit.changes if path.startswith(f"state/{model}/")}
        overlays = sorted(set(commit.changes) - state)
        if f"state/{model}/champion.json" not in state or len(overlays) != 1:
            yield f"release {commit.release} changed {sorted(commit.changes)}"
            continue
        gone, came = commit.changes[overlays[0]]
        for line in (*gone, *came):
            if not re.match(r"\s*(newName|newTag|digest): ", line):
                yield f"release {commit.release} changed the line {line!r}"


def _releases(commits: list[Commit]) -> list[Commit]:
    return [commit for commit in commits if commit.release]


def _lost(commits: list[Commit]) -> Iterator[str]:
    """A person's edit that is gone.

    Replicas go from one number to the next, and nobody but the person writes them.
    """
    value: int | None = None
    for sha, before, after in _replicas(commits):
        if value is not None and before != [value]:
            yield f"{sha} replaces {before} replicas, and there were {value}"
        if value is not None and after != [value + 1]:
            yield f"{sha} sets {after} replicas after {value}"
        value = after[0] if after else None


def _replicas(commits: list[Commit]) -> Iterator[tuple[str, list[int], list[int]]]:
    """Each change of replicas: the commit, and the counts before and after."""
    for commit in commits:
        for path, (gone, came) in commit.changes.items():
            before, after = _counts(gone), _counts(came)
            if path.endswith("/kustomization.yaml") and (before or after):
                yield commit.sha[:8], before, after


def _counts(lines: list[str]) -> list[int]:
    return [int(line.split(":")[1]) for line in lines if re.match(r"\s*count: \d+$", line)]


def _overtaken(commits: list[Commit]) -> Iterator[str]:
    """A release that was written over a newer one."""
    newest = 0
    for commit in _releases(commits):
        if commit.release <= newest:
            yield f"release {commit.release} was written over release {newest}"
        newest = max(newest, commit.release)


def _doubled(commits: list[Commit]) -> Iterator[str]:
    names = Counter(commit.trailers.get("Promotion-Id", commit.sha) for commit in commits)
    for name, count in names.items():
        if count > 1:
            yield f"promotion {name} was written {count} times"


def winners(commits: list[Commit]) -> dict[str, int]:
    """The number of the last release that was written, by the champion it was compared with."""
    return {commit.trailers["Against"]: commit.release for commit in _releases(commits)}


if __name__ == "__main__":
    wrong = problems(history(Path(sys.argv[1]), sys.argv[2]), sys.argv[3])
    say("\n".join(wrong) or "nothing is wrong", sys.stdout)
    sys.exit(bool(wrong))
