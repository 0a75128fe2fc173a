"""What a race must leave behind, judged from `git log` alone: nothing here knows the writer.

python -m flows.drills.crash.race_checker REPOSITORY BRANCH MODEL
"""

import itertools
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from flows.adapters.process import run

# Commits apart, then fields apart; no message holds a NUL.
_FORMAT = "%x00%x00%H%x00from %P%x00%B%x00"


@dataclass(frozen=True)
class Commit:
    """A commit with the lines that went and came in each file."""

    sha: str
    parents: list[str]
    trailers: dict[str, str]
    message: str
    changes: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)

    @property
    def release(self) -> int:
        """The number of a release; 0 for a commit that is none."""
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
    commits = []
    for entry in raw.split("\0\0")[1:]:
        sha, parents, message, patch = entry.split("\0", 3)
        trailers = dict(
            re.findall(r"^([A-Z][A-Za-z-]+): (.+)$", message.strip().split("\n\n")[-1], re.M)
        )
        commits.append(Commit(sha, parents.split()[1:], trailers, message.strip(), _changes(patch)))
    return commits


def _changes(patch: str) -> dict[str, tuple[list[str], list[str]]]:
    found: dict[str, tuple[list[str], list[str]]] = {}
    gone: list[str] = []
    came: list[str] = []
    for line in patch.splitlines():
        if line.startswith("diff --git a/"):
            gone, came = found.setdefault(line.split(" b/")[-1], ([], []))
        elif line.startswith("-") and not line.startswith("--- "):
            gone.append(line[1:])
        elif line.startswith("+") and not line.startswith("+++ "):
            came.append(line[1:])
    return found


def problems(commits: list[Commit], model: str) -> list[str]:
    """Everything that is wrong with a history; empty where nothing is."""
    return [
        *_not_linear(commits),
        *_too_much(commits, model),
        *_lost(commits),
        *_overtaken(commits),
        *_doubled(commits),
    ]


def _not_linear(commits: list[Commit]) -> list[str]:
    wrong = [
        f"{commit.sha[:8]} has {len(commit.parents)} parents"
        for commit in commits[1:]
        if len(commit.parents) != 1
    ]
    pairs = itertools.pairwise(commits)
    return wrong + [
        f"{two.sha[:8]} does not follow {one.sha[:8]}"
        for one, two in pairs
        if two.parents != [one.sha]
    ]


def _too_much(commits: list[Commit], model: str) -> list[str]:
    """A release that changes more than the three values of its entry and its own state, or less."""
    found = []
    for commit in (commit for commit in commits if commit.release):
        state = {path for path in commit.changes if path.startswith(f"state/{model}/")}
        [*overlays] = set(commit.changes) - state
        if f"state/{model}/champion.json" not in state or len(overlays) != 1:
            found.append(f"release {commit.release} changed {sorted(commit.changes)}")
            continue
        lines = [line for side in commit.changes[overlays[0]] for line in side]
        odd = [line for line in lines if not re.match(r"\s*(newName|newTag|digest): ", line)]
        found += [f"release {commit.release} changed the line {line!r}" for line in odd]
    return found


def _lost(commits: list[Commit]) -> list[str]:
    """A person's edit that is gone: replicas go from one number to the next, and nobody else writes
    them.
    """
    found, value = [], None
    for commit in commits:
        overlays = (
            sides for path, sides in commit.changes.items() if path.endswith("/kustomization.yaml")
        )
        for gone, came in overlays:
            before, after = (
                [int(line.split(":")[1]) for line in lines if re.match(r"\s*count: \d+$", line)]
                for lines in (gone, came)
            )
            if not before and not after:
                continue
            if value is not None and before != [value]:
                found.append(f"{commit.sha[:8]} replaces {before} replicas, and there were {value}")
            if value is not None and after != [value + 1]:
                found.append(f"{commit.sha[:8]} sets {after} replicas after {value}")
            value = after[0] if after else None
    return found


def _overtaken(commits: list[Commit]) -> list[str]:
    """A release that was written over a newer one."""
    found, newest = [], 0
    for commit in (commit for commit in commits if commit.release):
        if commit.release <= newest:
            found.append(f"release {commit.release} was written over release {newest}")
        newest = max(newest, commit.release)
    return found


def _doubled(commits: list[Commit]) -> list[str]:
    seen: dict[str, int] = defaultdict(int)
    for commit in commits:
        seen[commit.trailers.get("Promotion-Id", commit.sha)] += 1
    return [
        f"promotion {name} was written {count} times" for name, count in seen.items() if count > 1
    ]


def winners(commits: list[Commit]) -> dict[str, int]:
    """For each champion that releases were compared with, the last of them that was written."""
    return {commit.trailers["Against"]: commit.release for commit in commits if commit.release}


if __name__ == "__main__":
    wrong = problems(history(Path(sys.argv[1]), sys.argv[2]), sys.argv[3])
    print("\n".join(wrong) or "nothing is wrong")
    sys.exit(bool(wrong))
