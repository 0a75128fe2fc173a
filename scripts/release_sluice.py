"""Release Sluice itself: date the changelog, set the version, commit, tag. Nothing is pushed.

    python scripts/release_sluice.py 0.2.0 [--dry-run]

The standard library alone, so that it runs in any environment; `uv` has to be beside the
interpreter or on PATH.
"""

import argparse
import datetime
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
CHANGELOG, MANIFEST, LOCK = "CHANGELOG.md", "pyproject.toml", "uv.lock"
BRANCH = "main"
_RESTORE = "Restore it from git."
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_OWN_VERSION = re.compile(r'^version = "([^"]*)"$', re.MULTILINE)
_LINES = re.MULTILINE | re.DOTALL
_SECTION = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## |^\[[^\]]+\]: |\Z)", _LINES)
_ENTRY = re.compile(r"^[-*] ", re.MULTILINE)
_COMPARISON = re.compile(r"^\[Unreleased\]: (.*)compare/v[0-9.]+\.\.\.HEAD$", re.MULTILINE)


class ReleaseRefused(Exception):
    """The release cannot be made: what was measured, what is required, and what to do next."""

    def __init__(self, measure: str, value: object, required: object, fix: str) -> None:
        super().__init__(f"{measure} is {value}; {required} is required. {fix}")


@dataclass(frozen=True)
class Release:
    """A release before it is written: version, the one before, notes, and the new files."""

    version: str
    before: str
    notes: str
    changelog: str
    manifest: str
    lock: str

    @property
    def tag(self) -> str:
        """The name of the tag, `vX.Y.Z`."""
        return f"v{self.version}"


def plan(project: Path, version: str, day: datetime.date) -> Release:
    """Check everything that can be checked before a file is written.

    Raises ReleaseRefused for a version that is no step forward, a branch that is not main, a tree
    with changes, a tag that exists, a changelog without entries, or a lock without this version.
    """
    numbers = _numbers(version)
    manifest = _read(project, MANIFEST)
    before = _own_version(manifest)
    if numbers <= _numbers(before):
        raise ReleaseRefused("VERSION", version, f"more than {before}", "Choose the next version.")
    _check_repository(project, f"v{version}")
    text = _read(project, CHANGELOG)
    notes = _unreleased(text)
    return Release(
        version=version,
        before=before,
        notes=notes,
        changelog=_dated(text, version, before, day),
        manifest=_OWN_VERSION.sub(f'version = "{version}"', manifest, count=1),
        lock=_locked(_read(project, LOCK), before, version),
    )


def write(project: Path, release: Release) -> str:
    """Write, lock, commit and tag; return the commit. If anything fails, all of it is taken back.

    Raises ReleaseRefused where uv finds that lock and manifest differ, or where git refuses.
    """
    head = _git(project, "rev-parse", "HEAD")
    try:
        (project / CHANGELOG).write_text(release.changelog, encoding="utf-8")
        (project / MANIFEST).write_text(release.manifest, encoding="utf-8")
        (project / LOCK).write_text(release.lock, encoding="utf-8")
        _check_lock(project)
        _git(project, "add", "--", CHANGELOG, MANIFEST, LOCK)
        _git(project, "commit", "--quiet", "--message", f"Release {release.version}")
        # A message makes the tag an annotated one, signed where the settings of git say so.
        # Verbatim: git would take the headings of the changelog for comments.
        _git(project, "tag", release.tag, "--cleanup=verbatim", "--message", _tag_message(release))
    except BaseException:
        _git(project, "reset", "--quiet", "--hard", head)  # nothing is lost: the tree was clean
        raise
    return _git(project, "rev-parse", "HEAD")


def _numbers(version: str) -> tuple[int, int, int]:
    match = _VERSION.fullmatch(version)
    if match is None:
        example = "Run: make release VERSION=0.2.0"
        raise ReleaseRefused("VERSION", repr(version), "one of the form X.Y.Z", example)
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def _own_version(manifest: str) -> str:
    found = _OWN_VERSION.search(manifest)
    if found is None:
        raise ReleaseRefused(f"The number of versions in {MANIFEST}", 0, 1, _RESTORE)
    return found[1]


