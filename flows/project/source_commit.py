"""The commit that project or code have, as a release names it."""

from pathlib import Path

from flows.adapters.git import git

# Where a file that is new shapes a release: a model that was just drafted is in no commit yet.
_SHAPED_BY = ("bento", "data", "flows", "gx", "models", "overrides", "sluice")


def source_commit(folder: Path) -> str:
    """The commit of a working tree; `-dirty` where tracked files differ, or a file that git does
    not track shapes a release. Empty outside of git, and before the first commit.

    Raises UsageError where there is a repository that git does not read.
    """
    return git.head(folder, _SHAPED_BY)
