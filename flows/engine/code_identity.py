"""The identity of the code and of the lock that run here, read once in a process.

It is apart from what carries steps out: the evidence takes these hashes, and a change to how
steps are carried out writes no evidence anew.
"""

import re
from functools import cache
from pathlib import Path

from flows.project.root import ROOT
from sluice.identity import Sources, sha256

# The one package that is installed from the folder of the lock is the project itself.
_OWN_VERSION = re.compile(
    rb'^version = "[^"\n]*"\n(?=source = \{ (?:editable|virtual) = "\." \})', re.M
)


@cache
def code_of(*modules: str) -> str:
    """The hash of these modules and of all that they import of ours."""
    return _sources().hash(modules)


@cache
def _sources() -> Sources:
    """The code that runs here. Steps run mostly the same files, and each is read once."""
    return Sources(ROOT)


@cache
def lock() -> str:
    """The hash of the lock of this code, as `lock_of` has it."""
    return lock_of(ROOT)


def lock_of(project: Path) -> str:
    """The SHA-256 of a project's uv.lock without the version of the project itself.

    What runs is the same under another version of Sluice: its code is hashed by itself, and a
    release of Sluice trains nothing anew.
    """
    return sha256(_OWN_VERSION.sub(b"", (project / "uv.lock").read_bytes()))
