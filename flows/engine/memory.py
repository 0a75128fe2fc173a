"""Memory that a step no longer needs goes back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Return the free memory that allocators of this process keep for later: that of Arrow, where
    it was imported, and that of the C library, where it is one that can (glibc).

    After a large table was read, both keep half of what it took, and the next step wants other
    pieces.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
