"""The identity of the code and of the lock that run here, read once in a process.

It is apart from what carries steps out: the evidence takes these hashes, and a change to how
steps are carried out writes no evidence anew.
"""

from functools import cache

from flows.project.root import ROOT
from sluice.identity import code_hash, file_sha256


@cache
def code_of(*modules: str) -> str:
    """The hash of these modules and of all that they import of ours."""
    return code_hash(ROOT, modules)


@cache
def lock() -> str:
    """The SHA-256 of the lock file."""
    return file_sha256(ROOT / "uv.lock")