def _check_repository(project: Path, tag: str) -> None:
    branch = _git(project, "branch", "--show-current") or "none"
    if branch != BRANCH:
        raise ReleaseRefused("The branch", branch, BRANCH, f"Run: git switch {BRANCH}")
    changed = _git(project, "status", "--porcelain").splitlines()
    if changed:
        names = ", ".join(line[2:].strip() for line in changed[:3])
        fix = f"Commit or remove them: {names}"
        raise ReleaseRefused("The number of changed files", len(changed), 0, fix)
    if _git(project, "tag", "--list", tag):
        raise ReleaseRefused(f"The number of tags {tag}", 1, 0, "Choose the next version.")


def _unreleased(changelog: str) -> str:
    """The text below `## [Unreleased]`."""
    section = _SECTION.search(changelog)
    text = section[1].strip() if section else ""
    if not _ENTRY.search(text):
        measure = f"The number of entries under Unreleased in {CHANGELOG}"
        raise ReleaseRefused(measure, 0, "1 or more", "Describe what changed for users.")
    return text


def _dated(changelog: str, version: str, before: str, day: datetime.date) -> str:
    """The changelog with its section dated, an empty one above, and links that compare versions."""
    heading = f"## [Unreleased]\n\n## [{version}] - {day.isoformat()}\n"
    dated = changelog.replace("## [Unreleased]\n", heading, 1)
    link = _COMPARISON.search(dated)
    if link is None:
        measure = f"The number of lines `[Unreleased]: ...compare/vX.Y.Z...HEAD` in {CHANGELOG}"
        raise ReleaseRefused(measure, 0, 1, _RESTORE)
    address = link[1]
    lines = [
        f"[Unreleased]: {address}compare/v{version}...HEAD",
        f"[{version}]: {address}compare/v{before}...v{version}",
    ]
    return dated[: link.start()] + "\n".join(lines) + dated[link.end() :]


def _locked(lock: str, before: str, version: str) -> str:
    """The lock with the version of Sluice in it, and nothing else changed.

    `uv lock` would ask the index again, and may write other lines anew that say the same.
    """
    own = f'name = "sluice"\nversion = "{before}"\n'
    count = lock.count(own)
    if count != 1:
        measure = f"The number of entries of sluice {before} in {LOCK}"
        raise ReleaseRefused(measure, count, 1, "Run `uv lock`, and commit that on its own.")
    return lock.replace(own, f'name = "sluice"\nversion = "{version}"\n')


def _check_lock(project: Path) -> None:
    """Ask uv whether lock and manifest agree."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None:
        raise ReleaseRefused("The number of uv programs", 0, 1, "Run: make setup")
    _run(project, [uv, "lock", "--check", "--quiet", "--python", sys.executable])


def _tag_message(release: Release) -> str:
    return f"Sluice {release.version}\n\n{release.notes}\n"


def _read(project: Path, name: str) -> str:
    try:
        return (project / name).read_text(encoding="utf-8")
    except OSError as error:
        raise ReleaseRefused(name, error.strerror, "a file that can be read", _RESTORE) from None


def _git(project: Path, *arguments: str) -> str:
    return _run(project, ["git", *arguments])


def _run(project: Path, command: Sequence[str]) -> str:
    """What a program printed. Raises ReleaseRefused with its own words where it fails."""
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if ended.returncode:
        measure = f"The exit code of `{Path(command[0]).name} {command[1]}`"
        words = ended.stderr.strip() or ended.stdout.strip()
        raise ReleaseRefused(measure, ended.returncode, 0, words)
    return ended.stdout.strip()


def main(arguments: Sequence[str], project: Path, day: datetime.date) -> int:
    """Release, or show what a release would write; 0 when done, 3 when refused."""
    parser = argparse.ArgumentParser(
        prog="make release", description="Release Sluice itself. Nothing is pushed."
    )
    parser.add_argument("version", metavar="VERSION", help="the next version, X.Y.Z")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show the section of the changelog, and write nothing",
    )
    given = parser.parse_args(arguments)
    try:
        release = plan(project, given.version, day)
        if given.dry_run:
            print(_tag_message(release))
            print(f"Dry run: {release.before} would become {release.version}; nothing was written.")
            return 0
        commit = write(project, release)
    except ReleaseRefused as refused:
        print(f"Refused: {refused}", file=sys.stderr)
        return 3
    print(
        f"Released: {release.tag} is commit {commit[:12]}. Publish it with: git push --follow-tags"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], PROJECT, datetime.datetime.now(datetime.UTC).date()))
